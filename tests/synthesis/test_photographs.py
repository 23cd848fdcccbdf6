"""Any photograph in, a photograph out: the same pixels outside the face, the same edit at any size."""

import json
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from palsykit.errors import PalsykitError
from palsykit.faces.alignment import five_points
from palsykit.faces.interfaces import Detection, HeadPose
from palsykit.photographs.mark import read_mark
from palsykit.recipe.build import build_part
from palsykit.recipe.schema import PartBlock
from palsykit.synthesis.front import Model, load
from palsykit.synthesis.portraits import Output, portraits_in, synthesise_portraits
from palsykit.synthesis.request import Request
from palsykit.synthesis.shipped import shipped_model, shipped_models

Portrait = tuple[NDArray[np.uint8], Detection]
LEFT, TOP, FRAME = 150, 90, 256
PLACE = np.array([LEFT, TOP])


class Known:
    """A detector that says what it is told."""

    version = "known"

    def __init__(self, *detections: Detection):
        self.detections = detections

    def detect(self, photograph: NDArray[np.uint8]) -> Sequence[Detection]:
        return self.detections


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[NDArray[np.uint8], Detection]:
    """A face in the face frame of 256 px, and where it is."""
    parameters = {"identities": 1, "validation": 0, "test": 0, "renders": 1, "vary": ()}
    block = PartBlock(use="face_space", parameters=parameters)
    faces = build_part("datasets", block, FRAME, tmp_path_factory.mktemp("cache"))
    record = faces.records[0]
    marks = np.asarray(record.landmarks, np.float64)
    return faces.image(record), Detection(five=five_points(marks), score=0.9, landmarks=marks)


@pytest.fixture(scope="session")
def portrait(rendered: tuple[NDArray[np.uint8], Detection]) -> tuple[NDArray[np.uint8], Detection]:
    """A face in a larger photograph of 640 x 480 px with a noisy background, and where it is."""
    picture, face = rendered
    photograph = np.random.default_rng(1).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    photograph[TOP : TOP + FRAME, LEFT : LEFT + FRAME] = picture
    assert face.landmarks is not None
    return photograph, replace(face, five=face.five + PLACE, landmarks=face.landmarks + PLACE)


@pytest.fixture(scope="session")
def shipped() -> Model:
    """The model that ships with palsykit, before any training."""
    return load()


@pytest.fixture
def model(shipped: Model, portrait: tuple[NDArray[np.uint8], Detection]) -> Model:
    """The same, with a detector that knows where the face of ``portrait`` is."""
    return Model(shipped.parts, shipped.model, detector=Known(portrait[1]))


@pytest.fixture
def portrait_file(portrait: tuple[NDArray[np.uint8], Detection], tmp_path: Path) -> Path:
    """``portrait`` as a PNG file."""
    file = tmp_path / "anna.png"
    Image.fromarray(portrait[0]).save(file)
    return file


PALSY: dict[str, Any] = {"expression": "smile_full", "side": "left", "severity": 5.0}


def test_the_shipped_model_has_a_name() -> None:
    assert "cfcpalsy" in shipped_models()
    assert shipped_model("cfcpalsy") == shipped_models()["cfcpalsy"]
    assert shipped_model("nothing") is None


def test_the_photograph_changes_in_the_face_alone(model: Model, portrait: Portrait) -> None:
    photograph, _ = portrait
    result = np.asarray(model.generate(identity=photograph, **PALSY))
    assert result.shape == photograph.shape
    changed = (result != photograph).any(-1)
    inside = np.zeros_like(changed)
    inside[TOP : TOP + FRAME, LEFT : LEFT + FRAME] = True
    assert not changed[~inside].any()
    assert changed[inside].mean() > 0.15
    mouth = np.abs(result.astype(int) - photograph)[TOP + 150 : TOP + 205, LEFT + 80 : LEFT + 180]
    assert mouth.mean() > 6


def test_a_crop_in_the_face_frame_gives_the_models_picture(shipped: Model, rendered: Portrait) -> None:
    picture, face = rendered
    crop = np.asarray(Image.fromarray(picture).resize((64, 64), Image.Resampling.LANCZOS))
    small = replace(face, five=face.five / 4, landmarks=face.landmarks / 4)  # type: ignore[operator]
    found = Model(shipped.parts, shipped.model, detector=Known(small))
    missed = Model(shipped.parts, shipped.model, detector=Known())
    results = [np.asarray(one.generate(identity=crop, **PALSY)) for one in (found, missed)]
    side = shipped.parts.settings.image_size
    assert results[0].shape == (side, side, 3)
    assert np.array_equal(*results)


def test_the_frame_of_the_models_own_size_changes_in_the_face_alone(model: Model, portrait: Portrait) -> None:
    """The model's own picture moves hair and background with the brows; the frame of a photograph must not."""
    photograph, _ = portrait
    before = model.read("identity", photograph)
    (made,) = model.synthesise_person(before, Request.of(expression="smile_full", side="left", severities=(5.0,)))
    frame, crop = np.asarray(made.frame()), before.crop(FRAME)
    assert np.array_equal(frame, np.asarray(made.frame(FRAME)))
    outside = made.edit.mask.numpy() == 0
    assert np.array_equal(frame[outside], crop[outside])
    assert not np.array_equal(made.picture[outside], crop[outside])
    assert np.abs(frame.astype(int) - crop)[~outside].mean() > 1


def test_the_frame_at_a_size_keeps_the_photographs_detail(portrait: Portrait) -> None:
    photograph, face = portrait
    small_model = load("cfcpalsy-64")
    model = Model(small_model.parts, small_model.model, detector=Known(face))
    small = model.generate(identity=photograph, **PALSY, crop=True)
    large = model.generate(identity=photograph, **PALSY, size=FRAME)
    assert (small.size, large.size) == ((64, 64), (FRAME, FRAME))
    spectra = [
        np.abs(np.fft.fft2(np.asarray(picture.convert("L"), float)))
        for picture in (large, small.resize((FRAME, FRAME)))
    ]
    fine = [spectrum[64:192, 64:192].mean() for spectrum in spectra]
    assert fine[0] > 2 * fine[1]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_and_size_stay(model: Model, portrait: Portrait, tmp_path: Path, orientation: int) -> None:
    photograph, _ = portrait
    turns = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90",
             7: "TRANSVERSE", 8: "ROTATE_270"}  # fmt: skip
    stored = Image.fromarray(photograph)
    if orientation > 1:
        stored = stored.transpose(getattr(Image.Transpose, turns[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "in.png", exif=exif)
    made = model.synthesise_person(model.read("identity", tmp_path / "in.png"), _request())[0]
    made.save(tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as result:
        assert result.getexif()[0x0112] == orientation
        assert result.size == stored.size
        same = (np.asarray(result) == np.asarray(stored)).all(-1)
    assert 0.05 < (~same).mean() < 0.3
    upright = np.asarray(model.generate(identity=photograph, **PALSY))
    assert np.array_equal(made.upright, upright)


def test_the_profile_stays_and_unchanged_pixels_too(model: Model, portrait: Portrait, tmp_path: Path) -> None:
    stored = Image.fromarray(portrait[0])
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    stored.save(tmp_path / "in.png", icc_profile=profile)
    made = model.synthesise_person(model.read("identity", tmp_path / "in.png"), _request())[0]
    made.save(tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as result:
        assert result.info["icc_profile"] == profile
        same = (np.asarray(result) == portrait[0]).all(-1)
    assert same[:TOP].all()
    assert same[TOP:].mean() < 0.95


def test_transparency_stays(model: Model, portrait: Portrait) -> None:
    alpha = np.full((480, 640, 1), 255, np.uint8)
    alpha[:50] = 0
    stored = Image.fromarray(np.concatenate([portrait[0], alpha], -1))
    file = BytesIO()
    stored.save(file, "PNG")
    with Image.open(BytesIO(file.getvalue())) as opened:
        result = model.generate(identity=opened.copy(), **PALSY)
    assert result.mode == "RGBA"
    assert np.array_equal(np.asarray(result)[..., 3:], alpha)
    assert np.array_equal(np.asarray(result)[:50], np.asarray(stored)[:50])


def test_the_file_says_what_it_is(model: Model, portrait_file: Path, tmp_path: Path) -> None:
    person = model.read("identity", portrait_file)
    made = model.synthesise_person(person, _request(), seed=3)[0]
    for suffix in (".png", ".jpg", ".webp"):
        made.save(tmp_path / f"out{suffix}")
        mark = read_mark(tmp_path / f"out{suffix}")
        assert mark is not None
        assert mark["synthetic"] is True
        assert (mark["expression"], mark["side"], mark["severity"], mark["seed"]) == ("smile_full", "left", 5.0, 3)
        assert mark["source"] == person.photograph.sha256
        assert len(mark["weights"]) >= 12


def test_what_is_refused(shipped: Model, portrait: Portrait) -> None:
    photograph, face = portrait
    cases = {
        "found no face": (),
        "the eyes are 16 px apart": (replace(face, five=(face.five - face.five.mean(0)) / 4 + 200, landmarks=None),),
        "turned to the side by 50 degrees": (replace(face, pose=HeadPose(0, -50, 0)),),
        "turned up or down by 40 degrees": (replace(face, pose=HeadPose(0, 0, 40)),),
        "the border cuts the face off": (replace(face, five=face.five - [260, 0], landmarks=None),),
        "something covers the face": (replace(face, presence=0.2),),
    }
    for words, detections in cases.items():
        model = Model(shipped.parts, shipped.model, detector=Known(*detections))
        with pytest.raises(PalsykitError, match=words):
            model.read("identity", photograph)
        if detections:
            assert any(words in note for note in model.read("identity", photograph, force=True).notes)


def test_the_largest_of_two_faces_is_taken_with_a_note(shipped: Model, portrait: Portrait) -> None:
    photograph, face = portrait
    other = replace(face, five=(face.five - face.five.mean(0)) * 0.8 + [500, 300], landmarks=None)
    model = Model(shipped.parts, shipped.model, detector=Known(other, face))
    largest = model.read("identity", photograph)
    assert largest.detection is face
    assert "found 2 faces" in largest.notes[0]
    assert model.read("identity", photograph, face=2).detection is other
    with pytest.raises(PalsykitError, match="face 3: found 2"):
        model.read("identity", photograph, face=3)


def _request() -> Any:
    return Request.of(expression="smile_full", side="left", severities=(5.0,))


class InWidePictures(Known):
    """A detector that finds its face in pictures of 640 px alone."""

    def detect(self, photograph: NDArray[np.uint8]) -> Sequence[Detection]:
        return self.detections if photograph.shape[1] == 640 else ()


def test_a_folder_of_portraits_gives_a_folder_of_results(shipped: Model, portrait: Portrait, tmp_path: Path) -> None:
    people, results = tmp_path / "people", tmp_path / "results"
    people.mkdir()
    for name in ("anna.png", "bert.png", "._anna.png"):
        Image.fromarray(portrait[0]).save(people / name)
    Image.new("RGB", (200, 200)).save(people / "wall.png")
    (people / "notes.txt").write_text("x")
    (people / "broken.jpg").write_bytes(b"x")
    model = Model(shipped.parts, shipped.model, detector=InWidePictures(portrait[1]))
    request = Request.of(expression="smile_full", side="left", severities=(2.0, 6.0))
    portraits, rejected = portraits_in(people)
    assert [path.name for path in portraits] == ["anna.png", "bert.png", "broken.jpg", "wall.png"]
    not_used = synthesise_portraits(model, portraits, request, results, Output(), rejected=rejected)
    assert sorted(one.path for one in not_used) == ["broken.jpg", "notes.txt", "wall.png"]
    rows = [json.loads(line) for line in (results / "metadata.jsonl").read_text().splitlines()]
    assert [row["file_name"] for row in rows] == [
        f"{name}/smile_full-left-{grade}.png" for name in ("anna", "bert") for grade in (2, 6)
    ]
    assert all((results / row["file_name"]).is_file() and row["synthetic"] for row in rows)
    assert sorted(path.name for path in (results / "sheets").iterdir()) == ["anna.png", "bert.png"]
    listed = (results / "rejected.csv").read_text()
    assert all(name in listed for name in ("broken.jpg", "notes.txt", "wall.png"))
    page = (results / "index.html").read_text()
    assert page.count('type="range"') == 4
    assert "wall.png" in page


def test_a_stopped_folder_is_resumed_and_another_request_is_refused(
    model: Model, portrait_file: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    synthesise_portraits(model, [portrait_file], _request(), results, Output())
    file = results / "anna" / "smile_full-left-5.png"
    before = file.stat().st_mtime_ns, (results / "index.html").read_bytes()
    synthesise_portraits(model, [portrait_file], _request(), results, Output())
    assert (file.stat().st_mtime_ns, (results / "index.html").read_bytes()) == before
    file.unlink()
    synthesise_portraits(model, [portrait_file], _request(), results, Output())
    assert (results / "index.html").read_bytes() == before[1]
    with pytest.raises(PalsykitError, match="made with other settings"):
        synthesise_portraits(model, [portrait_file], _request(), results, Output(), seed=1)


def test_a_changed_photograph_is_synthesised_again(model: Model, portrait_file: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    synthesise_portraits(model, [portrait_file], _request(), results, Output())
    file = results / "anna" / "smile_full-left-5.png"
    old = file.read_bytes()
    with Image.open(portrait_file) as picture:
        darker = picture.point(lambda value: value // 2)
    darker.save(portrait_file)
    synthesise_portraits(model, [portrait_file], _request(), results, Output())
    assert file.read_bytes() != old
