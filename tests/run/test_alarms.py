"""When an alarm is raised, and when it is not."""

from typing import Any

import numpy as np
import pytest
import torch

from palsykit.run.alarms import FLAT_LOOKS, alarms
from palsykit.run.copies import TrainingFaces, spaced


def look(step: int, **facts: Any) -> dict[str, Any]:
    return {"step": step, **facts}


def kinds(looks: list[dict[str, Any]], log: list[dict[str, Any]] | None = None) -> list[str]:
    return [alarm.kind for alarm in alarms(looks, log or [])]


def nearest(*distances: float, limit: float = 0.2) -> dict[str, Any]:
    close = sum(distance < limit for distance in distances)
    return {"distances": list(distances), "close": close, "closest": "p7-rest", "held_out": 0.4, "limit": limit}


def test_pictures_closer_than_held_out_people_are_an_alarm():
    (alarm,) = alarms([look(100, nearest=nearest(0.1, 0.1, 0.1, *[0.5] * 9))], [])
    assert alarm.kind == "copies"
    assert "3 of 12 pictures" in alarm.found
    assert "p7-rest" in alarm.found
    assert "Look at that photograph" in alarm.advice


def test_few_close_pictures_or_none_yet_are_no_alarm():
    assert kinds([look(100, nearest=nearest(0.1, 0.1, *[0.5] * 10))]) == [], "one in twenty is close by chance"
    assert kinds([look(0, nearest=nearest(0.1, 0.1, 0.1))]) == [], "no face yet"
    assert kinds([look(9, nearest=nearest(0.1, 0.1))]) == ["copies"], "all of few"
    assert kinds([]) == []


def test_a_loss_that_does_not_fall_is_an_alarm():
    def falling(to: float, first: int = 0, count: int = FLAT_LOOKS + 1) -> list[dict[str, Any]]:
        return [
            look(first + 100 * i, losses={"raw": {"noise": 1.0 if i == 0 else to, "landmark": 1 / (i + 1)}})
            for i in range(count)
        ]

    (alarm,) = alarms(falling(0.99), [])
    assert alarm.kind == "flat"
    assert "noise" in alarm.title
    assert kinds(falling(0.9)) == []
    assert kinds(falling(0.99, count=FLAT_LOOKS)) == [], "too early to say"
    assert kinds(falling(0.99, first=100)) == [], "what it was before the first step is not known"


def test_a_term_that_is_nearly_the_whole_sum_is_an_alarm():
    looks = [look(step) for step in (0, 100, 200, 300)]
    log = [{"step": step, "terms": {"noise": 0.97, "landmark": 0.03}} for step in range(10, 301, 10)]
    (alarm,) = alarms(looks, log)
    assert alarm.kind == "dominates"
    assert "97 %" in alarm.found
    assert kinds(looks, [line | {"terms": {"noise": 0.9, "landmark": 0.1}} for line in log]) == []
    assert kinds(looks, [line | {"terms": {"noise": 1.0}} for line in log]) == [], "one term alone"
    assert kinds(looks[:3], log) == [], "too early to say"


def test_a_condition_without_gradient_is_an_alarm():
    def looked(*shares: float) -> list[dict[str, Any]]:
        return [look(100 * (i + 1), shares={"identity": 1 - s, "landmark": s}) for i, s in enumerate(shares)]

    (alarm,) = alarms(looked(0.3, 0.001, 0.0, 0.001), [])
    assert alarm.kind == "ignored"
    assert "landmark" in alarm.title
    assert kinds(looked(0.001, 0.3, 0.001)) == [], "one of the last looks has it"
    assert kinds(looked(0.001, 0.001)) == [], "too early to say"


def test_a_training_photograph_is_found_again(faces, networks):
    training = [record for record in faces.records if record.labels.subject != "s0"]
    held_out = [record for record in faces.records if record.labels.subject == "s0"]
    network = networks["recognition"]
    known = TrainingFaces(network, faces, training, held_out, torch.device("cpu"))
    assert network._cache is not None
    assert not network._cache._rows, "what training reads is not remembered from here"
    copies = torch.from_numpy(np.stack([faces.image(record) for record in training[3:6]])).permute(0, 3, 1, 2)
    found = known.nearest(copies.float() / 127.5 - 1)
    assert found.keys == [record.key for record in training[3:6]]
    assert found.distances == pytest.approx([0] * 3, abs=1e-6)
    facts = known.facts(found)
    assert facts["close"] == 3
    assert facts["compared"] == len(training)
    assert 0 < facts["limit"] <= facts["held_out"]


def test_items_are_evenly_spaced():
    assert spaced(range(10), 20) == list(range(10))
    assert spaced(range(10), 3) == [0, 3, 6]
