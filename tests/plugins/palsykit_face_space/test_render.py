"""Warp and layers: splines meet their points, lids shut, teeth show, and a mirrored person has a mirrored picture."""

import numpy as np
import pytest
import torch

from palsykit.faces.vocabulary import EXPRESSIONS, Group, Side
from palsykit.faces.webmorph import FLIP
from palsykit_face_space.camera import Camera
from palsykit_face_space.contours import axes, height
from palsykit_face_space.creases import flattening
from palsykit_face_space.eyes import sealed
from palsykit_face_space.model import CONTROLS, DETAIL, FaceModel, Person, load_model, mixed, person
from palsykit_face_space.mouth import open_mouths
from palsykit_face_space.palsy import Action
from palsykit_face_space.render import Scene, render
from palsykit_face_space.warp import ON_BORDER, SIZE, border, pixel_centres, splines, upsample
from palsykit_face_space.windows import about


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_model()


@pytest.fixture(scope="module")
def average(model: FaceModel) -> Person:
    return mixed(model, torch.zeros(len(model.shape_basis)), torch.zeros(len(model.brightness_basis)))


def scene(expression: str, side: Side = Side.NONE, severity: float = 1.0, group: Group | None = None) -> Scene:
    return Scene(Action(expression, side, severity, group=group))


def grey(picture: np.ndarray) -> np.ndarray:
    return picture.astype(float).mean(-1)


def test_the_border_surrounds_the_frame() -> None:
    assert len(border()) == ON_BORDER
    assert bool(((border() < 0) | (border() > SIZE)).any(-1).all())


def test_a_spline_reproduces_an_affine_map() -> None:
    here = torch.rand(2, 40, 2, generator=torch.Generator().manual_seed(0)) * SIZE
    linear, shift = torch.tensor([[0.9, 0.1], [-0.2, 1.1]]), torch.tensor([3.0, -5.0])
    field = splines(here, here @ linear.T + shift, [list(range(40))], 16)[0]
    expected = pixel_centres(16) @ linear.T + shift
    assert torch.allclose(field[0].reshape(2, -1).T, expected, atol=2e-2)
    at_every_pixel = upsample(field, SIZE)[1].reshape(2, -1).T
    assert torch.allclose(at_every_pixel, pixel_centres(SIZE) @ linear.T + shift, atol=3e-2)


def test_a_spline_leads_its_points_to_their_counterparts(model: FaceModel) -> None:
    here = model.shape_mean[CONTROLS][None]
    there = here + torch.tensor([2.0, 0.0]) * (here[..., 1:] > 70)
    field = splines(here, there, [list(range(len(CONTROLS)))], SIZE)[0]
    nose = CONTROLS.index(55)
    x, y = here[0, nose].long()
    assert float(field[0, 0, y, x] - (x + 0.5)) == pytest.approx(float(there[0, nose, 0] - here[0, nose, 0]), abs=0.5)


def test_height_follows_a_contour() -> None:
    line = height(torch.tensor([[[10.0, 5.0], [20.0, 15.0], [30.0, 5.0]]]), axes(SIZE)[0])[0, 0]
    assert [float(line[x]) for x in (0, 14, 24, 60)] == pytest.approx([5, 9.5, 10.5, 5])


def test_rows_of_a_field_are_those_of_the_whole() -> None:
    field = torch.rand(2, 2, 20, 20, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(upsample(field, 50, slice(7, 30)), upsample(field, 50)[:, :, 7:30], atol=1e-6)


def test_windows_hold_their_points_and_write_where_they_read() -> None:
    points = torch.tensor([[[10.0, 20.0], [30.0, 24.0]], [[126.0, 2.0], [127.5, 60.0]]])
    window = about(points, [1, 0], 2.0, 2 * SIZE)
    assert (window.width, window.height) == (48, 124), "the larger of both in each direction"
    assert torch.all((window.x[:, 0, 0] <= points[..., 0].amin(1)) & (window.x[:, 0, -1] >= points[..., 0].amax(1)))
    assert torch.all((window.y[:, 0, 0] <= points[..., 1].amin(1)) & (window.y[:, -1, 0] >= points[..., 1].amax(1)))
    pictures = torch.rand(2, 3, 2 * SIZE, 2 * SIZE, generator=torch.Generator().manual_seed(2))
    before = pictures.clone()
    window.paste(pictures, window.cut(pictures) + 1)
    change = pictures - before
    x, y = (int(axis) for axis in (window.x[0, 0, 3] * 2, window.y[0, 5, 0] * 2))
    assert torch.all(change[1, :, y, x] > 0.5), "the first window belongs to the second face"
    assert float(change.sum()) == pytest.approx(2 * 3 * 48 * 124, rel=1e-3)


def test_sealing_changes_the_eyes_only(model: FaceModel, average: Person) -> None:
    change = (sealed(average.texture, model.shape_mean) - average.texture).abs().amax(0)
    scale = DETAIL // SIZE
    pupil = model.shape_mean[0].long() * scale
    assert float(change[pupil[1], pupil[0]]) > 0.1
    assert float(change[70 * scale :].max()) == 0
    assert float(change[:, 60 * scale : 68 * scale].max()) == 0


def test_shut_eyes_hide_the_pupil_and_a_totally_palsied_one_does_not(model: FaceModel, average: Person) -> None:
    scenes = [scene("rest"), scene("eye_closure_gentle"), scene("eye_closure_gentle", Side.LEFT, 6.0)]
    pictures = render([average] * 3, scenes, SIZE)
    (rx, ry), (lx, ly) = model.shape_mean[[0, 1]].long().tolist()
    right = [grey(p)[ry - 1 : ry + 1, rx - 1 : rx + 2].mean() for p in pictures]
    left = [grey(p)[ly - 1 : ly + 1, lx - 1 : lx + 2].mean() for p in pictures]
    assert right[1] > right[0] + 25
    assert right[2] > right[0] + 25
    assert left[1] > left[0] + 25
    lid, eye = (p[ly - 1 : ly + 1, lx - 1 : lx + 2].astype(float).mean((0, 1)) for p in pictures[1:])
    assert eye[0] - eye[2] < lid[0] - lid[2] - 8, "the white of an eye has less red than a lid"


def test_a_full_smile_shows_teeth(model: FaceModel, average: Person) -> None:
    closed, smile = render([average] * 2, [scene("smile_gentle"), scene("smile_full")], SIZE)
    x, y = model.shape_mean[[96, 101]].mean(0).long().tolist()
    window = np.s_[y - 4 : y + 5, x - 3 : x + 4]
    assert smile[window][..., 2].max() > closed[window][..., 2].max() + 20, "blue tells enamel from lips"


@pytest.mark.parametrize("expression", list(EXPRESSIONS))
def test_a_mirrored_person_has_a_mirrored_picture(model: FaceModel, expression: str) -> None:
    rng = np.random.default_rng(3)
    codes = [torch.tensor(rng.normal(size=count) * 0.5).float() for count in (30, 60)]
    here_is = mixed(model, *codes)
    shape = here_is.shape
    flipped = torch.stack([SIZE - shape[list(FLIP), 0], shape[list(FLIP), 1]], -1)
    mean = torch.stack([SIZE - model.shape_mean[list(FLIP), 0], model.shape_mean[list(FLIP), 1]], -1)
    twin = person(flipped, here_is.texture.flip(-1), mean, here_is.outline.flip(-1))
    (here,) = render([here_is], [scene(expression, Side.RIGHT, 5.0)], 64)
    (there,) = render([twin], [scene(expression, Side.LEFT, 5.0)], 64)
    assert np.abs(here[:, ::-1].astype(int) - there).mean() < 1.0


def window(model: FaceModel, point: int, reach: int = 2) -> tuple[slice, slice]:
    x, y = model.shape_mean[point].long().tolist()
    return np.s_[y - reach : y + reach + 1, x - reach : x + reach + 1]


def test_an_eye_that_cannot_close_rolls_up(model: FaceModel, average: Person) -> None:
    rest, trying = render(
        [average] * 2, [scene("rest", Side.LEFT, 6.0), scene("eye_closure_tight", Side.LEFT, 6.0)], SIZE
    )
    left = window(model, 1, 1)
    assert grey(trying)[left].mean() > grey(rest)[left].mean() + 25, "white where the pupil was"
    beside = window(model, 47, 1)
    assert np.abs(grey(trying)[beside] - grey(rest)[beside]).max() < 8, "the skin beneath stays"


def test_a_synkinetic_eye_narrows_when_the_mouth_smiles(model: FaceModel, average: Person) -> None:
    scenes = [scene("smile_full", Side.RIGHT, 4.0, group) for group in (Group.FLACCID, Group.SYNKINETIC)]
    flaccid, synkinetic = render([average] * 2, scenes, SIZE)
    x, y = model.shape_mean[20].long().tolist()
    upper_white = np.s_[y : y + 3, x - 2 : x + 3]
    assert np.abs(grey(flaccid)[upper_white] - grey(synkinetic)[upper_white]).mean() > 8
    assert np.abs(grey(flaccid)[:60, 70:] - grey(synkinetic)[:60, 70:]).mean() < 1, "the healthy eye is the same"


def test_noise_and_loss_have_the_given_strength_and_follow_the_seed(average: Person) -> None:
    cameras = [Camera(), Camera(noise=6.0), Camera(noise=6.0), Camera(noise=6.0, noise_seed=1), Camera(jpeg=40)]
    plain, noisy, again, other, lossy = render(
        [average] * 5, [Scene(Action("rest"), camera) for camera in cameras], SIZE
    )
    corner = np.s_[:20, :20]
    assert float((noisy[corner].astype(float) - plain[corner]).std()) == pytest.approx(6 * (0.82 / 0.5) ** 0.5, rel=0.1)
    assert np.array_equal(noisy, again)
    assert not np.array_equal(noisy, other)
    assert 0 < np.abs(lossy.astype(int) - plain).mean() < 3


def test_a_large_picture_shows_the_same_as_a_small_one(average: Person) -> None:
    (small,), (large,) = (render([average], [scene("smile_full", Side.LEFT, 3.0)], size) for size in (128, 256))
    reduced = large.reshape(128, 2, 128, 2, 3).astype(float).mean((1, 3))
    assert np.abs(reduced - small).mean() < 1.5


def test_a_smile_deepens_the_folds_of_its_side_only(model: FaceModel, average: Person) -> None:
    plain, smile = render([average] * 2, [scene("rest"), scene("smile_gentle", Side.LEFT, 6.0)], SIZE)
    factors = []
    for line in ((158, 159), (161, 162)):
        x, y = model.shape_mean[list(line)].mean(0).long().tolist()
        ring = np.s_[y - 3 : y + 4, x - 4 : x + 5]
        factors.append(grey(smile)[ring].min() / grey(plain)[ring].min())
    assert factors[0] < 0.97, "the subject's right side smiles"
    assert factors[1] > factors[0] + 0.03


def test_a_flattened_fold_is_taken_out_of_the_texture(model: FaceModel, average: Person) -> None:
    x, y = model.shape_mean[159].long().tolist()
    texture = torch.full((3, DETAIL, DETAIL), 0.6)
    texture[:, 2 * y - 12 : 2 * y + 13, 2 * x - 2 : 2 * x + 3] = 0.5
    change = flattening(texture, model.shape_mean).exp()
    assert float(change[y, x]) > 1.05
    assert float((change[:50] - 1).abs().max()) < 1e-3


def test_a_mouth_that_is_open_at_rest_keeps_what_one_sees(average: Person) -> None:
    rest = average.shape[None].clone()
    rest[:, 99:104, 1] += 3
    assert open_mouths(rest, rest) == []
    wider = rest.clone()
    wider[:, 99:104, 1] += 3
    assert open_mouths(wider, rest) == [0]
