"""Views and batches of faces, and how records become them: pictures as tensors in [-1, 1], pairs as batches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from palsykit.faces.flip import Face
from palsykit.faces.keys import row_keys
from palsykit.faces.landmarks import FURTHER
from palsykit.faces.pairing import Pair
from palsykit.faces.records import FaceDataset, FaceRecord
from palsykit.faces.vocabulary import FaceLabels

ViewName = Literal["identity", "driver", "rest"]
"""A view of a ``FaceBatch`` that conditions and maps may read."""


@dataclass
class FaceView:
    """One face per row: a picture, its landmarks and what is known of it.

    Attributes:
        image: [B, 3, H, W] in [-1, 1].
        landmarks: [B, 68, 2] px, NaN where unknown.
        labels: B labels.
        further: [B, 8, 2] px, pupils and nasolabial folds, NaN where unknown; None if unknown in every row.
        keys: the hash of each row's picture (palsykit/faces/keys.py), if it is known already.
    """

    image: Tensor
    landmarks: Tensor
    labels: tuple[FaceLabels, ...]
    further: Tensor | None = None
    keys: tuple[bytes, ...] | None = None

    def __post_init__(self) -> None:
        if self.keys is not None:  # parts hand on the picture alone
            self.image.row_keys = self.keys  # type: ignore[attr-defined]

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "FaceView":
        """The same view with its tensors on ``device``; from pinned memory the copies need no waiting."""
        further = None if self.further is None else self.further.to(device, non_blocking=non_blocking)
        image, landmarks = (value.to(device, non_blocking=non_blocking) for value in (self.image, self.landmarks))
        if landmarks is not self.landmarks and self.landmarks.device.type == "cpu":
            landmarks.on_host = self.landmarks  # type: ignore[attr-defined]  # for palsykit/diffusion/windows.py
        return FaceView(image, landmarks, self.labels, further, self.keys)

    def pin_memory(self) -> "FaceView":
        """The same view in memory from which a GPU copies by itself; a loader calls this."""
        further = None if self.further is None else self.further.pin_memory()
        return FaceView(self.image.pin_memory(), self.landmarks.pin_memory(), self.labels, further, self.keys)

    def rows(self, start: int, stop: int) -> "FaceView":
        """Rows ``start`` to ``stop`` (exclusive)."""
        further = None if self.further is None else self.further[start:stop]
        keys = None if self.keys is None else self.keys[start:stop]
        return FaceView(self.image[start:stop], self.landmarks[start:stop], self.labels[start:stop], further, keys)

    def hashed(self) -> "FaceView":
        """The same view with the ``keys`` of its pictures."""
        return replace(self, keys=row_keys(self.image))

    @staticmethod
    def of_images(image: Tensor) -> "FaceView":
        """A view of which only the pictures are known."""
        count = len(image)
        return FaceView(image, torch.full((count, 68, 2), torch.nan, device=image.device), (FaceLabels(),) * count)


@dataclass
class FaceBatch:
    """*This* person, making *that* face.

    Attributes:
        identity: who.
        driver: whose expression: the person's own photograph in training, anyone's in transfer.
        target: the truth, where there is one; in training the driver's own photograph.
        rest: the driver's person at rest, where known; in training, and where it is not, the identity photograph.
    """

    identity: FaceView
    driver: FaceView
    target: FaceView | None = None
    rest: FaceView | None = None

    def __len__(self) -> int:
        return len(self.identity)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "FaceBatch":
        """The same batch with its tensors on ``device``; a view that is there twice is copied once."""
        return self._each(lambda view: view.to(device, non_blocking))

    def hashed(self) -> "FaceBatch":
        """The same batch with the hashes of its pictures: a loader's worker computes them while the model trains."""
        return self._each(FaceView.hashed)

    def pin_memory(self) -> "FaceBatch":
        """The same batch in memory from which a GPU copies by itself; a loader calls this."""
        return self._each(FaceView.pin_memory)

    def _each(self, change: Callable[[FaceView], FaceView]) -> "FaceBatch":
        views = (self.identity, self.driver, self.target, self.rest)
        changed = {id(view): change(view) for view in {id(v): v for v in views if v is not None}.values()}
        identity, driver, target, rest = (None if view is None else changed[id(view)] for view in views)
        assert identity is not None
        assert driver is not None
        return FaceBatch(identity, driver, target, rest)

    def rows(self, start: int, stop: int) -> "FaceBatch":
        """Rows ``start`` to ``stop`` (exclusive); a view that is there twice stays one."""
        return self._each(lambda view: view.rows(start, stop))


def to_tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """uint8 [B, H, W, 3] -> float32 [B, 3, H, W] in [-1, 1]."""
    # A copy, because pictures from Pillow are read-only.
    return torch.tensor(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_pictures(images: Tensor) -> NDArray[np.uint8]:
    """float [B, 3, H, W] in [-1, 1] -> uint8 [B, H, W, 3], rounded to the nearest."""
    scaled = ((images.detach().float().cpu() + 1) * 127.5).round().clamp(0, 255)
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).numpy()


def view(dataset: FaceDataset, records: Sequence[FaceRecord], mirror: Sequence[bool] | None = None) -> FaceView:
    """The view of B records; unknown landmarks are NaN.

    Args:
        dataset: the records' data set.
        records: B records.
        mirror: a flag for each record that is to be flipped; None flips none.

    Raises:
        FlipRefused: the labels of a record do not allow a flip.
    """
    flags = [False] * len(records) if mirror is None else mirror
    faces = [Face.of(dataset, record) for record in records]
    faces = [face.mirrored() if flag else face for face, flag in zip(faces, flags, strict=True)]
    points = _stacked([face.landmarks for face in faces], 68)
    further = None if all(f.further is None for f in faces) else _stacked([face.further for face in faces], FURTHER)
    pictures = np.stack([face.picture for face in faces])
    return FaceView(to_tensor(pictures), points, tuple(face.labels for face in faces), further)


def _stacked(points: Sequence[NDArray[np.float32] | None], count: int) -> Tensor:
    """[B, count, 2], NaN where None."""
    unknown = np.full((count, 2), np.nan, np.float32)
    return torch.from_numpy(np.stack([unknown if p is None else p.astype(np.float32) for p in points]))


def batch(dataset: FaceDataset, pairs: Sequence[Pair], mirror: Sequence[bool] | None = None) -> FaceBatch:
    """Identity and rest from the pair's identity photograph; driver and target are the photograph itself.

    Both photographs of a pair are flipped, or neither: the person's own asymmetries must agree in them.
    """
    own = view(dataset, [pair.record for pair in pairs], mirror)
    identity = view(dataset, [pair.identity for pair in pairs], mirror)
    return FaceBatch(identity, own, own, identity)
