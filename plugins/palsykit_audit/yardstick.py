"""How alike two different people look by chance, measured on held-out people; sets the threshold for "too similar".

Every photograph of a held-out person is searched among all other held-out people and among the training people, as a
non-mated search in biometrics (ISO/IEC 19795-1). The threshold is the highest cosine found, or a quantile. Training
people are part of the search because a face has as many chances to resemble one of them by accident as there are
training people. Generated data must not be nearer to the training data than held-out data are: the rule of Meehan et
al. (arXiv:2004.05675).
"""

from dataclasses import dataclass

import numpy as np

from palsykit.errors import PalsykitError
from palsykit_audit.faces import Face
from palsykit_audit.gallery import Floats, Gallery
from palsykit_audit.ranks import auc

TELLS_APART = 0.9
"""With a lower AUC of same against different people, a network cannot show that two names are one person."""
SHOWN = 3
"""Number of pairs of real people to show."""


@dataclass(frozen=True, eq=False)
class RealPair:
    """A held-out photograph and the nearest photograph of a different person, held out or trained on."""

    held_out: Face
    other: Face
    trained_on: bool
    cosine: float


@dataclass(frozen=True, eq=False)
class Yardstick:
    """The threshold, and the cosines that it is computed from.

    Attributes:
        threshold: the ``quantile`` of ``strangers``; a generated face above it is nearer to a training person than
            held-out people are to others.
        quantile: 1 takes the highest.
        strangers: cosine of each held-out photograph with the nearest different person, [N].
        to_training, to_held_out: the same among training people only and held-out people only, [N].
        same: cosine of each held-out photograph with the nearest other one of the same person, if there is one.
        separation: AUC of ``same`` against cosines of different held-out people; NaN if a group is empty.
        nearest: the most similar pairs of different people, most similar first.
        twins: pairs that look like one person under two names (cosine above the median of ``same``); left out.
    """

    threshold: float
    quantile: float
    strangers: Floats
    to_training: Floats
    to_held_out: Floats
    same: Floats
    separation: float
    nearest: list[RealPair]
    twins: list[RealPair]

    @property
    def tells_apart(self) -> bool:
        """Whether the network separates people well enough for its cosines to mean likeness."""
        return self.separation >= TELLS_APART


def yardstick(training: Gallery, held_out: Gallery, quantile: float = 1.0) -> Yardstick:
    """Search for every held-out photograph among all other people.

    Raises:
        PalsykitError: the quantile is out of range.
    """
    if not 0.5 <= quantile <= 1:
        raise PalsykitError(f"--quantile {quantile:g}: expected 0.5 to 1, as 1 (the nearest) or 0.95")
    # Cosines of each held-out photograph with all other people.
    own = held_out.own([face.person for face in held_out.faces])
    trained, held = training.cosine(held_out.features), held_out.cosine(held_out.features)
    held[own] = -np.inf
    # If the network tells people apart, leave out pairs that look like one person under two names.
    same = _same(held_out)
    separation = auc(same, held[~own])
    twins = []
    if separation >= TELLS_APART:
        alike = float(np.median(same))
        twins = _mask_twins(trained, held_out, training, True, alike)
        twins += _mask_twins(held, held_out, held_out, False, alike)
    # The nearest different person of each photograph.
    strangers = np.maximum(trained.max(axis=1), held.max(axis=1))
    nearest = _nearest(trained, held_out, training, True) + _nearest(held, held_out, held_out, False)
    known = strangers[np.isfinite(strangers)]
    return Yardstick(
        threshold=float(np.quantile(known, quantile)) if len(known) else 1.0,
        quantile=quantile,
        strangers=strangers,
        to_training=trained.max(axis=1),
        to_held_out=held.max(axis=1),
        same=same,
        separation=separation,
        nearest=sorted(nearest, key=lambda pair: -pair.cosine)[:SHOWN],
        twins=twins,
    )


def _same(gallery: Gallery) -> Floats:
    """The cosine of each photograph with the nearest other one of the same person, for people with several."""
    cosines_of_all = [np.zeros(0, np.float32)]
    for person in range(len(gallery.people)):
        rows = gallery.rows_of(person).embeddings
        if len(rows) > 1:
            cosines = rows @ rows.T
            np.fill_diagonal(cosines, -np.inf)
            cosines_of_all.append(cosines.max(axis=1))
    return np.concatenate(cosines_of_all)


def _mask_twins(cosines: Floats, held_out: Gallery, gallery: Gallery, trained: bool, alike: float) -> list[RealPair]:
    """Find pairs of people who look like one person, and set their ``cosines`` [N, P] to minus infinity in place."""
    persons = np.array([held_out.people.index(face.person) for face in held_out.faces])
    pairs: dict[tuple[int, ...], RealPair] = {}
    for row, person in np.argwhere(cosines >= alike):
        names = (int(persons[row]), int(person))
        pair = _pair(cosines, held_out, gallery, trained, int(row), int(person))
        key = names if trained else tuple(sorted(names))
        if key not in pairs or pairs[key].cosine < pair.cosine:
            pairs[key] = pair
    for one, other in pairs:
        cosines[persons == one, other] = -np.inf
        if not trained:
            cosines[persons == other, one] = -np.inf
    return sorted(pairs.values(), key=lambda pair: -pair.cosine)


def _nearest(cosines: Floats, held_out: Gallery, gallery: Gallery, trained: bool) -> list[RealPair]:
    """The most similar pairs of a held-out person and a different one, one pair per couple, most similar first."""
    pairs: dict[frozenset[str], RealPair] = {}
    for row in np.argsort(-cosines.max(axis=1)):
        pair = _pair(cosines, held_out, gallery, trained, int(row), int(cosines[row].argmax()))
        if np.isfinite(pair.cosine):
            pairs.setdefault(frozenset((pair.held_out.person, pair.other.person, str(trained))), pair)
        if len(pairs) == SHOWN:
            break
    return list(pairs.values())


def _pair(cosines: Floats, held_out: Gallery, gallery: Gallery, trained: bool, row: int, person: int) -> RealPair:
    other = gallery.nearest_photograph(held_out.features.rows(row, row + 1), person)
    return RealPair(held_out.faces[row], other, trained, float(cosines[row, person]))
