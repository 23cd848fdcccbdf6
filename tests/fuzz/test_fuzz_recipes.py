"""Mutated recipes: each is accepted, or refused with a line for each problem that says where it is."""

import random
import re
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from palsykit.errors import PalsykitError
from palsykit.recipe import Recipe, RecipeError, load_recipe
from palsykit.run import run_recipe

ROOT = Path(__file__).parents[2]
PLACE = re.compile(r"\S:\d+:\d+: ")
ONE_STEP = ("train.steps=1", "train.checkpoint_every=9", "fits.0.steps=1", "fits.1.steps=1", "fits.2.steps=1")


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Copies of the recipes that ship and of the miniature, in a folder of their own."""
    folder = tmp_path_factory.mktemp("recipes")
    for file in (*(ROOT / "recipes").glob("*.yaml"), ROOT / "tests/run/tiny.yaml"):
        (folder / file.name).write_text(file.read_text())
    return [file for file in sorted(folder.iterdir()) if _is_whole(file)]


def _is_whole(file: Path) -> bool:
    """Whether a recipe is valid as it ships: not one of a study, or of photographs that are not here."""
    try:
        load_recipe(file)  # imports its plugins, too, which must not be timed
    except RecipeError:
        return False
    return True


def _load(file: Path) -> Recipe | None:
    """The recipe, or None if it is refused as it should be."""
    began = time.process_time()
    try:
        return load_recipe(file)
    except RecipeError as error:
        for problem in error.problems:
            text = str(problem)
            assert PLACE.search(text), text
            assert "\n" not in text, text
            assert len(text) < 3000, text
    finally:
        assert time.process_time() - began < 2
    return None


def _mutate(file: Path, target: Path, rng: random.Random, mutations: ModuleType) -> None:
    text = file.read_text()
    if rng.random() < 0.35:
        new = mutations.mutated_text(text, rng)
    else:
        new = yaml.dump(mutations.mutated(yaml.safe_load(text), rng), allow_unicode=True)
    target.write_bytes(new.encode("utf-8", "surrogatepass"))


def _run(file: Path, folder: Path) -> bool:
    """Whether an accepted recipe runs for a step; a refusal of its parts is one message."""
    try:
        run_recipe(load_recipe(file, ONE_STEP), folder)
    except PalsykitError:
        return False
    return True


@pytest.mark.parametrize(("seed", "count", "runs"), [
    (0, 50, 1),
    pytest.param(1, 2000, 30, marks=pytest.mark.slow),
])  # fmt: skip
def test_mutated_recipes(
    recipes: list[Path], script: Callable[[str], ModuleType], tmp_path: Path, seed: int, count: int, runs: int
) -> None:
    rng, mutations = random.Random(seed), script("tests/fuzz/mutations.py")
    faults: list[str] = []
    tally = {"accepted": 0, "refused": 0, "ran": 0, "tried": 0}
    for number in range(count):
        file = rng.choice(recipes)
        if number % 4 == 0:  # the only one that runs in seconds
            file = next(path for path in recipes if path.name == "tiny.yaml")
        target = file.with_name(f"mutant-{number}.yaml")
        _mutate(file, target, rng, mutations)
        try:
            accepted = _load(target) is not None
            tally["accepted" if accepted else "refused"] += 1
            if accepted and file.name == "tiny.yaml" and tally["tried"] < runs:
                tally["tried"] += 1
                tally["ran"] += _run(target, tmp_path / str(number))
        except Exception:
            place = [line for line in traceback.format_exc().splitlines() if line.strip()][-3:]
            faults.append(f"mutant {number} of {file.name}: {' | '.join(place)[:600]}")
        target.unlink()
    print(tally)
    assert not faults, "\n".join(faults)
    assert tally["accepted"] > count / 50, tally
    assert tally["refused"] > count / 4, tally
    assert tally["ran"], tally
