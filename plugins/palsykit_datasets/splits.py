"""Reads a file with the split of each subject."""

from pathlib import Path

from palsykit.data.tables import check_names, read_csv
from palsykit.faces.vocabulary import SPLITS

COLUMNS = ("subject", "split")


def read_splits(path: Path) -> dict[str, str]:
    """{subject: split} of a CSV file with the columns ``subject`` and ``split``; subjects are text ("003").

    Raises:
        ValueError: for other columns, an unknown split, or a subject in two of them, with the line.
    """

    def check(where: str, columns: list[str]) -> None:
        if not set(COLUMNS) <= set(columns):
            check_names(where, columns, COLUMNS)
            raise ValueError(f"{where}: found columns {columns}, expected subject and split")

    splits: dict[str, str] = {}
    for where, cells in read_csv(path, check):
        subject, split = cells["subject"].strip(), cells["split"].strip()
        if split not in SPLITS:
            raise ValueError(f"{where}: found split {split!r}, expected one of {', '.join(SPLITS)}")
        if splits.setdefault(subject, split) != split:
            raise ValueError(f"{where}: subject {subject!r} is in {splits[subject]} and in {split}; expected one")
    return splits
