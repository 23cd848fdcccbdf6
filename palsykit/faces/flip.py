"""Laterality: what a horizontal flip does to a photograph. Picture, landmarks and labels flip together, or not at all.

A flipped palsy is a palsy of the other side. A toolkit that flips pictures alone, as augmentation libraries do, teaches
its model the wrong side; so ``Face.mirrored`` is the only place in palsykit that flips a photograph; a test reads the
source for others.

A flip is refused where the labels cannot follow it:

- the affected side is unknown, unless the face is known to be normal (House-Brackmann I, or group normal): a side that
  is later given to the photograph would be wrong for its mirror image;
- the expression is not in the vocabulary: a data set's own word may name a side ("left wink", "links"), and no list of
  words finds every such word in every language. The eight of the vocabulary involve both halves of a face.

All other labels (subject, severity, group, scores of whole scales) are the same after a flip.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from palsykit.faces.landmarks import FURTHER_FLIP, flip_points
from palsykit.faces.records import FaceDataset, FaceRecord
from palsykit.faces.vocabulary import EXPRESSIONS, FaceLabels, Group


class FlipRefused(ValueError):
    """A flip that would make a label wrong, or whose effect on the labels is unknown."""


def refusal(labels: FaceLabels) -> str | None:
    """Why a photograph with these labels must not be flipped, in one line; None where it may."""
    if labels.side is None and labels.severity != 1 and labels.group is not Group.NORMAL:
        return (
            "the affected side is unknown, so the side after a flip is unknown as well; expected left, right, "
            "bilateral or none, or severity 1, or group normal"
        )
    if labels.expression is not None and labels.expression not in EXPRESSIONS:
        return (
            f"the expression {labels.expression!r} is the data set's own word, which may name a side; expected "
            f"one of {', '.join(EXPRESSIONS)}"
        )
    return None


def mirror_labels(labels: FaceLabels) -> FaceLabels:
    """The labels of the flipped photograph.

    Raises:
        FlipRefused: the labels cannot follow; says why.
    """
    if reason := refusal(labels):
        raise FlipRefused(f"cannot flip a photograph of subject {labels.subject!r}: {reason}")
    return replace(labels, side=None if labels.side is None else labels.side.mirrored)


@dataclass(frozen=True, eq=False)
class Face:
    """A photograph with everything that depends on left and right.

    Attributes:
        picture: [H, W, 3] RGB.
        landmarks: [68, 2] px (iBUG 68) of the picture, or None.
        labels: what is known.
        further: [8, 2] px, pupils and nasolabial folds, or None.
    """

    picture: NDArray[np.uint8]
    landmarks: NDArray[np.float32] | None
    labels: FaceLabels
    further: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, dataset: FaceDataset, record: FaceRecord) -> "Face":
        """A record with its picture."""
        return cls(dataset.image(record), record.landmarks, record.labels, record.further)

    def mirrored(self) -> "Face":
        """The mirrored face: columns reversed, landmarks swapped by the iBUG table, sides swapped in the labels.

        Mirroring twice restores the face: exactly for picture and labels, to float rounding for landmarks.

        Raises:
            FlipRefused: the labels cannot follow; says why.
        """
        labels = mirror_labels(self.labels)
        landmarks, further, width = self.landmarks, self.further, self.picture.shape[1]
        if landmarks is not None:
            landmarks = flip_points(landmarks, width).astype(np.float32)
        if further is not None:
            further = flip_points(further, width, FURTHER_FLIP).astype(np.float32)
        return Face(np.ascontiguousarray(self.picture[:, ::-1]), landmarks, labels, further)
