"""A benchmark's tables as text: Markdown for a page, LaTeX for a paper, plain columns for a terminal."""

import math
from collections.abc import Mapping, Sequence

from rich.table import Table as Columns

from palsykit.measure.statistics import Figure
from palsykit.report import words
from palsykit.report.tables import cell, escape, fixed, latex, markdown, stacked
from palsykit_benchmark.figures import LEVEL, Comparison, Line, Table
from palsykit_benchmark.jobs import Results
from palsykit_benchmark.plan import TRUTH, Plan

LEGEND = (
    "A figure is the mean over a system's seeds, with its 95 % bootstrap interval over people. **Bold**: the best, "
    "where its interval overlaps with no other system's. ✓: the aim is reached. `truth` is the judges' figure of the "
    "true pictures, the ceiling; distances between sets (FID, KID) compare them with themselves."
)
VERDICTS = (
    f"`better` and `worse`: the interval of the paired difference excludes 0, p < {LEVEL:g} after Holm's correction "
    "over the systems of the table, and every seed has the same sign."
)
COLUMNS, HEAD = 5, 17
"""LaTeX: figures per table (which has one system per row), and characters per line of a column's head."""


def caption(table: Table) -> str:
    """Number of pictures and people, and the protocol in words."""
    return f"{table.pictures} pictures of {table.people} people. Protocol: {table.protocol.words}."


def costs(results: Results, data: str, system: str) -> tuple[str, str, str]:
    """Training images, seconds of training and seconds per synthesised picture; each is the mean over seeds."""
    found = list(results.cost.get((system, data), {}).values())
    if not found:
        return "-", "-", "-"
    each = [s for cost in found for place, s in cost.synthesis.items() if place[0] == data and s is not None]
    return (
        words.whole(round(_mean([cost.images for cost in found]))),
        words.number(_mean([cost.training for cost in found])),
        words.number(_mean(each)) if each else "-",
    )


COSTS = ("training images", "training, s", "synthesis, s a picture")


def markdown_table(table: Table, results: Results) -> str:
    """Figures and costs per system, the paired differences, and figures per seed."""
    aims = any(line.aim.words() for line in table.lines)
    head = ["", *(["aim"] if aims else []), TRUTH, *table.systems]
    rows = []
    for line in table.lines:
        own = [_value_cell(table, line, system, "**{}**") for system in table.systems]
        rows.append(
            [line.label, *([line.aim.words()] if aims else []), cell(table.truth.get(line.figure), line.digits), *own]
        )
    taken = [costs(results, table.data, system) for system in table.systems]
    for row, name in enumerate(COSTS):
        rows.append([name, *([""] if aims else []), "", *(cost[row] for cost in taken)])
    parts = [markdown(head, rows), *_differences(table), _by_seed(table)]
    return "\n\n".join(part for part in parts if part)


def _value_cell(table: Table, line: Line, system: str, bold: str) -> str:
    text = cell(table.values[system][line.figure], line.digits)
    text = bold.format(text) if table.bold.get(line.figure) == system else text
    return f"{text} ✓" if table.reached(line, system) else text


def _differences(table: Table) -> list[str]:
    if not table.against:
        return []
    rows = [
        [line.label, *(_difference_cell(of.get(line.figure), line) for of in table.against.values())]
        for line in table.lines
    ]
    claims = "\n".join(claim(table, system) for system in table.against)
    what = f"Differences from {table.reference}, paired over people (p after Holm's correction)."
    intro = f"{what} {VERDICTS} {table.too_few}".strip()
    return [intro, markdown(["", *table.against], rows), claims]


def _difference_cell(found: Comparison | None, line: Line) -> str:
    if found is None or math.isnan(found.figure.value):
        return "-"
    p = "" if found.p_holm is None else f", p {p_value(found.p_holm)}"
    return f"{cell(found.figure, line.digits, signed=True)}{p} {found.verdict}".strip()


def p_value(p: float) -> str:
    """A p-value as papers print it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def claim(table: Table, system: str) -> str:
    """One line: in how many figures a system is worse or better than the reference."""
    found = [against.verdict for against in table.against[system].values()]
    return (
        f"- {system}: worse than {table.reference} in {found.count('worse')} of {len(found)} figures, better in "
        f"{found.count('better')}, undecided in {found.count('')}."
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
        blocks = [table.lines[start : start + COLUMNS] for start in range(0, len(table.lines), COLUMNS)]
        bodies = [_latex(table, lines) for lines in blocks] + [_latex_costs(table, results)]
        for number, body in enumerate(bodies):
            caption = f"{table.title}, continued" if number else _latex_caption(table)
            parts.append(
                "\n".join(
                    [
                        r"\begin{table}[p]",
                        r"\centering\footnotesize\setlength{\extrarowheight}{4pt}\setlength{\tabcolsep}{4pt}",
                        rf"\caption{{{escape(caption)}.}}",
                        body,
                        r"\end{table}",
                    ]
                )
            )
    return "\n\n".join(parts) + "\n"


def _latex_caption(table: Table) -> str:
    text = f"{table.title}. {caption(table)} Mean over seeds, 95 % bootstrap interval over people; bold: best, its "
    text += "interval overlapping with no other's"
    if table.reference:
        text += f"; *: differs from {table.reference} (paired, p < {LEVEL:g} after Holm's correction)"
    return text


def _latex(table: Table, lines: Sequence[Line]) -> str:
    """One table. Intervals are below the values, because beside them five figures do not fit the page."""
    head = ["", *(f"{line.label} {'↓' if line.lower else '↑'}" for line in lines)]
    rows = [[TRUTH, *(_latex_cell(table.truth.get(line.figure), line) for line in lines)]]
    for system in table.systems:
        cells = []
        for line in lines:
            against = table.against.get(system, {}).get(line.figure)
            mark = r"$^{*}$" if against is not None and against.verdict else ""
            bold = table.bold.get(line.figure) == system
            cells.append(_latex_cell(table.values[system][line.figure], line, bold, mark))
        rows.append([system, *cells])
    return latex(head, rows, escaped=1, wide=HEAD)


def _latex_cell(figure: Figure | None, line: Line, bold: bool = False, mark: str = "") -> str:
    value, *interval = escape(cell(figure, line.digits)).rstrip(")").split(" (")
    value = (rf"\textbf{{{value}}}" if bold else value) + mark
    room = r"\rule{0pt}{3ex}"  # space above; a stack of two lines fills a row of array completely
    return stacked([room + value, *(rf"\scriptsize {text}" for text in interval)])


def _latex_costs(table: Table, results: Results) -> str:
    rows = [
        [system, *(cost.replace("\u202f", r"\,") for cost in costs(results, table.data, system))]
        for system in table.systems
    ]
    return latex(["", *COSTS], rows, escaped=1)


def terminal_table(table: Table, results: Results) -> Columns:
    """The values without intervals."""
    shown = Columns(
        title=f"{table.title}\n{caption(table)}", title_justify="left", title_style="", caption_justify="left"
    )
    shown.add_column("")
    for name in (TRUTH, *table.systems):
        shown.add_column(name, justify="right", overflow="fold")
    for line in table.lines:
        truth = table.truth.get(line.figure)
        values = [_short(truth, line), *(_short(table.values[s][line.figure], line) for s in table.systems)]
        starred = ["", *(s if table.bold.get(line.figure) == s else "" for s in table.systems)]
        styled = [f"[bold]{text}[/bold]" if star else text for text, star in zip(values, starred, strict=True)]
        shown.add_row(f"{line.label} {'↓' if line.lower else '↑'}".replace("[", r"\["), *styled)
    taken: Mapping[str, tuple[str, str, str]] = {s: costs(results, table.data, s) for s in table.systems}
    for row, name in enumerate(COSTS):
        shown.add_row(name, "", *(taken[system][row] for system in table.systems))
    return shown


def _short(figure: Figure | None, line: Line) -> str:
    return "-" if figure is None or math.isnan(figure.value) else fixed(figure.value, line.digits)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
