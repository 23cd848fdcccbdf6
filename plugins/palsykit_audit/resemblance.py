"""Whom generated faces resemble: the nearest training and held-out people of each, and what is to be held back.

A generated face is asked to look like somebody, so resemblance alone says nothing:

* A face is flagged where it is nearer than the threshold (palsykit_audit.yardstick) to a training person whom its own
  identity photograph is NOT that near to: the likeness is then the model's. Where the identity photograph itself looks
  like that person, because it shows that person or somebody alike, the likeness was asked for; such faces are counted
  apart. Where nobody has the identity photograph at hand, every likeness is the model's.
* A picture is a copy of a photograph where its pixel distance to it is less than half the mean distance to the 50
  nearest other people (Carlini et al., arXiv:2301.13188, section 5.1: alpha 0.5, n 50; they count photographs and we
  people, as a person's photographs resemble each other), and relatively nearer than any held-out photograph is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palsykit_audit.faces import Face, Synthesis
from palsykit_audit.gallery import Features, Floats, Gallery

ALPHA, NEIGHBOURS = 0.5, 50
"""A copy is nearer than this share of the mean distance to so many nearest people."""


def pixel_ratio(distances: Floats) -> Floats:
    """[B, P] distances to people -> distance to the nearest over ALPHA times the mean of the next; below 1 is a copy.

    NaN where fewer than two people are there to compare with.
    """
    ordered = np.sort(distances, axis=1)[:, : NEIGHBOURS + 1]
    if ordered.shape[1] < 3:
        return np.full(len(distances), np.nan, np.float32)
    found: Floats = ordered[:, 0] / np.maximum(ALPHA * ordered[:, 1:].mean(axis=1), 1e-6)
    return found


@dataclass(frozen=True, eq=False)
class Likeness:
    """What is found of one generated picture; cosines by the audit's network.

    Attributes:
        synthesis: the picture.
        trained: the nearest photograph of a training person, and ``to_training`` the cosine.
        held: the nearest photograph of a held-out person but the one who was asked for; ``to_held_out`` the cosine.
        to_own: cosine with the identity photograph; NaN where that is not known.
        asked: cosine of the identity photograph with the training person of ``trained``; NaN likewise.
        by_pixels: the nearest photograph of a training person by pixels; ``distance`` in grey levels.
        ratio: ``pixel_ratio``; far below 1 is a copy.
        preference: chance that the nearest of equally many training and held-out people is a training person.
        flag: "" or why it is held back: "resembles" or "copy"; "asked" where the likeness is the identity photograph's.
        suspect: where it is flagged, the photograph of the training person that it resembles or copies.
        suspicion: the cosine with that person.
    """

    synthesis: Synthesis
    trained: Face
    to_training: float
    held: Face
    to_held_out: float
    to_own: float
    asked: float
    by_pixels: Face
    distance: float
    ratio: float
    preference: float
    flag: str
    suspect: Face | None
    suspicion: float

    @property
    def flagged(self) -> bool:
        """Whether it must not go out unless somebody says so."""
        return self.flag in ("resembles", "copy")


def likenesses(
    made: Sequence[Synthesis],
    features: Features,
    asked: Features,
    training: Gallery,
    held_out: Gallery,
    threshold: float,
    copy_limit: float = 1.0,
) -> list[Likeness]:
    """Searches every generated picture among training and held-out people.

    Args:
        made: N pictures.
        features: of them.
        asked: of their identity photographs, NaN embeddings where there is none.
        training: trained on.
        held_out: not.
        threshold: of the yardstick.
        copy_limit: a picture whose ``pixel_ratio`` is below is a copy.
    """
    found = []
    for start in range(0, len(made), 1024):
        part, queries = made[start : start + 1024], features.rows(start, start + 1024)
        own = held_out.own([one.person for one in part]) & np.array([one.held_out for one in part])[:, None]
        strangers = np.where(own, -np.inf, held_out.cosine(queries))
        block = _Block(queries, asked.rows(start, start + 1024), training, held_out, strangers, (threshold, copy_limit))
        found += [block.likeness(row, one) for row, one in enumerate(part)]
    return found


class _Block:
    """Some generated pictures with their searches."""

    def __init__(
        self,
        queries: Features,
        asked: Features,
        training: Gallery,
        held_out: Gallery,
        strangers: Floats,
        limits: tuple[float, float],
    ):
        self.queries, self.training, self.held_out = queries, training, held_out
        self.limit, self.copy_limit = limits
        self.cosine, self.strangers = training.cosine(queries), strangers
        self.distance = training.distance(queries)
        self.asked = training.cosine(asked)
        self.to_own = (queries.embeddings * asked.embeddings).sum(axis=1)
        # whom the identity photograph itself is as near to: their likeness was asked for
        self.explained: NDArray[np.bool_] = np.nan_to_num(self.asked, nan=-np.inf) > self.limit

    def likeness(self, row: int, one: Synthesis) -> Likeness:
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
            float(self.asked[row, nearest]),
            self.training.nearest_photograph(query, by_pixels, pixels=True),
            float(self.distance[row, by_pixels]),
            ratio,
            preference(self.cosine[row], self.strangers[row][np.isfinite(self.strangers[row])]),
            flag,
            None if suspect is None else self.training.nearest_photograph(query, suspect, pixels=flag == "copy"),
            math.nan if suspect is None else float(self.cosine[row, suspect]),
        )

    def _flag(self, row: int, by_pixels: int, ratio: float) -> tuple[str, int | None]:
        unexplained = np.where(self.explained[row], -np.inf, self.cosine[row])
        suspect = int(unexplained.argmax())
        if ratio < self.copy_limit and not self.explained[row, by_pixels]:
            return "copy", by_pixels
        if unexplained[suspect] > self.limit:
            return "resembles", suspect
        return ("asked", None) if self.cosine[row].max() > self.limit else ("", None)


def preference(training: Floats, held_out: Floats) -> float:
    """The chance that the nearest is a training person, among as many drawn of each; 0.5 where nothing is remembered.

    The larger group is drawn from without replacement; the chance is computed, not sampled.

    Args:
        training: cosines with training people [P].
        held_out: with held-out people [Q].
    """
    if len(held_out) == 0:
        return math.nan
    if len(training) >= len(held_out):
        return _wins(training, float(held_out.max()), len(held_out))
    return 1 - _wins(held_out, float(training.max()), len(training))


def _wins(many: Floats, best: float, drawn: int) -> float:
    """The chance that the best of ``drawn`` of ``many`` is above ``best``; a tie counts half."""

    def beaten(count: int) -> float:
        """The chance that none of ``count`` is among those drawn."""
        total = len(many)
        if count > total - drawn:
            return 0.0
        return math.exp(sum(math.log((total - count - i) / (total - i)) for i in range(drawn)))

    above, level = int((many > best).sum()), int((many >= best).sum())
    return 1 - (beaten(above) + beaten(level)) / 2
