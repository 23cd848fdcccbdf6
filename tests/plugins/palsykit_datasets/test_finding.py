"""Photographs that nobody marked: a detector finds the face, once, or the photograph is listed."""

import numpy as np
import pytest
from PIL import Image

from palsykit.faces.alignment import FRAME, five_points
from palsykit.faces.interfaces import Detection
from palsykit_datasets.folder import folder
from palsykit_datasets.imagefolder import imagefolder

SIZE = 64


@pytest.fixture
def tree(tmp_path, drawn):
    """Photographs without points: two of one face, one of none, of two, of a small one and of a face cut off."""
    root = tmp_path / "clinic"
    drawn.save(root / "A" / "1.png", drawn.five(70, 0.3), 1)
    drawn.save(root / "A" / "2.png", drawn.five(60, -0.2), 2)
    Image.new("RGB", (80, 80), "gray").save(root / "A" / "nobody.png")
    drawn.save(root / "A" / "small.png", drawn.five(28), 3)
    (root / "A" / "torn.png").write_bytes(b"no picture")
    two = drawn.draw(drawn.five(66), 4)
    two.putpixel((0, 0), (255, 255, 255))
    two.save(root / "A" / "two.png")
    return root


def dataset(root, detector, size=SIZE, **keys):
    return folder(size, root.parent / "cache", root=root, detector=detector, **keys)


def test_one_face_is_aligned_and_others_are_listed(tree, detector, drawn):
    faces = dataset(tree, detector)
    assert [r.key for r in faces.records] == ["A/1.png", "A/2.png"]
    for face in faces.records:
        np.testing.assert_allclose(drawn.where(faces.image(face)), FRAME * SIZE, atol=0.8)
        assert (face.landmarks, face.landmarks_source) == (None, None)
    reasons = {r.path.rpartition("/")[2]: r.reason for r in faces.rejected}
    expected = {
        "nobody.png": "no face was found",
        "small.png": "the face is too small: its frame is 28 px wide, expected 32 px",
        "torn.png": "cannot be read as a picture",
        "two.png": "found 2 faces (scores 0.90, 0.90), expected one",
    }
    assert reasons.keys() == expected.keys()
    assert [name for name, words in expected.items() if words not in reasons[name]] == []


def test_a_detector_runs_once_per_photograph(tree, detectors):
    first = detectors()
    reasons = [r.reason for r in dataset(tree, first).rejected]
    again, smaller, newer = detectors(), detectors(), detectors("2")
    assert [r.reason for r in dataset(tree, again).rejected] == reasons
    assert len(dataset(tree, smaller, 48).records) == 3  # the small face is large enough for them
    dataset(tree, newer)
    assert (first.asked, again.asked, smaller.asked, newer.asked) == (5, 0, 0, 5)


def test_an_interrupted_reading_resumes(tree, detectors):
    class Interrupted(detectors):
        def detect(self, photograph):
            if self.asked == 2:
                raise KeyboardInterrupt
            return super().detect(photograph)

    with pytest.raises(KeyboardInterrupt):
        dataset(tree, Interrupted())
    again = detectors()
    assert len(dataset(tree, again).records) == 2
    assert again.asked == 3


def test_given_points_come_before_the_detector(tree, detector, drawn, points_beside):
    for path in sorted((tree / "A").glob("*.png")):
        points_beside(path, ".json", drawn.five(70))
    assert len(dataset(tree, detector).records) == 5
    assert detector.asked == 0


def test_a_detectors_landmarks_are_predicted(tree, detectors, drawn):
    class Marking(detectors):
        def detect(self, photograph):
            return [Detection(f.five, f.score, drawn.landmarks(f.five)) for f in super().detect(photograph)]

    for detector in (Marking(), Marking()):  # afresh and from the cache
        for face in dataset(tree, detector).records:
            assert face.landmarks_source == "predicted"
            np.testing.assert_allclose(five_points(face.landmarks), FRAME * SIZE, atol=1.0)


def test_a_face_that_is_cut_off_is_listed(tmp_path, drawn, detectors):
    class Outside(detectors):
        def detect(self, photograph):
            return [Detection(drawn.five(70, at=(5.0, 50.0)), 0.8)]

    drawn.save(tmp_path / "clinic" / "A" / "1.png")
    with pytest.raises(ValueError, match="found eyes, nose or mouth outside the picture of 120 x 100 px"):
        dataset(tmp_path / "clinic", Outside())


def test_an_imagefolder_looks_for_faces_only_with_a_detector(tmp_path, drawn, detector):
    root = tmp_path / "own"
    drawn.save(root / "1.png")
    Image.open(root / "1.png").crop((10, 0, 110, 100)).save(root / "2.png")
    (root / "metadata.csv").write_text("file_name,subject\n1.png,A\n2.png,B\n")
    plain = imagefolder(SIZE, tmp_path / "cache", root=root)
    assert [r.key for r in plain.records] == ["2.png"]
    found = imagefolder(SIZE, tmp_path / "cache", root=root, detector=detector)
    assert [r.key for r in found.records] == ["1.png", "2.png"]
    for face in found.records:
        np.testing.assert_allclose(drawn.where(found.image(face)), FRAME * SIZE, atol=0.8)
    aligned = imagefolder(SIZE, tmp_path / "cache", root=root, detector=detector, frame="aligned")
    np.testing.assert_array_equal(aligned.image(aligned.records[0]), plain.image(plain.records[0]))
