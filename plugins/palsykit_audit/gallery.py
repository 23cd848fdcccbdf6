"""Features of faces (a recognition network's embedding, and the face's pixels) and a search for the nearest people."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from palsykit.errors import PalsykitError
from palsykit.faces.alignment import ARCFACE_CROP
from palsykit.faces.cropping import crop_square
from palsykit.faces.views import to_pictures, to_tensor
from palsykit.networks import SharedNetwork
from palsykit.progress import track
from palsykit_audit.faces import Face, Picture

BATCH = 32
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Features:
    """Features of N faces: embeddings [N, D] of length 1, and pixels [N, P] uint8 of ArcFace's square crop."""

    embeddings: Floats
    pixels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.embeddings)

    def rows(self, start: int, stop: int) -> "Features":
        """Rows ``start`` to ``stop`` (exclusive)."""
        return Features(self.embeddings[start:stop], self.pixels[start:stop])


def read_features(
    network: SharedNetwork, pictures: Sequence[Callable[[], Picture]], device: torch.device, title: str
) -> Features:
    """Compute the features of pictures in the face frame.

    Raises:
        PalsykitError: the network does not give an embedding.
    """
    embeddings, pixels = [], []
    with track(title, len(pictures), "faces") as progress, torch.no_grad():
        for start in range(0, len(pictures), BATCH):
            image = to_tensor(np.stack([read() for read in pictures[start : start + BATCH]]))
            embedding = network(image.to(device)).embedding
            if embedding is None:
                raise PalsykitError(
                    f"network {network.name!r} gives no embedding; name a recognition network, such as "
                    "judge_recognition"
                )
            embeddings.append(F.normalize(embedding.float(), dim=-1).cpu().numpy())
            side = round(ARCFACE_CROP[2] * image.shape[-1])
            pixels.append(to_pictures(crop_square(image, *ARCFACE_CROP, size=side)).reshape(len(image), -1))
            progress.advance(len(image))
    return Features(np.concatenate(embeddings), np.concatenate(pixels))


class Gallery:
    """Photographs grouped by person, for nearest-neighbour search.

    Args:
        faces: N photographs of P people.
        features: of these photographs.

    Attributes:
        people: P names.
        faces: N photographs, sorted by person.
        features: of ``faces``, in the same order.
    """

    def __init__(self, faces: Sequence[Face], features: Features):
        names = {name: number for number, name in enumerate(dict.fromkeys(face.person for face in faces))}
        numbers = np.array([names[face.person] for face in faces])
        order = np.argsort(numbers, kind="stable")
        self.people = list(names)
        self.faces = [faces[row] for row in order]
        self.features = Features(features.embeddings[order], features.pixels[order])
        self._starts = np.searchsorted(numbers[order], np.arange(len(names)))
        self._ends = np.append(self._starts[1:], len(faces))

    def own(self, persons: Sequence[str]) -> NDArray[np.bool_]:
        """Whether each of B persons is each of the P people, [B, P]."""
        same: NDArray[np.bool_] = np.array(persons, dtype=object)[:, None] == np.array(self.people, dtype=object)[None]
        return same

    def cosine(self, queries: Features) -> Floats:
        """The cosine of each of B faces with the nearest photograph of each person, [B, P]."""
        highest: Floats = np.maximum.reduceat(queries.embeddings @ self.features.embeddings.T, self._starts, axis=1)
        return highest

    def distance(self, queries: Features) -> Floats:
        """The pixel distance of each of B faces to the nearest photograph of each person, [B, P].

        Root mean square, in grey levels of 255.
        """
        lowest: Floats = np.minimum.reduceat(_distances(queries.pixels, self.features.pixels), self._starts, axis=1)
        return lowest

    def nearest_photograph(self, query: Features, person: int, pixels: bool = False) -> Face:
        """The photograph of a person that is nearest to one face [1], by cosine or by pixels."""
        first, end = int(self._starts[person]), int(self._ends[person])
        rows = slice(first, end)
        if pixels:
            best = int(_distances(query.pixels, self.features.pixels[rows])[0].argmin())
        else:
            best = int((self.features.embeddings[rows] @ query.embeddings[0]).argmax())
        face: Face = self.faces[first + best]
        return face

    def rows_of(self, person: int) -> Features:
        """The features of one person's photographs."""
        return self.features.rows(int(self._starts[person]), int(self._ends[person]))


def _distances(ones: NDArray[np.uint8], others: NDArray[np.uint8]) -> Floats:
    """[B, P] and [N, P] uint8 -> root mean square differences [B, N]."""
    a, b = (pixels.astype(np.float32) - 128 for pixels in (ones, others))
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * (a @ b.T)
    distances: Floats = np.sqrt(np.maximum(squares, 0) / a.shape[1])
    return distances
