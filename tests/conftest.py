"""Tiny parts that tests share: drawn faces, networks of a few hundred weights, a model that trains in seconds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from palsykit.diffusion.model import Condition, ConditionalDiffusion
from palsykit.faces.records import FaceRecord, Rejected
from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit.interfaces import Conditioning, ConditioningSpec, Encoded, FaceView, NetworkOutput, TokenSpec
from palsykit.networks import SharedNetwork

SIZE = 16
torch.set_num_threads(2)


@dataclass
class DrawnFaces:
    """A data set of drawn faces: a subject is a colour, an expression the height of a mouth bar."""

    subjects: int = 4
    expressions: tuple[str, ...] = ("rest", "smile_full", "lip_pucker")
    image_size: int = SIZE
    rejected: list[Rejected] = field(default_factory=list)
    attribution: str = "drawn by the tests"
    splits: bool = False

    def __post_init__(self) -> None:
        self.pictures: dict[str, np.ndarray] = {}
        self.records: list[FaceRecord] = []
        for subject in range(self.subjects):
            for number, expression in enumerate(self.expressions):
                key = f"s{subject}-{expression}"
                picture = np.full((SIZE, SIZE, 3), 40 + 15 * subject, np.uint8)
                picture[:, :, subject % 3] += 80
                picture[8 + 2 * number, 3:13] = 255
                picture[4, [4, 11]] = 0
                points = np.tile(np.array([[4.0, 4.0]], np.float32), (68, 1)) + np.arange(68)[:, None] / 10
                points[48:, 1] = 8 + 2 * number
                self.pictures[key] = picture
                labels = FaceLabels(f"s{subject}", expression, Side.LEFT if subject % 2 else Side.NONE, 1.0 + subject)
                split = ("test" if subject == 0 else "train") if self.splits else None
                self.records.append(FaceRecord(key, labels, points.astype(np.float32), "given", split))

    def image(self, record: FaceRecord) -> np.ndarray:
        return self.pictures[record.key]


class TinyNetwork(nn.Module):
    """Embedding, map and points from one strided convolution."""

    def __init__(self, points: bool = False, seed: int = 0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.convolution = nn.Conv2d(3, 8, 4, stride=4)
            self.head = nn.Linear(8 * 16, 136 if points else 6)
        self.map_shape, self.embedding_width, self.points = (8, 4, 4), None if points else 6, points

    def forward(self, image: torch.Tensor) -> NetworkOutput:
        found = torch.tanh(self.convolution(image))
        out = self.head(found.flatten(1))
        if self.points:
            return NetworkOutput(found, points=out.view(-1, 68, 2) * SIZE)
        return NetworkOutput(found, embedding=out)


class TinyEncoder(nn.Module):
    """Tokens from a shared network's map."""

    def __init__(self, network: SharedNetwork, pooled: int | None = None):
        super().__init__()
        self.network, self.spec = network, TokenSpec(16, 8, pooled)
        self.project = nn.Linear(8, 8)

    def extract(self, view: FaceView) -> dict[str, torch.Tensor]:
        output = self.network(view.image)
        features = {"map": output.map.flatten(2).transpose(1, 2)}
        return features if self.spec.pooled is None else {**features, "embedding": output.embedding}

    def forward(self, features: dict[str, torch.Tensor]) -> Encoded:
        return Encoded(self.project(features["map"]), features.get("embedding"))


class TinyFusion(nn.Module):
    """All tokens in one stream."""

    def __init__(self, inputs: dict[str, TokenSpec]):
        super().__init__()
        self.token_width, self.pooled_width = 8, 6
        self.mix = nn.Linear(8, 8)

    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        pooled = next(c.pooled for c in conditions.values() if c.pooled is not None)
        return Conditioning({"all": self.mix(torch.cat([c.tokens for c in conditions.values()], 1))}, pooled)


class TinyDenoiser(nn.Module):
    """A convolution whose output tokens, pooled vector and time shift."""

    def __init__(self, conditioning: ConditioningSpec):
        super().__init__()
        self.inner = nn.Conv2d(3, 8, 3, padding=1)
        self.outer = nn.Conv2d(8, 3, 3, padding=1)
        self.tokens, self.pooled = nn.Linear(conditioning.token_width, 8), nn.Linear(conditioning.pooled_width or 1, 8)

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, conditioning: Conditioning) -> torch.Tensor:
        shift = self.tokens(conditioning.tokens["all"].mean(1)) + self.pooled(conditioning.pooled)
        shift = shift + (t.float() / 1000)[:, None]
        return self.outer(torch.tanh(self.inner(x_t) + shift[:, :, None, None]))


def tiny_networks() -> dict[str, SharedNetwork]:
    """recognition and points, frozen."""
    networks = {
        "recognition": SharedNetwork("recognition", TinyNetwork()),
        "points": SharedNetwork("points", TinyNetwork(True, 1)),
    }
    for network in networks.values():
        network.freeze()
    return networks


def tiny_model(drop: float = 0.0, prediction: str = "epsilon", **networks: Any) -> ConditionalDiffusion:
    """A ConditionalDiffusion of about a thousand weights, the same every time."""
    from diffusers import DDPMScheduler

    shared = networks or tiny_networks()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        conditions = {
            "identity": Condition(TinyEncoder(shared["recognition"], 6), "identity", drop),
            "landmark": Condition(TinyEncoder(shared["points"]), "driver", drop),
        }
        fusion = TinyFusion({name: c.encoder.spec for name, c in conditions.items()})
        denoiser = TinyDenoiser(ConditioningSpec(8, 6))
        return ConditionalDiffusion(conditions, fusion, denoiser, DDPMScheduler(prediction_type=prediction))


@pytest.fixture
def faces() -> DrawnFaces:
    return DrawnFaces()


@pytest.fixture
def networks() -> dict[str, SharedNetwork]:
    return tiny_networks()


@pytest.fixture
def model_of() -> Callable[..., ConditionalDiffusion]:
    return tiny_model


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests share one cache of renders, outside the user's."""
    base = tmp_path_factory.getbasetemp()
    shared: Path = base.parent / "palsykit-cache" if "gw" in base.name else base / "palsykit-cache"
    monkeypatch.setenv("PALSYKIT_CACHE", str(shared))
