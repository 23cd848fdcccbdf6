"""Train everything that ships with palsykit, from the face space to the base models, and export it: ``make weights``.

    python tools/make_weights.py                     # about 15 hours on one core that multiplies bf16
    python tools/make_weights.py --share 0.02 --to build/weights --runs build/weights/runs   # a rehearsal, in minutes

A stopped command resumes with the same command: finished stages are not run again. Each stage reads the weights that
the stages before it wrote. A share below 1 takes this share of the training steps and of the people: its weights are of
no use, but every recipe, fit, export and start from exported weights has been run.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export_weights import SHIPPED, export

from palsykit.errors import PalsykitError
from palsykit.recipe import load_recipe
from palsykit.recipe.merge import read_extended
from palsykit.run import run_recipe

ROOT = Path(__file__).parents[1]
PACKAGE = "palsykit_weights:"
FEWEST_PEOPLE, FEWEST_STEPS = 12, 2


@dataclass(frozen=True)
class Stage:
    """A recipe, and the name of the file of its main model if it trains one."""

    recipe: str
    model: str = "base"


STAGES = (
    Stage("networks"),
    Stage("judges"),
    Stage("base"),
    Stage("networks-256"),
    Stage("judges-256"),
    Stage("base-256", "base_256"),
)


def changes(tree: dict[str, Any], share: float, made: Path) -> list[str]:
    """Changes to a recipe for this share of it, with all weights that ``made`` already holds.

    Args:
        tree: the recipe with all that it extends, as written.
        share: of the training steps and people, above 0 and up to 1.
        made: the folder of the weights of earlier stages.
    """
    found = [] if share == 1 else [f"{key}={value}" for key, value in _smaller(tree, share)]
    if made.resolve() != SHIPPED.resolve():
        for key, value in _leaves(tree):
            if isinstance(value, str) and value.startswith(PACKAGE):
                file = made / value.removeprefix(PACKAGE)
                found += [f"{key}={file.resolve()}"] if file.exists() else []
    return found


def _smaller(tree: dict[str, Any], share: float) -> Iterator[tuple[str, int]]:
    """Keys and their values for this share: steps, people, and what may not exceed the steps."""
    for key, value in _leaves(tree):
        name = key.rpartition(".")[2]
        if name == "steps" and key.startswith(("fits.", "train.")):
            steps = max(FEWEST_STEPS, round(share * value))
            yield key, steps
            yield f"{key.removesuffix('steps')}warmup", min(steps // 2, 50)
        elif name == "identities" and "data." in key:
            yield key, max(FEWEST_PEOPLE, round(share * value))
        elif name == "renders" and ".real." in key:
            yield key, max(1, round(share * value))


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every value of a recipe that is not a mapping or a list, with its dotted key."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(item, (*path, str(key)))
    else:
        yield ".".join(path), value


def make(
    share: float, to: Path, runs: Path, stages: tuple[Stage, ...] = STAGES, recipes: Path = ROOT / "recipes"
) -> None:
    """Run all stages, each with the weights of those before it, and export what each made."""
    to.mkdir(parents=True, exist_ok=True)
    for stage in stages:
        path = recipes / f"{stage.recipe}.yaml"
        recipe = load_recipe(path, changes(read_extended(path).value, share, to))
        run = runs / stage.recipe
        print(f"{path.name}: {run}")
        run_recipe(recipe, run)
        for file in export(run, to, stage.model):
            print(file)


def main() -> None:
    """Read the command line and make the weights."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--share", type=float, default=1.0, help="share of the steps and people; default 1")
    parser.add_argument("--to", type=Path, default=SHIPPED, help="folder of the weights; default: those that ship")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs", help="folder of the runs; default runs")
    options = parser.parse_args()
    if not 0 < options.share <= 1:
        parser.error(f"--share {options.share}: expected a number above 0, up to 1")
    if options.share < 1 and options.to.resolve() == SHIPPED.resolve():
        parser.error(
            "--share below 1 makes weights of no use: name a folder for them with --to, so that the shipped ones stay"
        )
    try:
        make(options.share, options.to, options.runs)
    except PalsykitError as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
