"""Reads a spreadsheet about people, saved as CSV, with its own headings and words: side and severity of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from palsykit.data.faults import tally
from palsykit.data.tables import read_csv
from palsykit.faces.vocabulary import FaceLabels, Group, Side
from palsykit_datasets.cells import one_of, read_score, read_severity

COLUMNS = ("subject", "group", "side", "severity", "sunnybrook", "eface")
"""Possible meanings of a heading."""

Person = tuple[str | None, str]
"""Group, if the spreadsheet gives it, and subject."""


@dataclass
class People:
    """What the spreadsheet says about a person, and its line.

    Attributes:
        known: person -> labels.
        where: person -> file and line.
        nameless: file and line of rows that say something, but not about whom.
    """

    known: dict[Person, FaceLabels] = field(default_factory=dict)
    where: dict[Person, str] = field(default_factory=dict)
    nameless: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """People described."""
        return len(self.known)

    @property
    def notes(self) -> list[str]:
        """What a user should know of the spreadsheet, a line each."""
        if not self.nameless:
            return []
        words = "where cells were merged, write the subject into each of their rows"
        return [f"{tally('rows of the spreadsheet without a subject, which are left out', self.nameless)}; {words}"]

    def of(self, subjects: Mapping[str, set[str]]) -> dict[tuple[str, str], FaceLabels]:
        """{(group, subject): labels} of the described ones among ``subjects``, the people of each group.

        Raises:
            ValueError: if a row could describe two people, or no row describes any.
        """
        found: dict[tuple[str, str], FaceLabels] = {}
        for (group, subject), labels in self.known.items():
            homes = [g for g, names in subjects.items() if subject in names and group in (None, g)]
            if len(homes) > 1:
                raise ValueError(
                    f"{self.where[group, subject]}: found subject {subject!r}, who is in "
                    f"{' and '.join(homes)}; say with columns: {{group: HEADING}} which of them is meant"
                )
            found |= {(home, subject): labels for home in homes}
        if self.known and not found:
            words, names = sorted({person[1] for person in self.known}), sorted(set().union(*subjects.values()))
            raise ValueError(
                f"{next(iter(self.where.values()))}: found subjects such as {words[:3]}, expected those that the "
                f"photographs' names give, such as {names[:3]}; mend columns: {{subject: HEADING}} or pattern"
            )
        return found


def read_people(
    path: Path,
    columns: Mapping[str, str],
    values: Mapping[str, Mapping[str, str | int | float]],
) -> People:
    """The rows of a CSV file; empty cells are unknown; rows without a subject are left out and named.

    Args:
        path: the file.
        columns: one of COLUMNS -> its heading; subject is needed.
        values: one of COLUMNS -> {the spreadsheet's word: ours}; "" is unknown.

    Raises:
        ValueError: for missing headings, an unexplained word, or a person in two rows.
    """
    for key, said in (("columns", columns), ("values", values)):
        if unknown := sorted(set(said) - set(COLUMNS)):
            raise ValueError(f"{path}: {key} names {', '.join(unknown)}, expected some of {', '.join(COLUMNS)}")

    def check(where: str, headings: list[str]) -> None:
        if "subject" not in columns:
            raise ValueError(
                f"{where}: found headings {headings}; say with columns: {{subject: HEADING}} which says who"
            )
        for column, heading in columns.items():
            if headings.count(heading) != 1:
                raise ValueError(f"{where}: found headings {headings}, expected {heading!r} for {column}, once")

    people = People()
    for where, cells in read_csv(path, check):
        read = _Row(where, {column: cells[heading].strip() for column, heading in columns.items()}, values)
        subject = read.ours("subject")
        if subject is None:
            people.nameless.append(where)
            continue
        group = read.ours("group")
        person = None if group is None else one_of(f"{where}{read.step('group')}", "group", group, list(Group)), subject
        if person in people.known:
            first = people.where[person]
            raise ValueError(f"{where}: found subject {subject!r} again, expected one row a person; see {first}")
        people.known[person], people.where[person] = read.labels(), where
    return people


@dataclass(frozen=True)
class _Row:
    where: str
    cells: Mapping[str, str]
    values: Mapping[str, Mapping[str, Any]]

    def ours(self, column: str) -> str | None:
        """The cell in our words, None where it is empty or means unknown."""
        cell = self.cells.get(column, "")
        meaning = self.values.get(column, {}).get(cell, cell)
        return str(meaning).strip() or None

    def labels(self) -> FaceLabels:
        """What the row says about the person.

        Raises:
            ValueError: for an unexplained word or number.
        """
        side = self.ours("side")
        if side is not None:
            one_of(f"{self.where}{self.step('side')}", "side", side, [s.value for s in Side])
        return FaceLabels(
            side=None if side is None else Side(side),
            severity=read_severity(f"{self.where}{self.step('severity')}", self.ours("severity")),
            sunnybrook=read_score(f"{self.where}{self.step('sunnybrook')}", "sunnybrook", self.ours("sunnybrook")),
            eface=read_score(f"{self.where}{self.step('eface')}", "eface", self.ours("eface")),
        )

    def step(self, column: str) -> str:
        """How to explain a word of this column."""
        return f" (explain it with values: {{{column}: {{{self.cells.get(column, '')}: ...}}}})"
