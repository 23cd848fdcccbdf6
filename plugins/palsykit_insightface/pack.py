"""Which file of an insightface model pack does what, told by the models' inputs and outputs and not by their names."""

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
"""Outputs of SCRFD (Guo et al., arXiv:2105.04714): scores, boxes and, with points, offsets at three or five strides."""

_LANDMARK_VALUES = 1103 * 3
"""What 1k3d68.onnx gives: 1,103 points in 3D, of which the last 68 are iBUG's."""


_CROP, _MULTIPLE = 112, 16
"""A recognition model reads squares of at least so many px, a multiple of the other, as insightface tells it."""


@dataclass(frozen=True)
class Pack:
    """The files of a pack that are used; ``landmarks`` is None where they are not asked for."""

    detector: Path
    landmarks: Path | None


def find(pack: Path, landmarks: bool) -> Pack:
    """The detector, and the 68-point model if asked for, of a pack's folder or beside a detector's own file.

    Raises:
        PalsykitError: there is none, or more than one; says what was found instead and where packs are.
    """
    files = [pack] if pack.is_file() else _onnx_files(pack)
    purposes = {file: _purpose(file) for file in files}
    beside = {file: _purpose(file) for file in _onnx_files(pack.parent)} if landmarks and pack.is_file() else purposes
    found = Pack(_one(pack, purposes, DETECTOR), _one(pack, beside, LANDMARKS) if landmarks else None)
    _say_licence(found.detector.parent)
    return found


def find_recognition(pack: Path) -> Path:
    """The recognition model of a pack's folder, or a recognition model's own file.

    Raises:
        PalsykitError: there is none, or more than one; says what was found instead and where packs are.
    """
    files = [pack] if pack.is_file() else _onnx_files(pack)
    found = _one(pack, {file: _purpose(file) for file in files}, RECOGNITION)
    _say_licence(found.parent)
    return found


@cache
def _say_licence(folder: Path) -> None:
    say(f"insightface pack {folder.name}: {LICENCE}")


def _onnx_files(folder: Path) -> list[Path]:
    """The models in a folder, or in the folder of the same name in it, which is what some packs unpack to."""
    return sorted(folder.glob("*.onnx")) or sorted((folder / folder.name).glob("*.onnx"))


def _one(pack: Path, purposes: dict[Path, str], wanted: str) -> Path:
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
    """What a model is for; its weights are read, but it is not run."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise PalsykitError(f"insightface: {error}; {INSTALL}") from error
    try:
        graph = onnx.load(str(file), load_external_data=False).graph
    except (DecodeError, OSError, ValueError) as error:
        return f"no ONNX model: {str(error) or type(error).__name__}"
    outputs = [_shape(value) for value in graph.output]
    constants = {value.name for value in graph.initializer}  # exported from MXNet, a graph lists its weights as inputs
    inputs = [_shape(value) for value in graph.input if value.name not in constants]
    if len(outputs) in _OUTPUTS and inputs and len(inputs[0]) == 4:
        return _OUTPUTS[len(outputs)]
    given, made = [list(shape[2:]) for shape in inputs], [list(shape[1:]) for shape in outputs]
    if (given, made) == ([[192, 192]], [[_LANDMARK_VALUES]]):
        return LANDMARKS
    if len(given) == 1 and len(made) == 1 and len(made[0]) == 1 and _is_crop(given[0]):
        return RECOGNITION
    return f"another model: inputs {inputs}, outputs {outputs[:3]}"


def _is_crop(sides: Sequence[int]) -> bool:
    """Whether these are the sides of what a recognition model reads; 192 px are read by models of points."""
    return len(sides) == 2 and sides[0] == sides[1] != 192 and sides[0] >= _CROP and sides[0] % _MULTIPLE == 0


def _shape(value: object) -> Sequence[int]:
    """A graph value's shape; 0 where it is free."""
    return [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]  # type: ignore[attr-defined]
