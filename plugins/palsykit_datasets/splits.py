"""Reads a file with the split of each subject."""

import csv
from pathlib import Path

from palsykit.faces.vocabulary import SPLITS


def read_splits(path: Path) -> dict[str, str]:
    """{subject: split} of a CSV file with the columns ``subject`` and ``split``; subjects are text ("003").

    Raises:
        ValueError: for other columns, an unknown split, or a subject in two of them, with the line.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if not {"subject", "split"} <= set(reader.fieldnames or ()):
            raise ValueError(f"{path}:1: found columns {reader.fieldnames}, expected subject and split")
        splits: dict[str, str] = {}
        for row in reader:
            subject, split = (row["subject"] or "").strip(), (row["split"] or "").strip()
            where = f"{path}:{reader.line_num}"
            if split not in SPLITS:
                raise ValueError(f"{where}: found split {split!r}, expected one of {', '.join(SPLITS)}")
            if splits.setdefault(subject, split) != split:
                raise ValueError(f"{where}: subject {subject!r} is in {splits[subject]} and in {split}; expected one")
    return splits
