"""Finds the face in photographs without points, once per photograph; the results are cached."""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image

from palsykit.faces.alignment import FRAME
from palsykit.faces.interfaces import Detector
from palsykit.files.atomic import write_text
from palsykit.photographs.find import eye_distance, hidden_parts, is_crop
from palsykit_datasets.cells import Points, checked
from palsykit_datasets.storage import cache_written

CLEARLY = 1.5
"""A face is clearly the largest if its eyes are so many times further apart than those of the next one."""


@dataclass(frozen=True)
class Finder:
    """Finds where the one face in an upright photograph is.

    Attributes:
        version: identifies everything that the result depends on besides the photograph.
        find: returns five points and landmarks, if it finds them; raises ValueError with the reason if not.
    """

    version: str
    find: Callable[[Image.Image], Points]


def by_detector(detector: Detector, crops: bool = False, small: int = 0) -> Finder:
    """The face that a detector finds: the only one, or one that is clearly the largest.

    Args:
        detector: finds faces.
        crops: leave a picture whose points lie as in the face frame as it is.
        small: side in px up to which a square picture is taken as a crop in the face frame without a look.
    """
    one_at_a_time = nullcontext() if getattr(detector, "parallel", False) else Lock()

    def find(picture: Image.Image) -> Points:
        whole = Points(FRAME * picture.width, whole=True)
        if picture.width == picture.height <= small:
            return whole
        with one_at_a_time:
            faces = sorted(detector.detect(np.asarray(picture)), key=eye_distance, reverse=True)
        if not faces:
            raise ValueError("no face was found; give its points, or leave the photograph out")
        if len(faces) > 1 and eye_distance(faces[1]) * CLEARLY > eye_distance(faces[0]):
            scores = ", ".join(f"{face.score:.2f}" for face in faces[:5])
            raise ValueError(
                f"found {len(faces)} faces (scores {scores}), expected one; crop it or give the face's points"
            )
        if crops and is_crop(faces[0].five, picture.size):
            return whole
        if problems := hidden_parts(faces[0]):
            raise ValueError(f"{'; '.join(problems)}; give the face's points, or leave the photograph out")
        landmarks = None if getattr(detector, "frames_only", False) else faces[0].landmarks
        return Points(checked("the detector's points", faces[0].five).five, landmarks)

    return Finder(f"detector {detector.version}{f' crops {small}' if crops else ''}", find)


def find_face(finders: Sequence[Finder], cache: Path, content: str, picture: Callable[[], Image.Image]) -> Points:
    """The first finder's result; successes and failures are cached in ``cache``.

    Args:
        finders: tried in this order.
        cache: folder for results, named by photograph and finder.
        content: hash of the photograph's file.
        picture: opens the photograph, upright.

    Raises:
        ValueError: if no finder finds exactly one face, with every reason, or the photograph cannot be opened.
    """
    reasons = []
    for finder in finders:
        name = hashlib.sha256(f"face {finder.version} {content}".encode()).hexdigest()[:40]
        answer = _answer(cache / f"{name}.json", finder, picture)
        if isinstance(answer, Points):
            return answer
        reasons.append(answer)
    raise ValueError("; ".join(reasons))


def _answer(kept: Path, finder: Finder, picture: Callable[[], Image.Image]) -> Points | str:
    """Points, or the reason why there are none."""
    if (known := _kept(kept)) is not None:
        return known
    opened = picture()
    try:
        points = finder.find(opened)
    except ValueError as error:
        with cache_written(kept.parent):
            write_text(kept, json.dumps({"reason": str(error)}))
        return str(error)
    landmarks = None if points.landmarks is None else points.landmarks.tolist()
    with cache_written(kept.parent):
        write_text(kept, json.dumps({"five": points.five.tolist(), "landmarks": landmarks, "whole": points.whole}))
    return points


def _kept(kept: Path) -> Points | str | None:
    """An answer in the cache; None if there is none, or if its file is damaged."""
    try:
        facts = json.loads(kept.read_text(encoding="utf-8"))
        if "reason" in facts:
            return str(facts["reason"])
        landmarks = facts["landmarks"]
        marks = None if landmarks is None else np.array(landmarks)
        return Points(np.array(facts["five"]), marks, whole=facts.get("whole", False))
    except (OSError, ValueError, KeyError, TypeError):
        return None
