"""One table per data set and protocol: figures with intervals, paired tests, and which value is best (bold)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from palsykit.interfaces import MetricCard
from palsykit.measure.statistics import Figure, Rows, Statistic, average, bootstrap, difference, interval, summarise
from palsykit_benchmark.inference import (
    Test,
    bootstrap_test,
    holm,
    sign_flip_test,
    smallest_p,
)
from palsykit_benchmark.jobs import Place, Results
from palsykit_benchmark.plan import Plan
from palsykit_benchmark.protocols import PROTOCOLS, Protocol
from palsykit_benchmark.schema import Benchmark, FigureBlock

LEVEL = 0.05
BySeed = Mapping[str, dict[int, dict[str, Statistic]]]
"""System -> seed -> figure."""


@dataclass(frozen=True)
class Aim:
    """What a figure should reach: at least or at most a value, or better than another system.

    Attributes:
        above: the other system.
        lower: whether a lower figure is better; "better than" then means below.
    """

    least: float | None = None
    most: float | None = None
    above: str | None = None
    lower: bool = False

    def words(self) -> str:
        """The aim as text for a table; "" without an aim."""
        terms = [f"≥ {self.least:g}"] if self.least is not None else []
        terms += [f"≤ {self.most:g}"] if self.most is not None else []
        return " and ".join(terms + ([f"{'<' if self.lower else '>'} {self.above}"] if self.above else []))

    def reached(self, value: float, other: float | None = None) -> bool | None:
        """Whether a system's value reaches it; None without an aim, or without the other system's value."""
        if not self.words() or (self.above and other is None):
            return None
        better = other is None or (value < other if self.lower else value > other)
        least, most = self.least is None or value >= self.least, self.most is None or value <= self.most
        return bool(least and most and (not self.above or better))


@dataclass(frozen=True)
class Line:
    """A row of a table.

    Attributes:
        figure: its name.
        label: what the table calls it.
        digits: decimal places.
        aim: what a system should reach.
    """

    figure: str
    label: str
    digits: int
    card: MetricCard
    aim: Aim

    @property
    def lower(self) -> bool:
        """Whether a lower value is better."""
        return _lower(self.card)


@dataclass(frozen=True)
class Comparison:
    """A system's figure minus the reference's, with the same people, noise and seeds for both.

    Attributes:
        figure: the paired difference, with its interval.
        test: None if the difference cannot be tested.
        p_holm: p-value corrected over the systems of the table, for each figure separately.
        verdict: "better" or "worse" if the interval excludes 0, the corrected p is below 0.05 and every seed that both
            were trained with has the same sign; else "".
    """

    figure: Figure
    test: Test | None
    p_holm: float | None
    verdict: str


@dataclass(frozen=True)
class Table:
    """One data set under one protocol.

    Attributes:
        people, pictures: how many were examined; the same for every system.
        systems: those that were measured, in the plan's order.
        values: system -> figure -> the mean over its seeds.
        truth: figure -> the judges' figure of the true pictures.
        by_seed: system -> seed -> figure -> value.
        against: system -> figure -> comparison; without the reference.
        bold: figure -> the best system, if its interval overlaps with no other's.
    """

    data: str
    protocol: Protocol
    people: int
    pictures: int
    lines: tuple[Line, ...]
    systems: tuple[str, ...]
    reference: str | None
    values: dict[str, dict[str, Figure]]
    truth: dict[str, Figure]
    by_seed: dict[str, dict[int, dict[str, float]]]
    against: dict[str, dict[str, Comparison]]
    bold: dict[str, str]

    @property
    def title(self) -> str:
        return f"{self.protocol.title}, {self.data}"

    @property
    def too_few(self) -> str:
        """A warning if no difference can be significant, however large; else empty."""
        least = smallest_p(self.people, len(self.against))
        if not self.against or least < LEVEL:
            return ""
        return (
            f"With {self.people} people and {len(self.against)} compared systems no corrected p can be below "
            f"{least:.2g}: the tests cannot decide anything; examine more people."
        )

    def reached(self, line: Line, system: str) -> bool | None:
        """Whether a system reaches the aim of a figure; None without an aim."""
        other = self.values.get(line.aim.above or "", {}).get(line.figure)
        value = self.values[system][line.figure].value
        return line.aim.reached(value, None if other is None else other.value)


def tables(plan: Plan, results: Results) -> list[Table]:
    """Every table with at least one measured system, in the plan's order."""
    places = [(data, protocol) for data in plan.judges for protocol in plan.protocols[data]]
    return [_table(plan, results, place) for place in places if results.figures.get(place)]


def _table(plan: Plan, results: Results, place: Place) -> Table:
    # people, systems and figures that were measured
    settings, subjects = plan.settings, results.subjects[place]
    sample = _Sample(subjects, plan.judges[place[0]].settings.seed, settings)
    measured = {name: results.figures[place][name] for name in plan.systems if name in results.figures[place]}
    there = dict.fromkeys(name for by in measured.values() for found in by.values() for name in found)
    names = [name for name in settings.figures or there if name in there]

    # figures: means over seeds, without those that are undefined for every system
    means = {s: {n: average([f[n] for f in by.values() if n in f]) for n in names} for s, by in measured.items()}
    values = {system: {n: sample.figure(statistic) for n, statistic in of.items()} for system, of in means.items()}
    names = [name for name in names if any(not math.isnan(of[name].value) for of in values.values())]

    # the ceiling: the judges' figures of the true pictures
    statistics, own = results.ceiling[place]
    real = _Sample(own, sample.seed, settings)
    truth = {name: real.figure(statistics[name]) for name in names if name in statistics}
    lines = tuple(_line(name, values, truth, settings.figures.get(name, FigureBlock())) for name in names)

    # paired differences with the reference, and the best of each line
    reference = plan.reference if plan.reference in measured else None
    fixed = {job.system for job in plan.jobs if job.data == place[0]} - _repeated(plan, place[0])
    against = {} if reference is None else _comparisons(measured, reference, fixed, lines, sample)
    bold = {line.figure: best for line in lines if (best := _best(line, values)) is not None}

    everything = np.arange(len(subjects))
    by_seed = {
        system: {number: {n: found[n].of(everything) for n in names if n in found} for number, found in by.items()}
        for system, by in measured.items()
    }
    return Table(
        place[0], PROTOCOLS[place[1]], len(set(subjects)), len(subjects), lines, tuple(measured), reference, values,
        truth, by_seed, against, bold,
    )  # fmt: skip


@dataclass(frozen=True)
class _Sample:
    """The people of a table, and how the bootstrap draws them."""

    subjects: Sequence[str]
    seed: int
    settings: Benchmark

    def figure(self, statistic: Statistic) -> Figure:
        return summarise(statistic, self.subjects, self.seed, self.settings.resamples, self.settings.set_resamples)

    def difference(self, statistic: Statistic) -> tuple[Figure, Test | None]:
        """A paired difference and its test."""
        value = statistic.of(np.arange(len(self.subjects)))
        drawn = bootstrap(statistic, self.subjects, self.seed, self.settings.resamples, self.settings.set_resamples)
        low, high = interval(drawn.tolist(), len(set(self.subjects)))
        figure = Figure(value, low, high, statistic.count, statistic.card)
        column = statistic.column if statistic.column is not None else self._column(statistic, value)
        if column is not None:
            return figure, sign_flip_test(column, self.subjects, self.seed)
        return figure, bootstrap_test(drawn, len(set(self.subjects)))

    def _column(self, statistic: Statistic, value: float) -> list[float] | None:
        """A value per row, for a figure of all rows that equals the mean of its people's figures, as retrieval does.

        None if it does not equal that mean, or if computing it per person would be slow.
        """
        if not statistic.quick:
            return None
        people = np.array(self.subjects)
        own = {person: statistic.of(np.flatnonzero(people == person)) for person in dict.fromkeys(self.subjects)}
        column = [own[person] for person in self.subjects]
        return column if math.isclose(float(np.mean(column)), value, rel_tol=1e-9, abs_tol=1e-12) else None


def _repeated(plan: Plan, data: str) -> set[str]:
    """Systems that are trained with several seeds."""
    names = [job.system for job in plan.jobs if job.data == data]
    return {name for name in names if names.count(name) > 1}


def _line(
    name: str, values: Mapping[str, Mapping[str, Figure]], truth: Mapping[str, Figure], block: FigureBlock
) -> Line:
    card = next(of[name].card for of in values.values())
    found = [of[name].value for of in (*values.values(), truth) if name in of]
    own = name.replace("_", " ").capitalize() if _shared(name, card, values) else card.name
    digits = _digits(found) if block.digits is None else block.digits
    return Line(name, block.label or own, digits, card, Aim(block.least, block.most, block.above, _lower(card)))


def _lower(card: MetricCard) -> bool:
    return card.better.startswith("lower")


def _shared(name: str, card: MetricCard, values: Mapping[str, Mapping[str, Figure]]) -> bool:
    """Whether another figure has the same name on its card."""
    return any(other != name and f.card.name == card.name for of in values.values() for other, f in of.items())


def _digits(values: Sequence[float]) -> int:
    """Decimal places: three significant digits of the largest value; three places for shares and cosines."""
    most = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if 0.1 <= most < 1 + 1e-4:  # cosines of a picture with itself end a little above 1
        return 3
    return 3 if most == 0 else min(9, max(0, 2 - math.floor(math.log10(most))))


def _best(line: Line, values: Mapping[str, Mapping[str, Figure]]) -> str | None:
    """The best system, if its interval overlaps with no other's; None if any system has no interval."""
    found = {system: of[line.figure] for system, of in values.items() if not math.isnan(of[line.figure].value)}
    if len(found) < 2 or any(figure.low is None or figure.high is None for figure in found.values()):
        return None
    sign = -1 if line.lower else 1
    best = max(found, key=lambda system: sign * found[system].value)
    own = found.pop(best)
    bounds = [(f.low, f.high) for f in found.values() if f.low is not None and f.high is not None]
    assert own.low is not None  # checked above
    assert own.high is not None
    apart = all(own.high < low if line.lower else own.low > high for low, high in bounds)
    return best if apart else None


def _comparisons(
    measured: BySeed, reference: str, fixed: set[str], lines: Sequence[Line], sample: _Sample
) -> dict[str, dict[str, Comparison]]:
    """Every other system minus the reference; p-values are corrected over the systems, for each figure separately."""
    found: dict[str, dict[str, Comparison]] = {system: {} for system in measured if system != reference}
    everything = np.arange(len(sample.subjects))
    for line in lines:
        apart = {
            system: shared for system in found
            if (shared := _paired_difference(measured, system, reference, fixed, line.figure, everything)) is not None
        }  # fmt: skip
        tested = {system: sample.difference(statistic) for system, (statistic, _) in apart.items()}
        ps = {system: test.p for system, (_, test) in tested.items() if test is not None}
        corrected = dict(zip(ps, holm(list(ps.values())), strict=True))
        for system, (figure, test) in tested.items():
            p = corrected.get(system)
            verdict = _verdict(line, figure, p, apart[system][1])
            found[system][line.figure] = Comparison(figure, test, p, verdict)
    return found


def _paired_difference(
    measured: BySeed, system: str, reference: str, fixed: set[str], figure: str, everything: Rows
) -> tuple[Statistic, set[float]] | None:
    """The difference of means over the seeds that both systems have, and the set of its signs; None without seeds.

    A system without training has one seed, which is paired with each seed of the other.
    """
    own, other = (
        {seed: f[figure] for seed, f in measured[name].items() if figure in f} for name in (system, reference)
    )
    if {system, reference} & fixed:
        pairs = [(a, b) for a in own.values() for b in other.values()]
    else:
        pairs = [(own[seed], other[seed]) for seed in own if seed in other]
    if not pairs:
        return None
    ones, others = (average(list({id(s): s for s in side}.values())) for side in zip(*pairs, strict=True))
    signs = {float(np.sign(difference(a, b).of(everything))) for a, b in pairs}
    return difference(ones, others), signs


def _verdict(line: Line, apart: Figure, p: float | None, signs: set[float]) -> str:
    undecided = apart.low is None or apart.high is None or apart.low <= 0 <= apart.high
    if undecided or p is None or p >= LEVEL or len(signs) != 1:
        return ""
    return "better" if (apart.value < 0) == line.lower else "worse"
