"""A data set goes out once nobody in it is a training person who was not asked for; a refusal loses nothing."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import palsykit as package
from palsykit.faces.vocabulary import FaceLabels
from palsykit.registry import Entry, registry
from palsykit.run.folder import RunFolder
from palsykit_audit import bulk as module

ASKED = ("--expressions", "rest,smile_full", "--severities", "1,4")
COUNT = 2 * 6


class Still:
    """A poser that moves nothing."""

    def pose(self, photograph: Any, landmarks: Any, labels: FaceLabels, strength: float = 1.0) -> tuple[Any, Any]:
        return photograph.copy(), np.asarray(landmarks, np.float32)


@pytest.fixture(autouse=True)
def poser(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in [key for key in registry().entries if key[0] == "posers"]:
        monkeypatch.delitem(registry().entries, key)
    monkeypatch.setitem(registry().entries, ("posers", "still"), Entry("posers", "still", "fake", "fake", "1", Still))


@pytest.fixture
def faithful(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose syntheses are the identity photographs, as a perfect one's of faces at rest."""

    def made(model: Any, rows: Any, order: Any) -> Any:
        return np.stack([row.person.picture() for row in rows])

    monkeypatch.setattr(module, "_make", made)


@pytest.fixture
def leaking(monkeypatch: pytest.MonkeyPatch, faithful: None) -> None:
    """The same, but in each person's last cell it gives a training photograph away."""
    honest = module._make

    def made(model: Any, rows: Any, order: Any) -> Any:
        pictures = honest(model, rows, order)
        data = model.parts.data()
        for i, row in enumerate(rows):
            if row.labels == order.cells[-1]:
                pictures[i] = data.dataset.image(data.splits["train"][1])
        return pictures

    monkeypatch.setattr(module, "_make", made)


def listed(folder: Path) -> set[str]:
    return {json.loads(line)["file_name"] for line in (folder / "metadata.jsonl").read_text().splitlines()}


def pictures(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.png")}


@pytest.mark.usefixtures("faithful")
def test_a_faithful_data_set_goes_out(finished: RunFolder, palsykit: Callable[..., Any], tmp_path: Path) -> None:
    run, dest = tmp_path / "run", tmp_path / "dest"
    shutil.copytree(finished.path, run)
    done = palsykit("synthesize", run, dest, "--identities", 2, *ASKED)
    assert done.code == 0, done.err
    assert f"None of {COUNT} generated faces is nearer to a training person" in done.out
    assert not (dest / "unreleased").exists()
    assert listed(dest / "images") == set(pictures(dest / "images"))
    assert "none was found, and nothing was left out" in (dest / "privacy.md").read_text()
    assert (run / "audits" / "dest" / "audit.html").is_file()
    assert not list(dest.rglob("audit.*")), "the page shows training photographs and is no part of the data set"
    again = palsykit("synthesize", run, dest, "--identities", 2, *ASKED)
    assert (again.code, "(0 new, 12 existing)" in again.out) == (0, True)
    assert "Released before; nothing new to audit." in again.out


@pytest.mark.usefixtures("leaking")
def test_a_refusal_loses_nothing_and_says_what_to_do(
    finished: RunFolder, palsykit: Callable[..., Any], tmp_path: Path
) -> None:
    run, dest = tmp_path / "run", tmp_path / "dest"
    shutil.copytree(finished.path, run)
    command = ("synthesize", run, dest, "--identities", 2, *ASKED)
    refused = palsykit(*command)
    assert refused.code == 2
    assert "Traceback" not in refused.err
    assert f"{dest}: not released. 2 of {COUNT} pictures copy a training photograph, or are nearer" in refused.err
    assert "--resembling drop" in refused.err
    assert "--resembling keep" in refused.err
    assert not (dest / "images").exists()
    made = pictures(dest / "unreleased")
    assert len(made) == COUNT
    page = run / "audits" / "dest" / "audit.html"
    assert str(page) in refused.err
    assert page.read_text().count("HELD BACK") == 2
    assert palsykit(*command).code == 2, "asked again, it refuses again"
    assert pictures(dest / "unreleased") == made

    dropped = palsykit(*command, "--resembling", "drop")
    assert dropped.code == 0, dropped.err
    assert f"Left out: 2 pictures, in {dest / 'held-back'}" in dropped.out
    assert len(listed(dest / "images")) == COUNT - 2
    assert pictures(dest / "images") | pictures(dest / "held-back") == made
    assert "2 pictures were left out" in (dest / "privacy.md").read_text()
    assert "10 pictures, all synthetic" in (dest / "README.md").read_text()

    kept = palsykit(*command, "--resembling", "keep")
    assert kept.code == 0, kept.err
    assert pictures(dest / "images") == made
    assert listed(dest / "images") == set(made)
    assert (
        "2 flagged pictures were released all the same, because the maker decided so"
        in (dest / "privacy.md").read_text()
    )

    audited = palsykit("audit", run, dest, "--photographs", 0, "--gate")
    assert audited.code == 2, "the gate sees what the release saw"
    assert "2 of 12 generated pictures copy a training photograph" in audited.out
    assert "not known" not in audited.out, "held-out people are found again"


@pytest.mark.usefixtures("faithful")
def test_a_data_set_with_more_people_than_the_run_held_out_is_audited(
    finished: RunFolder, palsykit: Callable[..., Any], tmp_path: Path
) -> None:
    run, dest = tmp_path / "run", tmp_path / "dest"
    shutil.copytree(finished.path, run)
    more = ("--data", "test=4")
    done = palsykit("synthesize", run, dest, "--identities", 4, *ASKED, *more, "--resembling", "keep")
    assert done.code == 0, done.err
    audited = palsykit("audit", run, dest, *more, "--photographs", 0)
    assert audited.code == 0, audited.err
    assert "not known" not in audited.out
    plain = palsykit("audit", run, dest, "--photographs", 0)
    assert "people are not known" in plain.out
    wrong = palsykit("audit", run, dest, "--data", "test=9", "--photographs", 0)
    assert (wrong.code, "was made from other people than" in wrong.err) == (2, True)
    marker = json.loads((dest / "synthesis.json").read_text())
    marker["settings"]["model_sha256"] = "0" * 64
    (dest / "synthesis.json").write_text(json.dumps(marker))
    other = palsykit("audit", run, dest, "--photographs", 0)
    assert (other.code, "made by another model" in other.err) == (2, True)


@pytest.mark.usefixtures("faithful")
def test_requested_training_people_are_released_with_a_note(
    finished: RunFolder, palsykit: Callable[..., Any], tmp_path: Path
) -> None:
    run, dest, who = tmp_path / "run", tmp_path / "dest", tmp_path / "who"
    shutil.copytree(finished.path, run)
    who.mkdir()
    data = package.load(run, poser="still").parts.data()
    rest = next(r for r in data.splits["train"] if r.labels.expression == "rest")
    Image.fromarray(data.dataset.image(rest)).save(who / "patient.png")
    done = palsykit("synthesize", run, dest, "--identities", who, *ASKED)
    assert done.code == 0, done.err
    assert (
        "6 of 6 generated faces look like a training person because the photograph they were made from does" in done.out
    )
    assert "(patient)" in done.out
    assert "This likeness was asked for" in " ".join((dest / "privacy.md").read_text().split())
    asked = palsykit("audit", run, dest, "--identities", who, "--photographs", 0, "--gate", "--json")
    assert asked.code == 0, asked.err
    assert "because the photograph they were made from does" in json.loads(asked.out)["findings"][0]["text"]
    nobody = palsykit("audit", run, dest, "--photographs", 0, "--gate")
    assert nobody.code == 2, "nobody knows that the likeness was asked for"
    assert "The identity photographs of 1 people are not known (patient)" in nobody.out
    other = palsykit("audit", run, dest, "--identities", _another(tmp_path), "--photographs", 0)
    assert other.code == 2
    assert "was made from other people than" in other.err


def _another(folder: Path) -> Path:
    (folder / "other").mkdir()
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(folder / "other" / "x.png")
    return folder / "other"


def test_the_audit_of_a_run(finished: RunFolder, palsykit: Callable[..., Any], tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished.path, run)
    done = palsykit("audit", run, "--photographs", 12, "--trained-on", Path(__file__).parents[2] / "run" / "tiny.yaml")
    assert done.code == 0, done.err
    assert "Membership AUC" in done.out
    assert f"Compare the closest pairs in {run / 'audit.html'}" in done.out
    written = json.loads((run / "audit.json").read_text())
    assert written["pictures"] == 16
    assert written["training_people"] == 8, "four of the run's and the same four of the recipe named beside it"
    assert written["membership"]["attack"] == "loss"
    assert written["figures"]["held back"]["count"] == 16


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--identities", "who"), "--identities and --data describe the people of DEST, and there is no DEST"),
        (("--network", "nobody"), "tiny: no network 'nobody' (it has recognition, expression, points)"),
        (("--quantile", "0.1", "--photographs", "0"), "--quantile 0.1: expected 0.5 to 1"),
        (
            ("nowhere", "--photographs", "0"),
            "nowhere: not a folder of palsykit synthesize (its synthesis.json cannot be read",
        ),
    ],
)
def test_what_the_audit_refuses(
    finished: RunFolder, palsykit: Callable[..., Any], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = palsykit("audit", finished.path, *arguments, "--output", tmp_path)
    assert done.code == 2
    assert message in done.err
    assert not list(tmp_path.iterdir())
