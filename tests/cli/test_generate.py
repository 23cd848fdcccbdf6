"""``generate`` and ``evaluate``: what reaches the model, and what is refused before anything heavy is imported."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from PIL import Image

Run = Callable[..., Any]


class Made:
    """A synthesis that writes down how it was saved."""

    notes = ("the border cuts off a part of the jaw",)

    def __init__(self, seed: int):
        self.seed, self.shared_facts = seed, {"seed": seed}

    def save(self, target: Path, *, crop: bool, size: int | None, visible: bool) -> None:
        calls.append({"saved": target.name, "crop": crop, "size": size, "visible": visible})
        Image.new("RGB", (4, 4), (self.seed, 0, 0)).save(target)


calls: list[dict[str, Any]] = []


@pytest.fixture
def requested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is requested of the trained run ``runs/small``, which is not there."""
    calls.clear()
    front, run = ModuleType("palsykit.synthesis.front"), ModuleType("palsykit.run")

    def read(name: str, picture: Path, face: int | None = None, force: bool = False) -> str:
        calls.append({"read": name, "picture": picture, "face": face, "force": force})
        return picture.name

    def synthesise_person(person: str, request: Any, driver: Any, rest: Any, seed: int, guidance: Any) -> list[Made]:
        labels = [(label.expression, str(label.side), label.severity) for label in request.labels]
        calls.append({"of": person, "labels": labels, "strength": request.strength, "dials": request.dials.facts(),
                      "driver": driver, "rest": rest, "seed": seed, "guidance": guidance})  # fmt: skip
        return [Made(seed) for _ in range(max(1, len(labels)))]

    def load(folder: str, poser: str | None = None, detector: str | None = None) -> SimpleNamespace:
        calls.append({"load": folder, "poser": poser, "detector": detector})
        return SimpleNamespace(read=read, synthesise_person=synthesise_person)

    def draw_syntheses(rows: Sequence[Made]) -> Image.Image:
        return Image.new("RGB", (4 * len(rows), 4))

    front.load, front.draw_syntheses = load, draw_syntheses  # type: ignore[attr-defined]
    run.evaluate_run = lambda folder: {"psnr": 21.123456789, "afid": None}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "palsykit.synthesis.front", front)
    monkeypatch.setitem(sys.modules, "palsykit.run", run)
    monkeypatch.chdir(tmp_path)
    Path("runs/small").mkdir(parents=True)
    Path("runs/small/state.json").touch()
    for name in ("anna.png", "bert.jpg"):
        Image.new("RGB", (4, 4)).save(name)
    return calls


def made_of(requested: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [call for call in requested if "of" in call]


FACES = ("--identity", "anna.png", "--driver", "bert.jpg")
NAMED = ("--identity", "anna.png", "--expression", "smile_full")


def test_a_picture_is_written_and_notes_are_printed(palsykit: Run, requested: list[dict[str, Any]]) -> None:
    done = palsykit("generate", "runs/small", *FACES, "--seed", 7, "--guidance", 2.5)
    assert (done.code, done.out) == (0, "anna-bert-7.png\n")
    assert "anna.png: the border cuts off a part of the jaw" in done.err
    expected = {"of": "anna.png", "labels": [], "strength": 1.0, "dials": {}, "driver": "bert.jpg", "rest": None}
    assert made_of(requested) == [{**expected, "seed": 7, "guidance": 2.5}]
    assert requested[-1] == {"saved": "anna-bert-7.png", "crop": False, "size": None, "visible": False}


def test_without_a_run_the_shipped_model_is_used(palsykit: Run, requested: list[dict[str, Any]]) -> None:
    assert palsykit("generate", *NAMED).code == 0
    assert requested[0]["load"] == "cfcpalsy"


def test_crop_size_mark_face_and_detector_are_passed_on(palsykit: Run, requested: list[dict[str, Any]]) -> None:
    options = ("--size", 256, "--mark", "--face", 2, "--detector", "mine", "--output", "out.jpg")
    assert palsykit("generate", "runs/small", *NAMED, *options).out == "out.jpg\n"
    assert requested[-1] == {"saved": "out.jpg", "crop": True, "size": 256, "visible": True}
    assert requested[0] == {"load": "runs/small", "poser": None, "detector": "mine"}
    assert requested[1] == {"read": "--identity", "picture": Path("anna.png"), "face": 2, "force": False}


def test_the_driver_at_rest_goes_along(palsykit: Run, requested: list[dict[str, Any]]) -> None:
    assert palsykit("generate", "runs/small", *FACES, "--rest", "anna.png").code == 0
    assert made_of(requested)[0]["rest"] == "anna.png"
    refused = palsykit("generate", "runs/small", *NAMED, "--rest", "anna.png", "--seed", 5)
    assert refused.code == 2
    assert "rest is the driver's person at rest, and there is no driver" in refused.err
    assert palsykit("generate", "runs/small", *FACES, "--rest", "nobody.png", "--seed", 5).code == 2
    assert len(made_of(requested)) == 1


def test_no_file_is_overwritten_without_force(palsykit: Run, requested: list[dict[str, Any]]) -> None:
    assert palsykit("generate", "runs/small", *FACES, "--output", "anna.png").code == 2
    assert requested == []
    assert palsykit("generate", "runs/small", *FACES, "--output", "anna.png", "--seed", 9, "--force").code == 0
    assert Image.open("anna.png").getpixel((0, 0)) == (9, 0, 0)
    assert requested[1]["force"] is True


def test_an_expression_by_name(palsykit: Run, requested: list[dict[str, Any]]) -> None:
    done = palsykit("generate", "runs/small", *NAMED, "--side", "left", "--severity", 4, "--poser", "mine")
    assert (done.code, done.out) == (0, "anna-smile_full-left-4-0.png\n")
    assert made_of(requested)[0]["labels"] == [("smile_full", "left", 4.0)]
    assert requested[0]["poser"] == "mine"
    assert palsykit("generate", "runs/small", *NAMED, "--strength", 0.5).out == "anna-smile_full-0.png\n"
    assert made_of(requested)[1]["labels"] == [("smile_full", "none", 1.0)]
    assert made_of(requested)[1]["strength"] == 0.5


def test_several_severities_make_a_row(palsykit: Run, requested: list[dict[str, Any]]) -> None:
    done = palsykit("generate", "runs/small", *NAMED, "--side", "right", "--severity", "1..3", "--seed", 2)
    assert (done.code, done.out) == (0, "anna-smile_full-right-1-3-2.png\n")
    assert [severity for _, _, severity in made_of(requested)[0]["labels"]] == [1.0, 2.0, 3.0]
    assert Image.open("anna-smile_full-right-1-3-2.png").size == (12, 4)


def test_finer_dials_are_passed_on_and_are_in_the_name(palsykit: Run, requested: list[dict[str, Any]]) -> None:
    asked = (*NAMED, "--side", "left", "--severity", 4, "--brow", 0.2, "--eye", "0.0", "--mouth", "-4mm")
    done = palsykit("generate", "runs/small", *asked, "--synkinesis", "eye=0.5", "--tone", 0.5)
    assert (done.code, made_of(requested)[0]["labels"]) == (0, [("smile_full", "left", 4.0)])
    assert made_of(requested)[0]["dials"] == {"brow": 0.2, "eye": 0.0, "mouth": "-4mm", "tone_brow": 0.5,
                                              "tone_eye": 0.5, "tone_mouth": 0.5, "synkinesis_eye": 0.5}  # fmt: skip
    assert done.out.startswith("anna-smile_full-left-4-brow0.2-eye0.0-mouth-4mm-tone_brow0.5-")
    arguments = ("--identity", "anna.png", "--expressions", "all", "--side", "left", "--severity", 5, "--mouth", 0)
    assert palsykit("generate", *arguments).out == "anna-all-left-5-mouth0.0-0.png\n"
    assert made_of(requested)[1]["dials"] == {"mouth": 0.0}


def test_all_expressions_make_a_sheet(palsykit: Run, requested: list[dict[str, Any]]) -> None:
    arguments = ("--identity", "anna.png", "--expressions", "all", "--side", "left", "--severity", 5)
    assert palsykit("generate", *arguments).out == "anna-all-left-5-0.png\n"
    labels = made_of(requested)[0]["labels"]
    assert len(labels) == 8
    assert {label[1:] for label in labels} == {("left", 5.0)}


def test_a_folder_needs_an_output_folder_and_a_name(palsykit: Run, requested: list[dict[str, Any]]) -> None:
    Path("portraits").mkdir()
    for arguments, message in (
        (("--identity", "portraits", "--expression", "rest"), "say where results go: --output DIR"),
        (("--identity", "portraits", "--driver", "bert.jpg", "--output", "out"), "a folder of results needs --expr"),
        (("--identity", "portraits", "--expression", "rest", "--output", "out.png"), "expected a folder"),
    ):
        done = palsykit("generate", *arguments)
        assert done.code == 2
        assert message in done.err
    assert requested == []


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
        ((*NAMED, "--mouth", "-4mm"), "dials (mouth) refine a grade above 1: say which, --side left or right"),
        ((*NAMED, "--side", "left", "--severity", "3", "--eye", "2"), "eye 2: expected a share, 0 to 1, or a length"),
        ((*FACES, "--brow", "0.5"), "dials with a driver"),
        ((*NAMED, "--side", "left", "--severity", "7"), "severity 7: expected a House-Brackmann grade"),
        (("--identity", "anna.png", "--expression", "grin"), "unknown expression 'grin'; expected one of rest"),
    ],
)
def test_names_that_do_not_go_together(
    palsykit: Run, requested: list[Any], arguments: tuple[str, ...], message: str
) -> None:
    done = palsykit("generate", "runs/small", *arguments)
    assert done.code == 2
    assert message in done.err
    assert requested == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("runs/smal", *FACES),
            "runs/smal: no such folder, expected a run; runs in runs: small; models that ship with",
        ),
        (("anna.png", *FACES), "anna.png: not a folder, expected a run"),
        (
            ("runs/small", "--identity", "x.png", "--driver", "bert.jpg"),
            "--identity x.png: no such file, expected a picture",
        ),
        (("runs/small", "--identity", "anna.png", "--driver", "runs"), "--driver runs: a folder, expected a picture"),
        (("runs/small", *FACES, "--output", "a.gif"), "--output a.gif: suffix .gif, expected one of .png"),
        (("runs/small", *FACES, "--output", "no/a.png"), "--output no/a.png: there is no folder no; create it first"),
        (("runs/small", *FACES, "--output", "anna.png"), "already exists; choose another --output, or overwrite it"),
    ],
)
def test_what_is_refused(palsykit: Run, requested: list[Any], arguments: tuple[str, ...], message: str) -> None:
    done = palsykit("generate", *arguments)
    assert done.code == 2
    assert message in done.err
    assert requested == []


def test_evaluate(palsykit: Run, requested: list[Any]) -> None:
    done = palsykit("evaluate", "runs/small")
    assert done.code == 0
    rows = [line.split(maxsplit=1) for line in done.out.splitlines()]
    assert rows[2:4] == [["psnr", "21.1235"], ["afid", "not defined"]]
    assert done.out.endswith("Report: runs/small/report.html\n")


def test_evaluate_as_json(palsykit: Run, requested: list[Any]) -> None:
    assert json.loads(palsykit("evaluate", "runs/small", "--json").out) == {"psnr": 21.123456789, "afid": None}


def test_evaluate_without_a_run(palsykit: Run, requested: list[Any]) -> None:
    done = palsykit("evaluate", "nothing")
    assert done.code == 2
    assert "nothing: no such folder, expected a run; `palsykit run RECIPE` creates one" in done.err
