"""How good a trained run is, beside the truth and a copy of the identity image, by judges that it never saw.

    python benchmarks/reference.py runs/cfcpalsy            # 64 people of the face space and 16 real ones
    python benchmarks/reference.py runs/cfcpalsy --identities 4 --results /tmp/results.md       # a slice

Held-out people are synthesised with each expression under two protocols: self-reconstruction, and transfer with ground
truth. Each table has the rows `truth` (what the judges say of the true pictures: the ceiling), `copy` (the identity
image: the floor) and `model`. The judges are networks of another seed and other people (recipes/judged.yaml). Intervals
are 95 % bootstraps over people. Pictures are kept below --work, so a stopped run goes on. The tables are written to
docs/results.md, each with the command that makes it.
"""

import argparse
import hashlib
import json
import math
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import palsykit
from palsykit.errors import PalsykitError
from palsykit.interfaces import Synthesiser
from palsykit.recipe import load_recipe
from palsykit.report.results import TITLE, Aim, Line, commit, weights_of
from palsykit.report.tables import cell, markdown, put_section
from palsykit.run.examine import Examination, examination, synthesised
from palsykit.run.folder import read_state
from palsykit.run.front import Model
from palsykit.run.measure import Figure, Statistic, difference, summarise
from palsykit.run.parts import Parts
from palsykit.run.protocols import PROTOCOLS

ROOT = Path(__file__).parents[1]
RECIPES = {"face space": ROOT / "recipes" / "examination.yaml", "real": ROOT / "recipes" / "examination-real.yaml"}
PEOPLE = {"face space": "of the face space, who do not exist", "real": "real (London set), palsies simulated on them"}

LINES = (
    Line("retrieval_top1", "identity retrieval, top-1 among {people}", 3, Aim(least=0.95)),
    Line("identity_similarity", "cosine with the identity image"),
    Line("identity_similarity_to_target", "cosine with the truth"),
    Line("expression_accuracy", "expression accuracy"),
    Line("expression_accuracy_relative", "expression accuracy, relative to that on the truth", 3, Aim(least=0.95)),
    Line("side_accuracy", "affected side right, grade III up (judge's side head)", 3, Aim(least=0.99)),
    Line("asymmetry_side", "affected side right, grade III up (sign of the asymmetry index)"),
    Line("severity_error", "severity error, House-Brackmann grades", 2),
    Line("landmark_error", "landmark error, % of the outer eye distance", 2, Aim(most=4.0)),
    Line("asymmetry_spearman", "Spearman, asymmetry asked and measured", 3, Aim(least=0.9)),
    Line("asymmetry_grade_spearman", "Spearman, signed grade and measured asymmetry, by expression"),
    Line("asymmetry_error", "asymmetry error, % of the outer eye distance", 2),
    Line("psnr", "PSNR, whole picture, dB", 2, Aim(least=27.0)),
    Line("ssim", "SSIM, whole picture"),
    Line("moving_psnr", "PSNR, eyes, brows and mouth, dB", 2, Aim(above_copy=True)),
    Line("moving_ssim", "SSIM, eyes, brows and mouth", 3, Aim(above_copy=True)),
)


@dataclass(frozen=True)
class Examined:
    """One table: what was measured of whom."""

    title: str
    protocol: str
    people: int
    pictures: int
    figures: Mapping[str, Mapping[str, Figure]]
    """System -> figure -> value; "model - copy" is the paired difference."""
    seconds: float


def examined(model: Model, exam: Examination, title: str, work: Path, maker: str) -> Examined:
    """Synthesises, measures all three systems and summarises."""
    began = time.monotonic()
    copy: Synthesiser = exam.judges.synthesiser(None)
    pictures = {
        "truth": exam.truth(),
        "copy": copy.generate(exam.faces, [0] * len(exam.pairs)),
        "model": synthesised(exam, model.parts.synthesiser(model.model), work / exam.protocol.name, maker),
    }
    found: dict[str, dict[str, Statistic]] = {name: exam.measured(images) for name, images in pictures.items()}
    found["model - copy"] = {k: difference(v, found["copy"][k]) for k, v in found["model"].items()}
    seed = exam.judges.settings.seed
    figures = {
        system: {name: summarise(statistic, exam.subjects, seed) for name, statistic in statistics.items()}
        for system, statistics in found.items()
    }
    seconds = time.monotonic() - began
    return Examined(title, exam.protocol.words, len(set(exam.subjects)), len(exam.pairs), figures, seconds)


def table(result: Examined) -> str:
    """One examination as Markdown."""
    head = ["", "aim", "truth", "copy", "model", "model - copy", "aim reached"]
    rows = []
    for line in LINES:
        by = {system: figures[line.figure] for system, figures in result.figures.items() if line.figure in figures}
        if not by:
            continue
        cells = [cell(by[system], line.digits) for system in ("truth", "copy", "model")]
        apart = cell(by["model - copy"], line.digits, signed=True)
        reached = line.aim.reached(by["model"], by["copy"])
        rows.append([line.label.format(people=result.people), line.aim.words(), *cells, apart, reached])
    return (
        f"### {result.title}\n\n{result.pictures} pictures of {result.people} people. Protocol: {result.protocol}.\n\n"
        + markdown(head, rows)
    )


def page(results: Sequence[Examined], command: str, facts: Mapping[str, str]) -> str:
    """The section of docs/results.md."""
    said = "; ".join(f"{name} {value}" for name, value in facts.items())
    intro = (
        f"## The reference model by its judges\n\n    {command}\n\nMade of: {said}. `truth` is what the judges say of "
        "the true pictures, `copy` the identity image returned unchanged, `model - copy` the paired difference. The "
        "judges were trained with another seed and on other people than what conditions or trains a model "
        "(recipes/judges.yaml)."
    )
    return "\n\n".join([intro, *(table(result) for result in results)])


def provenance(run: Path, judges: Parts) -> dict[str, str]:
    """Commit, run and judges, so that a figure can be traced."""
    trained = f"{run} (recipe hash {read_state(run)['recipe_hash'][:12]})"
    return {
        "commit": commit(ROOT),
        "run": trained,
        "judges": weights_of(judges.recipe.resolved["networks"], judges.recipe.path.parent),
    }


def measure(options: argparse.Namespace) -> tuple[list[Examined], dict[str, str]]:
    """Every protocol on every kind of people that was asked for, and what the figures depend on."""
    model = palsykit.load(options.run)
    maker = read_state(options.run)["recipe_hash"] + digest(options.run)
    results: list[Examined] = []
    facts: dict[str, str] = {}
    for people in options.people:
        changes = [*options.set]
        if options.identities is not None:
            changes.append(f"generate.identities={options.identities}")
        judges = Parts(load_recipe(RECIPES[people], changes))
        if judges.settings.image_size != model.image_size:
            raise PalsykitError(
                f"{options.run}: its pictures are {model.image_size} px, the judges see "
                f"{judges.settings.image_size} px; examine a run of their size"
            )
        facts = facts or provenance(options.run, judges)
        for name in options.protocols:
            exam = examination(judges, PROTOCOLS[name])
            title = f"{PROTOCOLS[name].title}, people {PEOPLE[people]}"
            folder = options.work / people.replace(" ", "-") / str(len(set(exam.subjects)))
            results.append(examined(model, exam, title, folder, maker))
            print(table(results[-1]), flush=True)
    return results, facts


def digest(run: Path) -> str:
    """SHA-256 of the run's model."""
    found = hashlib.sha256()
    for file in sorted((run / "model").rglob("*.safetensors")):
        found.update(file.read_bytes())
    return found.hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the tables, writes them to the page, and ends with a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("run", type=Path, help="a finished run that trained a model")
    add("--people", nargs="+", choices=list(RECIPES), default=list(RECIPES), help="whom to synthesise")
    add("--protocols", nargs="+", choices=list(PROTOCOLS), default=list(PROTOCOLS))
    add("--identities", type=int, help="fewer people, for a slice")
    add("--set", metavar="KEY=VALUE", action="append", default=[], help="change the examination's recipe")
    add("--work", type=Path, help="where pictures are kept; default RUN/examination")
    add("--results", type=Path, default=ROOT / "docs" / "results.md", help="the page that the tables are written to")
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(given)
    options.work = options.work or options.run / "examination"
    results, facts = measure(options)
    command = f"python benchmarks/reference.py {shlex.join(given)}"
    put_section(options.results, "reference", page(results, command, facts), TITLE)
    tables = [dict(vars(result)) for result in results]
    print(json.dumps({"benchmark": "reference", "command": command, **facts, "tables": tables}, default=plain))


def plain(value: Any) -> Any:
    """What JSON does not know: figures without their cards, undefined ones as null."""
    found = {name: item for name, item in asdict(value).items() if name != "card"}
    return found | {"value": None if math.isnan(value.value) else value.value}


if __name__ == "__main__":
    main()
