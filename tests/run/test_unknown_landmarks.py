"""Photographs without landmarks, from a data set of somebody else's: predicted, and marked so."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from palsykit.faces.views import view
from palsykit.recipe import Recipe, load_recipe
from palsykit.registry import registry
from palsykit.run import run_recipe
from palsykit.run.folder import RunFolder
from palsykit.run.runner import reopened

PLUGIN = """
from palsykit import hookimpl


@hookimpl
def palsykit_register_datasets(register):
    register("clinic", "acme_clinic.photographs:Clinic")
"""
DATASET = """
import numpy as np

from palsykit.faces.records import FaceRecord, Rejected
from palsykit.faces.vocabulary import FaceLabels


class Clinic:
    '''Five people at rest and smiling; nobody has measured the smiles.'''

    attribution = "drawn by a test"

    def __init__(self, image_size, cache, *, twice: bool = False, nameless: bool = False):
        self.image_size, self.rejected = image_size, [Rejected("torn.jpg", "cut short")]
        points = np.random.default_rng(0).uniform(0.2, 0.8, (68, 2)).astype(np.float32) * image_size
        self.records = []
        for person in range(5):
            split = "test" if person == 0 else "train"
            labels = FaceLabels(None if nameless else f"p{person}", "rest")
            self.records.append(FaceRecord(f"p{person}/rest.jpg", labels, points, "given", split))
            split = "validation" if twice and person == 1 else split
            labels = FaceLabels(None if nameless else f"p{person}", "smile_full")
            self.records.append(FaceRecord(f"p{person}/smile.jpg", labels, split=split))

    def image(self, record):
        rng = np.random.default_rng(list(record.key.encode()))
        return rng.integers(0, 256, (self.image_size, self.image_size, 3), dtype=np.uint8)
"""
CHANGES = ("data={use: clinic}", "fits.1.data=null", "train.steps=1", "train.checkpoint_every=9", "metrics.ssim=null")


@pytest.fixture(scope="module", autouse=True)
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An installed distribution with a data set, as pip would leave it."""
    site = tmp_path_factory.mktemp("site")
    (site / "acme_clinic").mkdir()
    (site / "acme_clinic/__init__.py").write_text(PLUGIN)
    (site / "acme_clinic/photographs.py").write_text(DATASET)
    info = site / "acme_clinic-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-clinic\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[palsykit]\nacme_clinic = acme_clinic\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        registry.cache_clear()
        yield
    registry.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "acme_clinic"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def run(tiny: Callable[..., Recipe], tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = tmp_path_factory.mktemp("runs") / "clinic"
    run_recipe(tiny(*CHANGES), folder)
    return RunFolder(folder)


def test_what_came_without_is_counted_and_what_was_rejected_is_listed(run: RunFolder) -> None:
    summary = json.loads((run.path / "data.json").read_text())
    assert summary["without_landmarks"] == 5
    assert summary["rejected"] == 1
    assert (run.path / "rejected.csv").read_text().splitlines() == ["path,reason", "torn.jpg,cut short"]


def test_landmarks_are_predicted_by_the_fitted_network_and_marked(run: RunFolder) -> None:
    parts = reopened(run)
    data = parts.data()
    assert data.without_landmarks == 0
    records = [record for records in data.splits.values() for record in records]
    assert len(records) == 10
    for record in records:
        smiles = record.labels.expression == "smile_full"
        assert record.landmarks_source == ("predicted" if smiles else "given"), record.key
        if smiles:
            with torch.inference_mode():
                points = parts.networks["points"](view(data.dataset, [record]).image).points
            torch.testing.assert_close(torch.from_numpy(record.landmarks), points[0], atol=1e-3, rtol=0)


def test_pictures_and_report_say_so(run: RunFolder) -> None:
    lines = [json.loads(line) for line in (run.images / "metadata.jsonl").read_text().splitlines()]
    assert [(line["driver"], line["landmarks"]) for line in lines] == [("p0/smile.jpg", "predicted")]
    assert (run.images / lines[0]["file_name"]).is_file()
    assert "5 photographs came without landmarks; the network points predicted them" in run.report.read_text()


def test_without_a_network_for_them_they_stay_unknown(tmp_path: Path) -> None:
    recipe = tmp_path / "copy.yaml"
    recipe.write_text("image_size: 32\ndata: {use: clinic}\nsynthesiser: copy\nmetrics: {psnr: {use: psnr}}\n")
    run_recipe(load_recipe(recipe), tmp_path / "run")
    (line,) = (tmp_path / "run/images/metadata.jsonl").read_text().splitlines()
    assert json.loads(line)["landmarks"] == "unknown"
    assert "no network of this recipe predicts them" in (tmp_path / "run/report.html").read_text()


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("twice", "palsykit: the data (Clinic): subject 'p1' is in splits ['train', 'validation']; expected one"),
        ("nameless", "palsykit: the data (Clinic): photograph 'p0/rest.jpg' has no subject"),
    ],
)
def test_a_data_set_that_cannot_be_split_is_an_error(
    palsykit: Callable[..., Any], tmp_path: Path, key: str, message: str
) -> None:
    tiny = Path(__file__).with_name("tiny.yaml")
    changes = [word for change in (*CHANGES, f"data.{key}=true") for word in ("--set", change)]
    done = palsykit("run", tiny, *changes, "--output", tmp_path / "run")
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
