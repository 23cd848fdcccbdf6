"""Pairs every photograph with an identity photograph: another one of the same person.

The rule: a subject's identity photograph is the one at rest, the least affected first, then in the data set's order.
Every other photograph of the subject is paired with it. It is itself paired with a seeded choice among the
others, as is every photograph of a subject that has none at rest. If a subject has only one photograph, that is its
own identity image.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from palsykit.faces.records import FaceRecord
from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit.seeds import derive


@dataclass(frozen=True, eq=False, slots=True)
class Pair:
    """A photograph and its identity photograph."""

    identity: FaceRecord
    record: FaceRecord


def by_subject(records: Sequence[FaceRecord]) -> dict[str, list[FaceRecord]]:
    """Records by subject, both in the order of first appearance.

    Raises:
        ValueError: for a record without a subject.
    """
    groups: defaultdict[str, list[FaceRecord]] = defaultdict(list)
    for record in records:
        if record.labels.subject is None:
            raise ValueError(f"photograph {record.key!r} has no subject; splits and pairs go by subject, so name one")
        groups[record.labels.subject].append(record)
    return dict(groups)


def of_first_people(records: Sequence[FaceRecord], count: int | None) -> list[FaceRecord]:
    """The records of the first ``count`` subjects, in their order; None for all of them."""
    subjects = set(list(by_subject(records))[:count])
    return [record for record in records if record.labels.subject in subjects]


def identity_photograph(records: Sequence[FaceRecord]) -> FaceRecord | None:
    """The photograph at rest among one subject's, the least affected first; None without one at rest."""
    at_rest = [record for record in records if record.labels.expression == "rest"]
    return min(at_rest, key=lambda record: _affected(record.labels), default=None)


def _affected(labels: FaceLabels) -> float:
    """The grade; where it is unknown, an affected side counts as grade II, an unknown one as a little above I."""
    if labels.severity is not None:
        return labels.severity
    return {Side.NONE: 1.0, None: 1.5}.get(labels.side, 2.0)


def pair(records: Sequence[FaceRecord], seed: int) -> list[Pair]:
    """Pairs every record by the rule above, in their order; ``seed`` decides where the rule leaves a choice."""
    chosen: dict[str, FaceRecord] = {}
    for group in by_subject(records).values():
        at_rest = identity_photograph(group)
        for record in group:
            others = [other for other in group if other is not record] or [record]
            if at_rest is not None and at_rest is not record:
                chosen[record.key] = at_rest
            else:
                chosen[record.key] = others[derive("pair", seed, record.key) % len(others)]
    return [Pair(chosen[record.key], record) for record in records]


def grid(records: Sequence[FaceRecord], seed: int) -> list[Pair]:
    """The pairs that a figure shows: every photograph of a subject but the identity photograph, if there are others."""
    own = {s: identity_photograph(g) for s, g in by_subject(records).items() if len(g) > 1}
    return [p for p in pair(records, seed) if own.get(p.record.labels.subject or "") is not p.record]
