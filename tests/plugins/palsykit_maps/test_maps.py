"""Maps: landmarks as lines, in their place, part by part, and movable; a photograph, as it is and bent."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from palsykit.diffusion.points import driver_points
from palsykit.errors import PalsykitError
from palsykit.faces import warping
from palsykit.faces.warping import retarget, warp
from palsykit.interfaces import FaceView, NetworkOutput
from palsykit.networks import SharedNetwork
from palsykit.recipe.build import build_part
from palsykit.recipe.schema import PartBlock
from palsykit.testing import check
from palsykit.testing.stand_ins import Networks, faces, landmarks
from palsykit_maps.outlines import PARTS, SPREAD, outlines

SIZE = 32
FACE = torch.from_numpy(landmarks(48, 0.0, 0))[None]
DRIVER, IDENTITY, REST = (faces(2, SIZE, name) for name in ("driver", "identity", "rest"))
NETWORKS = Networks(SIZE)


def built(use: str, **keys: Any) -> Any:
    return build_part("maps", PartBlock(use=use, parameters=keys), SIZE, networks=NETWORKS)


@pytest.mark.parametrize(
    ("use", "keys"),
    [
        ("photograph", {"of": "driver"}),
        ("outlines", {}),
        ("outlines", {"laid_on": "identity", "rest": "rest"}),
        ("warped", {}),
        ("warped", {"rest": "rest"}),
    ],
)
def test_each_keeps_the_contract_of_a_map(use: str, keys: dict[str, Any]) -> None:
    assert {result.state for result in check("map", use, **keys)} == {"passed"}


def test_a_photograph_is_the_view_it_is_of() -> None:
    made = built("photograph", of="driver")
    assert (made.views, made.channels) == (("driver",), 3)
    assert torch.equal(made(DRIVER), DRIVER.image)


def test_lines_are_drawn_where_the_driver_has_them_or_laid_on_the_identity() -> None:
    points, own, still = (NETWORKS["points"](view.image).points for view in (DRIVER, IDENTITY, REST))
    assert torch.equal(built("outlines")(DRIVER), outlines(points, SIZE))
    laid = built("outlines", laid_on="identity", rest="rest")
    assert laid.views == ("driver", "identity", "rest")
    assert torch.equal(laid(DRIVER, IDENTITY, REST), outlines(retarget(points, own, still).float(), SIZE))
    assert torch.equal(laid(DRIVER, IDENTITY, None), outlines(retarget(points, own).float(), SIZE))
    with pytest.raises(PalsykitError, match="found rest: rest and laid_on: null"):
        built("outlines", rest="rest")


def test_a_picture_is_bent_to_the_drivers_points() -> None:
    made = built("warped", rest="rest")
    assert made.views == ("driver", "identity", "rest")
    own = NETWORKS["points"](IDENTITY.image).points
    for rest in (None, REST):
        target = driver_points(NETWORKS["points"], DRIVER, IDENTITY, rest)
        assert torch.equal(made(DRIVER, IDENTITY, rest), warp(IDENTITY.image, own, target))
    assert not torch.allclose(made(DRIVER, IDENTITY, REST), made(DRIVER, IDENTITY, None), atol=1e-5)
    torch.testing.assert_close(made(REST, IDENTITY, REST), IDENTITY.image, atol=1e-3, rtol=0)


def test_splines_of_known_landmarks_are_cached_and_stay_differentiable(monkeypatch: pytest.MonkeyPatch) -> None:
    solved: list[int] = []
    bend = warping.bend
    monkeypatch.setattr(warping, "bend", lambda *keys: (solved.append(len(keys[0])), bend(*keys))[1])
    made = built("warped")
    first, again = made(DRIVER, IDENTITY), made(DRIVER, IDENTITY)
    assert torch.equal(first, again)
    assert solved == [2]
    moving = replace(DRIVER, image=DRIVER.image.clone().requires_grad_())
    bent = made(moving, IDENTITY)
    assert torch.equal(bent, first)
    bent.square().sum().backward()
    assert moving.image.grad is not None
    assert moving.image.grad.abs().max() > 0


def test_a_network_without_points_is_refused() -> None:
    class Blind(nn.Module):
        map_shape, embedding_width = (8, 2, 2), None

        def forward(self, image: torch.Tensor) -> NetworkOutput:
            return NetworkOutput(map=torch.zeros(len(image), 8, 2, 2))

    networks = {"blind": SharedNetwork("blind", Blind())}
    made = build_part("maps", PartBlock(use="outlines", parameters={"network": "blind"}), SIZE, networks=networks)
    with pytest.raises(ValueError, match="network 'blind' finds no points"):
        made(FaceView.of_images(torch.zeros(1, 3, SIZE, SIZE)))


def test_every_point_lies_on_a_line_of_its_part_and_the_background_is_empty():
    maps = outlines(FACE.round(), 48)
    assert maps.shape == (1, len(PARTS), 48, 48)
    for part, lines in enumerate(PARTS.values()):
        for x, y in FACE.round()[0, [index for line in lines for index in line]].long().tolist():
            assert maps[0, part, y, x] == 1.0
    assert maps[:, :, :4].max() < 1e-6, "above the brows"
    assert {index for lines in PARTS.values() for line in lines for index in line} == set(range(68))


def test_a_line_falls_off_as_a_gaussian_of_the_distance():
    points = FACE.clone()
    points[:, 27:31] = torch.tensor([[20.0, 10.0], [20.0, 14.0], [20.0, 18.0], [20.0, 22.0]])  # the bridge, upright
    beside = outlines(points, 48)[0, list(PARTS).index("nose"), 15, 20:23]
    assert beside.tolist() == pytest.approx([1.0, *(torch.exp(-torch.tensor([1.0, 4.0]) / (2 * 0.6**2))).tolist()])


def test_a_large_drawing_is_that_of_a_line_at_its_own_size():
    points = torch.from_numpy(landmarks(256, 0.0, 0)).float()[None]
    drawn = outlines(points, 256)
    for part, lines in enumerate(PARTS.values()):
        at = points[0, [point for line in lines for point in line]].round().long().clamp(0, 255)
        assert (drawn[0, part, at[:, 1], at[:, 0]] > 0.9).all()
    # A brow of one horizontal line, far from its ends: the brightness falls as at full size.
    flat = points.clone()
    flat[:, 17:22, 0], flat[:, 17:22, 1] = torch.linspace(20, 120, 5), 100.0
    fall = outlines(flat, 256)[0, 1, 94:107, 70]
    exact = torch.exp(-((torch.arange(94, 107) - 100.0) ** 2) / (2 * (SPREAD * 256) ** 2))
    assert torch.allclose(fall, exact, atol=0.04)  # linear between cells of 2 px


def test_shut_lids_are_two_lines_in_one_place():
    shut = FACE.clone()
    shut[:, [41, 40]] = shut[:, [37, 38]]
    maps = outlines(shut, 48)[0, :, :, 10:23]  # about the subject's right eye
    assert torch.allclose(maps[list(PARTS).index("upper lids")], maps[list(PARTS).index("lower lids")])
    maps = outlines(FACE, 48)[0, :, :, 10:23]
    assert not torch.allclose(maps[list(PARTS).index("upper lids")], maps[list(PARTS).index("lower lids")], atol=0.1)


def test_points_can_be_moved_by_what_is_drawn_and_may_lie_outside_or_coincide():
    points = FACE.clone().requires_grad_()
    outlines(points, 48).square().sum().backward()
    assert points.grad is not None
    assert points.grad.isfinite().all()
    assert (points.grad.abs().sum(-1) > 0).all()
    assert outlines(FACE + 500, 48).max() == 0
    assert outlines(torch.full_like(FACE, torch.nan), 48).isnan().any(), "what is not a number stays so"
    together = torch.full((1, 68, 2), 7.0, requires_grad=True)
    drawn = outlines(together, 48)
    drawn.sum().backward()
    assert drawn[0, :, 7, 7].tolist() == [1.0] * len(PARTS)
    assert together.grad.isfinite().all()
