"""A training of a tiny model that takes less than a second."""

import pytest

from palsykit.faces.pairing import pair
from palsykit.interfaces import TrainingData
from palsykit.recipe.schema import Optimisation
from palsykit.training import loop
from palsykit.training.batches import PairedFaces
from palsykit_trainers.diffusion import DiffusionTrainer


@pytest.fixture
def job(faces, model_of, tmp_path):
    def make(folder="checkpoints", trainer=None, model=None, **settings):
        keys = {
            "steps": 6,
            "batch_size": 4,
            "lr": 1e-2,
            "ema": 0.9,
            "checkpoint_every": 2,
            "precision": "fp32",
        } | settings
        lines = []
        made = loop.Job(
            "train",
            model or model_of(drop=0.2),
            trainer or DiffusionTrainer(TrainingData(faces.image_size, faces.records, ())),
            PairedFaces(faces, pair(faces.records, 0)),
            Optimisation(**keys),
            0,
            tmp_path / folder,
            lines.append,
        )
        made.lines = lines
        return made

    return make
