"""The contract of a map that says where its picture's landmarks go: each fault is told."""

from typing import Any

import pytest
from torch import Tensor

from palsykit import FaceView, Network
from palsykit.diffusion.points import driver_points, find_points
from palsykit.faces.warping import warp
from palsykit.registry import Entry
from palsykit.testing import Result, check, examine

CONTRACT = "its moves are those of its picture"


class Moved:
    """The identity picture, moved as the driver's landmarks are; with a fault."""

    channels = 3

    def __init__(self, image_size: int, *, network: Network | str = "points", fault: str = ""):
        self.network, self.fault = network, fault
        self.views = ("driver", "rest") if fault == "no identity" else ("driver", "identity")

    def __call__(self, driver: FaceView, picture: FaceView) -> Tensor:
        if self.fault == "another picture":
            return driver.image
        if self.fault == "no identity":
            return driver.image
        moved = warp(picture.image, *self.points(driver, picture))
        return moved.mean(1, keepdim=True) if self.fault == "grey" else moved

    def points(self, driver: FaceView, picture: FaceView) -> tuple[Tensor, Tensor]:
        """In px, from and to."""
        return find_points(self.network, picture), driver_points(self.network, driver, picture)  # type: ignore[arg-type]

    def moves(self, driver: FaceView, picture: FaceView) -> Any:
        if self.fault == "no identity":
            return driver.landmarks, driver.landmarks
        source, target = self.points(driver, picture)
        size = driver.image.shape[-1]
        wrong: dict[str, Any] = {
            "one": target,
            "fewer": (source[:, 17:], target[:, 17:]),
            "sides": (source / size, target / size),
            "back": (target, source),
            "y first": (source.flip(-1), target.flip(-1)),
            "drifts": (source, target + size / 8),
            "not finite": (source, target / 0),
            "rows": (source, target - target.mean(0)),
            "elsewhere": (source, target.to("meta")),
        }
        return wrong.get(self.fault, (source, target))


class Grey(Moved):
    channels = 1


def results(fault: str) -> dict[str, Result]:
    part = Grey if fault == "grey" else Moved
    entry = Entry("maps", "moved", "-", "-", "-", part)
    return {result.check: result for result in examine(entry, {"fault": fault} if fault else {})}


def test_a_map_that_moves_its_picture_passes() -> None:
    assert results("")[CONTRACT].state == "passed"
    assert {result.check: result for result in check("map", "warped")}[CONTRACT].state == "passed"


def test_a_map_need_not_say_moves() -> None:
    assert CONTRACT not in {result.check for result in check("map", "photograph")}


@pytest.mark.parametrize(
    ("fault", "name", "seen"),
    [
        ("one", "shapes in fp32", "Tensor"),
        ("fewer", "shapes in fp32", "[4, 51, 2]"),
        ("not finite", "shapes in fp32", "NaN or infinity"),
        ("rows", "rows do not depend on their neighbours", "row 0 of moves to changes"),
        ("elsewhere", CONTRACT, "meta"),
        ("no identity", CONTRACT, "('driver', 'rest')"),
        ("grey", CONTRACT, "1"),
        ("drifts", CONTRACT, "moves of 4 px"),
        ("sides", CONTRACT, "an error of"),
        ("back", CONTRACT, "an error of"),
        ("y first", CONTRACT, "an error of"),
        ("another picture", CONTRACT, "an error of"),
    ],
)
def test_wrong_moves_are_told(fault: str, name: str, seen: str) -> None:
    result = results(fault)[name]
    assert result.state == "failed"
    assert seen in result.seen
    assert result.mend
