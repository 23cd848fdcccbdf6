"""A resolved recipe documents a run: it reads back to itself, and says what differs."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palsykit.recipe import Recipe, RecipeError, load, load_recipe
from palsykit.recipe.yaml_rules import dump
from palsykit.registry import registry

Write = Callable[..., Path]


def again(recipe: Recipe, name: str = "elsewhere/recipe.yaml") -> Recipe:
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(recipe.yaml(), encoding="utf-8")
    return load_recipe(path)


def test_every_default_is_filled_in(recipe: Write, diffusion: str) -> None:
    loaded = load_recipe(recipe(diffusion))
    assert loaded.resolved["train"]["lr"] == loaded.settings.train.lr == 1e-4
    assert loaded.resolved["data"] == {
        "use": "faces", "people": 5, "root": None, "files": {}, "zoom": 1.0, "size": [1, 2], "mode": "rgb",
        "kind": "soft", "flip": False, "title": "faces", "table": None,
    }  # fmt: skip
    assert loaded.resolved["conditions"] == {
        "who": {"use": "look", "source": "identity", "beside": [], "drop": 0.0, "network": "recognition", "width": 8}
    }
    assert loaded.settings.data.parameters == {key: v for key, v in loaded.resolved["data"].items() if key != "use"}


def test_names(recipe: Write, diffusion: str) -> None:
    assert load_recipe(recipe(diffusion, "my-recipe.yaml")).name == "my-recipe"
    named = load_recipe(recipe(diffusion + "name: other\n", "my-recipe.yaml"))
    assert named.name == named.settings.name == "other"
    assert again(load_recipe(recipe(diffusion, "x.yaml"))).name == "x", "a run's copy keeps the name"


def test_it_reads_back_to_itself(recipe: Write, diffusion: str) -> None:
    Path("photos").mkdir()
    text = (
        diffusion + "metrics: {d: {use: distance, extractor: {use: fixed}}}\nabout: |\n  two\n\n  lines: # no comment\n"
    )
    overrides = [
        "train.lr=3e-5",
        "data.root=photos",
        "data.table={a: [1, 1e-7, 1.5e300]}",
        "data.title='no'",
        "fits=[]",
    ]
    loaded = load_recipe(recipe(text), overrides)
    back = again(loaded)
    assert back.resolved == loaded.resolved
    assert back.hash == loaded.hash
    assert back.settings == loaded.settings
    assert back.yaml() == loaded.yaml()


NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(zoom=NUMBERS, table=st.none() | st.dictionaries(st.text(), st.lists(NUMBERS, max_size=3)), title=st.text())
def test_any_values_read_back(
    recipe: Write, diffusion: str, zoom: float, table: dict[str, list[float]] | None, title: str
) -> None:
    parent = recipe(diffusion)
    data = {"zoom": zoom, "table": table, "title": title}
    loaded = load_recipe(recipe(dump({"extends": parent.name, "data": data}), "child.yaml"))
    assert again(loaded).hash == loaded.hash
    assert again(loaded).resolved == loaded.resolved


def test_the_hash_is_of_what_is_done(recipe: Write, diffusion: str) -> None:
    first = load_recipe(recipe(diffusion))
    assert load_recipe(recipe(diffusion + "name: x\nabout: y\n", "y.yaml")).hash == first.hash
    assert load_recipe(recipe(diffusion + "train: {lr: 1e-4}\n")).hash == first.hash, "a default said aloud"
    assert load_recipe(recipe(diffusion), ["data.zoom=1"]).hash == first.hash, "an integer for a float"
    assert load_recipe(recipe(diffusion), ["train.workers=4", "train.gradient_checkpointing=true"]).hash == first.hash
    assert load_recipe(recipe(diffusion), ["seed=1"]).hash != first.hash
    assert load_recipe(recipe(diffusion), ["train.optimiser=adamw8bit"]).hash != first.hash
    assert len(first.hash) == 64


def test_newer_keys_of_a_training_leave_the_hash_of_older_runs(recipe: Write, diffusion: str) -> None:
    loaded = load_recipe(recipe(diffusion))
    older = deepcopy(loaded.resolved)
    for name in ("optimiser", "gradient_checkpointing", "compile", "workers"):
        del older["train"][name]
    assert load._hash(older) == loaded.hash


def test_the_order_of_conditions_counts(recipe: Write, diffusion: str) -> None:
    text = diffusion.replace("  who:", "  what: {use: look, source: driver}\n  who:")
    one = load_recipe(recipe(text))
    other = load_recipe(recipe(diffusion), ["conditions.what={use: look, source: driver}"])
    assert one.hash != other.hash
    assert one.difference(other.resolved) == ["conditions, in order: who, what -> what, who"]


def test_the_order_of_maps_counts(recipe: Write, diffusion: str) -> None:
    path = recipe(diffusion)
    one, other = (load_recipe(path, [f"maps={{{order}}}"]) for order in (
        "a: {use: drawn}, b: {use: drawn}", "b: {use: drawn}, a: {use: drawn}"))  # fmt: skip
    assert one.hash != other.hash
    assert one.difference(other.resolved) == ["maps, in order: b, a -> a, b"]


def test_difference(recipe: Write, diffusion: str) -> None:
    old = load_recipe(recipe(diffusion))
    new = load_recipe(
        recipe(diffusion),
        ["train.steps=5", "data.title='5'", "data.size=[1]", "metrics.p=psnr", "fusion.ring={a: b}", "name=z"],
    )
    assert new.difference(old.resolved) == [
        "data.size: [1, 2] -> [1]",
        'data.title: "faces" -> "5"',
        "fusion.ring: null -> (absent)",
        "train.steps: 1000 -> 5",
        "metrics: {} -> (absent)",
        'fusion.ring.a: (absent) -> "b"',
        'metrics.p.use: (absent) -> "psnr"',
        "metrics.p.steps: (absent) -> 10",
    ]
    assert old.difference(old.resolved) == []


def test_origins(recipe: Write, diffusion: str) -> None:
    recipe(diffusion + "train: {steps: 7, lr: 0.5}\n", "base.yaml")
    loaded = load_recipe(recipe("extends: base.yaml\ntrain:\n  lr: 0.1\n"), ["train.ema=0.5"])
    assert loaded.origins["train", "steps"] == "base.yaml:12:16"
    assert loaded.origins["train", "lr"] == "r.yaml:3:7"
    assert loaded.origins["train", "ema"] == "--set"
    assert loaded.origins["train", "clip"] == "default"
    assert loaded.origins["data", "size", 1] == "default"


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_may_be_text(recipe: Write, diffusion: str, kind: type) -> None:
    assert load_recipe(kind(recipe(diffusion))).path == Path("r.yaml")


def test_what_is_not_used_may_be_missing(recipe: Write, diffusion: str) -> None:
    """A run's recipe loads without its photographs, its first weights and the plugins of what is not used."""
    Path("photos").mkdir()
    Path("w.safetensors").touch()
    text = diffusion + "train: {start: w.safetensors}\nfits: [{network: recognition, trainer: diffusion, data: photos}]"
    run = load_recipe(recipe(text), ["data.root=photos", "data.files={a: photos}", "fits.0.data.root=photos"])
    path = recipe(run.yaml(), "run/recipe.yaml")
    Path("photos").rmdir()
    Path("w.safetensors").unlink()
    del registry().entries["datasets", "photos"]
    with pytest.raises(RecipeError, match=r"(?s)data\.root.*fits\.0\.data.*\"photos\".*train\.start"):
        load_recipe(path)
    opened = load_recipe(path, unchecked=("data", "fits", "train"))
    assert (opened.resolved, opened.hash) == (run.resolved, run.hash)
    assert opened.settings == run.settings
    with pytest.raises(RecipeError, match=r"1 problem(?s:.)*train\.start"):
        load_recipe(path, unchecked=("data", "fits"))


def test_what_is_used_is_checked_all_the_same(recipe: Write, diffusion: str) -> None:
    loaded = load_recipe(recipe(diffusion.replace("{use: faces}", "{use: faces, root: nowhere}")), unchecked=["data"])
    assert loaded.resolved["data"] == {"use": "faces", "root": "nowhere"}, "as written, without defaults"
    broken = recipe(diffusion + "train: {steps: x}\n")
    with pytest.raises(RecipeError, match=r"train\.steps"):
        load_recipe(broken, unchecked=["data", "train.start"])
