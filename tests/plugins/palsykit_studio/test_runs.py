"""Runs on the page: only those of the folder, their curve as far as it is, their pages without scripts."""

import json
import os
from pathlib import Path

import pytest

from palsykit.errors import PalsykitError
from palsykit_studio.runs import MOST_POINTS, Runs


def a_run(folder: Path, name: str, stages: tuple[str, ...] = ("prepare", "fit"), steps: int = 3) -> Path:
    run = folder / name
    (run / "images" / "generated").mkdir(parents=True)
    (run / "state.json").write_text(json.dumps({"recipe_hash": "x", "stages": {stage: {} for stage in stages}}))
    lines = [json.dumps({"job": "train", "step": step, "loss": 1 / (step + 1), "lr": 1}) for step in range(steps)]
    (run / "log.jsonl").write_text("\n".join([*lines, '{"job": "train", "st']))
    return run


def test_only_runs_are_listed(tmp_path: Path) -> None:
    a_run(tmp_path, "one")
    (tmp_path / "no-run").mkdir()
    runs = Runs(tmp_path)
    assert runs.names() == ["one"]
    assert runs.stages("one") == (["prepare", "fit"], ["train", "generate", "evaluate", "report"])
    assert Runs(tmp_path / "gone").names() == []


def test_the_run_that_went_on_last_is_first(tmp_path: Path) -> None:
    for seconds, name in enumerate(("one", "two")):
        for file in a_run(tmp_path, name).glob("*.json*"):
            os.utime(file, (seconds, seconds))
    assert Runs(tmp_path).names() == ["two", "one"]
    os.utime(tmp_path / "one" / "log.jsonl", (9, 9))
    assert Runs(tmp_path).names() == ["one", "two"]


@pytest.mark.parametrize("name", ["..", "../other", "no-run", "/etc", ""])
def test_a_name_from_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    a_run(tmp_path / "runs", "one")
    a_run(tmp_path, "other")
    with pytest.raises(PalsykitError, match="found no such run"):
        Runs(tmp_path / "runs").curve(name)


def test_the_curve_grows_with_the_log_and_is_thinned(tmp_path: Path) -> None:
    run = a_run(tmp_path, "one")
    runs = Runs(tmp_path)
    assert runs.curve("one") == [("train", 0, 1.0), ("train", 1, 0.5), ("train", 2, 1 / 3)]
    (run / "log.jsonl").write_text("")
    assert runs.curve("one") == []
    a_run(tmp_path, "long", steps=2 * MOST_POINTS + 50)
    curve = runs.curve("long")
    assert MOST_POINTS / 2 < len(curve) <= MOST_POINTS
    assert (curve[0][1], curve[-1][1]) == (0, 2 * MOST_POINTS + 49)


@pytest.mark.parametrize("file", ["report.html", "live.html"])
def test_a_page_of_a_run_is_in_a_frame_that_runs_no_script(tmp_path: Path, file: str) -> None:
    run = a_run(tmp_path, "one")
    page = {"report.html": Runs(tmp_path).report, "live.html": Runs(tmp_path).live}[file]
    assert page("one") is None
    (run / file).write_text('<p class="x">50 % & more</p><script>bad()</script>', encoding="utf-8")
    shown = page("one")
    assert shown is not None
    assert shown.startswith("<iframe ")
    assert " sandbox " in shown
    assert "<script" not in shown
    assert "&lt;p class=&quot;x&quot;&gt;50 % &amp; more" in shown


def test_a_live_page_that_was_written_again_is_known_by_its_time(tmp_path: Path) -> None:
    live = a_run(tmp_path, "one") / "live.html"
    assert Runs(tmp_path).looked("one") is None
    live.write_text("step 1")
    os.utime(live, (7, 7))
    assert Runs(tmp_path).looked("one") == 7


def test_two_runs_are_compared_by_pictures_of_the_same_name(tmp_path: Path) -> None:
    for name, pictures in (("one", ("a", "b")), ("two", ("b", "c"))):
        run = a_run(tmp_path, name)
        for picture in pictures:
            (run / "images" / "generated" / f"{picture}.png").write_bytes(name.encode())
    runs = Runs(tmp_path)
    assert runs.shared_pictures(["one", "two"]) == ["generated/b.png"]
    assert runs.picture("two", "generated/b.png").read_bytes() == b"two"
    for picture in ("generated/a.png", "../../one/images/generated/a.png", "../state.json"):
        with pytest.raises(PalsykitError, match="found no picture"):
            runs.picture("two", picture)
