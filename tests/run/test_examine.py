"""Systems side by side: kept pictures are not made again, and never taken for another model's."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from palsykit.errors import PalsykitError
from palsykit.interfaces import FaceBatch
from palsykit.recipe import Recipe
from palsykit.run.examine import Examination, examination, synthesised
from palsykit.run.parts import Parts
from palsykit.run.protocols import PROTOCOLS, SELF, TRANSFER

METRICS = "metrics={psnr: psnr, moving: moving, afid: {use: afid}, retrieval: {use: retrieval}}"


class Darker:
    """The identity image, darker by its row's seed; counts what it made."""

    def __init__(self) -> None:
        self.made = 0

    def generate(self, batch: FaceBatch, seeds: Sequence[int]) -> torch.Tensor:
        self.made += len(batch)
        assert len(seeds) == len(batch)
        return batch.identity.image * torch.tensor([0.5 + seed % 97 / 200 for seed in seeds]).view(-1, 1, 1, 1)


@pytest.fixture(scope="module")
def judges(tiny: Callable[..., Recipe]) -> Parts:
    return Parts(tiny(METRICS, "generate.identities=2", "generate.batch_size=5"))


@pytest.fixture(params=list(PROTOCOLS))
def exam(request: pytest.FixtureRequest, judges: Parts) -> Examination:
    return examination(judges, PROTOCOLS[request.param])


def test_pictures_are_kept_and_gone_on_with(exam: Examination, tmp_path: Path) -> None:
    folder, first = tmp_path / "model" / exam.protocol.name, Darker()
    pictures = synthesised(exam, first, folder, "model 1")
    assert first.made == len(exam.pairs) == 16
    assert pictures.shape == exam.truth().shape
    (folder / "00007.png").unlink()
    again = Darker()
    assert torch.equal(synthesised(exam, again, folder, "model 1"), pictures)
    assert again.made == 5, "only the batch that lacks one"
    with pytest.raises(PalsykitError, match="made by another model or of other people"):
        synthesised(exam, again, folder, "model 2")


def test_the_judges_figures(exam: Examination) -> None:
    found = exam.measured(exam.faces.identity.image)
    assert {"psnr", "moving_psnr", "moving_ssim", "retrieval_top1"} <= set(found)
    assert "afid" not in found, "it needs a second synthesis"
    everything = np.arange(len(exam.pairs))
    assert found["retrieval_top1"].of(everything) == 1.0
    assert np.isnan(exam.measured(exam.truth())["psnr"].of(everything)), "equal pictures"
    assert 0 < found["moving_psnr"].of(everything) < found["psnr"].of(everything)


def test_rows_are_the_identity_persons(judges: Parts) -> None:
    own, other = examination(judges, SELF), examination(judges, TRANSFER)
    assert own.subjects == other.subjects
    for pair in other.pairs:
        assert pair.identity.labels.subject != pair.record.labels.subject
    assert other.faces.target is not None
    assert [labels.subject for labels in other.faces.target.labels] == other.subjects


def test_nobody_to_transfer_from_is_said(tiny: Callable[..., Recipe]) -> None:
    with pytest.raises(PalsykitError, match="no pairs for transfer in the split 'test'"):
        examination(Parts(tiny(METRICS, "generate.identities=1")), TRANSFER)
