"""``check`` and ``show``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from palsykit.recipe import load_recipe

Run = Callable[..., Any]


def test_check_of_a_good_recipe(palsykit: Run, recipe: Path) -> None:
    done = palsykit("check", recipe)
    assert done.code == 0
    assert done.out.startswith("small.yaml: no problems (name small, hash ")


def test_show_says_where_each_value_comes_from(palsykit: Run, recipe: Path) -> None:
    done = palsykit("show", recipe, "--set", "seed=7")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert "people: 3 # small.yaml:1:28" in lines
    assert "seed: 7 # --set" in lines
    assert "rate: 0.5 # default" in lines
    assert "data:" in lines, "a block has no origin of its own"
    assert len([line for line in lines if "#" in line]) > 20


def test_what_is_shown_is_the_recipe(palsykit: Run, recipe: Path) -> None:
    recipe.write_text(recipe.read_text() + "name: small\nabout: |\n  two # lines\n\n  of it\n", encoding="utf-8")
    shown = Path("shown.yaml")
    shown.write_text(palsykit("show", recipe, "--set", "train.lr=3e-5").out, encoding="utf-8")
    assert load_recipe(shown).resolved == load_recipe(recipe, ["train.lr=3e-5"]).resolved
