"""Tables from what was measured: a data set and protocol each, with intervals, paired tests and what may be bold."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from palsykit.interfaces import MetricCard
from palsykit.measure.protocols import PROTOCOLS, Protocol
from palsykit.measure.statistics import Figure, Rows, Statistic, average, bootstrap, difference, interval, summarise
from palsykit.report.results import Aim
from palsykit_benchmark.inference import Test, bootstrapped, holm, sign_flip, smallest
from palsykit_benchmark.jobs import Place, Results
from palsykit_benchmark.plan import Plan
from palsykit_benchmark.schema import Benchmark, FigureBlock

LEVEL = 0.05
BySeed = Mapping[str, dict[int, dict[str, Statistic]]]
"""System -> seed -> figure."""


@dataclass(frozen=True)
class Line:
    """A row of a table.

    Attributes:
        figure: its name.
        label: how it is called.
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
        """Whether less of it is better."""
        return _lower(self.card)


@dataclass(frozen=True)
class Against:
    """A system's figure less that of the reference, the same people, noise and seeds for both.

    Attributes:
        figure: the paired difference, with its interval.
        test: None where the difference cannot be tested.
        p_holm: corrected over the systems of the table, figure by figure.
        verdict: "better" or "worse" where the interval leaves out 0, the corrected p is below 0.05 and every seed that
            both were trained with has the same sign; else "".
    """

    figure: Figure
    test: Test | None
    p_holm: float | None
    verdict: str


@dataclass(frozen=True)
class Table:
    """One data set under one protocol.

    Attributes:
        people, pictures: examined, each system alike.
        systems: in the plan's order, those that were measured.
        values: system -> figure; the mean over its seeds.
        truth: what the judges say of the truth.
        by_seed: system -> seed -> figure.
        against: system -> figure, all but the reference.
        bold: figure -> the best system, whose interval leaves those of all others out.
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
    against: dict[str, dict[str, Against]]
    bold: dict[str, str]

    @property
    def title(self) -> str:
        return f"{self.protocol.title}, {self.data}"

    @property
    def too_few(self) -> str:
        """Said where no difference can be found significant, however large."""
        least = smallest(self.people, len(self.against))
        if not self.against or least < LEVEL:
            return ""
        return (
            f"Of {self.people} people and {len(self.against)} compared systems no corrected p is below {least:.2g}: "
            "here the tests cannot decide anything; examine more people."
        )

    def reached(self, line: Line, system: str) -> bool | None:
        """Whether a system reaches what its figure should; None without an aim."""
        other = self.values.get(line.aim.above or "", {}).get(line.figure)
        value = self.values[system][line.figure].value
        return line.aim.reached(value, None if other is None else other.value)


def tables(plan: Plan, results: Results) -> list[Table]:
    """Every table that has a system measured, in the plan's order."""
    places = [(data, protocol) for data in plan.judges for protocol in plan.protocols[data]]
    return [_table(plan, results, place) for place in places if results.found.get(place)]


def _table(plan: Plan, results: Results, place: Place) -> Table:
    settings, subjects = plan.settings, results.subjects[place]
    sampled = _Sampled(subjects, plan.judges[place[0]].settings.seed, settings)
    measured = {name: results.found[place][name] for name in plan.systems if name in results.found[place]}
    there = dict.fromkeys(name for by in measured.values() for found in by.values() for name in found)
    names = [name for name in settings.figures or there if name in there]
    means = {s: {n: average([f[n] for f in by.values() if n in f]) for n in names} for s, by in measured.items()}
    values = {system: {n: sampled.figure(statistic) for n, statistic in of.items()} for system, of in means.items()}
    names = [name for name in names if any(not math.isnan(of[name].value) for of in values.values())]
    statistics, own = results.ceiling[place]
    real = _Sampled(own, sampled.seed, settings)
    truth = {name: real.figure(statistics[name]) for name in names if name in statistics}
    lines = tuple(_line(name, values, truth, settings.figures.get(name, FigureBlock())) for name in names)
    reference = plan.reference if plan.reference in measured else None
    fixed = {job.system for job in plan.jobs if job.data == place[0]} - _repeated(plan, place[0])
    against = {} if reference is None else _compared(measured, reference, fixed, lines, sampled)
    everything = np.arange(len(subjects))
    by_seed = {
        system: {number: {n: found[n].of(everything) for n in names if n in found} for number, found in by.items()}
        for system, by in measured.items()
    }
    bold = {line.figure: best for line in lines if (best := _best(line, values)) is not None}
    return Table(
        place[0], PROTOCOLS[place[1]], len(set(subjects)), len(subjects), lines, tuple(measured), reference, values,
        truth, by_seed, against, bold,
    )  # fmt: skip


@dataclass(frozen=True)
class _Sampled:
    """The people of a table, and how they are drawn."""

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
            return figure, sign_flip(column, self.subjects, self.seed)
        return figure, bootstrapped(drawn, len(set(self.subjects)))

    def _column(self, statistic: Statistic, value: float) -> list[float] | None:
        """Of a figure of rows together that is the mean of its people's (as retrieval's is): each row's person's."""
        if not statistic.quick:
            return None
        people = np.array(self.subjects)
        own = {person: statistic.of(np.flatnonzero(people == person)) for person in dict.fromkeys(self.subjects)}
        column = [own[person] for person in self.subjects]
        return column if math.isclose(float(np.mean(column)), value, rel_tol=1e-9, abs_tol=1e-12) else None


def _repeated(plan: Plan, data: str) -> set[str]:
    """Systems with a job for each of several seeds."""
    names = [job.system for job in plan.jobs if job.data == data]
    return {name for name in names if names.count(name) > 1}


def _line(
    name: str, values: Mapping[str, Mapping[str, Figure]], truth: Mapping[str, Figure], asked: FigureBlock
) -> Line:
    card = next(of[name].card for of in values.values())
    found = [of[name].value for of in (*values.values(), truth) if name in of]
    own = name.replace("_", " ").capitalize() if _shared(name, card, values) else card.name
    digits = _digits(found) if asked.digits is None else asked.digits
    return Line(name, asked.label or own, digits, card, Aim(asked.least, asked.most, asked.above, _lower(card)))


def _lower(card: MetricCard) -> bool:
    return card.better.startswith("lower")


def _shared(name: str, card: MetricCard, values: Mapping[str, Mapping[str, Figure]]) -> bool:
    """Whether another figure has a card of the same name."""
    return any(other != name and f.card.name == card.name for of in values.values() for other, f in of.items())


def _digits(values: Sequence[float]) -> int:
    """Three significant digits of the largest value; three decimal places of shares and cosines."""
    most = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if 0.1 <= most < 1 + 1e-4:  # cosines of a picture with itself end a little above 1
        return 3
    return 3 if most == 0 else min(9, max(0, 2 - math.floor(math.log10(most))))


def _best(line: Line, values: Mapping[str, Mapping[str, Figure]]) -> str | None:
    """The best system, if its interval overlaps with no other's; no interval, no best."""
    found = {system: of[line.figure] for system, of in values.items() if not math.isnan(of[line.figure].value)}
    if len(found) < 2 or any(figure.low is None or figure.high is None for figure in found.values()):
        return None
    sign = -1 if line.lower else 1
    best = max(found, key=lambda system: sign * found[system].value)
    own = found.pop(best)
    bounds = [(f.low, f.high) for f in found.values() if f.low is not None and f.high is not None]
    assert own.low is not None  # looked at above
    assert own.high is not None
    apart = all(own.high < low if line.lower else own.low > high for low, high in bounds)
    return best if apart else None


def _compared(
    measured: BySeed, reference: str, fixed: set[str], lines: Sequence[Line], sampled: _Sampled
) -> dict[str, dict[str, Against]]:
    """Every other system less the reference, figure by figure, the tests of a figure corrected together."""
    found: dict[str, dict[str, Against]] = {system: {} for system in measured if system != reference}
    everything = np.arange(len(sampled.subjects))
    for line in lines:
        apart = {
            system: shared for system in found
            if (shared := _apart(measured, system, reference, fixed, line.figure, everything)) is not None
        }  # fmt: skip
        tested = {system: sampled.difference(statistic) for system, (statistic, _) in apart.items()}
        ps = {system: test.p for system, (_, test) in tested.items() if test is not None}
        corrected = dict(zip(ps, holm(list(ps.values())), strict=True))
        for system, (figure, test) in tested.items():
            p = corrected.get(system)
            verdict = _verdict(line, figure, p, apart[system][1])
            found[system][line.figure] = Against(figure, test, p, verdict)
    return found


def _apart(
    measured: BySeed, system: str, reference: str, fixed: set[str], figure: str, everything: Rows
) -> tuple[Statistic, set[float]] | None:
    """The difference of means over the seeds that both have, and its sign in each; None where there is none.

    A system that trains nothing has one seed, which stands beside each of the other's.
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
