"""The camera's augmentation: points stay on what they mark, pictures in range, one seed gives one result."""

import pytest
import torch

from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit.interfaces import FaceView
from palsykit_trainers import camera
from palsykit_trainers.augmentation import augmented

SIZE = 64


def marked(count: int = 24) -> FaceView:
    """Grey pictures with a bright blot at landmark 0, the further point 0 at the same place, nothing else known."""
    at = 20 + 24 * torch.rand(count, 2, generator=torch.Generator().manual_seed(1))
    centres = torch.arange(SIZE) + 0.5
    apart = (centres[None, None] - at[:, :1, None]) ** 2 + (centres[None, :, None] - at[:, 1:, None]) ** 2
    image = (-0.2 + 1.1 * torch.exp(-apart / (2 * 2.0**2)))[:, None].expand(-1, 3, -1, -1).contiguous()
    points, further = torch.full((count, 68, 2), torch.nan), torch.full((count, 8, 2), torch.nan)
    points[:, 0], further[:, 0] = at, at
    return FaceView(image, points, (FaceLabels(side=Side.LEFT),) * count, further)


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Framing alone: even light, sharp, without noise and loss."""
    for name in ("GAIN", "GAMMA", "GRADIENT", "CAST", "SHADOWS", "GREYS", "SATURATION", "SOFT", "NOISES", "LOSSY"):
        monkeypatch.setattr(camera, name, 0.0)


@pytest.mark.usefixtures("clean")
def test_points_move_with_what_they_mark() -> None:
    view = marked()
    changed = camera.photographed(view, torch.Generator().manual_seed(0))
    weight = (changed.image[:, 0] + 0.2).clamp(min=0.3) - 0.3
    centres = torch.arange(SIZE) + 0.5
    total = weight.sum((1, 2))
    found = torch.stack([(weight * centres).sum((1, 2)), (weight * centres[:, None]).sum((1, 2))], 1) / total[:, None]
    assert (found - changed.landmarks[:, 0]).abs().max() < 0.15
    assert torch.equal(changed.landmarks[:, 0], changed.further[:, 0])
    moved = (changed.landmarks[:, 0] - view.landmarks[:, 0]).abs()
    assert moved.max() > 2
    assert changed.landmarks[:, 1:].isnan().all()


def test_pictures_stay_in_range_and_differ_in_light_and_sharpness() -> None:
    faces = marked()
    changed = augmented(faces, torch.Generator().manual_seed(0), "camera")
    assert changed.image.shape == faces.image.shape
    assert changed.image.abs().max() <= 1
    assert changed.labels == faces.labels
    assert changed.image.mean((1, 2, 3)).std() > 0.05
    texture = changed.image.diff(dim=3).abs().mean((1, 2, 3))
    assert texture.max() > 3 * texture.min()


def test_only_the_given_generator_is_drawn_from() -> None:
    faces, state = marked(4), torch.get_rng_state()
    first, second = (camera.photographed(faces, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first.image, second.image)
    assert torch.equal(torch.get_rng_state(), state)


def test_nothing_changes_without_augmentation() -> None:
    faces = marked(2)
    assert augmented(faces, torch.Generator(), False) is faces
