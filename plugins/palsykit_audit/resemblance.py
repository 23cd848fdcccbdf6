"""The training and held-out people nearest to each generated face, and which pictures to hold back.

A generated face should look like the person asked for, so resemblance alone is not a problem:

* A face is flagged if it is nearer than the threshold (palsykit_audit.yardstick) to a training person, and its own
  identity photograph is NOT: the likeness then comes from the model. If the identity photograph itself looks like that
  person, because it shows that person or someone alike, the likeness was asked for; such faces are counted separately.
  If the identity photograph is not available, every likeness counts as the model's.
* A picture is a copy of a photograph if its pixel distance to it is less than half the mean distance to the 50 nearest
  other people (Carlini et al., arXiv:2301.13188, section 5.1: alpha 0.5, n 50; they count photographs, we count people,
  because photographs of one person resemble each other), and the ratio is lower than any held-out photograph's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palsykit_audit.faces import Face, Synthesis
from palsykit_audit.gallery import Features, Floats, Gallery

ALPHA, NEIGHBOURS = 0.5, 50
"""A copy is nearer than ALPHA times the mean distance to the NEIGHBOURS nearest other people."""
BLOCK = 1024
"""Pictures to search for at a time; limits the memory."""


def pixel_ratio(distances: Floats) -> Floats:
    """Distances to people [B, P] -> distance to the nearest, divided by ALPHA times the mean of the next ones: [B].

    A ratio below 1 means a copy. NaN with fewer than three people.
    """
    ordered = np.sort(distances, axis=1)[:, : NEIGHBOURS + 1]
    if ordered.shape[1] < 3:
        return np.full(len(distances), np.nan, np.float32)
    ratio: Floats = ordered[:, 0] / np.maximum(ALPHA * ordered[:, 1:].mean(axis=1), 1e-6)
    return ratio


@dataclass(frozen=True, eq=False)
class Likeness:
    """The result for one generated picture; cosines are of the audit's network.

    Attributes:
        synthesis: the picture.
        trained: the nearest photograph of a training person; ``to_training`` is the cosine.
        held: the nearest photograph of a held-out person, except the person asked for; ``to_held_out`` is the cosine.
        to_own: cosine with the identity photograph; NaN if that is unknown.
        own_to_training: cosine of the identity photograph with the training person of ``trained``; NaN if unknown.
        by_pixels: the nearest photograph of a training person by pixels; ``distance`` is in grey levels.
        ratio: ``pixel_ratio``; far below 1 is a copy.
        preference: chance that the nearest of equally many training and held-out people is a training person.
        flag: why it is held back, "resembles" or "copy"; "asked" if the likeness is the identity photograph's; else "".
        suspect: if it is held back, the photograph of the training person that it resembles or copies.
        suspicion: the cosine with that person.
    """

    synthesis: Synthesis
    trained: Face
    to_training: float
    held: Face
    to_held_out: float
    to_own: float
    own_to_training: float
    by_pixels: Face
    distance: float
    ratio: float
    preference: float
    flag: str
    suspect: Face | None
    suspicion: float

    @property
    def flagged(self) -> bool:
        """Whether it must not be released without a decision."""
        return self.flag in ("resembles", "copy")


def likenesses(
    pictures: Sequence[Synthesis],
    features: Features,
    identities: Features,
    training: Gallery,
    held_out: Gallery,
    threshold: float,
    copy_limit: float = 1.0,
) -> list[Likeness]:
    """Search for every generated picture among training and held-out people.

    Args:
        pictures: N pictures.
        features: of the pictures.
        identities: features of their identity photographs; embeddings are NaN if a picture has none.
        training: the training people.
        held_out: the held-out people.
        threshold: of the yardstick.
        copy_limit: a picture with a lower ``pixel_ratio`` is a copy.
    """
    results = []
    limits = (threshold, copy_limit)
    for start in range(0, len(pictures), BLOCK):
        part, queries = pictures[start : start + BLOCK], features.rows(start, start + BLOCK)
        own = held_out.own([one.person for one in part]) & np.array([one.held_out for one in part])[:, None]
        strangers = np.where(own, -np.inf, held_out.cosine(queries))
        block = _Block(queries, identities.rows(start, start + BLOCK), training, held_out, strangers, limits)
        results += [block.likeness(row, one) for row, one in enumerate(part)]
    return results


class _Block:
    """Up to BLOCK generated pictures and their distances to all people."""

    def __init__(
        self,
        queries: Features,
        identities: Features,
        training: Gallery,
        held_out: Gallery,
        strangers: Floats,
        limits: tuple[float, float],
    ):
        self.queries, self.training, self.held_out = queries, training, held_out
        self.limit, self.copy_limit = limits
        self.cosine, self.strangers = training.cosine(queries), strangers
        self.distance = training.distance(queries)
        self.own_to_training = training.cosine(identities)
        self.to_own = (queries.embeddings * identities.embeddings).sum(axis=1)
        # Training people near the identity photograph itself: likeness to them was asked for.
        self.explained: NDArray[np.bool_] = np.nan_to_num(self.own_to_training, nan=-np.inf) > self.limit

    def likeness(self, row: int, one: Synthesis) -> Likeness:
        """The result for one picture of the block."""
        query = self.queries.rows(row, row + 1)
        nearest, stranger = int(self.cosine[row].argmax()), int(self.strangers[row].argmax())
        by_pixels = int(self.distance[row].argmin())
        ratio = float(pixel_ratio(self.distance[row : row + 1])[0])
        flag, suspect = self._flag(row, by_pixels, ratio)
        return Likeness(
            one,
            self.training.nearest_photograph(query, nearest),
            float(self.cosine[row, nearest]),
            self.held_out.nearest_photograph(query, stranger),
            float(self.strangers[row, stranger]),
            float(self.to_own[row]),
            float(self.own_to_training[row, nearest]),
            self.training.nearest_photograph(query, by_pixels, pixels=True),
            float(self.distance[row, by_pixels]),
            ratio,
            preference(self.cosine[row], self.strangers[row][np.isfinite(self.strangers[row])]),
            flag,
            None if suspect is None else self.training.nearest_photograph(query, suspect, pixels=flag == "copy"),
            math.nan if suspect is None else float(self.cosine[row, suspect]),
        )

    def _flag(self, row: int, by_pixels: int, ratio: float) -> tuple[str, int | None]:
        """(flag, training person that the picture copies or resembles, or None)."""
        unexplained = np.where(self.explained[row], -np.inf, self.cosine[row])
        suspect = int(unexplained.argmax())
        if ratio < self.copy_limit and not self.explained[row, by_pixels]:
            return "copy", by_pixels
        if unexplained[suspect] > self.limit:
            return "resembles", suspect
        return ("asked", None) if self.cosine[row].max() > self.limit else ("", None)


def preference(training: Floats, held_out: Floats) -> float:
    """The chance that the nearest of equally many training and held-out people is a training person; 0.5 is chance.

    People of the larger group are drawn without replacement; the chance is computed exactly, not sampled.

    Args:
        training: cosines with training people [P].
        held_out: cosines with held-out people [Q].
    """
    if len(held_out) == 0:
        return math.nan
    if len(training) >= len(held_out):
        return _wins(training, float(held_out.max()), len(held_out))
    return 1 - _wins(held_out, float(training.max()), len(training))


def _wins(many: Floats, best: float, drawn: int) -> float:
    """The chance that the highest of ``drawn`` values out of ``many`` is above ``best``; a tie counts half."""

    def beaten(count: int) -> float:
        """The chance that none of ``count`` values is drawn."""
        total = len(many)
        if count > total - drawn:
            return 0.0
        return math.exp(sum(math.log((total - count - i) / (total - i)) for i in range(drawn)))

    above, level = int((many > best).sum()), int((many >= best).sum())
    return 1 - (beaten(above) + beaten(level)) / 2
