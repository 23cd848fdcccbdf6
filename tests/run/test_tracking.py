import json
import sys

import pytest

from palsykit.errors import PalsykitError
from palsykit.run.folder import RunFolder
from palsykit.run.tracking import logger

LINE = {"job": "train", "step": 10, "loss": 0.5, "lr": 1e-3, "terms": {"noise": 0.5}}


def test_tensorboard_gets_what_the_log_gets(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logger(RunFolder(tmp_path), "tensorboard")(LINE)
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {"train/loss", "train/lr", "train/noise"}
    assert events.Scalars("train/loss")[0].value == 0.5
    assert json.loads((tmp_path / "log.jsonl").read_text())["step"] == 10


def test_without_tensorboard_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(PalsykitError, match=r"pip install 'palsykit\[tracking\]'"):
        logger(RunFolder(tmp_path), "tensorboard")


def test_without_tracking_only_the_log_is_written(tmp_path):
    logger(RunFolder(tmp_path), None)(LINE)
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]
