"""From records to batches: pictures become tensors in [-1, 1], pairs become identity, driver and target."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

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


def view(dataset: FaceDataset, records: Sequence[FaceRecord]) -> FaceView:
    """The view of B records; unknown landmarks are NaN."""
    unknown = np.full((68, 2), np.nan, np.float32)
    points = np.stack([unknown if r.landmarks is None else r.landmarks.astype(np.float32) for r in records])
    pictures = np.stack([dataset.image(record) for record in records])
    return FaceView(to_tensor(pictures), torch.from_numpy(points), tuple(record.labels for record in records))


def batch(dataset: FaceDataset, pairs: Sequence[Pair]) -> FaceBatch:
    """Identity from the pair's identity photograph; driver and target are the photograph itself."""
    own = view(dataset, [pair.record for pair in pairs])
    return FaceBatch(view(dataset, [pair.identity for pair in pairs]), own, own)
