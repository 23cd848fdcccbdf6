"""What ``palsykit data`` prints: a closing line, and tables of a data set's contents."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palsykit.cli.table import table

if TYPE_CHECKING:
    from palsykit_datasets.inventory import Inventory
    from palsykit_datasets.writer import Summary

LISTED = 20
"""More subjects than this are not listed one by one, but counted by their number of photographs."""


def closing(dest: Path, prepared: "Summary") -> str:
    """Photographs kept and rejected, subjects with one photograph, and the block by which a recipe reads the folder."""
    from palsykit.data.imagefolder import IMAGEFOLDER
    from palsykit.data.rejections import printable
    from palsykit.report.words import names

    folder = printable(str(dest))
    count = sum(prepared.rejected.values())
    why = "; ".join(f"{number} {reason}" for reason, number in prepared.rejected.items())
    splits = ", ".join(f"{number} {split}" for split, number in prepared.subjects.items())
    lines = []
    if prepared.alone:
        alone = f"{len(prepared.alone)} {'subject has' if len(prepared.alone) == 1 else 'subjects have'}"
        lines.append(f"{alone} one photograph, which is its own identity image: {names(prepared.alone)}")
    lines.append(f"In a recipe: data: {_flow({'use': IMAGEFOLDER, 'root': folder, **prepared.data})}")
    lines.append(
        f"{folder}: kept {prepared.kept} photographs ({splits} subjects), rejected {count}"
        + (f": {why} ({folder}/rejected.csv lists them)" if count else "")
    )
    return "\n".join(lines)


def _flow(block: Mapping[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(dict(block), default_flow_style=True, sort_keys=False, width=10_000).strip()


def report(findings: "Inventory", every_subject: bool) -> str:
    """Tables by split, subject, expression, side and severity; what is missing; what prevents training."""
    splits = list(findings.photographs)
    rows = [(s, str(len(findings.subjects[s])), str(findings.photographs[s])) for s in splits]
    blocks = [table(("split", "subjects", "photographs"), rows), _subjects(findings, every_subject)]
    for name, counts in findings.labels.items():
        if counts:
            lines = [(word, *(str(by.get(s, 0)) for s in splits), str(sum(by.values()))) for word, by in counts.items()]
            blocks.append(table((name, *splits, "all"), lines))
    if findings.cells:
        sides = list(next(iter(findings.cells.values())))
        lines = [(expression, *(str(by[side]) for side in sides)) for expression, by in findings.cells.items()]
        blocks.append(table(("expression x side", *sides), lines))
    blocks += _listed("missing or odd:", findings.lacks)
    blocks += _listed("cannot be trained on:", findings.faults)
    return "\n\n".join(block for block in blocks if block)


def _subjects(findings: "Inventory", every: bool) -> str:
    rows = [(subject, split, count) for split, by in findings.subjects.items() for subject, count in by.items()]
    if every or len(rows) <= LISTED:
        return table(("subject", "split", "photographs"), [(s, split, str(count)) for s, split, count in rows])
    sizes = sorted(Counter(count for _, _, count in rows).items())
    head = ("photographs per subject", "subjects")
    return table(head, [(str(size), str(number)) for size, number in sizes]) + "\n(--subjects lists every one)"


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    return ["\n".join([title, *(f"  {line}" for line in lines)])] if lines else []
