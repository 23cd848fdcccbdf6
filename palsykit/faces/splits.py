"""Splits a data set by subject into train, validation and test: as it prescribes, else at random from a seed."""

from collections.abc import Sequence

from palsykit.faces.pairing import by_subject
from palsykit.faces.records import FaceRecord
from palsykit.faces.vocabulary import SPLITS
from palsykit.seeds import derive

SHARES = {"test": 0.2, "validation": 0.1}
"""Shares of the subjects where the data set prescribes no split."""


def split_records(records: Sequence[FaceRecord], seed: int) -> dict[str, list[FaceRecord]]:
    """Records by split; no subject is in two of them.

    Raises:
        ValueError: for a subject in two splits, records with and without a split, or a split that is none of train,
            validation and test.
    """
    prescribed = {record.split for record in records}
    if prescribed == {None}:
        return _draw(records, seed)
    if unknown := prescribed - set(SPLITS):
        raise ValueError(
            f"splits {sorted(map(str, unknown))} in the data; expected {', '.join(SPLITS)} for every record"
        )
    for subject, group in by_subject(records).items():
        if len({record.split for record in group}) > 1:
            raise ValueError(f"subject {subject!r} is in splits {sorted({str(r.split) for r in group})}; expected one")
    return {split: [record for record in records if record.split == split] for split in SPLITS}


def shared_subjects(ones: Sequence[FaceRecord], others: Sequence[FaceRecord]) -> list[str]:
    """Subjects in both groups, sorted: a test refuses people of the training data."""
    return sorted({str(one.labels.subject) for one in ones} & {str(other.labels.subject) for other in others})


def _draw(records: Sequence[FaceRecord], seed: int) -> dict[str, list[FaceRecord]]:
    subjects = sorted(by_subject(records), key=lambda subject: derive("split", seed, subject))
    counts = {split: max(1, round(share * len(subjects))) for split, share in SHARES.items()}
    where: dict[str, str] = {}
    for split in ("test", "validation"):
        taken = [s for s in subjects if s not in where][: counts[split]] if len(subjects) > 2 else []
        where |= dict.fromkeys(taken, split)
    return {
        split: [record for record in records if where.get(record.labels.subject or "", "train") == split]
        for split in SPLITS
    }
