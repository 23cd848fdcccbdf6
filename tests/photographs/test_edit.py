"""An edit moves and adds inside the mask only, at any resolution."""

import warnings
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from palsykit.faces.alignment import FRAME, to_frame
from palsykit.faces.views import to_tensor
from palsykit.faces.warping import warp
from palsykit.photographs.edit import Edit, apply, edit_of, face_mask

RNG = np.random.default_rng(0)


def face() -> np.ndarray:
    """68 points of a schematic face, in frame sides."""
    jaw = [(0.5 - 0.3 * np.cos(a), 0.45 + 0.45 * np.sin(a)) for a in np.linspace(0, np.pi, 17)]
    brows = [(0.27 + 0.04 * i, 0.3) for i in range(5)] + [(0.57 + 0.04 * i, 0.3) for i in range(5)]
    nose = [(0.5, 0.38 + 0.05 * i) for i in range(4)] + [(0.44 + 0.03 * i, 0.57) for i in range(5)]
    eyes = [
        (x + 0.04 * np.cos(a), 0.39 - 0.02 * np.sin(a))
        for x in (0.375, 0.625)
        for a in np.linspace(np.pi, -np.pi, 7)[:6]
    ]
    lips = [(0.5 - 0.12 * np.cos(a), 0.68 - 0.05 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 13)[:12]]
    inner = [(0.5 - 0.09 * np.cos(a), 0.68 - 0.02 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 9)[:8]]
    return np.array(jaw + brows + nose + eyes + lips + inner)


def smooth(height: int, width: int) -> np.ndarray:
    """A picture without sharp edges, so that resampling changes little."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 23 + y / 31), np.cos(x / 17), np.sin(y / 19 - x / 41)]
    return np.stack([127 + 100 * wave for wave in waves], -1).astype(np.uint8)


def moved() -> tuple[torch.Tensor, torch.Tensor]:
    source = torch.from_numpy(face())
    target = source.clone()
    target[48] += torch.tensor([0.0, 0.04])
    return source, target


def test_the_mask_is_soft_inside_the_face_and_0_at_the_border() -> None:
    mask = face_mask(face()[None])
    assert mask.shape == (256, 256)
    assert mask[128, 128] == 1
    assert mask.amin() == 0
    assert mask[0].max() == mask[-1].max() == mask[:, 0].max() == mask[:, -1].max() == 0
    assert ((mask > 0) & (mask < 1)).sum() > 1000
    assert (mask.diff(dim=0).abs().max() < 0.2) & (mask.diff(dim=1).abs().max() < 0.2)


def test_nothing_changes_outside_the_mask_and_nothing_without_a_change() -> None:
    photograph = RNG.integers(0, 256, (300, 240, 3), dtype=np.uint8)
    matrix = to_frame(FRAME * 150 + [40, 60], 1)
    source, target = moved()
    mask = face_mask(np.stack([source.numpy(), target.numpy()]))
    still = edit_of(torch.zeros(3, 16, 16), mask, torch.zeros(3, 16, 16), source, source)
    assert np.array_equal(apply(still, photograph, matrix), photograph)
    edit = edit_of(torch.full((3, 16, 16), 0.3), mask, torch.zeros(3, 16, 16), source, target)
    result = apply(edit, photograph, matrix)
    y, x = np.mgrid[:300, :240] + 0.5
    frame = np.stack([x, y], -1) @ matrix[:, :2].T + matrix[:, 2]
    outside = ((frame < 0) | (frame > 1)).any(-1)
    assert np.array_equal(result[outside], photograph[outside])
    assert (result != photograph).any(-1).mean() > 0.05


@pytest.mark.parametrize("scale", [1, 3])
def test_moves_are_those_of_the_warp_at_any_size(scale: int) -> None:
    side = 128 * scale
    photograph = smooth(side, side)
    source, target = moved()
    edit = edit_of(torch.zeros(3, 16, 16), torch.ones(256, 256), torch.zeros(3, 16, 16), source, target)
    edit = replace(edit, detail=torch.ones(1, 16, 16))  # all of the photograph's own pixels
    result = apply(edit, photograph, np.array([[1 / side, 0, 0], [0, 1 / side, 0]]))
    image = torch.from_numpy(photograph).permute(2, 0, 1)[None].float() / 127.5 - 1
    expected = warp(image, source[None] * side, target[None] * side)[0]
    expected = ((expected + 1) * 127.5).permute(1, 2, 0).numpy()
    assert np.abs(result - expected).mean() < 0.7
    assert np.abs(result - expected).max() < 6
    assert np.abs(photograph - expected).max() > 20


def test_a_turned_photograph_gets_the_same_edit() -> None:
    side = 200
    photograph = smooth(side, side)
    source, target = moved()
    mask = face_mask(np.stack([source.numpy(), target.numpy()]))
    edit = edit_of(torch.rand(3, 16, 16) - 0.5, mask, torch.zeros(3, 16, 16), source, target)
    upright = np.array([[1 / side, 0, 0], [0, 1 / side, 0]])
    there = apply(edit, np.ascontiguousarray(np.rot90(photograph, -1)), np.array([[0, 1 / side, 0], [-1 / side, 0, 1]]))
    back = np.rot90(there, 1).astype(int)
    assert np.abs(back - apply(edit, photograph, upright)).max() <= 1


def test_a_face_without_moves_replaces_the_pixels() -> None:
    photograph = smooth(90, 120)
    edit = Edit(torch.full((3, 8, 8), 0.5), face_mask(face()[None]))
    assert edit.replaces
    result = apply(edit, photograph, np.array([[1 / 120, 0, 0], [0, 1 / 90, 0]]))
    assert (result[45, 60] == round(1.5 * 127.5)).all()
    assert np.array_equal(result[0], photograph[0])


def test_a_face_beyond_the_photograph_is_cut_at_its_border() -> None:
    photograph = smooth(60, 60)
    edit = Edit(torch.zeros(3, 8, 8), face_mask(face()[None]))
    half = apply(edit, photograph, np.array([[1 / 60, 0, 0.5], [0, 1 / 60, 0]]))
    assert not np.array_equal(half, photograph)
    assert np.array_equal(apply(edit, photograph, np.array([[1 / 60, 0, 2.0], [0, 1 / 60, 0]])), photograph)


def test_fine_detail_stays_where_the_model_changed_little() -> None:
    rng = np.random.default_rng(3)
    photograph = (127 + rng.normal(0, 20, (256, 256, 3))).clip(0, 255).astype(np.uint8)
    source = torch.from_numpy(face())
    grey = torch.zeros(3, 16, 16)
    picture = grey.clone()
    picture[:, :, 8:] = 0.6
    edit = edit_of(picture, torch.ones(256, 256), grey, source, source)
    result = apply(edit, photograph, np.array([[1 / 256, 0, 0], [0, 1 / 256, 0]])).astype(float)
    assert np.abs(result[:, :96] - photograph[:, :96]).max() <= 2
    assert abs(result[:, 160:].mean() - 1.6 * 127.5) < 2
    assert result[:, 160:].std() < 2


def test_less_fine_detail_stays_where_much_moves() -> None:
    source = torch.from_numpy(face())
    grey = torch.zeros(3, 16, 16)
    small, large = (
        edit_of(grey, torch.ones(256, 256), grey, source, source + torch.tensor([0.0, far])).detail
        for far in (0.002, 0.04)
    )
    assert small is not None
    assert large is not None
    assert small.min() > 0.98
    assert large[0, 8, 8] < 0.05


@pytest.fixture
def warnings_are_errors() -> Iterator[None]:
    """Every warning, also those that torch gives only once in a process."""
    torch.set_warn_always(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        torch.set_warn_always(False)


@pytest.mark.usefixtures("warnings_are_errors")
def test_pictures_that_cannot_be_written_to_are_read_without_a_warning() -> None:
    read_only = np.asarray(Image.fromarray(smooth(64, 64)))
    assert not read_only.flags.writeable
    edit = Edit(torch.full((3, 8, 8), 0.5), torch.ones(256, 256))
    result = apply(edit, read_only, np.array([[1 / 64, 0, 0], [0, 1 / 64, 0]]))
    assert (result[32, 32] == round(1.5 * 127.5)).all()
    assert to_tensor(read_only[None]).shape == (1, 3, 64, 64)
