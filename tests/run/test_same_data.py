"""A run that is gone on with, measured again or opened compares what it finds with what it recorded at its start."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from palsykit.errors import PalsykitError
from palsykit.recipe import Recipe
from palsykit.run import evaluate_run, run_recipe, runner
from palsykit.run.folder import RunFolder
from palsykit.run.parts import Parts
from palsykit.run.same_data import KEY, fit_record
from palsykit.run.tracking import Trackers
from palsykit.run.train import fit

SHORT = ("fits.0.steps=1", "train.steps=1", "train.checkpoint_every=9", "metrics.ssim=null")


def write_people(folder: Path, count: int, first: int = 0) -> Path:
    """Squares of noise as an imagefolder of ``count`` people, two photographs each."""
    folder.mkdir(exist_ok=True)
    rows = []
    for number in range(first, first + count):
        for shown, expression in enumerate(("rest", "smile_full")):
            name = f"{number}-{expression}.png"
            noise = np.random.default_rng([number, shown]).integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / name)
            rows.append({"file_name": name, "subject": f"{number:03d}", "expression": expression})
    with (folder / "metadata.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return folder


@pytest.fixture(scope="session")
def short(tiny: Callable[..., Recipe], finished: RunFolder) -> Callable[[Path], Recipe]:
    """The recipe of a short run on a folder of photographs; two of its networks come from the finished run."""
    started = [f"networks.{n}.weights={finished.networks}/{n}.safetensors" for n in ("expression", "points")]
    return lambda root: tiny(f"data={{use: imagefolder, root: {root}}}", "fits.1.data=null", *SHORT, *started)


@pytest.fixture(scope="session")
def made(short: Callable[[Path], Recipe], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the photographs of eight people, and a run on them."""
    base = tmp_path_factory.mktemp("same-data")
    write_people(base / "photographs", 8)
    run_recipe(short(base / "photographs"), base / "run")
    return base


@pytest.fixture
def mine(made: Path) -> Any:
    """The folder, whose photographs and run are put back afterwards: the recipe holds their absolute path."""
    shutil.copytree(made, made.with_name("kept"))
    yield made
    shutil.rmtree(made)
    made.with_name("kept").rename(made)


def rename_people(photographs: Path) -> None:
    """Pseudonyms between two sittings: 001 -> P001."""
    table = photographs / "metadata.jsonl"
    table.write_text(table.read_text().replace('"subject": "', '"subject": "P'))


def add_a_person(photographs: Path) -> None:
    write_people(photographs, 1, 8)


def replace_a_photograph(photographs: Path) -> None:
    Image.new("RGB", (32, 32), (1, 2, 3)).save(photographs / "3-rest.png")


def take_a_person_away(photographs: Path) -> None:
    table = photographs / "metadata.jsonl"
    table.write_text("".join(line for line in table.read_text().splitlines(True) if '"007"' not in line))


CHANGES = [
    (rename_people, r"of 16 photographs, 16 have another photograph, label or split \("),
    (add_a_person, r"of 18 photographs, 2 are new \(8-rest\.png, 8-smile_full\.png\)"),
    (replace_a_photograph, r"of 16 photographs, 1 have another photograph, label or split \(3-rest\.png\)"),
    (take_a_person_away, r"of 14 photographs, .*2 are gone"),
]


@pytest.mark.parametrize(("change", "words"), CHANGES)
def test_changed_data_are_not_measured(mine: Path, change: Callable[[Path], None], words: str) -> None:
    before = (mine / "run/metrics.json").read_bytes()
    change(mine / "photographs")
    with pytest.raises(PalsykitError, match=rf"run: its data are not those it began with: {words}"):
        evaluate_run(mine / "run")
    assert (mine / "run/metrics.json").read_bytes() == before


@pytest.mark.parametrize(("change", "words"), CHANGES)
def test_changed_data_are_not_gone_on_with(
    mine: Path, short: Callable[[Path], Recipe], change: Callable[[Path], None], words: str
) -> None:
    run = RunFolder(mine / "run")
    run.forget("train", "generate", "evaluate", "report")
    logged = run.logged()
    change(mine / "photographs")
    with pytest.raises(PalsykitError, match=words):
        run_recipe(short(mine / "photographs"), run.path)
    assert run.logged() == logged != [], "nothing was trained"


def test_the_same_data_are_gone_on_with(mine: Path, short: Callable[[Path], Recipe]) -> None:
    run = RunFolder(mine / "run")
    pictures = {path: path.read_bytes() for path in run.images.rglob("*.png")}
    run.forget("train", "generate", "evaluate", "report")
    shutil.rmtree(run.images)
    run_recipe(short(mine / "photographs"), run.path)
    assert {path: path.read_bytes() for path in run.images.rglob("*.png")} == pictures != {}
    assert "psnr" in evaluate_run(run.path)


@pytest.mark.parametrize(("change", "words"), CHANGES)
def test_a_fit_is_not_gone_on_with_on_changed_data(
    tiny: Callable[..., Recipe],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    words: str,
) -> None:
    photographs, run = write_people(tmp_path / "photographs", 8), RunFolder(tmp_path / "run")
    own = f"fits.0.data={{use: imagefolder, root: {photographs}}}"
    recipe = tiny(own, "fits.0.steps=1", "fits.1.steps=0", "fits.2.steps=0")
    with monkeypatch.context() as killed:
        killed.setattr("palsykit.run.train.fit_network", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            fit(run, Parts(recipe), {}, Trackers(run))
    change(photographs)
    with pytest.raises(PalsykitError, match=words):
        fit(run, Parts(recipe), {}, Trackers(run))
    assert not (run.networks / "recognition.safetensors").exists()


def test_a_killed_fit_is_gone_on_with_on_the_same_data(
    tiny: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photographs, run = write_people(tmp_path / "photographs", 8), RunFolder(tmp_path / "run")
    recipe = tiny(
        f"fits.0.data={{use: imagefolder, root: {photographs}}}", "fits.0.steps=1", "fits.1.steps=0", "fits.2.steps=0"
    )
    with monkeypatch.context() as killed:
        killed.setattr("palsykit.run.train.fit_network", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            fit(run, Parts(recipe), {}, Trackers(run))
    assert fit_record(run, "recognition").is_file()
    fit(run, Parts(recipe), {}, Trackers(run))
    assert (run.networks / "recognition.safetensors").is_file()
    assert not fit_record(run, "recognition").exists(), "nothing rests on it any more"


def test_a_run_does_not_record_who_its_people_are(made: Path) -> None:
    recorded = json.loads((made / "run/data.json").read_text())[KEY]
    assert len(recorded) == 16
    assert "rest" not in json.dumps(recorded)


def test_pictures_made_for_other_photographs_are_not_measured(mine: Path) -> None:
    """A run of an earlier version has recorded nothing of its data, but its pictures name their people."""
    summary = json.loads((mine / "run/data.json").read_text())
    del summary[KEY]
    (mine / "run/data.json").write_text(json.dumps(summary))
    (mine / "run/manifest.json").unlink()
    add_a_person(mine / "photographs")
    with pytest.raises(PalsykitError, match="pictures were made for other photographs than the"):
        evaluate_run(mine / "run")


def test_a_deleted_picture_is_named(mine: Path) -> None:
    picture = next((mine / "run/images/generated").iterdir())
    picture.unlink()
    with pytest.raises(PalsykitError, match=rf"not as it was made.*\n.*{picture.name}: missing"):
        evaluate_run(mine / "run")
    (mine / "run/manifest.json").unlink()
    with pytest.raises(PalsykitError, match=rf"{picture.name}: there is no such file.*run the recipe again"):
        evaluate_run(mine / "run")


@pytest.mark.parametrize("people", [1, 2])
def test_that_nobody_is_left_to_test_is_said_before_anything_is_trained(
    short: Callable[[Path], Recipe], tmp_path: Path, people: int
) -> None:
    recipe = short(write_people(tmp_path / "photographs", people))
    with pytest.raises(PalsykitError, match=rf"nobody in the split 'test', .*found {people} in train.*split: train"):
        run_recipe(recipe, tmp_path / "run")
    assert RunFolder(tmp_path / "run").logged() == []


def test_a_metric_that_cannot_be_computed_is_said_before_anything_is_trained(
    short: Callable[[Path], Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: Any) -> None:
        raise PalsykitError("metric psnr needs a pass that nobody has")

    monkeypatch.setattr(runner, "check_needs", refuses)
    with pytest.raises(PalsykitError, match="needs a pass"):
        run_recipe(short(write_people(tmp_path / "photographs", 4)), tmp_path / "run")
    assert RunFolder(tmp_path / "run").logged() == []


@pytest.mark.parametrize(("change", "words"), [
    ("denoiser.channels=[8, 4096]", r"denoiser 'unet' .* cannot be built .* its tensors need at least .* of memory"),
    ("fusion.pooled_from=someone", "pooled_from names someone, but the conditions with a pooled vector are"),
    ("train.start={points}", "not the weights of this ConditionalDiffusion"),
    ("fits.0.start={points}", "not the weights of this "),
])  # fmt: skip
def test_a_model_that_cannot_be_built_is_said_before_any_data_are_read(
    change: str,
    words: str,
    finished: RunFolder,
    tiny: Callable[..., Recipe],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("palsykit.memory.machine_memory", lambda: 200_000_000)
    monkeypatch.setattr(Parts, "data", lambda *_: pytest.fail("the data were read"))
    recipe = tiny(change.format(points=finished.networks / "points.safetensors"))
    with pytest.raises(PalsykitError, match=words):
        run_recipe(recipe, tmp_path / "run")


def test_simulated_people_raise_no_doubt(finished: RunFolder) -> None:
    assert json.loads((finished.path / "data.json").read_text())["doubts"] == []


def test_contradictions_are_said_and_kept(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    doubts = json.loads((made / "run/data.json").read_text())["doubts"]
    assert [line.partition(":")[0] for line in doubts] == [
        "square photographs without points that are taken as crops in the face frame"
    ]
