"""What held-out people say of chance resemblance: how near people come to each other who are no copies of each other.

Every photograph of a held-out person is searched among all other held-out people and among the training people, as a
non-mated search in biometrics (ISO/IEC 19795-1); the threshold is the highest cosine that is found, or a quantile. The
training people belong to the search because a face has as many chances to resemble one of them by accident as there
are of them. That generated data must not be nearer to the training data than held-out data are is the rule of Meehan et
al. (arXiv:2004.05675).
"""

from dataclasses import dataclass

import numpy as np

from palsykit.errors import PalsykitError
from palsykit_audit.faces import Face
from palsykit_audit.gallery import Floats, Gallery
from palsykit_audit.ranks import auc

TELLS_APART = 0.9
"""A network whose AUC of same against other people is lower cannot say that two names are one person."""
SHOWN = 3
"""Pairs of real people that are shown."""


@dataclass(frozen=True, eq=False)
class RealPair:
    """Two photographs of different people: a held-out one, and the nearest of somebody held out or trained on."""

    held_out: Face
    other: Face
    trained_on: bool
    cosine: float


@dataclass(frozen=True, eq=False)
class Yardstick:
    """The threshold and what it is made of.

    Attributes:
        threshold: a generated face nearer than this to a training person is nearer than held-out people are to others.
        quantile: of ``strangers``; 1 is the nearest of all.
        strangers: cosine of each held-out photograph with the nearest person who is somebody else, [N].
        to_training, to_held_out: its two parts, [N].
        same: of each held-out photograph with the nearest other one of its own person; of those who have one.
        separation: AUC of telling ``same`` from the nearest photographs of different held-out people; NaN without.
        nearest: the different people that come nearest, nearest first.
        twins: who counts as one person under two names, and is left out: nearer than half of ``same``.
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
        """Whether the network tells people apart well enough for its cosines to mean a likeness."""
        return self.separation >= TELLS_APART


def yardstick(training: Gallery, held_out: Gallery, quantile: float = 1.0) -> Yardstick:
    """Searches every held-out photograph among everybody else.

    Raises:
        PalsykitError: for a quantile out of range.
    """
    if not 0.5 <= quantile <= 1:
        raise PalsykitError(f"--quantile {quantile:g}: expected 0.5 to 1, as 1 (the nearest) or 0.95")
    own = held_out.own([face.person for face in held_out.faces])
    trained, held = training.cosine(held_out.features), held_out.cosine(held_out.features)
    held[own] = -np.inf
    same = _same(held_out)
    separation = auc(same, held[~own])
    twins = []
    if separation >= TELLS_APART:
        alike = float(np.median(same))
        twins = _mask_twins(trained, held_out, training, True, alike)
        twins += _mask_twins(held, held_out, held_out, False, alike)
    strangers = np.maximum(trained.max(axis=1), held.max(axis=1))
    nearest = _nearest(trained, held_out, training, True) + _nearest(held, held_out, held_out, False)
    known = strangers[np.isfinite(strangers)]
    return Yardstick(
        float(np.quantile(known, quantile)) if len(known) else 1.0,
        quantile,
        strangers,
        trained.max(axis=1),
        held.max(axis=1),
        same,
        separation,
        sorted(nearest, key=lambda pair: -pair.cosine)[:SHOWN],
        twins,
    )


def _same(gallery: Gallery) -> Floats:
    """The cosine of each photograph with the nearest other one of its person, of those who have another."""
    found = [np.zeros(0, np.float32)]
    for person in range(len(gallery.people)):
        rows = gallery.rows_of(person).embeddings
        if len(rows) > 1:
            cosines = rows @ rows.T
            np.fill_diagonal(cosines, -np.inf)
            found.append(cosines.max(axis=1))
    return np.concatenate(found)


def _mask_twins(cosines: Floats, held_out: Gallery, gallery: Gallery, trained: bool, alike: float) -> list[RealPair]:
    """Sets people who look like one to minus infinity in ``cosines`` [N, P], in place, and names them."""
    persons = np.array([held_out.people.index(face.person) for face in held_out.faces])
    found: dict[tuple[int, ...], RealPair] = {}
    for row, person in np.argwhere(cosines >= alike):
        names = (int(persons[row]), int(person))
        pair = _pair(cosines, held_out, gallery, trained, int(row), int(person))
        key = names if trained else tuple(sorted(names))
        if key not in found or found[key].cosine < pair.cosine:
            found[key] = pair
    for one, other in found:
        cosines[persons == one, other] = -np.inf
        if not trained:
            cosines[persons == other, one] = -np.inf
    return sorted(found.values(), key=lambda pair: -pair.cosine)


def _nearest(cosines: Floats, held_out: Gallery, gallery: Gallery, trained: bool) -> list[RealPair]:
    """The held-out people who come nearest to somebody else, one pair each, nearest first."""
    found: dict[frozenset[str], RealPair] = {}
    for row in np.argsort(-cosines.max(axis=1)):
        pair = _pair(cosines, held_out, gallery, trained, int(row), int(cosines[row].argmax()))
        if np.isfinite(pair.cosine):
            found.setdefault(frozenset((pair.held_out.person, pair.other.person, str(trained))), pair)
        if len(found) == SHOWN:
            break
    return list(found.values())


def _pair(cosines: Floats, held_out: Gallery, gallery: Gallery, trained: bool, row: int, person: int) -> RealPair:
    other = gallery.nearest_photograph(held_out.features.rows(row, row + 1), person)
    return RealPair(held_out.faces[row], other, trained, float(cosines[row, person]))
