"""Systems side by side: kept pictures are not made again, and never taken for another model's."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from palsykit.errors import PalsykitError
from palsykit.interfaces import FaceBatch, Images
from palsykit.recipe import Recipe, load_recipe
from palsykit.run.parts import Parts
from palsykit_benchmark.examine import Examination, examination, synthesis_seconds, synthesise
from palsykit_benchmark.protocols import PROTOCOLS, SELF, TRANSFER, UNTOLD

TINY = Path(__file__).parents[2] / "run" / "tiny.yaml"
METRICS = (
    "metrics={psnr: psnr, moving: moving, afid: {use: afid, readings: [self2, swap_back]}, retrieval: {use: retrieval}}"
)


class Darker:
    """The identity image, darker by its row's seed; counts what it made."""

    def __init__(self) -> None:
        self.made = 0

    def generate(self, batch: FaceBatch, seeds: Sequence[int]) -> torch.Tensor:
        self.made += len(batch)
        assert len(seeds) == len(batch)
        return batch.identity.image * torch.tensor([0.5 + seed % 97 / 200 for seed in seeds]).view(-1, 1, 1, 1)


@pytest.fixture(scope="module", autouse=True)
def cache(shared_cache: Path) -> Iterator[None]:
    """The cache of renders that all tests share, for what is built once a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PALSYKIT_CACHE", str(shared_cache))
        yield


@pytest.fixture(scope="module")
def tiny() -> Callable[..., Recipe]:
    """The miniature with changes."""
    return lambda *changes: load_recipe(TINY, changes)


@pytest.fixture(scope="module")
def judges(tiny: Callable[..., Recipe], cache: None) -> Parts:
    return Parts(tiny(METRICS, "generate.identities=2", "generate.batch_size=5"))


@pytest.fixture(params=list(PROTOCOLS))
def exam(request: pytest.FixtureRequest, judges: Parts) -> Examination:
    return examination(judges, PROTOCOLS[request.param])


def test_pictures_are_kept_and_resumed(exam: Examination, tmp_path: Path) -> None:
    folder, first = tmp_path / "model" / exam.protocol.name, Darker()
    pictures = synthesise(exam, first, folder, "model 1")
    assert first.made == 3 * len(exam.pairs) == 3 * 16, "and the two passes that aFID needs"
    assert pictures.generated.shape == exam.faces.identity.image.shape
    (folder / "generated" / "00007.png").unlink()
    again = Darker()
    same = synthesise(exam, again, folder, "model 1")
    for name in ("generated", "regenerated", "swapped_back"):
        assert torch.equal(getattr(same, name), getattr(pictures, name))
    assert again.made == 5, "only the batch that lacks one"
    assert (synthesis_seconds(folder) or 0) > 0
    counted = json.loads((folder / "seconds.json").read_text())
    assert counted["images"] == 16 + 5
    with pytest.raises(PalsykitError, match=r'(?s)made with other settings.*maker: "model 1" -> "model 2"'):
        synthesise(exam, again, folder, "model 2")


def test_the_judges_figures(exam: Examination) -> None:
    found = exam.measure(Images(exam.faces.identity.image))
    assert {"psnr", "moving_psnr", "moving_ssim", "retrieval_top1"} <= set(found)
    assert not {"afid/self2", "afid/swap_back"} & set(found), "it needs a second synthesis"
    everything = np.arange(len(exam.pairs))
    assert found["retrieval_top1"].of(everything) == 1.0
    if exam.faces.target is None:
        assert np.isnan(found["psnr"].of(everything)), "there is nothing to compare with"
    else:
        assert 0 < found["moving_psnr"].of(everything) < found["psnr"].of(everything)


def test_the_ceiling(exam: Examination) -> None:
    rows, images = exam.ceiling()
    everything, found = np.arange(len(rows.pairs)), rows.measure(images)
    assert np.isnan(found["psnr"].of(everything)), "equal pictures, or none to compare with"
    assert found["afid/swap_back"].of(everything) == pytest.approx(0, abs=1e-3)
    if exam.protocol is UNTOLD:
        own = examination(exam.judges, SELF)
        assert rows.subjects == own.subjects
        assert own.faces.target is not None
        assert torch.equal(images.generated, own.faces.target.image), "real photographs, each with its own labels"
        assert rows.faces.target is None
        assert [row.subject for row in rows.faces.driver.labels] == rows.subjects
    else:
        assert found["afid/self2"].of(everything) == pytest.approx(0, abs=1e-3)
        assert rows is exam


def test_without_truth_rows_are_those_of_transfer(judges: Parts) -> None:
    known, untold = examination(judges, TRANSFER), examination(judges, UNTOLD)
    assert [(p.identity.key, p.record.key) for p in known.pairs] == [
        (p.identity.key, p.record.key) for p in untold.pairs
    ]
    assert torch.equal(known.faces.driver.image, untold.faces.driver.image)
    assert untold.faces.target is None


def test_rows_are_the_identity_persons(judges: Parts) -> None:
    own, other = examination(judges, SELF), examination(judges, TRANSFER)
    assert own.subjects == other.subjects
    for pair in other.pairs:
        assert pair.identity.labels.subject != pair.record.labels.subject
    assert other.faces.target is not None
    assert [labels.subject for labels in other.faces.target.labels] == other.subjects


def test_missing_drivers_are_reported(tiny: Callable[..., Recipe]) -> None:
    with pytest.raises(PalsykitError, match="no pairs for transfer in the split 'test'"):
        examination(Parts(tiny(METRICS, "generate.identities=1")), TRANSFER)
