"""A benchmark's tables as text: rows of cells, written as Markdown and LaTeX here, and as HTML by the page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from palsykit.report import words
from palsykit.report.tables import UNDEFINED, fixed, markdown, value_and_interval, with_interval
from palsykit_benchmark.figures import LEVEL, Line, Table
from palsykit_benchmark.jobs import Results
from palsykit_benchmark.latex import escape, latex, stacked
from palsykit_benchmark.plan import TRUTH, Plan

LEGEND = (
    "A figure is the mean over a system's seeds, with its 95 % bootstrap interval over people. **Bold**: the best, "
    "if its interval overlaps with no other system's. ✓: the aim is reached. `truth` is the judges' figure of the "
    "true pictures, the ceiling; distances between sets (FID, KID) compare them with themselves."
)
VERDICTS = (
    f"`better` and `worse`: the interval of the paired difference excludes 0, p < {LEVEL:g} after Holm's correction "
    "over the systems of the table, and every seed has the same sign."
)
COLUMNS, HEAD = 5, 17
"""Number of figures in a LaTeX table, which has one row per system, and of characters per line of their headings."""
COSTS = ("training images", "training, s", "synthesis, s per picture")
REACHED, MISSED = "aim reached", "aim not reached"


@dataclass(frozen=True)
class Cell:
    """One figure of one system, as text.

    Attributes:
        interval: "" if it has none.
        note: whether an aim is reached, or a difference's p and verdict.
        kind: "best", "truth", "cost", "better", "worse" or "".
        differs: whether a system's figure differs from the reference's.
    """

    value: str
    interval: str = ""
    note: str = ""
    kind: str = ""
    differs: bool = False


@dataclass(frozen=True)
class Row:
    """One figure of a table.

    Attributes:
        note: its direction, or the kinds of its tests.
        aim: what it should reach; "" without an aim.
        cells: of the truth and every system; for differences, of every system except the reference.
    """

    label: str
    note: str
    cells: list[Cell]
    aim: str = ""


def figure_rows(table: Table) -> list[Row]:
    """One row per figure: the truth and every system."""
    rows = []
    for line in table.lines:
        cells = [Cell(*value_and_interval(table.truth.get(line.figure), line.digits), kind="truth")]
        for system in table.systems:
            value, interval = value_and_interval(table.values[system][line.figure], line.digits)
            reached = None if value == UNDEFINED else table.reached(line, system)
            note = "" if reached is None else REACHED if reached else MISSED
            kind = "best" if table.bold.get(line.figure) == system else ""
            against = table.against.get(system, {}).get(line.figure)
            cells.append(Cell(value, interval, note, kind, against is not None and bool(against.verdict)))
        direction = "↓ lower is better" if line.lower else "↑ higher is better"
        rows.append(Row(line.label, direction, cells, line.aim.words()))
    return rows


def cost_rows(table: Table, results: Results) -> list[Row]:
    """One row per cost, as ``figure_rows``; the truth costs nothing."""
    by_system = [costs(results, table.data, system) for system in table.systems]
    return [
        Row(name, "", [Cell(""), *(Cell(cost[place], kind="cost") for cost in by_system)])
        for place, name in enumerate(COSTS)
    ]


def difference_rows(table: Table) -> list[Row]:
    """One row per figure: every system minus the reference; empty if nothing is compared."""
    return [_difference(table, line) for line in table.lines] if table.against else []


def _difference(table: Table, line: Line) -> Row:
    cells, kinds = [], []
    for against in (of.get(line.figure) for of in table.against.values()):
        if against is None or math.isnan(against.figure.value):
            cells.append(Cell(UNDEFINED))
            continue
        p = "" if against.p_holm is None else f"p {p_value(against.p_holm)}"
        kinds += [against.test.kind] if against.test else []
        shown = value_and_interval(against.figure, line.digits, signed=True)
        cells.append(Cell(*shown, f"{p} {against.verdict}".strip(), against.verdict))
    return Row(line.label, ", ".join(dict.fromkeys(kinds)), cells)


def caption(table: Table) -> str:
    """Number of pictures and people, and the protocol in words."""
    return f"{table.pictures} pictures of {table.people} people. Protocol: {table.protocol.words}."


def costs(results: Results, data: str, system: str) -> tuple[str, str, str]:
    """Training images, seconds of training and seconds per synthesised picture; each is the mean over seeds."""
    by_seed = list(results.cost.get((system, data), {}).values())
    if not by_seed:
        return "-", "-", "-"
    each = [s for cost in by_seed for place, s in cost.synthesis.items() if place[0] == data and s is not None]
    return (
        words.whole(round(fmean(cost.images for cost in by_seed))),
        words.number(fmean(cost.training for cost in by_seed)),
        words.number(fmean(each)) if each else "-",
    )


def markdown_table(table: Table, results: Results) -> str:
    """Figures and costs of each system, then paired differences, then figures for each seed."""
    rows = [*figure_rows(table), *cost_rows(table, results)]
    aims = any(row.aim for row in rows)
    head = ["", *(["aim"] if aims else []), TRUTH, *table.systems]
    lines = [[row.label, *([row.aim] if aims else []), *map(_measured_text, row.cells)] for row in rows]
    parts = [markdown(head, lines), *_differences(table), _by_seed(table)]
    return "\n\n".join(part for part in parts if part)


def section(table: Table, results: Results) -> str:
    """A table in Markdown under its heading."""
    return f"### {table.title}\n\n{caption(table)}\n\n{markdown_table(table, results)}"


def _measured_text(cell: Cell) -> str:
    text = with_interval(cell.value, cell.interval)
    return f"{f'**{text}**' if cell.kind == 'best' else text}{' ✓' if cell.note == REACHED else ''}"


def _differences(table: Table) -> list[str]:
    if not table.against:
        return []
    rows = [
        [row.label, *(", ".join(filter(None, (with_interval(c.value, c.interval), c.note))) for c in row.cells)]
        for row in difference_rows(table)
    ]
    claims = "\n".join(claim(table, system) for system in table.against)
    what = f"Differences from {table.reference}, paired over people (p after Holm's correction)."
    intro = f"{what} {VERDICTS} {table.too_few}".strip()
    return [intro, markdown(["", *table.against], rows), claims]


def p_value(p: float) -> str:
    """A p-value as papers print it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def claim(table: Table, system: str) -> str:
    """One line: in how many figures a system is worse or better than the reference."""
    verdicts = [against.verdict for against in table.against[system].values()]
    return (
        f"- {system}: worse than {table.reference} in {verdicts.count('worse')} of {len(verdicts)} figures, better in "
        f"{verdicts.count('better')}, undecided in {verdicts.count('')}."
    )


def _by_seed(table: Table) -> str:
    """The first three figures for each seed; empty with one seed."""
    seeds = sorted({seed for by in table.by_seed.values() for seed in by})
    if len(seeds) < 2:
        return ""
    rows = []
    for system, by in table.by_seed.items():
        for line in table.lines[:3]:
            values = [fixed(by[s][line.figure], line.digits) if s in by else "-" for s in seeds]
            rows.append([system, line.label, *values])
    return "Seed by seed:\n\n" + markdown(["", "", *(f"seed {seed}" for seed in seeds)], rows)


def latex_tables(plan: Plan, tables: Sequence[Table], results: Results) -> str:
    """Every table, one system per row, at most COLUMNS figures wide; needs the packages booktabs and array."""
    parts = [f"% {plan.name}: written by palsykit benchmark; needs the packages booktabs and array."]
    for table in tables:
        rows = figure_rows(table)
        blocks = [rows[start : start + COLUMNS] for start in range(0, len(rows), COLUMNS)]
        bodies = [*(_latex(table, block, HEAD) for block in blocks), _latex(table, cost_rows(table, results))]
        for number, body in enumerate(bodies):
            caption = f"{table.title}, continued" if number else _latex_caption(table)
            lines = [
                r"\begin{table}[p]",
                r"\centering\footnotesize\setlength{\extrarowheight}{4pt}\setlength{\tabcolsep}{4pt}",
                rf"\caption{{{escape(caption)}.}}",
                body,
                r"\end{table}",
            ]
            parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _latex_caption(table: Table) -> str:
    text = f"{table.title}. {caption(table)} Mean over seeds, 95 % bootstrap interval over people; bold: best, if its "
    text += "interval overlaps with no other's"
    if table.reference:
        text += f"; *: differs from {table.reference} (paired, p < {LEVEL:g} after Holm's correction)"
    return text


def _latex(table: Table, rows: Sequence[Row], wide: int | None = None) -> str:
    """One row per system. Intervals stand below their values, so that five figures fit the width of a page."""
    head = ["", *(f"{row.label} {row.note[:1]}".strip() for row in rows)]
    body = [
        [system, *(_latex_cell(row.cells[place]) for row in rows)]
        for place, system in enumerate((TRUTH, *table.systems))
        if any(row.cells[place].value for row in rows)
    ]
    return latex(head, body, escaped=1, wide=wide)


def _latex_cell(cell: Cell) -> str:
    value = rf"\textbf{{{escape(cell.value)}}}" if cell.kind == "best" else escape(cell.value)
    value += r"$^{*}$" if cell.differs else ""
    if cell.kind == "cost":
        return value
    room = r"\rule{0pt}{3ex}"  # space above: a stack of two lines would fill the whole height of a row
    return stacked([room + value, *([rf"\scriptsize {escape(cell.interval)}"] if cell.interval else [])])
