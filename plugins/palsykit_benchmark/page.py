"""The page: one HTML file with every table, plot and picture, without scripts or links to other files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from palsykit.interfaces import MetricCard
from palsykit.recipe.yaml_rules import dump
from palsykit.report import words
from palsykit.report.contents import NOT_FOR
from palsykit.report.html import Picture, address, paragraphs
from palsykit.report.tables import fixed
from palsykit.report.templates import environment
from palsykit_benchmark.facts import weights_of
from palsykit_benchmark.figures import Line, Table
from palsykit_benchmark.inference import TESTS
from palsykit_benchmark.jobs import Results
from palsykit_benchmark.pictures import side_by_side
from palsykit_benchmark.plan import TRUTH, Plan
from palsykit_benchmark.plots import Measured, forest_svg
from palsykit_benchmark.tables import (
    COSTS,
    VERDICTS,
    Row,
    caption,
    claim,
    cost_rows,
    costs,
    difference_rows,
    figure_rows,
)


@dataclass(frozen=True)
class Section:
    """One data set under one protocol, as text and pictures."""

    anchor: str
    table: Table
    protocol: str
    rows: list[Row]
    differences: list[Row]
    claims: list[str]
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
            truth=TRUTH,
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
    sheet = side_by_side(table, results)
    alt = f"Pictures of {', '.join(table.systems)} and the truth: one row per system, one column per expression."
    return Section(
        anchor=f"table-{number}",
        table=table,
        protocol=caption(table),
        rows=[*figure_rows(table), *cost_rows(table, results)],
        differences=difference_rows(table),
        claims=[claim(table, system).removeprefix("- ") for system in table.against],
        plots=[_plot(table, line) for line in table.lines],
        pictures=None if sheet is None else Picture(address("image/png", sheet), alt),
    )


def _plot(table: Table, line: Line) -> Picture:
    systems = []
    for system in table.systems:
        figure = table.values[system][line.figure]
        seeds = tuple(found[line.figure] for found in table.by_seed[system].values() if line.figure in found)
        systems.append(Measured(system, figure.value, figure.low, figure.high, seeds, system == table.reference))
    truth = table.truth.get(line.figure)
    svg = forest_svg(systems, None if truth is None else truth.value, line.lower)
    spoken = "; ".join(f"{m.name} {fixed(m.value, line.digits)}" for m in systems)
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
