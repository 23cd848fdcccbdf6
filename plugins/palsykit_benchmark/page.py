"""The page: one HTML file with every table, plot and picture, without scripts or links to other files."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from palsykit.files.provenance import weights_of
from palsykit.interfaces import MetricCard
from palsykit.measure.statistics import Figure
from palsykit.recipe.yaml_rules import dump
from palsykit.report import words
from palsykit.report.contents import NOT_FOR
from palsykit.report.html import Picture, address, paragraphs
from palsykit.report.plots import Measured, forest_svg
from palsykit.report.tables import fixed
from palsykit.report.templates import environment
from palsykit_benchmark.figures import Line, Table
from palsykit_benchmark.inference import TESTS
from palsykit_benchmark.jobs import Results
from palsykit_benchmark.pictures import side_by_side
from palsykit_benchmark.plan import TRUTH, Plan
from palsykit_benchmark.tables import COSTS, VERDICTS, caption, claim, costs, p_value


@dataclass(frozen=True)
class Number:
    """A table cell: value, interval, note, and its style (``kind``)."""

    value: str
    interval: str = ""
    note: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Row:
    """A row of a table on the page."""

    label: str
    note: str
    cells: list[Number]


@dataclass(frozen=True)
class Section:
    """One data set under one protocol, as text and pictures."""

    anchor: str
    title: str
    short: str
    protocol: str
    heads: list[str]
    rows: list[Row]
    reference: str | None
    differences: list[Row]
    claims: list[str]
    too_few: str
    plots: list[Picture]
    pictures: Picture | None


@dataclass(frozen=True)
class SystemRow:
    """A system and its costs."""

    name: str
    about: str
    data: str
    seeds: str
    parameters: str
    costs: tuple[str, str, str]


@dataclass(frozen=True)
class CardRow:
    """A metric's card, with its settings in the judges' recipe."""

    figure: str
    label: str
    card: MetricCard
    settings: str
    count: str


def render(plan: Plan, tables: Sequence[Table], results: Results, command: str, facts: Mapping[str, str]) -> str:
    """The page; equal results give equal text."""
    return (
        environment("palsykit_benchmark")
        .get_template("benchmark.html")
        .render(
            title=plan.name,
            about=paragraphs(plan.settings.about),
            command=command,
            failed=results.failed,
            systems=_systems(plan, results),
            cost_names=COSTS,
            sections=[_section(number, table, results) for number, table in enumerate(tables)],
            judges=_judges(plan),
            cards=_cards(plan, tables),
            tests=TESTS,
            verdicts=VERDICTS.replace("`", ""),
            resamples=plan.settings.resamples,
            set_resamples=plan.settings.set_resamples,
            recipe=dump(plan.text),
            facts=facts,
            not_for=NOT_FOR,
            words=words,
        )
    )


def _systems(plan: Plan, results: Results) -> list[SystemRow]:
    rows = []
    for data in plan.judges:
        for system in plan.systems:
            cost = results.cost.get((system, data), {})
            parameters = max((c.parameters for c in cost.values()), default=0)
            seeds = ", ".join(map(str, cost)) or "none"
            shown = words.whole(parameters) if parameters else "-"
            about = plan.about.get(system, "")
            rows.append(SystemRow(system, about, data, seeds, shown, costs(results, data, system)))
    return rows


def _section(number: int, table: Table, results: Results) -> Section:
    rows = [_row(table, line) for line in table.lines]
    taken = [costs(results, table.data, system) for system in table.systems]
    for place, name in enumerate(COSTS):
        rows.append(Row(name, "", [Number(""), *(Number(cost[place], kind="cost") for cost in taken)]))
    sheet = side_by_side(table, results)
    alt = f"Pictures of {', '.join(table.systems)} beside the truth, a row each; a column is an expression."
    return Section(
        anchor=f"table-{number}",
        title=table.title,
        short=table.title if len(table.title) < 40 else table.title[:37] + "...",
        protocol=caption(table),
        heads=[TRUTH, *table.systems],
        rows=rows,
        reference=table.reference,
        differences=[_difference(table, line) for line in table.lines] if table.against else [],
        claims=[claim(table, system).removeprefix("- ") for system in table.against],
        too_few=table.too_few,
        plots=[_plot(table, line) for line in table.lines],
        pictures=None if sheet is None else Picture(address("image/png", sheet), alt),
    )


def _row(table: Table, line: Line) -> Row:
    arrow = "↓ lower is better" if line.lower else "↑ higher is better"
    aim = f"; aim {line.aim.words()}" if line.aim.words() else ""
    cells = [_number(table.truth.get(line.figure), line.digits, kind="truth")]
    for system in table.systems:
        kind = "best" if table.bold.get(line.figure) == system else ""
        reached = table.reached(line, system)
        note = "" if reached is None else "aim reached" if reached else "aim not reached"
        cells.append(_number(table.values[system][line.figure], line.digits, note, kind))
    return Row(line.label, f"{arrow}{aim}", cells)


def _number(figure: Figure | None, digits: int, note: str = "", kind: str = "", signed: bool = False) -> Number:
    if figure is None or math.isnan(figure.value):
        return Number("-", kind=kind)
    bounds = ""
    if figure.low is not None and figure.high is not None:
        bounds = f"{fixed(figure.low, digits, signed)} to {fixed(figure.high, digits, signed)}"
    return Number(fixed(figure.value, digits, signed), bounds, note, kind)


def _difference(table: Table, line: Line) -> Row:
    cells = []
    for of in table.against.values():
        against = of.get(line.figure)
        if against is None or math.isnan(against.figure.value):
            cells.append(Number("-"))
            continue
        p = "" if against.p_holm is None else f"p {p_value(against.p_holm)}"
        note = f"{p} {against.verdict}".strip()
        cells.append(_number(against.figure, line.digits, note, against.verdict, signed=True))
    kinds = dict.fromkeys(a.test.kind for of in table.against.values() if (a := of.get(line.figure)) and a.test)
    return Row(line.label, ", ".join(kinds), cells)


def _plot(table: Table, line: Line) -> Picture:
    measured = []
    for system in table.systems:
        figure = table.values[system][line.figure]
        seeds = tuple(found[line.figure] for found in table.by_seed[system].values() if line.figure in found)
        measured.append(Measured(system, figure.value, figure.low, figure.high, seeds, system == table.reference))
    truth = table.truth.get(line.figure)
    svg = forest_svg(measured, None if truth is None else truth.value, line.lower)
    spoken = "; ".join(f"{m.name} {fixed(m.value, line.digits)}" for m in measured)
    return Picture(address("image/svg+xml", svg.encode()), f"{line.label} by system: {spoken}.", line.label)


def _judges(plan: Plan) -> list[tuple[str, str, str]]:
    """The judges' networks: name, part, and weights with their hash."""
    recipe = next(iter(plan.judges.values()))
    networks = recipe.resolved["networks"]
    return [(name, str(b["use"]), weights_of({name: b}, recipe.path.parent)) for name, b in networks.items()]


def _cards(plan: Plan, tables: Sequence[Table]) -> list[CardRow]:
    """Every figure's card once, with the number of pictures in each table."""
    metrics = next(iter(plan.judges.values())).resolved["metrics"]
    lines: dict[str, Line] = {line.figure: line for table in tables for line in table.lines}
    rows = []
    for figure, line in lines.items():
        counts = {
            table.title: next(iter(table.values.values()))[figure].count
            for table in tables
            if any(other.figure == figure for other in table.lines)
        }
        same = len(set(counts.values())) == 1
        text = str(next(iter(counts.values()))) if same else "; ".join(f"{name}: {n}" for name, n in counts.items())
        rows.append(CardRow(figure, line.label, line.card, _settings(figure, metrics), text))
    return rows


def owner(figure: str, metrics: Mapping[str, Mapping[str, object]]) -> str:
    """The metric whose name a figure begins with, as in "moving_psnr" or "afid/self2"; "" if there is none."""
    owners = [name for name in metrics if f"{figure}_".startswith(f"{name}_") or figure.startswith(f"{name}/")]
    return max(owners, key=len, default="")


def _settings(figure: str, metrics: Mapping[str, Mapping[str, object]]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in metrics.get(owner(figure, metrics), {}).items())
