"""``generate`` and ``evaluate``: what reaches the run, and what is refused before anything heavy is imported."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from PIL import Image

Run = Callable[..., Any]
posers: list[str | None] = []


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What was asked of the trained run ``runs/small``, which is not there."""
    calls: list[dict[str, Any]] = []
    posers.clear()
    front, run = ModuleType("palsykit.synthesis.front"), ModuleType("palsykit.run")

    def generate(**keywords: Any) -> Image.Image:
        calls.append(keywords)
        return Image.new("RGB", (4, 4), (keywords["seed"], 0, 0))

    def dial(**keywords: Any) -> tuple[Image.Image, list[Image.Image]]:
        return generate(**keywords), []

    def load(folder: Path, poser: str | None = None) -> SimpleNamespace:
        posers.append(poser)
        return SimpleNamespace(generate=generate, dial=dial)

    front.load = load  # type: ignore[attr-defined]
    run.evaluate_run = lambda folder: {"psnr": 21.123456789, "afid": None}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "palsykit.synthesis.front", front)
    monkeypatch.setitem(sys.modules, "palsykit.run", run)
    monkeypatch.chdir(tmp_path)
    Path("runs/small").mkdir(parents=True)
    Path("runs/small/state.json").touch()
    for name in ("anna.png", "bert.jpg"):
        Image.new("RGB", (4, 4)).save(name)
    return calls


FACES = ("--identity", "anna.png", "--driver", "bert.jpg")


def test_a_picture_is_written(palsykit: Run, asked: list[dict[str, Any]]) -> None:
    done = palsykit("generate", "runs/small", *FACES, "--seed", 7, "--guidance", 2.5)
    assert (done.code, done.out) == (0, "anna-bert-7.png\n")
    who = {"identity": Path("anna.png"), "driver": Path("bert.jpg")}
    unnamed = {"expression": None, "side": None, "severity": None, "strength": 1.0}
    assert asked == [{**who, "rest": None, **unnamed, "seed": 7, "guidance": 2.5}]
    assert Image.open("anna-bert-7.png").getpixel((0, 0)) == (7, 0, 0)


def test_the_driver_at_rest_goes_along(palsykit: Run, asked: list[dict[str, Any]]) -> None:
    assert palsykit("generate", "runs/small", *FACES, "--rest", "anna.png").code == 0
    assert asked[0]["rest"] == Path("anna.png")
    refused = palsykit("generate", "runs/small", *NAMED, "--rest", "anna.png", "--seed", 5)
    assert refused.code == 2
    assert "rest is the driver's person at rest, and there is no driver" in refused.err
    assert palsykit("generate", "runs/small", *FACES, "--rest", "nobody.png", "--seed", 5).code == 2
    assert len(asked) == 1


def test_nothing_is_written_over_without_force(palsykit: Run, asked: list[dict[str, Any]]) -> None:
    assert palsykit("generate", "runs/small", *FACES, "--output", "anna.png").code == 2
    assert asked == []
    assert palsykit("generate", "runs/small", *FACES, "--output", "anna.png", "--seed", 9, "--force").code == 0
    assert Image.open("anna.png").getpixel((0, 0)) == (9, 0, 0)
    assert asked[0]["guidance"] is None


NAMED = ("--identity", "anna.png", "--expression", "smile_full")


def test_an_expression_by_name(palsykit: Run, asked: list[dict[str, Any]]) -> None:
    done = palsykit("generate", "runs/small", *NAMED, "--side", "left", "--severity", 4, "--poser", "mine")
    assert (done.code, done.out) == (0, "anna-smile_full-left-4-0.png\n")
    face = {"expression": "smile_full", "side": "left", "severity": 4.0, "strength": 1.0}
    nobody = {"driver": None, "rest": None}
    assert asked == [{"identity": Path("anna.png"), **nobody, "seed": 0, "guidance": None, **face}]
    assert posers == ["mine"]
    assert palsykit("generate", "runs/small", *NAMED, "--strength", 0.5).out == "anna-smile_full-0.png\n"
    assert asked[1]["severity"] is asked[1]["side"] is None
    assert asked[1]["strength"] == 0.5
    assert posers[1] is None


def test_several_severities_make_a_row(palsykit: Run, asked: list[dict[str, Any]]) -> None:
    done = palsykit("generate", "runs/small", *NAMED, "--side", "right", "--severity", "1..3", "--seed", 2)
    assert (done.code, done.out) == (0, "anna-smile_full-right-1-2-3-2.png\n")
    face = {"expression": "smile_full", "side": "right", "severities": (1.0, 2.0, 3.0), "strength": 1.0}
    assert asked == [{"identity": Path("anna.png"), "seed": 2, "guidance": None, **face}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*NAMED, "--driver", "bert.jpg"), "both a driver and an expression; give one, and leave the other out"),
        (("--identity", "anna.png"), "neither a driver nor an expression; give one: a photograph, or a name"),
        (
            (*FACES, "--side", "left"),
            "side or severity with a driver, whose photograph shows them; leave them out, or give an",
        ),
        ((*FACES, "--severity", "4"), "side or severity with a driver"),
        ((*NAMED, "--severity", "4"), "severity 4 without a side: say which side is affected, --side left or right"),
        ((*NAMED, "--side", "left"), "side left without a severity: say how much, --severity 1 to 6"),
        ((*NAMED, "--side", "none", "--severity", "1..6"), "severity 2 with side none: no side is affected"),
        ((*NAMED, "--side", "left", "--severity", "7"), "severity 7: expected a House-Brackmann grade"),
        (("--identity", "anna.png", "--expression", "grin"), "unknown expression 'grin'; expected one of rest"),
    ],
)
def test_names_that_do_not_go_together(
    palsykit: Run, asked: list[Any], arguments: tuple[str, ...], message: str
) -> None:
    done = palsykit("generate", "runs/small", *arguments)
    assert done.code == 2
    assert message in done.err
    assert asked == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("runs/smal", *FACES), "runs/smal: no such folder, expected a run; runs in runs: small"),
        (("anna.png", *FACES), "anna.png: not a folder, expected a run"),
        (
            ("runs/small", "--identity", "x.png", "--driver", "bert.jpg"),
            "--identity x.png: no such file, expected a picture",
        ),
        (("runs/small", "--identity", "anna.png", "--driver", "runs"), "--driver runs: a folder, expected a picture"),
        (("runs/small", *FACES, "--output", "a.jpg"), "--output a.jpg: suffix .jpg, expected .png"),
        (("runs/small", *FACES, "--output", "no/a.png"), "--output no/a.png: there is no folder no; create it first"),
        (("runs/small", *FACES, "--output", "anna.png"), "already exists; choose another --output, or overwrite it"),
    ],
)
def test_what_is_refused(palsykit: Run, asked: list[Any], arguments: tuple[str, ...], message: str) -> None:
    done = palsykit("generate", *arguments)
    assert done.code == 2
    assert message in done.err
    assert asked == []


def test_evaluate(palsykit: Run, asked: list[Any]) -> None:
    done = palsykit("evaluate", "runs/small")
    assert done.code == 0
    rows = [line.split(maxsplit=1) for line in done.out.splitlines()]
    assert rows[2:4] == [["psnr", "21.1235"], ["afid", "not defined"]]
    assert done.out.endswith("Report: runs/small/report.html\n")


def test_evaluate_without_a_run(palsykit: Run, asked: list[Any]) -> None:
    done = palsykit("evaluate", "nothing")
    assert done.code == 2
    assert "nothing: no such folder, expected a run; `palsykit run RECIPE` creates one" in done.err
