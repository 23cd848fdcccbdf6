"""What may be bold, who is better, and what depends on seeds: tables of figures that are made up."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from palsykit.interfaces import MetricCard
from palsykit.measure.statistics import Statistic
from palsykit_benchmark.figures import Aim, Table, _digits, tables
from palsykit_benchmark.jobs import Results
from palsykit_benchmark.schema import Benchmark, FigureBlock

PLACE = ("faces", "self-reconstruction")
PEOPLE = [f"s{i // 2}" for i in range(24)]
HIGHER = MetricCard("PSNR", "a", "dB", "higher", "s")
LOWER = MetricCard("Landmark error", "a", "%", "lower", "s")


def mean(values: Any, card: MetricCard) -> Statistic:
    column = np.broadcast_to(np.asarray(values, dtype=float), 24)
    return Statistic(card, lambda rows: float(column[rows].mean()), 24, column.tolist())


def both(values: Any) -> dict[str, Statistic]:
    return {"psnr": mean(values, HIGHER), "landmark_error": mean(values, LOWER)}


def table(measured: dict[str, dict[int, dict[str, Statistic]]], **settings: Any) -> Table:
    results = Results(figures={PLACE: measured}, subjects={PLACE: PEOPLE})
    results.ceiling[PLACE] = (both(40.0), PEOPLE)
    jobs = [SimpleNamespace(system=name, data="faces", seed=seed) for name, by in measured.items() for seed in by]
    plan: Any = SimpleNamespace(
        settings=Benchmark(judges="j", systems={}, data={}, resamples=200, **settings),
        judges={"faces": SimpleNamespace(settings=SimpleNamespace(seed=0))},
        protocols={"faces": (PLACE[1],)},
        systems=tuple(measured),
        reference=next(iter(measured)),
        jobs=jobs,
    )
    (found,) = tables(plan, results)
    return found


BASE = np.repeat(np.random.default_rng(0).standard_normal(12), 2)


def seeds(*shifts: float) -> dict[int, dict[str, Statistic]]:
    return {seed: both(BASE + shift) for seed, shift in enumerate(shifts)}


def test_a_difference_is_paired_and_a_verdict_needs_every_seed() -> None:
    found = table({"whole": seeds(0, 0), "worse": seeds(-1, -2), "unsteady": seeds(-3, 1)})
    psnr, landmark = found.against["worse"]["psnr"], found.against["worse"]["landmark_error"]
    assert psnr.figure.value == pytest.approx(-1.5)
    assert psnr.figure.high == pytest.approx(-1.5), "who is who cancels"
    assert psnr.test is not None
    assert psnr.test.p == pytest.approx(2 / 2**12)
    assert psnr.p_holm == pytest.approx(2 * 2 / 2**12), "of two systems"
    assert (psnr.verdict, landmark.verdict) == ("worse", "better")
    assert found.against["unsteady"]["psnr"].figure.value == pytest.approx(-1)
    assert found.against["unsteady"]["psnr"].verdict == "", "seeds disagree"
    assert found.by_seed["worse"][1]["psnr"] == pytest.approx(BASE.mean() - 2)
    assert "whole" not in found.against


def test_an_interval_that_holds_zero_decides_nothing() -> None:
    noise = np.repeat(np.random.default_rng(1).standard_normal(12), 2)
    found = table({"whole": seeds(0), "other": {0: both(BASE + noise)}})
    against = found.against["other"]["psnr"]
    assert against.figure.low is not None
    assert against.figure.high is not None
    assert against.figure.low < 0 < against.figure.high
    assert against.verdict == ""


def test_a_system_with_one_seed_stands_beside_each_of_the_others() -> None:
    found = table({"whole": seeds(0, 1), "copy": {0: both(BASE - 4)}})
    against = found.against["copy"]["psnr"]
    assert against.figure.value == pytest.approx(-4.5)
    assert against.verdict == "worse"


def test_seeds_that_only_one_has_are_not_compared() -> None:
    found = table({"whole": seeds(0, 10), "other": {0: both(BASE - 1), 2: both(BASE - 5)}})
    assert found.against["other"]["psnr"].figure.value == pytest.approx(-1)
    assert found.values["other"]["psnr"].value == pytest.approx(BASE.mean() - 3), "the mean of all it has"


def test_bold_only_where_no_interval_overlaps() -> None:
    apart = table({"a": seeds(0), "b": seeds(9), "c": seeds(0.3)})
    assert apart.bold == {"psnr": "b"}, "of the landmark error the best two overlap"
    assert "truth" not in apart.systems
    near = table({"a": seeds(0), "b": seeds(0.1)})
    assert near.bold == {}
    lower = table({"a": seeds(0), "b": seeds(9), "c": seeds(-9)})
    assert lower.bold == {"psnr": "b", "landmark_error": "c"}
    assert table({"alone": seeds(0)}).bold == {}, "nobody to be better than"


def test_a_figure_without_interval_is_never_bold() -> None:
    card = MetricCard("FID (biased)", "d", "u", "lower", "s")
    whole = {
        name: {0: {"fid": Statistic(card, lambda rows, v=v: v, 24, quick=False)}} for name, v in (("a", 1), ("b", 9))
    }
    found = table(whole, set_resamples=0)
    assert (found.values["a"]["fid"].low, found.bold, found.against["b"]["fid"].test) == (None, {}, None)
    assert found.lines[0].label == "FID (biased)"


def test_a_figure_of_rows_together_that_is_a_mean_is_tested_by_signs() -> None:
    card = MetricCard("Top-1", "d", "u", "higher", "s")
    hits = np.repeat(np.arange(12) % 3 == 0, 2).astype(float)

    def together(values: np.ndarray) -> dict[str, Statistic]:
        squared = Statistic(card, lambda rows: float(values[rows].mean() ** 2 + len(rows)), 24)
        return {"top1": Statistic(card, lambda rows: float(values[rows].mean()), 24), "squared": squared}

    found = table({"a": {0: together(hits)}, "b": {0: together(np.ones(24))}}, set_resamples=0)
    top1, squared = found.against["b"]["top1"], found.against["b"]["squared"]
    assert top1.test is not None
    assert squared.test is not None
    assert (top1.test.kind, squared.test.kind) == ("sign-flip", "bootstrap")
    assert top1.test.p == pytest.approx(2 / 2**8), "four of the twelve are hit by both"


def test_requested_lines() -> None:
    rows = {"landmark_error": FigureBlock(label="error, %", digits=1, most=4), "psnr": FigureBlock(above="a")}
    found = table({"a": seeds(3), "b": seeds(9)}, figures=rows)
    error, psnr = found.lines
    assert (error.figure, error.label, error.digits, error.aim.words()) == ("landmark_error", "error, %", 1, "≤ 4")
    assert (found.reached(error, "a"), found.reached(error, "b")) == (True, False)
    assert (found.reached(psnr, "a"), found.reached(psnr, "b")) == (False, True)
    assert psnr.label == "PSNR"


def test_figures_without_values_are_left_out() -> None:
    nothing = {name: {0: {**both(BASE), "ssim": mean(np.nan, HIGHER)}} for name in "ab"}
    assert [line.figure for line in table(nothing).lines] == ["psnr", "landmark_error"]


def test_too_few_people_are_reported() -> None:
    found = table({"whole": seeds(0), "other": seeds(1)})
    assert found.too_few == ""
    few = Table(**{**vars(found), "people": 4})
    assert few.too_few.startswith("With 4 people and 1 compared systems no corrected p can be below 0.12")


def test_digits() -> None:
    assert [_digits([v]) for v in (25.13, 412.0, 0.81, 1.0, 0.0012, 0.0, 4.2)] == [1, 0, 3, 3, 5, 3, 2]
    assert _digits([float("nan")]) == 3


def test_aims() -> None:
    aims = (Aim(least=0.9), Aim(least=0.91), Aim(most=0.9), Aim(most=0.89))
    assert [aim.reached(0.9, 0.8) for aim in aims] == [True, False, True, False]
    above, below = Aim(above="copy"), Aim(above="copy", lower=True)
    assert (above.reached(0.9, 0.8), above.reached(0.8, 0.9), above.reached(0.9, 0.9)) == (True, False, False)
    assert (below.reached(0.9, 0.8), below.reached(0.8, 0.9)) == (False, True)
    assert above.reached(0.9) is None
    assert Aim().reached(0.9, 0.8) is None
    assert Aim(least=0.5).reached(math.nan) is False
    assert [a.words() for a in (Aim(), Aim(least=0.5), Aim(least=0.5, most=4), above, below)] == [
        "",
        "≥ 0.5",
        "≥ 0.5 and ≤ 4",
        "> copy",
        "< copy",
    ]
