"""The face finder's benchmark: changes move points as they move pixels, misses are counted, and it runs."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from palsykit.errors import PalsykitError
from palsykit.faces.interfaces import Detection
from palsykit_face_space.dataset import FaceSpace

BOX = np.array([20.0, 10.0, 70.0, 80.0])


@pytest.fixture
def benchmark(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("benchmarks/face_finder.py")


def spot(pixels: np.ndarray) -> np.ndarray:
    """The middle of what is red, in px."""
    weight = np.clip(pixels[..., 0].astype(float) - pixels[..., 1:].max(-1) - 120, 0, None)
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]] + 0.5
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


def test_every_change_moves_points_with_the_pixels(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = np.full((90, 100, 3), 120, np.uint8)
    picture[40:50, 50:60] = 255, 20, 20
    face = Detection(np.zeros((5, 2)), 1.0, box=BOX)
    monkeypatch.setattr(benchmark, "soft_noise", lambda rng, size: np.zeros((size[1], size[0], 3), np.uint8))
    for name, change in benchmark.CHANGES.items():
        if "15 %" in name:
            continue  # the place stays
        pixels, matrix = change(picture, face, 3)
        assert pixels.dtype == np.uint8, name
        np.testing.assert_allclose(spot(pixels), matrix[:, :2] @ spot(picture) + matrix[:, 2], atol=1.0, err_msg=name)


def test_what_counts_as_found(benchmark: ModuleType) -> None:
    five = np.array([[10.0, 10], [30, 10], [20, 20], [12, 30], [28, 30]])
    answers = [
        [Detection(five, 1.0)],
        [Detection(five + 10, 1.0)],
        [],
        [Detection(five, 1.0)] * 2,
        [Detection(five + 1, 1.0)],
    ]

    class Listed:
        version = "listed"

        def detect(self, photograph: np.ndarray) -> list[Detection]:
            return answers[int(photograph[0, 0, 0])]

    cases = [(f"p{n}", np.full((2, 2, 3), n, np.uint8), five) for n in range(5)]
    row: dict[str, Any] = benchmark.row_of(iter(cases), Listed())
    assert (row["n"], row["found"]) == (5, 40)
    assert row["missed"] == ["p1: 1 faces", "p2: 0 faces", "p3: 2 faces"]
    assert row["worst"] == pytest.approx(100 * 2**0.5 / 20)


def test_it_runs(benchmark: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people = FaceSpace(128, tmp_path / "cache", identities=1, validation=0, test=0, renders=1)
    (tmp_path / "photographs").mkdir()
    Image.fromarray(people.image(people.records[0])).resize((300, 300)).save(tmp_path / "photographs/a.jpg")
    few = ["--photographs", str(tmp_path / "photographs"), "--changes", "as it is", "turned by 90", "--drawn", "4"]
    benchmark.main([*few, "--json", str(tmp_path / "figures.json")])
    *lines, last = capsys.readouterr().out.splitlines()
    figures = json.loads(last)
    assert json.loads((tmp_path / "figures.json").read_text()) == figures
    assert lines[0].startswith("photographs")
    assert figures["rows"]["turned by 90"]["found"] == 100
    assert figures["rows"]["rendered at 64 px, enlarged to 256"]["n"] == 4
    assert sum(row["faces"] for row in figures["false"].values()) == 0
    with pytest.raises(PalsykitError, match=r"found no \.jpg"):
        benchmark.main(["--photographs", str(tmp_path / "cache")])
