"""From records to batches: pictures become tensors in [-1, 1], pairs become identity, driver and target."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from palsykit.faces.flip import Face
from palsykit.faces.pairing import Pair
from palsykit.faces.records import FaceDataset, FaceRecord
from palsykit.interfaces import FaceBatch, FaceView


def to_tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """uint8 [B, H, W, 3] -> float32 [B, 3, H, W] in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_pictures(images: Tensor) -> NDArray[np.uint8]:
    """float [B, 3, H, W] in [-1, 1] -> uint8 [B, H, W, 3], rounded to the nearest."""
    scaled = ((images.detach().float().cpu() + 1) * 127.5).round().clamp(0, 255)
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).numpy()


def view(dataset: FaceDataset, records: Sequence[FaceRecord], mirror: Sequence[bool] | None = None) -> FaceView:
    """The view of B records; unknown landmarks are NaN.

    Args:
        dataset: whose records they are.
        records: B of them.
        mirror: which of them to flip, B flags; None flips none.

    Raises:
        FlipRefused: a record to be flipped whose labels cannot follow.
    """
    flags = [False] * len(records) if mirror is None else mirror
    faces = [Face.of(dataset, record) for record in records]
    faces = [face.mirrored() if flag else face for face, flag in zip(faces, flags, strict=True)]
    unknown = np.full((68, 2), np.nan, np.float32)
    points = np.stack([unknown if f.landmarks is None else f.landmarks.astype(np.float32) for f in faces])
    pictures = np.stack([face.picture for face in faces])
    return FaceView(to_tensor(pictures), torch.from_numpy(points), tuple(face.labels for face in faces))


def batch(dataset: FaceDataset, pairs: Sequence[Pair], mirror: Sequence[bool] | None = None) -> FaceBatch:
    """Identity and rest from the pair's identity photograph; driver and target are the photograph itself.

    A pair is flipped whole: the person in it has one face, whose own asymmetries must be the same in both photographs.
    """
    own = view(dataset, [pair.record for pair in pairs], mirror)
    identity = view(dataset, [pair.identity for pair in pairs], mirror)
    return FaceBatch(identity, own, own, identity)
