"""A training that is watched: it stays the same to the bit, and what is seen is made again after a kill."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from palsykit.errors import PalsykitError
from palsykit.photographs.mark import read_mark
from palsykit.recipe import Recipe, load_recipe
from palsykit.run import manifest, watch
from palsykit.run.export import export_run
from palsykit.run.folder import RunFolder
from palsykit.run.parts import Parts
from palsykit.run.runner import train_recipe
from palsykit.run.tracking import Trackers
from palsykit.run.train import restore_fits
from palsykit.training import checkpoint, loop

EVERY_STEP = "watch={every: 1, identities: 2}"
SEEN = ("prepare", "fit", "train", "watch")
"""Stages in the manifest of a run that was watched and whose pictures are not made yet."""


def untrained(finished: RunFolder, folder: Path, recipe: Recipe) -> RunFolder:
    """A copy of a finished run as it was before the main training, to be gone on with by ``recipe``."""
    shutil.copytree(finished.path, folder)
    run = RunFolder(folder)
    run.forget("train", "generate", "evaluate", "report")
    run.write_state(run.state() | {"recipe_hash": recipe.hash})
    for name in ("checkpoints/train", "model/unet", "model/scheduler", "images", "regenerated"):
        shutil.rmtree(folder / name)
    for name in ("recipe.yaml", "model/conditioning.safetensors"):
        (folder / name).unlink()
    run.rewind_log("train", 0)
    return run


@pytest.fixture(scope="module")
def watched(finished: RunFolder, tiny: Callable[..., Recipe], tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The miniature, trained while every step was looked at. Do not change it."""
    recipe = tiny(EVERY_STEP, "tracking=tensorboard")
    run = untrained(finished, tmp_path_factory.mktemp("watched") / "run", recipe)
    train_recipe(recipe, run.path)
    return run


def looks(run: RunFolder) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run.watch / "figures.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("time", "seconds")} for line in lines]


def without_times(run: RunFolder) -> list[dict[str, Any]]:
    return [{key: value for key, value in line.items() if key != "time"} for line in run.logged()]


def seen(run: RunFolder) -> dict[str, bytes]:
    """The pictures of the looks and the best weights."""
    files = [*run.watch.glob("*.png"), *run.best.rglob("*")]
    return {str(path.relative_to(run.path)): path.read_bytes() for path in sorted(files) if path.is_file()}


def test_watching_changes_no_bit(
    watched: RunFolder, finished: RunFolder, weights_of: Callable[[Path], dict[str, bytes]]
) -> None:
    assert weights_of(watched.path) == weights_of(finished.path)
    assert without_times(watched) == without_times(finished)
    for name in ("model", "ema", "optimiser"):
        file = f"checkpoints/train/step-000002/{name}.safetensors"
        assert (watched.path / file).read_bytes() == (finished.path / file).read_bytes(), name


def test_each_look_has_figures_and_marked_pictures(watched: RunFolder) -> None:
    lines = looks(watched)
    assert [line["step"] for line in lines] == [0, 1, 2, 3, 4]
    assert lines[0]["losses"]["ema"] == pytest.approx(lines[0]["losses"]["raw"], rel=1e-4), "before the first step"
    assert lines[4]["losses"]["ema"] != lines[4]["losses"]["raw"]
    assert set(lines[4]["losses"]["raw"]) == set(watched.logged()[-1]["terms"])
    assert sum(lines[4]["shares"].values()) == pytest.approx(1)
    assert len(lines[4]["nearest"]["distances"]) == 2
    for step in range(5):
        mark = read_mark(watched.watch / f"step-{step:06d}.png")
        assert mark is not None
        assert mark["synthetic"] is True
        assert (mark["step"], mark["recipe"]) == (step, watched.state()["recipe_hash"])


def test_the_best_weights_are_kept_and_in_the_manifest(watched: RunFolder) -> None:
    sums = {line["step"]: sum(line["losses"]["ema"].values()) for line in looks(watched)}
    step = min(sums, key=lambda at: sums[at])
    path = watch.best.best(watched.best)
    assert path is not None
    assert path.name == f"step-{step:06d}"
    assert checkpoint.facts(path) == {"step": step, "figure": "validation_loss", "value": sums[step]}
    assert f"checkpoints/train/best/{path.name}/ema.safetensors" in manifest.read(watched.path)["train"]


@pytest.mark.parametrize("also_trains", [False, True])
def test_changed_looks_are_seen_and_put_aside_and_the_others_stay(
    watched: RunFolder, also_trains: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(watched.path, tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    assert sorted(manifest.read(run.path)["watch"]) == [
        "watch/figures.jsonl",
        *(f"watch/step-{step:06d}.png" for step in range(5)),
    ]
    assert not manifest.changed(run.path, *SEEN)
    (run.watch / "figures.jsonl").write_text("")
    (run.watch / "step-000001.png").write_bytes(b"")
    (run.watch / "step-000002.png").unlink()
    faults = {"figures.jsonl": "changed", "step-000001.png": "changed", "step-000002.png": "missing"}
    assert manifest.changed(run.path, *SEEN) == {"watch": {f"watch/{name}": fault for name, fault in faults.items()}}
    if also_trains:
        (run.model / "conditioning.safetensors").unlink()
    run.repair()
    said = capsys.readouterr().err
    assert "watch/figures.jsonl (changed), watch/step-000001.png (changed), watch/step-000002.png (missing)" in said
    assert "no checkpoint can make them again, and the rest stays; changed files are kept in" in said
    assert (run.path / manifest.ASIDE / "watch/step-000001.png").exists()
    assert ("train" in run.state()["stages"]) is not also_trains
    if also_trains:
        train_recipe(load_recipe(run.recipe), run.path)
    assert not manifest.changed(run.path, *SEEN)
    assert [path.name for path in sorted(run.watch.glob("*.png"))] == [f"step-{step:06d}.png" for step in (0, 3, 4)]


def test_the_page_loads_nothing_and_says_that_the_training_ended(watched: RunFolder) -> None:
    page = watched.live.read_text(encoding="utf-8")
    assert re.search(r"<strong>Ended</strong>: step 4 of 4\.\s+The training ended on \d{4}-", page)
    assert 'http-equiv="refresh"' not in page
    assert "<script" not in page
    assert set(re.findall(r'(?:src|href)="([a-z]+:)', page)) == {"data:"}
    assert "Best weights so far" in page
    assert "Copies: the pictures" in page


def test_trackers_get_figures_and_pictures(watched: RunFolder) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(watched.path / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    assert {"train/loss", "train/noise", "watch/ema_noise", "watch/raw_noise", "watch/share_identity"} <= set(
        tags["scalars"]
    )
    assert [event.step for event in events.Scalars("watch/raw_picture_error")] == [0, 1, 2, 3, 4]
    assert {"/".join(tag.split("/")[:2]) for tag in tags["images"]} == {"watch/ema", "watch/raw"}


@pytest.mark.slow  # and kills of watched runs are (test_kills.py)
def test_a_watched_run_that_stopped_resumes_to_the_same_bits(
    watched: RunFolder,
    finished: RunFolder,
    tiny: Callable[..., Recipe],
    weights_of: Callable[[Path], dict[str, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = tiny(EVERY_STEP)
    run, step = untrained(finished, tmp_path / "run", recipe), loop.Training.step

    def dies(self: Any, number: int, batches: Any) -> dict[str, float]:
        if number == 3:
            raise KeyboardInterrupt
        return step(self, number, batches)

    monkeypatch.setattr(loop.Training, "step", dies)
    with pytest.raises(KeyboardInterrupt):
        train_recipe(recipe, run.path)
    assert [line["step"] for line in looks(run)] == [0, 1, 2, 3], "the checkpoint is that of step 2"
    page = run.live.read_text(encoding="utf-8")
    assert "<strong>Stopped</strong>: step 3 of 4" in page
    assert "goes on from its last checkpoint" in page

    monkeypatch.undo()
    with (run.watch / "figures.jsonl").open("a") as file:
        file.write('{"step": 4, "pict')  # a line that a kill cut
    train_recipe(recipe, run.path)
    assert looks(run) == looks(watched)
    assert seen(run) == seen(watched)
    assert weights_of(run.path) == weights_of(watched.path)
    assert without_times(run) == without_times(watched)


def opened(run: RunFolder, recipe: Recipe) -> watch.Watch:
    """The watch of a run with fitted networks."""
    parts = Parts(recipe)
    restore_fits(run, parts)
    parts.predicts_landmarks = True
    assert recipe.settings.trainer is not None
    data = parts.data()
    return watch.Watch(run, parts, data, parts.trainer(recipe.settings.trainer, data), Trackers(run))


def test_only_validation_people_are_looked_at_and_a_failed_look_is_said(
    finished: RunFolder,
    tiny: Callable[..., Recipe],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = tiny("watch={every: 2, alarms: false, best: picture_error}")
    run = untrained(finished, tmp_path / "run", recipe)
    looking = opened(run, recipe)
    data, model = looking._data, looking._parts.model()
    keys: list[str] = []
    image = data.dataset.image

    def remembered(record: Any) -> Any:
        keys.append(record.key)
        return image(record)

    monkeypatch.setattr(data.dataset, "image", remembered)
    monkeypatch.setattr(data.dataset, "sharp_image", remembered, raising=False)
    monkeypatch.setattr(watch, "losses_at_fixed_noise", lambda *_: {"noise": 1.0})
    looking.look(0, model, model, ["model"])
    looking.look(1, model, model, ["model"])
    assert [line["step"] for line in looks(run)] == [0], "one look in two steps"
    assert keys
    assert set(keys) <= {record.key for record in data.splits["validation"]}
    page = run.live.read_text(encoding="utf-8")
    assert '<meta http-equiv="refresh" content="30">' in page
    assert "does not look for alarms" in page
    # A later look that fails is said, and the training goes on; the first one ends it with the cure.
    monkeypatch.setattr(looking, "_look", lambda *_: 1 / 0)
    looking.look(2, model, model, ["model"])
    assert "the look after step 2 failed (ZeroDivisionError" in capsys.readouterr().err
    looking._looked = False
    with pytest.raises(PalsykitError, match=r"after step 2 failed .*--set watch=null"):
        looking.look(2, model, model, ["model"])


def test_a_run_keeps_the_best_weights_if_asked(
    finished: RunFolder, tiny: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny("watch={every: 2, alarms: false}", "generate.checkpoint=best")
    assert recipe.hash not in (tiny().hash, tiny("watch={every: 1}", "generate.checkpoint=best").hash)
    run, offer = untrained(finished, tmp_path / "run", recipe), watch.best.offer
    monkeypatch.setattr(watch.best, "offer", lambda folder, step, *rest: step < 4 and offer(folder, step, *rest))
    train_recipe(recipe, run.path)
    assert run.facts("train")["best"]["step"] == 2
    kept = checkpoint.load(run.checkpoints("train") / "step-000002", "ema")
    saved = checkpoint.load(run.model, "conditioning")
    assert saved
    assert all(kept[name].equal(value) for name, value in saved.items())
    shared = export_run(run.path, tmp_path / "shared").folder  # which opens it, without the section watch
    assert (shared / "conditioning.safetensors").read_bytes() == (run.model / "conditioning.safetensors").read_bytes()


def test_nobody_to_look_at_is_said_before_training(tiny: Callable[..., Recipe], tmp_path: Path) -> None:
    recipe = tiny("watch={}", "data.validation=0")
    with pytest.raises(PalsykitError, match=r"nobody in the split 'validation'.*0 in validation"):
        train_recipe(recipe, tmp_path / "run")
