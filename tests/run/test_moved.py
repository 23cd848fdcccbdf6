"""A trained run opens where its training photographs are not, and is refused where a file of its own is missing."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import palsykit as package
from palsykit.errors import PalsykitError
from palsykit.recipe import Recipe
from palsykit.run import evaluate_run, run_recipe
from palsykit.run.folder import RunFolder
from palsykit.run.parts import Parts

TINY = Path(__file__).with_name("tiny.yaml")
FEW = ("fits.1.data=null", "fits.0.steps=1", "train.steps=1", "train.checkpoint_every=9", "metrics.ssim=null")


@pytest.fixture(scope="module")
def handed_on(tiny: Callable[..., Recipe], finished: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run trained on a folder of photographs and from a file, moved; photographs and file are gone."""
    base = tmp_path_factory.mktemp("handed-on")
    photographs = _photographs(tiny(), base / "photographs")
    started = [f"networks.{n}.weights={finished.networks}/{n}.safetensors" for n in ("expression", "points")]
    run_recipe(tiny(f"data={{use: imagefolder, root: {photographs}}}", *FEW, *started), base / "run")
    (base / "elsewhere").mkdir()
    shutil.move(base / "run", base / "elsewhere/run")
    shutil.move(photographs, base / "away")
    return base / "elsewhere/run"


def _photographs(recipe: Recipe, folder: Path) -> Path:
    """Pictures of the miniature's people as an imagefolder."""
    dataset = Parts(recipe).data().dataset
    folder.mkdir()
    rows = ["file_name,subject,expression,side,severity,split"]
    for number, record in enumerate(dataset.records):
        Image.fromarray(dataset.image(record)).save(folder / f"{number}.png")
        labels = record.labels
        row = (f"{number}.png", labels.subject, labels.expression, labels.side, labels.severity, record.split)
        rows.append(",".join(map(str, row)))
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def face(tmp_path: Path) -> Path:
    (tmp_path / "faces").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "faces/who.png")
    return tmp_path / "faces/who.png"


def test_a_moved_run_generates_without_its_photographs(
    handed_on: Path, face: Path, palsykit: Callable[..., Any], tmp_path: Path
) -> None:
    done = palsykit("generate", handed_on, "--identity", face, "--driver", face, "--output", tmp_path / "made.png")
    assert (done.code, done.err) == (0, "")
    assert np.array_equal(
        Image.open(tmp_path / "made.png"), package.load(handed_on).generate(identity=face, driver=face)
    )


def test_a_folder_of_faces_needs_no_photographs_and_stays_unreleased(
    handed_on: Path, face: Path, palsykit: Callable[..., Any], tmp_path: Path
) -> None:
    asked = ("--expressions", "smile_full", "--sides", "left", "--severities", "4")
    done = palsykit("synthesize", handed_on, tmp_path / "dest", "--identities", face.parent, *asked)
    assert done.code == 0, done.err
    assert "Not audited, and so not released" in done.out
    assert len(list((tmp_path / "dest/unreleased").rglob("*.png"))) == 1
    assert not (tmp_path / "dest/images").exists()


def test_people_of_the_data_and_figures_need_it_and_say_so(
    handed_on: Path, palsykit: Callable[..., Any], tmp_path: Path
) -> None:
    done = palsykit("synthesize", handed_on, tmp_path / "dest", "--identities", "1")
    assert done.code == 2
    assert "--identities 1: draws people from the data that the run was trained on, which cannot be read" in done.err
    assert "an existing file" in done.err
    done = palsykit("evaluate", handed_on)
    assert done.code == 2
    assert "root: found" in done.err


def test_nothing_reads_the_data_set(finished: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def reads(*_: Any) -> None:
        raise AssertionError("a data set was read")

    monkeypatch.setattr(Parts, "data", reads)
    package.load(finished.path)


def test_a_start_that_is_gone_is_not_looked_for(finished: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(finished.path, tmp_path / "run")
    recipe = tmp_path / "run/recipe.yaml"
    text = recipe.read_text()
    assert "start: null" in text
    recipe.write_text(text.replace("start: null", f"start: {tmp_path}/gone.safetensors"))
    loaded = package.load(tmp_path / "run")
    assert loaded.parts.settings.train.start == tmp_path / "gone.safetensors"


@pytest.mark.parametrize("use", [package.load, evaluate_run])
def test_a_missing_network_of_the_run_is_refused(finished: RunFolder, tmp_path: Path, use: Callable[..., Any]) -> None:
    shutil.copytree(finished.path, tmp_path / "half")
    (tmp_path / "half/model/networks/recognition.safetensors").unlink()
    with pytest.raises(PalsykitError, match=r"half/model/networks/recognition\.safetensors: missing, although"):
        use(tmp_path / "half")


@pytest.mark.parametrize("command", ["evaluate", "generate", "synthesize", "audit"])
def test_commands_refuse_a_missing_network(
    finished: RunFolder, face: Path, palsykit: Callable[..., Any], tmp_path: Path, command: str
) -> None:
    shutil.copytree(finished.path, tmp_path / "half")
    (tmp_path / "half/model/networks/points.safetensors").unlink()
    further = {
        "generate": ("--identity", face, "--driver", face, "--output", tmp_path / "made.png"),
        "synthesize": (tmp_path / "dest", "--identities", face.parent),
    }
    done = palsykit(command, tmp_path / "half", *further.get(command, ()))
    assert done.code == 2
    assert "points.safetensors: missing" in done.err
