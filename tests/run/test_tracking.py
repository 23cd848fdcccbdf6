import json
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from accelerate.tracking import LOGGER_TYPE_TO_CLASS

from palsykit.errors import PalsykitError
from palsykit.run.folder import RunFolder
from palsykit.run.tracking import Trackers, tracked
from palsykit.training.processes import accelerator

LINE = {"job": "train", "step": 10, "loss": 0.5, "lr": 1e-3, "terms": {"noise": 0.5}}
PICTURES = {"ema": np.zeros((2, 8, 8, 3), np.uint8)}


@pytest.fixture
def run(tmp_path):
    accelerator()  # accelerate's trackers ask it whether this is the main process
    made = RunFolder(tmp_path)
    made.write_state({"run": "abc123", "recipe_hash": "", "stages": {}})
    return made


class FakeRun:
    """What wandb's and trackio's ``init`` return."""

    def __init__(self, told: list[Any]):
        self.told = told

    def log(self, values: dict[str, Any], step: int | None = None) -> None:
        self.told.append((values, step))

    def finish(self) -> None:
        self.told.append("finished")


def fake(name: str, told: list[Any]) -> ModuleType:
    """A module with as much of wandb and trackio as accelerate's trackers use."""
    module = ModuleType(name)

    def init(**keys: Any) -> FakeRun:
        told.append(keys)
        return FakeRun(told)

    module.init = init
    module.Image = lambda image, **_: ("picture", image.shape)
    module.config = {}
    module.config = type("Config", (dict,), {"update": lambda self, values, **_: told.append(("config", values))})()
    return module


def test_tensorboard_gets_what_the_log_gets_and_pictures(run):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with tracked(run, "tensorboard", {}) as trackers:
        trackers.log(LINE)
        trackers.pictures("watch", 10, PICTURES, run.path / "x.png")
    events = accumulator.EventAccumulator(str(run.path / "tensorboard"))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {"train/loss", "train/lr", "train/noise"}
    assert events.Scalars("train/loss")[0].value == 0.5
    assert events.Tags()["images"][0].startswith("watch/ema")
    assert json.loads((run.path / "log.jsonl").read_text())["step"] == 10


@pytest.mark.parametrize(("name", "pip"), [("tensorboard", r"'palsykit\[tracking\]'"), ("wandb", "wandb")])
def test_a_tracker_that_is_not_installed_is_one_error(run, monkeypatch, name, pip):
    monkeypatch.setitem(sys.modules, {"tensorboard": "torch.utils.tensorboard"}.get(name, name), None)
    with pytest.raises(PalsykitError, match=f"tracking: {name} is not installed .*pip install {pip}"):
        Trackers(run, [name])


def test_without_tracking_only_the_log_is_written(run):
    with tracked(run, None, {}) as trackers:
        trackers.log(LINE)
        trackers.figures("watch", 1, {"noise": 1.0})
    assert sorted(path.name for path in run.path.iterdir()) == ["log.jsonl", "state.json"]


def test_wandb_runs_offline_in_the_runs_folder_with_its_own_steps(run, monkeypatch):
    told: list[Any] = []
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setitem(sys.modules, "wandb", fake("wandb", told))
    with tracked(run, ("wandb",), {"recipe": "abc"}) as trackers:
        trackers.log(LINE)
        trackers.log({"job": "train", "step": 11, "error": "a line without a loss"})
        trackers.pictures("watch", 10, PICTURES, run.path / "x.png")
    assert told[0]["mode"] == "offline"
    assert (told[0]["dir"], told[0]["id"]) == (str(run.path), "abc123")
    assert told[1] == ("config", {"recipe": "abc"})
    assert told[2] == ({"train/loss": 0.5, "train/lr": 1e-3, "train/noise": 0.5, "train/step": 10}, None)
    assert told[3] == ({"watch/ema": [("picture", (8, 8, 3))] * 2}, None)
    assert told[4:] == ["finished"]


def test_trackio_gets_each_picture(run, monkeypatch):
    told: list[Any] = []
    monkeypatch.setitem(sys.modules, "trackio", fake("trackio", told))
    with tracked(run, ("trackio",), {}) as trackers:
        trackers.pictures("watch", 10, PICTURES, run.path / "x.png")
    assert told[0]["project"] == "palsykit"
    assert ({f"watch/ema/{number}": ("picture", (8, 8, 3)) for number in range(2)}, None) in told
    assert told[-1] == "finished"


def test_a_tracker_that_fails_does_not_end_the_training(run, monkeypatch, capsys):
    class Fails:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def start(self) -> None:
            raise ConnectionError("no network")

    monkeypatch.setitem(sys.modules, "wandb", fake("wandb", []))
    monkeypatch.setitem(LOGGER_TYPE_TO_CLASS, "wandb", Fails)
    with tracked(run, ("wandb",), {}) as trackers:
        trackers.log(LINE)
        trackers.log(LINE)
    said = capsys.readouterr().err
    assert said.count("wandb failed (ConnectionError: no network); the training continues without it") == 1
    assert len((run.path / "log.jsonl").read_text().splitlines()) == 2
