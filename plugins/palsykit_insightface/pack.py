"""Find the models of an insightface pack by their inputs and outputs, not by their file names."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from palsykit.errors import PalsykitError
from palsykit.progress import say

PACKS = "https://github.com/deepinsight/insightface/tree/master/model_zoo"

INSTALL = "pip install 'palsykit[insightface]'"

LICENCE = (
    "its models are for non-commercial research only (insightface's code is MIT); commercial use needs a licence of "
    "their authors, see " + PACKS
)

DETECTOR, LANDMARKS, RECOGNITION = "detector with five points", "68 landmarks", "recognition"

_OUTPUTS = {9: DETECTOR, 15: DETECTOR, 6: "detector of boxes alone", 10: "detector of boxes alone"}
"""Number of outputs of SCRFD (Guo et al., arXiv:2105.04714) -> its kind: scores, boxes and, with points, their
offsets, at three or five strides."""

_LANDMARK_VALUES = 1103 * 3
"""Output of 1k3d68.onnx: 1,103 points in 3D, the last 68 of which are iBUG's."""


_CROP, _MULTIPLE = 112, 16
"""Smallest side in px of a recognition model's input, and its divisor, as in insightface."""


@dataclass(frozen=True)
class Pack:
    """The files of a pack that are used; ``landmarks`` is None if landmarks are not requested."""

    detector: Path
    landmarks: Path | None


def find(pack: Path, landmarks: bool) -> Pack:
    """Find the detector and, if ``landmarks``, the 68-point model in a pack's folder, or beside a detector's file.

    Raises:
        PalsykitError: there is none or more than one; the message says what was found and where to get packs.
    """
    files = [pack] if pack.is_file() else _onnx_files(pack)
    purposes = {file: _purpose(file) for file in files}
    beside = {file: _purpose(file) for file in _onnx_files(pack.parent)} if landmarks and pack.is_file() else purposes
    files_used = Pack(_one(pack, purposes, DETECTOR), _one(pack, beside, LANDMARKS) if landmarks else None)
    _say_licence(files_used.detector.parent)
    return files_used


def find_recognition(pack: Path) -> Path:
    """Find the recognition model in a pack's folder; ``pack`` may also be the model's file.

    Raises:
        PalsykitError: there is none or more than one; the message says what was found and where to get packs.
    """
    files = [pack] if pack.is_file() else _onnx_files(pack)
    model = _one(pack, {file: _purpose(file) for file in files}, RECOGNITION)
    _say_licence(model.parent)
    return model


@cache
def _say_licence(folder: Path) -> None:
    say(f"insightface pack {folder.name}: {LICENCE}")


def _onnx_files(folder: Path) -> list[Path]:
    """The models in a folder, or in its subfolder of the same name, because some packs unpack to that."""
    return sorted(folder.glob("*.onnx")) or sorted((folder / folder.name).glob("*.onnx"))


def _one(pack: Path, purposes: dict[Path, str], wanted: str) -> Path:
    """The only file with the purpose ``wanted``."""
    fitting = [file for file, purpose in purposes.items() if purpose == wanted]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = " and ".join(file.name for file in fitting)
        raise PalsykitError(f"{pack}: found {len(fitting)} models for {wanted} ({names}), expected one; name the file")
    raise PalsykitError(
        f"{pack}: found no model for {wanted}, but {_contents(pack, purposes)}; expected a pack such as buffalo_l, "
        f"unpacked, from {PACKS} ({LICENCE})"
    )


def _contents(pack: Path, purposes: dict[Path, str]) -> str:
    if purposes:
        return ", ".join(f"{file.name} ({purpose})" for file, purpose in purposes.items())
    names = sorted(item.name for item in pack.iterdir())
    return "no .onnx file" + (f" among {', '.join(names[:8])}" if names else ", the folder is empty")


def _purpose(file: Path) -> str:
    """What a model does, from its inputs and outputs. The file is read, but the model is not run."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise PalsykitError(f"insightface: {error}; {INSTALL}") from error
    try:
        graph = onnx.load(str(file), load_external_data=False).graph
    except (DecodeError, OSError, ValueError) as error:
        return f"not an ONNX model: {str(error) or type(error).__name__}"
    outputs = [_shape(value) for value in graph.output]
    constants = {value.name for value in graph.initializer}  # graphs exported from MXNet list weights as inputs
    inputs = [_shape(value) for value in graph.input if value.name not in constants]
    if len(outputs) in _OUTPUTS and inputs and len(inputs[0]) == 4:
        return _OUTPUTS[len(outputs)]
    sides, values = [list(shape[2:]) for shape in inputs], [list(shape[1:]) for shape in outputs]
    if (sides, values) == ([[192, 192]], [[_LANDMARK_VALUES]]):
        return LANDMARKS
    if len(sides) == 1 and len(values) == 1 and len(values[0]) == 1 and _is_crop(sides[0]):
        return RECOGNITION
    return f"another model: inputs {inputs}, outputs {outputs[:3]}"


def _is_crop(sides: Sequence[int]) -> bool:
    """Whether these can be the sides of a recognition model's input. Not 192 px: that is a model of points."""
    return len(sides) == 2 and sides[0] == sides[1] != 192 and sides[0] >= _CROP and sides[0] % _MULTIPLE == 0


def _shape(value: object) -> Sequence[int]:
    """A graph value's shape; 0 for a free dimension."""
    return [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]  # type: ignore[attr-defined]
