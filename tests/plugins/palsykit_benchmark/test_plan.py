"""A benchmark's recipe: its keys, its systems put together, and every problem at once with its place."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from palsykit.recipe import load_recipe
from palsykit.recipe.problems import RecipeError
from palsykit_benchmark.plan import Plan, load_benchmark
from palsykit_benchmark.protocols import PROTOCOLS
from palsykit_benchmark.schema import Benchmark, ProtocolName

TINY = Path(__file__).parents[2] / "run" / "tiny.yaml"
Run = Callable[..., Any]


def plan(path: Path, *overrides: str, **chosen: Any) -> Plan:
    return load_benchmark(path, overrides, **chosen)


def problems(path: Path, *overrides: str, **chosen: Any) -> str:
    with pytest.raises(RecipeError) as caught:
        load_benchmark(path, overrides, **chosen)
    return str(caught.value)


@pytest.fixture(autouse=True)
def _plugin(darker: Any) -> None:
    """Somebody else's parts are installed."""


def test_systems_are_recipes_with_the_data_and_the_seed_of_the_benchmark(small: Path) -> None:
    found = plan(small, "seeds=[3, 1]")
    assert [(job.system, job.seed) for job in found.jobs] == [
        ("cfcpalsy", 3), ("mine", 3), ("darker", 3), ("copy", 3), ("cfcpalsy", 1), ("mine", 1),
    ]  # fmt: skip
    recipes = {job.system: job.recipe for job in found.jobs if job.seed == 3 and job.recipe is not None}
    for recipe in recipes.values():
        data = recipe.settings.data.parameters
        assert (data["identities"], data["test"], recipe.settings.seed) == (2, 3, 3)
        assert recipe.settings.image_size == 32
    mine = recipes["mine"].settings
    assert (mine.fusion and mine.fusion.use, mine.trainer and mine.trainer.use) == ("mine", "diffusion")
    assert (mine.train.steps, mine.train.batch_size) == (1, 4), "two images are one step"
    assert {fit.steps for fit in mine.fits} == {0}, "what every system gets"
    assert recipes["copy"].settings.trainer is None
    judges = found.judges["drawn"]
    assert (judges.settings.generate.identities, sorted(judges.settings.metrics)) == (2, ["afid", "identity", "psnr"])
    assert (found.reference, found.protocols) == ("cfcpalsy", {"drawn": ("self-reconstruction", "transfer")})


def test_nothing_of_a_recipes_own_data_is_left(small: Path) -> None:
    found = plan(small, "systems.mine.data={use: face_space, visits: null, identities: 9}")
    own = {job.system: job.recipe for job in found.jobs}
    assert own["mine"] is not None
    assert own["cfcpalsy"] is not None
    assert own["mine"].settings.data == own["cfcpalsy"].settings.data


def test_a_systems_own_keys_are_above_what_every_system_gets(small: Path) -> None:
    found = plan(small, "every.sampler.steps=7", "systems.mine.sampler={steps: 3}")
    steps = {j.system: j.recipe.settings.sampler for j in found.jobs if j.recipe is not None}
    assert [steps[name] and steps[name].parameters["steps"] for name in ("cfcpalsy", "mine")] == [7, 3]


def test_a_file_alone_keeps_what_it_says_of_itself(small: Path) -> None:
    found = plan(small, f"systems.cfcpalsy={TINY}", "systems.mine.about=Somebody's fusion.")
    assert found.about["cfcpalsy"] == "A miniature for tests."
    assert found.about["mine"] == "Somebody's fusion."
    assert found.about["copy"] == ""


def test_another_recipe_has_another_folder_and_the_same_recipe_the_same(small: Path) -> None:
    folders = {job.system: job.folder for job in plan(small).jobs}
    again = {job.system: job.folder for job in plan(small, "systems.mine.train={lr: 0.5}").jobs}
    assert folders["mine"] != again["mine"]
    assert folders["cfcpalsy"] == again["cfcpalsy"]


def test_people_to_train_on_and_to_examine_may_be_of_two_data_sets(small: Path) -> None:
    both = "train: {use: face_space, identities: 5}, test: {use: face_space, test: 9}"
    found = plan(small, f"data={{apart: {{{both}, protocols: [transfer-without-truth]}}}}")
    job = next(job for job in found.jobs if job.data == "apart")
    assert job.recipe is not None
    assert job.recipe.settings.data.parameters["identities"] == 5
    assert found.judges["apart"].settings.data.parameters["test"] == 9
    assert found.protocols["apart"] == ("transfer-without-truth",)
    shown = problems(small, "data={apart: {train: face_space, tset: face_space}}")
    assert (
        'data.apart.tset: found an unknown key, expected one of train, test, protocols; did you mean "test"?' in shown
    )
    assert "data.apart: found no key test" in shown


def test_names_that_are_chosen(small: Path) -> None:
    found = plan(small, systems=("copy", "mine"))
    assert found.systems == ("copy", "mine")
    assert {job.system for job in found.jobs} == {"copy", "mine"}
    assert found.reference == "copy", "the first that is there"
    assert plan(small, "reference=darker", systems=("copy", "mine")).reference is None, "it was left out"
    shown = problems(small, systems=("mien",), data=("drwan",))
    assert '--system mien: found "mien", expected one of cfcpalsy, mine, darker, copy; did you mean "mine"?' in shown
    assert '--data drwan: found "drwan", expected one of drawn; did you mean "drawn"?' in shown


def test_every_problem_is_told_at_once_with_its_line(small: Path) -> None:
    text = small.read_text().replace("  copy: {synthesiser: copy}", "  copy: {synthesizer: copy}")
    text = text.replace("fusion: {use: mine}", "fusion: {use: mine, widht: 8}")
    small.write_text(text)
    shown = problems(small)
    assert "small.yaml:10:10: synthesizer: found an unknown key" in shown
    assert 'did you mean "synthesiser"?' in shown
    column = text.splitlines()[7].index("widht") + 1  # further right where the recipe that it extends lies deeper
    where = f"small.yaml:8:{column}: fusion.widht"
    assert f'{where}: found an unknown key, expected one of use, pooled_from, width; did you mean "width"?' in shown


def test_unknown_keys_and_wrong_values(small: Path) -> None:
    shown = problems(small, "sytems={}", "seeds=[]", "people=1", "protocols=[transfr]", "figures={psnr: {digit: 2}}")
    assert "sytems: found an unknown key" in shown
    assert 'did you mean "systems"?' in shown
    assert "people: found 1, expected at least 2" in shown
    assert "'self-reconstruction', 'transfer' or 'transfer-without-truth'" in shown
    assert 'did you mean "digits"?' in shown
    assert "seeds: found []" in shown


def test_unknown_names(small: Path) -> None:
    shown = problems(small, "reference=mien", "figures={psnr: {above: cpoy}}", "systems.truth={synthesiser: copy}")
    assert 'reference: found "mien", expected one of the systems' in shown
    assert 'figures.psnr.above: found "cpoy"' in shown
    assert "truth is a row of every table" in shown
    nobody = "systems={cfcpalsy: null, mine: null, darker: null, copy: null}"
    assert "systems: found nothing" in problems(small, nobody)


def test_fid_needs_kid_beside_it(small: Path) -> None:
    shown = problems(small, "judges.metrics.fid={use: fid}")
    assert (
        "judges: found the metric fid without KID, expected KID beside it, kid: {use: kid, network: recognition}"
        in shown
    )
    plan(small, "judges.metrics.fid={use: fid}", "judges.metrics.kid={use: kid}")


def test_pictures_of_another_size_are_refused_before_anything_is_trained(small: Path) -> None:
    shown = problems(small, "systems.mine.image_size=64")
    assert "systems.mine: found image_size 64, expected the judges' 32" in shown


def test_a_run_is_a_system(small: Path) -> None:
    shown = problems(small, "systems.model={run: nowhere}")
    assert 'systems.model.run: found "nowhere", expected the folder of a finished run' in shown
    Path("there").mkdir()
    found = plan(small, "systems.model={run: there}", "seeds=[5, 6]")
    (job,) = [job for job in found.jobs if job.system == "model"]
    assert (job.run, job.recipe, job.seed) == (Path("there").resolve(), None, 5)
    shown = problems(small, "systems.model={run: there, train: {steps: 1}}")
    assert "expected run: FOLDER alone" in shown


def test_a_benchmark_extends_another(small: Path) -> None:
    Path("more.yaml").write_text("extends: small.yaml\nsystems: {mine: null, other: {synthesiser: darker}}\n")
    found = plan(Path("more.yaml"))
    assert (found.name, found.systems) == ("more", ("cfcpalsy", "darker", "copy", "other"))
    Path("odd.yaml").write_text("extends: small.yaml\nsystems: {nobody: null}\n")
    assert "there is none of this name to remove" in problems(Path("odd.yaml"))


def test_a_systems_recipe_is_the_one_that_palsykit_runs(small: Path) -> None:
    data = yaml.safe_load(small.read_text())["data"]["drawn"]
    changes = [f"data.{key}={value}" for key, value in data.items()]
    fits = [f"{{network: {n}, trainer: {{use: landmarks}}, steps: 0}}" for n in ("recognition", "expression", "points")]
    own = load_recipe(
        TINY, [*changes, f"fits=[{', '.join(fits)}]", "trainer={use: diffusion}", "sampler.steps=1", "train.steps=1"]
    )
    job = next(job for job in plan(small).jobs if job.system == "cfcpalsy")
    assert job.recipe is not None
    assert job.recipe.difference(own.resolved) == []
    assert job.recipe.hash == own.hash


def test_the_protocols_of_the_schema_are_those_there_are() -> None:
    assert set(ProtocolName.__args__) == set(PROTOCOLS)  # type: ignore[attr-defined]
    assert set(Benchmark.model_fields["protocols"].default) <= set(PROTOCOLS)


def test_a_wrong_recipe_is_told_without_a_traceback(small: Path, palsykit: Run) -> None:
    done = palsykit("benchmark", small, "--set", "sytems={}")
    assert done.code == 2
    assert done.err.startswith("palsykit: recipe small.yaml has 1 problem:")
    assert "Traceback" not in done.err
    assert palsykit("benchmark", "nowhere.yaml").code == 2
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("recipe", "systems", "data"),
    [
        ("benchmark.yaml", ["copy"], []),
        ("benchmark-small.yaml", ["copy"], []),
        ("benchmarks/ablations.yaml", [], []),
        ("benchmarks/reference.yaml", ["copy"], ["face space"]),
    ],
)
def test_the_benchmarks_of_the_project_can_be_planned(recipe: str, systems: list[str], data: list[str]) -> None:
    assert load_benchmark(Path(__file__).parents[3] / "recipes" / recipe, [], systems, data).jobs
