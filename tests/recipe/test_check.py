"""Every problem of a recipe, at once, with its place."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from palsykit.recipe import RecipeError, load_recipe
from palsykit.registry import Registry

Write = Callable[..., Path]


def problems(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, overrides)
    return [str(problem) for problem in caught.value.problems]


def test_a_whole_recipe_has_none(recipe: Write, diffusion: str) -> None:
    assert load_recipe(recipe(diffusion)).settings.fusion is not None


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("data.people='4'", 'data.people: found "4" (text), expected a whole number'),
        ("data.people=true", "data.people: found true, expected a whole number"),
        ("data.people=0", "data.people: found 0, expected at least 1"),
        ("data.zoom=x", 'data.zoom: found "x" (text), expected a number'),
        ("data.size=[1, a]", 'data.size.1: found "a" (text), expected a whole number'),
        ("data.mode=cmyk", "data.mode: found \"cmyk\" (text), expected 'rgb' or 'grey'"),
        ("data.kind=firm", "data.kind: found \"firm\" (text), expected 'soft' or 'hard'"),
        ("data.flip=yes", 'data.flip: found "yes" (text), expected true or false'),
        ("data.peopel=4", 'data.peopel: found an unknown key, expected one of use, people, root, files, zoom, '
            'size, mode, kind, flip, title, table; did you mean "people"?'),
        ("data.root=nowhere", "expected an existing file (no file or folder"),
        ("data.people=null", "data.people: found null, expected a whole number"),
        ("data.table={a: [1, x]}", 'data.table.a.1: found "x" (text), expected a number'),
        ("data=facse", 'data: found "facse", expected a dataset; did you mean faces?'),
        ("data.use=psnr", "expected a dataset; known are faces, photos; 'psnr' is a metric"),
        ("data.use=3", "data: found 3, expected a dataset: {use: name, ...}; known are faces, photos"),
        ("data=3", "data: found 3, expected a dataset: {use: name, ...}"),
        ("conditions.who.network=nobody", 'found "nobody" (text), expected the name of an entry of networks (rec'),
        ("networks.recognition=null", 'found the default "recognition" (text), expected the name of an entry of'),
        ("conditions.who.source=both", "expected 'identity' or 'driver'"),
        ("conditions.who.drop=1.0", "conditions.who.drop: found 1.0, expected less than 1.0"),
        ("conditions.who.drop=true", "conditions.who.drop: found true, expected a number"),
        ("conditions.what=null", "found null, expected a part, or nothing; no parent recipe has an entry of this name"),
        ("maps={d: {use: drawn, lines: 2}}", "maps.d.lines: found an unknown key, expected one of use, error, "
            "drops_with, strokes; it has moved: write strokes"),
        ("maps={d: {use: drawn, drops_with: whom}}", 'maps.d.drops_with: found "whom", expected one of conditions '
            '(who); did you mean "who"?'),
        ("maps={a: {use: drawn, error: 0.1}, b: {use: drawn, error: 0.2}}", "maps.b.error: found a second error, "
            "expected at most one map with an error: the guess"),
        ("maps={a: {use: drawn, error: 0}}", "maps.a.error: found 0, expected more than 0.0"),
        ("conditions=3", "conditions: found 3, expected a mapping of names"),
        ("fusion={use: cross, heads: null}", "fusion: found no key heads, expected this key, which has no default"),
        ("fusion=null", "fusion: found no key fusion, expected fusion, which a recipe with conditions needs"),
        ("image_size=64.0", "image_size: found 64.0, expected a whole number"),
        ("image_sise=64", 'image_sise: found an unknown key, expected one of name, about, seed, image_size'),
        ("train.lr=0", "train.lr: found 0, expected more than 0.0"),
        ("train=3", "train: found 3, expected a mapping"),
        ("train.start=nowhere.safetensors", "train.start: found \"nowhere.safetensors\" (text), expected an existing"),
        ("train.precision=fp8", "expected 'auto', 'bf16', 'fp16' or 'fp32'"),
        ("fits=[{network: recognition}]", "fits.0: found no key trainer, expected trainer: {use: ...}, known are"),
        ("fits=[{network: recogniton, trainer: diffusion}]",
            'found "recogniton", expected one of networks (recognition); did you mean "recognition"?'),
        ("fits=3", "fits: found 3, expected a list"),
        ("fits=[3]", "fits.0: found 3, expected a mapping"),
        ("networks.points={use: net}", "found network points without weights, expected weights: FILE, or an entry"),
        ("denoiser.attention={use: sdpa, chnk: 3}", 'denoiser.attention.chnk: found an unknown key, expected one of'),
        ("denoiser.attention={use: sdpa, chunk: x}", 'denoiser.attention.chunk: found "x" (text), expected a whole number'),  # noqa: E501
        ("denoiser.attention=flash", 'found "flash", expected an attention backend'),
        ("metrics.d.use=distance", "metrics.d: found no key extractor"),
        ("metrics.d={use: distance, extractor: {use: nte}}", 'found "nte", expected a network; did you mean net?'),
        ("metrics.d={use: distance, extractor: recognition, baseline: copy}", "which has no image_size"),
    ],
)  # fmt: skip
def test_each_problem(recipe: Write, diffusion: str, override: str, expected: str) -> None:
    found = problems(recipe(diffusion), override)
    assert any(expected in problem for problem in found), found


def test_all_at_once_with_places(recipe: Write, diffusion: str) -> None:
    path = recipe(diffusion + "train:\n  stepz: 3\n  lr: fast\nmetrics: {p: {use: psnr, steps: 1.5}}\n")
    assert problems(path) == [
        "r.yaml:13:3: train.stepz: found an unknown key, expected one of steps, batch_size, lr, weight_decay, warmup, "
        "decay, ema, accumulate, clip, skip_not_finite, flip, precision, optimiser, gradient_checkpointing, compile, "
        'workers, checkpoint_every, log_every, start, start_without; did you mean "steps"?',
        'r.yaml:14:7: train.lr: found "fast" (text), expected a number',
        "r.yaml:15:33: metrics.p.steps: found 1.5, expected a whole number",
    ]


def test_a_problem_in_a_parent_is_placed_there(recipe: Write, diffusion: str) -> None:
    recipe(diffusion + "train: {lr: fast}\n", "base.yaml")
    assert problems(recipe("extends: base.yaml")) == [
        'base.yaml:12:13: train.lr: found "fast" (text), expected a number',
    ]


def test_nothing_to_do(recipe: Write) -> None:
    (problem,) = problems(recipe("data: faces"))
    assert problem.startswith("r.yaml:1:1: found nothing to do, expected fits, a diffusion model")


def test_a_baseline_needs_no_diffusion(recipe: Write) -> None:
    settings = load_recipe(recipe("{data: faces, synthesiser: copy}")).settings
    assert settings.synthesiser is not None
    assert settings.synthesiser.parameters == {"rate": 0.5}


def test_fits_alone_are_a_recipe(recipe: Write) -> None:
    settings = load_recipe(
        recipe("{data: faces, networks: {n: net}, fits: [{network: n, trainer: diffusion}]}")
    ).settings
    assert settings.fits[0].network == "n"
    assert settings.fits[0].data is None


def test_weights_spare_a_fit(recipe: Write, diffusion: str) -> None:
    path = recipe(diffusion)
    Path("w.safetensors").touch()
    settings = load_recipe(path, ["networks.points={use: net, weights: w.safetensors}"]).settings
    assert settings.networks["points"].parameters["weights"] == str(Path("w.safetensors").absolute())


def test_bad_weights_are_one_problem(recipe: Write, diffusion: str) -> None:
    assert len(problems(recipe(diffusion), "networks.points={use: net, weights: w.safetensors}")) == 1


def test_null_removes_what_a_parent_has(recipe: Write, diffusion: str) -> None:
    recipe(diffusion + "metrics: {p: psnr, q: psnr}\ntrain: {steps: 7, lr: 0.5}\n", "base.yaml")
    child = recipe("{extends: base.yaml, metrics: {p: null}, train: {steps: null}, data: {title: null, people: null}}")
    with pytest.raises(RecipeError, match=r"data\.people: found null"):
        load_recipe(child)
    loaded = load_recipe(child, ["data.people=3", "data.people=null"])
    assert list(loaded.settings.metrics) == ["q"]
    assert (loaded.settings.train.steps, loaded.settings.train.lr) == (1000, 0.5)
    assert loaded.settings.data.parameters["title"] is None, "null is a value where a key may be null"
    assert loaded.settings.data.parameters["people"] == 5
    assert loaded.origins["train", "steps"] == loaded.origins["data", "people"] == "default"


def test_files_start_from_the_folder_they_are_written_in(recipe: Write, diffusion: str) -> None:
    base = diffusion.replace("{use: faces}", "{use: faces, root: photos, files: {a: photos, b: photos}}")
    recipe(base, "sub/base.yaml")
    Path("sub/photos").mkdir()
    Path("here").mkdir()
    loaded = load_recipe(recipe("{extends: sub/base.yaml, data: {files: {b: here}}}"), ["data.files.c=here"])
    folder = Path.cwd()
    assert loaded.settings.data.parameters["root"] == str(folder / "sub/photos")
    assert loaded.settings.data.parameters["files"] == {
        "a": str(folder / "sub/photos"),
        "b": str(folder / "here"),
        "c": str(folder / "here"),
    }


def test_package_files_stay_as_written_and_settings_hold_paths(recipe: Write, diffusion: str) -> None:
    path = recipe(diffusion + "train: {start: 'palsykit:py.typed'}\n")
    loaded = load_recipe(path, ["data.root='palsykit:py.typed'"])
    assert loaded.resolved["train"]["start"] == loaded.resolved["data"]["root"] == "palsykit:py.typed"
    assert isinstance(loaded.settings.train.start, Path)
    assert loaded.settings.train.start.is_file()


def test_an_inline_network_joins_the_networks(recipe: Write, diffusion: str) -> None:
    text = diffusion + "metrics:\n  d: {use: distance, extractor: {use: fixed, colour: blue}, others: [{use: fixed}]}\n"
    loaded = load_recipe(recipe(text))
    assert loaded.settings.networks["metrics_d_extractor"].parameters == {"colour": "blue"}
    assert loaded.settings.metrics["d"].parameters["extractor"] == "metrics_d_extractor"
    assert loaded.settings.metrics["d"].parameters["others"] == ["metrics_d_others_0"]
    (problem,) = problems(recipe(text.replace("colour: blue", "colour: 3")))
    assert problem.startswith("r.yaml:13:54: metrics.d.extractor.colour: found 3, expected text")


def test_an_inline_network_without_weights(recipe: Write, diffusion: str) -> None:
    (problem,) = problems(recipe(diffusion + "metrics: {d: {use: distance, extractor: {use: net}}}"))
    assert "network metrics_d_extractor without weights" in problem


def test_nested_parts_are_resolved(recipe: Write, diffusion: str) -> None:
    loaded = load_recipe(recipe(diffusion), ["denoiser.attention.use=sdpa"])
    assert loaded.resolved["denoiser"]["attention"] == {"use": "sdpa", "chunk": 4}
    assert load_recipe(recipe(diffusion)).resolved == loaded.resolved, "the default is a name"


def test_a_mapping_with_a_wrong_key(recipe: Write, diffusion: str, parts: Any) -> None:
    def odd(image_size: int, *, sizes: dict[Literal["a", "b"], int] = {"a": 1}) -> None: ...  # noqa: B006

    parts(networks__odd=odd)
    path = recipe(diffusion)
    assert problems(path, "networks.x={use: odd, sizes: {c: 1}}") == [
        "--set networks.x={use: odd, sizes: {c: 1}}: networks.x.sizes.c: found \"c\" (text), expected 'a' or 'b'"
    ]


def test_a_plugin_that_cannot_be_checked_is_a_problem(recipe: Write, diffusion: str, parts: Any) -> None:
    def odd(image_size: int, *, a: int = None) -> None: ...  # type: ignore[assignment] # noqa: RUF013
    def odder(image_size: int, *, a: Any = len) -> None: ...
    def oddest(image_size: int, width: int) -> None: ...

    known: Registry = parts(networks__odd=odd, networks__odder=odder, networks__oddest=oddest)
    assert known.names("networks") == ["fixed", "net", "odd", "odder", "oddest"]
    path = recipe(diffusion)
    assert "found the default null, expected a whole number" in problems(path, "networks.x.use=odd")[0]
    assert "found the default of a, expected one that a recipe can hold" in problems(path, "networks.x.use=odder")[0]
    assert "expected a network that can be built; network 'oddest'" in problems(path, "networks.x.use=oddest")[0]
