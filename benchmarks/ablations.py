"""Whether each part of CFCPalsy helps: variants that lack one, at equal start, data and steps, over several seeds.

    python benchmarks/ablations.py                                   # 5 variants x 3 seeds: hours on two cores
    python benchmarks/ablations.py --table-only                      # the table of what is there already
    python benchmarks/ablations.py --seeds 0 --set train.steps=20    # a trial

The variants are recipes/ablations/*.yaml: the whole method; ^1 without the landmark condition, with the landmark loss
and without it; ^2 without the cycle; ^3 with concatenation in the place of cross-fusion. Each run is a run folder like
any other below --work, so what was stopped goes on where it was; a run that fails is reported and the rest goes on. A
figure is the mean over seeds; its interval, and that of its paired difference from the whole method, are 95 %
bootstraps over people, the same people, noise and seeds for every variant. The tables are written to docs/results.md.
"""

import argparse
import json
import math
import shlex
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from palsykit.errors import PalsykitError
from palsykit.recipe import Recipe, load_recipe
from palsykit.report.results import TITLE, Line, commit, weights_of
from palsykit.report.tables import cell, markdown, put_section
from palsykit.run import run_recipe
from palsykit.run.evaluate import statistics
from palsykit.run.examine import Examination, examination, synthesised
from palsykit.run.folder import RunFolder
from palsykit.run.measure import Figure, Statistic, average, difference, summarise
from palsykit.run.parts import Parts
from palsykit.run.protocols import SELF, TRANSFER, Protocol
from palsykit.run.runner import reopened
from palsykit.run.train import trained_model

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "recipes" / "ablations"
WHOLE = "cfcpalsy"
VARIANTS = {
    WHOLE: "whole",
    "no-landmarks": "^1, no landmark condition",
    "no-landmarks-no-loss": "^1b, no landmark loss either",
    "no-cycle": "^2, no cycle",
    "concatenation": "^3, concatenation",
}
LINES = (
    Line("afid", "aFID (judge's features)", 1, lower=True),
    Line("psnr", "PSNR, dB", 2),
    Line("ssim", "SSIM"),
    Line("moving_psnr", "PSNR, eyes, brows and mouth, dB", 2),
    Line("moving_ssim", "SSIM, eyes, brows and mouth"),
    Line("identity_similarity_to_target", "identity cosine with the truth"),
    Line("retrieval_top1", "identity retrieval, top-1"),
    Line("expression_accuracy_relative", "expression accuracy, relative"),
    Line("side_accuracy", "affected side right, grade III up"),
    Line("severity_error", "severity error, grades", 2, lower=True),
    Line("landmark_error", "landmark error, %", 2, lower=True),
    Line("asymmetry_spearman", "Spearman, asymmetry asked and measured"),
    Line("asymmetry_error", "asymmetry error, %", 2, lower=True),
)

Measured = dict[str, dict[int, dict[str, Statistic]]]
"""Variant -> seed -> figure."""


@dataclass
class Results:
    """Everything measured, by protocol.

    Attributes:
        seconds: of training, by variant and seed.
        failed: what went wrong, by run.
    """

    found: dict[str, Measured] = field(default_factory=dict)
    subjects: dict[str, list[str]] = field(default_factory=dict)
    seconds: dict[str, dict[int, float]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def recipe_of(variant: str, seed: int, changes: Sequence[str]) -> Recipe:
    """A variant's recipe with this seed."""
    return load_recipe(RECIPES / f"{variant}.yaml", [f"seed={seed}", *changes])


def trained(variant: str, seed: int, options: argparse.Namespace) -> RunFolder:
    """The finished run, made or gone on with unless only tables are wanted.

    Raises:
        PalsykitError: it cannot be run, or is not finished and must not be.
    """
    run = RunFolder(options.work / f"{variant}-seed{seed}")
    if options.table_only:
        if not (run.path / "state.json").exists() or not run.finished():
            raise PalsykitError("not finished")
    else:
        run_recipe(recipe_of(variant, seed, options.set), run.path)
    return run


class Grid:
    """The people whom every variant is examined on, made once."""

    def __init__(self, changes: Sequence[str]):
        self.judges = Parts(recipe_of(WHOLE, 0, changes))
        self.exams: dict[str, Examination] = {p.name: examination(self.judges, p) for p in (SELF, TRANSFER)}

    def measured(self, run: RunFolder, protocol: Protocol) -> dict[str, Statistic]:
        """A run's figures.

        Raises:
            PalsykitError: the run's own pictures are of other people.
        """
        parts = reopened(run)
        synthesiser = parts.synthesiser(trained_model(run, parts))
        exam = self.exams[protocol.name]
        if protocol is not SELF:
            maker = str(run.state()["recipe_hash"])
            return exam.measured(synthesised(exam, synthesiser, run.path / protocol.name, maker))
        found, pairs = statistics(run, parts, synthesiser)
        if [pair.record.key for pair in pairs] != [pair.record.key for pair in exam.pairs]:
            raise PalsykitError(f"{run.path}: its pictures are of other people than the other runs'; run it --fresh")
        return found


def measure(options: argparse.Namespace) -> Results:
    """Runs what is not there yet, a seed of every variant at a time, and measures everything."""
    results, grid = Results(), None
    for seed in options.seeds:
        for variant in options.variants:
            name = f"{variant}, seed {seed}"
            try:
                run = trained(variant, seed, options)
                grid = grid or Grid(options.set)
                for protocol in (SELF, TRANSFER):
                    found = grid.measured(run, protocol)
                    results.found.setdefault(protocol.name, {}).setdefault(variant, {})[seed] = found
                    results.subjects[protocol.name] = grid.exams[protocol.name].subjects
                results.seconds.setdefault(variant, {})[seed] = run.facts("train")["seconds"]
            except (PalsykitError, ValueError, RuntimeError, OSError) as error:
                results.failed[name] = f"{type(error).__name__}: {error}"
                if not isinstance(error, PalsykitError):
                    traceback.print_exc()
            print(f"{name}: {results.failed.get(name, 'done')}", flush=True)
    return results


@dataclass(frozen=True)
class Compared:
    """One protocol's figures, means over the seeds that variant and whole method share.

    Attributes:
        value: variant -> figure.
        difference: variant -> figure -> less the whole method's, paired.
        agreed: variant -> figures whose difference has the same sign in every seed.
    """

    value: dict[str, dict[str, Figure]]
    difference: dict[str, dict[str, Figure]]
    agreed: dict[str, list[str]]


def compared(measured: Measured, subjects: Sequence[str]) -> Compared:
    """Summarises one protocol."""
    found = Compared({}, {}, {})
    everything = np.arange(len(subjects))
    wanted = [line.figure for line in LINES]
    for variant, by_seed in measured.items():
        seeds = [seed for seed in by_seed if seed in measured.get(WHOLE, by_seed)]
        if not seeds:
            continue
        names = [name for name in wanted if all(name in by_seed[seed] for seed in seeds)]
        own = {name: average([by_seed[seed][name] for seed in seeds]) for name in names}
        found.value[variant] = {name: summarise(own[name], subjects, 0, thorough=True) for name in names}
        if variant == WHOLE or WHOLE not in measured:
            continue
        whole = {name: average([measured[WHOLE][seed][name] for seed in seeds]) for name in names}
        found.difference[variant] = {
            name: summarise(difference(own[name], whole[name]), subjects, 0, thorough=True) for name in names
        }
        signs = {
            name: {np.sign(difference(by_seed[s][name], measured[WHOLE][s][name]).of(everything)) for s in seeds}
            for name in names
        }
        found.agreed[variant] = [name for name in names if len(signs[name]) == 1]
    return found


def verdict(line: Line, variant: str, figures: Compared) -> str:
    """Whether the variant is worse or better than the whole method, where the interval leaves out 0 and seeds agree.

    The interval is over people; that another training might differ is what the seeds say.
    """
    apart = figures.difference[variant][line.figure]
    undecided = apart.low is None or apart.high is None or apart.low <= 0 <= apart.high
    if undecided or line.figure not in figures.agreed[variant]:
        return ""
    return "better" if (apart.value < 0) == line.lower else "worse"


def tables(figures: Compared, measured: Measured, rows: int) -> str:
    """One protocol: figures, differences, and the main figures seed by seed; ``rows`` pictures a run."""
    names = [variant for variant in VARIANTS if variant in figures.value]
    lines = [line for line in LINES if all(line.figure in figures.value[name] for name in names)]
    values = [[line.label, *(cell(figures.value[name][line.figure], line.digits) for name in names)] for line in lines]
    parts = [markdown(["", *(VARIANTS[name] for name in names)], values)]
    others = [name for name in names if name in figures.difference]
    if others:
        apart = []
        for line in lines:
            found = {name: cell(figures.difference[name][line.figure], line.digits, signed=True) for name in others}
            apart.append(
                [line.label, *(f"{text} {verdict(line, name, figures)}".strip() for name, text in found.items())]
            )
        parts.append(
            "Less the whole method, paired; `worse` and `better` where the interval leaves out 0 and all seeds agree:"
        )
        parts.append(markdown(["", *(VARIANTS[name] for name in others)], apart))
        parts.append("\n".join(claim(name, lines, figures) for name in others))
    return "\n\n".join([*parts, by_seed(measured, names, lines[:3], rows)])


def claim(variant: str, lines: Sequence[Line], figures: Compared) -> str:
    """In how many figures lacking its part makes a variant worse, and in how many better."""
    found = [verdict(line, variant, figures) for line in lines]
    return (
        f"- {VARIANTS[variant]}: worse than the whole method in {found.count('worse')} of {len(found)} figures, "
        f"better in {found.count('better')}, undecided in {found.count('')}."
    )


def by_seed(measured: Measured, names: Sequence[str], lines: Sequence[Line], rows: int) -> str:
    """The spread over seeds."""
    everything, shown = np.arange(rows), []
    seeds = sorted({seed for name in names for seed in measured[name]})
    for name in names:
        for line in lines:
            found = {seed: stats[line.figure] for seed, stats in measured[name].items() if line.figure in stats}
            if found:
                values = [f"{found[s].of(everything):.{line.digits}f}" if s in found else "-" for s in seeds]
                shown.append([VARIANTS[name], line.label, *values])
    return "Seed by seed:\n\n" + markdown(["", "", *(f"seed {seed}" for seed in seeds)], shown)


def page(results: Results, compare: Mapping[str, Compared], command: str, facts: Mapping[str, str]) -> str:
    """The section of docs/results.md."""
    said = "; ".join(f"{name} {value}" for name, value in facts.items())
    seconds = "; ".join(
        f"{VARIANTS[name]} {', '.join(f'{value:.0f}' for value in of.values())}" for name, of in results.seconds.items()
    )
    parts = [f"## Does each part help? The ablations\n\n    {command}\n\nMade of: {said}."]
    parts += [f"Seconds of training, by seed: {seconds}."] if seconds else []
    if results.failed:
        parts.append("\n".join(["Not in the table:", "", *(f"- {run}: {why}" for run, why in results.failed.items())]))
    for protocol in (SELF, TRANSFER):
        if protocol.name in compare:
            people = results.subjects[protocol.name]
            counted = f"{len(people)} pictures of {len(set(people))} people a run"
            shown = tables(compare[protocol.name], results.found[protocol.name], len(people))
            parts.append(f"### {protocol.title}\n\n{counted}. Protocol: {protocol.words}.\n\n{shown}")
    return "\n\n".join(parts)


def facts_of(options: argparse.Namespace) -> dict[str, str]:
    """What the figures depend on."""
    recipe = recipe_of(WHOLE, 0, options.set)
    judges = {name: block for name, block in recipe.resolved["networks"].items() if name.startswith("judge_")}
    start = recipe.resolved["train"]["start"]
    base = weights_of({"start": {"weights": start}}, recipe.path.parent)
    return {
        "commit": commit(ROOT),
        "start": base,
        "judges": weights_of(judges, recipe.path.parent),
        "steps": str(recipe.settings.train.steps),
        "seeds": ", ".join(map(str, options.seeds)),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs, prints and writes the tables, and ends with a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--set", metavar="KEY=VALUE", action="append", default=[], help="change every variant's recipe")
    add("--work", type=Path, default=ROOT / "runs" / "ablations", help="folder of the runs")
    add("--table-only", action="store_true", help="measure what is finished and train nothing")
    add("--results", type=Path, default=ROOT / "docs" / "results.md", help="the page that the tables are written to")
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(given)
    results = measure(options)
    compare = {name: compared(found, results.subjects[name]) for name, found in results.found.items()}
    command = shlex.join(["python", "benchmarks/ablations.py", *(one for one in given if one != "--table-only")])
    facts = facts_of(options)
    text = page(results, compare, command, facts)
    print(text)
    if compare:
        put_section(options.results, "ablations", text, TITLE)
    figures = {name: {"value": one.value, "difference": one.difference} for name, one in compare.items()}
    found = {"benchmark": "ablations", "command": command, **facts, "failed": results.failed, **figures}
    print(json.dumps(found, default=_plain))
    if results.failed and not options.table_only:
        sys.exit(1)


def _plain(figure: Figure) -> dict[str, Any]:
    """As JSON: without the card, null where not defined."""
    found = {name: value for name, value in asdict(figure).items() if name != "card"}
    return found | {"value": None if math.isnan(figure.value) else figure.value}


if __name__ == "__main__":
    main()
