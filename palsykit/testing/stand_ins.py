"""Small stand-ins for a recipe's other parts while one part is checked: faces, networks and a model, all seeded."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler
from numpy.typing import NDArray
from torch import Tensor, nn

from palsykit.diffusion.codec import CodecSpace
from palsykit.diffusion.model import Condition, ConditionalDiffusion
from palsykit.faces.records import FaceRecord
from palsykit.faces.vocabulary import EXPRESSIONS, FaceLabels, Side
from palsykit.interfaces import (
    Conditioning,
    ConditioningSpec,
    Encoded,
    FaceBatch,
    FaceView,
    NetworkOutput,
    TokenSpec,
    TrainingData,
)
from palsykit.networks import SharedNetwork
from palsykit.seeds import derive, generator

WIDTH, EMBEDDING, SIDE = 24, 16, 4
CONDITIONS = ("identity", "expression", "landmark")
"""The conditions of the reference recipe, and of the stand-in model."""


class StandInNetwork(nn.Module):
    """One strided convolution with all outputs that a network can have: map, embedding, points and logits."""

    def __init__(self, name: str, image_size: int):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(derive("stand-in", name))
            self.look = nn.Conv2d(3, WIDTH, image_size // SIDE, stride=image_size // SIDE)
            self.head = nn.Linear(WIDTH * SIDE**2, EMBEDDING)
            self.points = nn.Linear(EMBEDDING, 136)
            self.heads = nn.ModuleDict({"expression": nn.Linear(EMBEDDING, 8), "side": nn.Linear(EMBEDDING, 3)})
            self.heads["severity"] = nn.Linear(EMBEDDING, 1)
        self.map_shape, self.embedding_width, self.image_size = (WIDTH, SIDE, SIDE), EMBEDDING, image_size

    def forward(self, image: Tensor) -> NetworkOutput:
        """image [B, 3, H, W] -> map [B, 24, 4, 4], embedding [B, 16], points [B, 68, 2] px, logits [B, K]."""
        features = torch.tanh(self.look(image))
        embedding = self.head(features.flatten(1))
        points = self.image_size * torch.sigmoid(self.points(embedding)).view(-1, 68, 2)
        return NetworkOutput(features, embedding, points, {name: head(embedding) for name, head in self.heads.items()})


class Networks(dict[str, SharedNetwork]):
    """Shared networks by name: any name gives a frozen stand-in, made on first use."""

    def __init__(self, image_size: int):
        super().__init__()
        self.image_size = image_size

    def __missing__(self, name: str) -> SharedNetwork:
        self[name] = SharedNetwork(name, StandInNetwork(name, self.image_size))
        self[name].freeze()
        return self[name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)

    def __bool__(self) -> bool:
        return True  # also while empty


def landmarks(image_size: int, jitter: float, seed: int) -> NDArray[np.float32]:
    """A schematic iBUG 68 face in the face frame, [68, 2] px. ``jitter``: standard deviation in image sides."""

    def arc(x: float, y: float, rx: float, ry: float, start: float, stop: float, count: int) -> NDArray[np.float64]:
        angle = np.pi * np.linspace(start, stop, count)
        return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], -1)

    parts = [arc(0.5, 0.42, 0.3, 0.48, 1, 0, 17)]
    parts += [arc(x, 0.36, 0.08, 0.05, 1, 2, 5) for x in (0.37, 0.63)]
    parts += [np.stack([np.full(4, 0.5), np.linspace(0.4, 0.53, 4)], -1), arc(0.5, 0.55, 0.05, 0.02, 1, 0, 5)]
    parts += [arc(x, 0.41, 0.045, 0.02, 1, 2.67, 6) for x in (0.37, 0.63)]
    parts += [arc(0.5, 0.68, 0.11, 0.05, 1, 2.83, 12), arc(0.5, 0.68, 0.08, 0.02, 1, 2.75, 8)]
    noise = np.random.default_rng(seed).standard_normal((68, 2)) * jitter
    return (image_size * (np.concatenate(parts) + noise)).astype(np.float32)


def labels(row: int) -> FaceLabels:
    """Labels of row ``row``: four subjects, all expressions, healthy and palsied sides in turn."""
    side = (Side.NONE, Side.LEFT, Side.RIGHT)[row % 3]
    severity = 1.0 if side is Side.NONE else 2.0 + row % 5
    return FaceLabels(f"s{row % 4}", list(EXPRESSIONS)[row % len(EXPRESSIONS)], side, severity)


def faces(rows: int, image_size: int, name: str = "") -> FaceView:
    """Smooth random pictures [rows, 3, H, W] with landmarks and labels; the same ``name`` gives the same rows."""
    coarse = torch.rand(rows, 3, 6, 6, generator=generator("faces", name)) * 2 - 1
    image = F.interpolate(coarse, size=(image_size, image_size), mode="bilinear", align_corners=False)
    points = np.stack([landmarks(image_size, 0.01, derive(name, row) % 2**32) for row in range(rows)])
    return FaceView(image, torch.from_numpy(points), tuple(labels(row) for row in range(rows)))


def face_batch(rows: int, image_size: int) -> FaceBatch:
    """Identity, driver and target as in training: the target is the driver's picture."""
    own = faces(rows, image_size, "driver")
    return FaceBatch(faces(rows, image_size, "identity"), own, own)


def training_data(rows: int, image_size: int) -> TrainingData:
    """The records of ``face_batch``'s drivers."""
    view = faces(rows, image_size, "driver")
    known = enumerate(zip(view.labels, view.landmarks.numpy(), strict=True))
    records = [FaceRecord(f"r{row}", label, points, "given", "train") for row, (label, points) in known]
    return TrainingData(image_size, records, tuple(sorted({str(label.subject) for label in view.labels})))


class StandInEncoder(nn.Module):
    """Tokens from a shared network's map; its embedding is the pooled vector."""

    def __init__(self, network: SharedNetwork):
        super().__init__()
        self.network, self.spec = network, TokenSpec(SIDE**2, WIDTH, EMBEDDING)
        self.project = nn.Linear(WIDTH, WIDTH)

    def extract(self, view: FaceView) -> dict[str, Tensor]:
        """{"map": [B, 16, 24], "embedding": [B, 16]}."""
        output = self.network(view.image)
        assert output.embedding is not None
        return {"map": output.map.flatten(2).transpose(1, 2), "embedding": output.embedding}

    def forward(self, features: dict[str, Tensor]) -> Encoded:
        """Tokens [B, 16, 24], pooled [B, 16]."""
        return Encoded(self.project(features["map"]), features["embedding"])


class StandInFusion(nn.Module):
    """Concatenates all conditions' tokens into one stream; adds the pooled vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.token_width, self.pooled_width, self.mix = WIDTH, EMBEDDING, nn.Linear(WIDTH, WIDTH)

    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        """One stream "all" [B, T, 24], pooled [B, 16]."""
        pooled = torch.stack([c.pooled for c in conditions.values() if c.pooled is not None]).sum(0)
        return Conditioning({"all": self.mix(torch.cat([c.tokens for c in conditions.values()], 1))}, pooled)


class StandInCodec:
    """Pixel-unshuffle, doubled: latents of 12 channels and half the side, which have no bounds."""

    channels, factor, bounded, spread = 12, 2, False, 1.0

    def encode(self, image: Tensor) -> Tensor:
        """image [B, 3, H, W] -> [B, 12, H / 2, W / 2]."""
        return 2 * F.pixel_unshuffle(image, 2)

    def decode(self, latents: Tensor) -> Tensor:
        """[B, 12, H / 2, W / 2] -> image [B, 3, H, W]."""
        return F.pixel_shuffle(latents / 2, 2)


class StandInDenoiser(nn.Module):
    """Two convolutions; tokens, pooled vector and time shift the features between them."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.inner, self.outer = nn.Conv2d(channels, 8, 3, padding=1), nn.Conv2d(8, channels, 3, padding=1)
        self.tokens, self.pooled = nn.Linear(WIDTH, 8), nn.Linear(EMBEDDING, 8)

    def forward(self, x_t: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        """x_t [B, C, H, W], t [B] -> [B, C, H, W]."""
        assert conditioning.pooled is not None
        shift = self.tokens(conditioning.tokens["all"].mean(1)) + self.pooled(conditioning.pooled)
        shift = shift + (t.float() / 1000)[:, None]
        out: Tensor = self.outer(torch.tanh(self.inner(x_t) + shift[:, :, None, None]))
        return out


class StandInSynthesiser(nn.Module):
    """A trainable synthesiser: two convolutions; the driver's embedding shifts the features between them."""

    def __init__(self, network: SharedNetwork):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(derive("stand-in synthesiser"))
            self.inner, self.outer = nn.Conv2d(4, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
            self.say, self.shift = nn.Linear(EMBEDDING, WIDTH), nn.Linear(WIDTH, 8)
        self.network, self.spec = network, ConditioningSpec(0, WIDTH, spatial=1)

    def encode(self, batch: FaceBatch) -> Conditioning:
        """The driver's embedding as pooled vector [B, 24], its grey picture as a map [B, 1, H, W]."""
        embedding = self.network(batch.driver.image).embedding
        assert embedding is not None
        return Conditioning({}, self.say(embedding), batch.driver.image.mean(1, keepdim=True))

    def forward(self, image: Tensor, conditioning: Conditioning) -> Tensor:
        """Identity images [B, 3, H, W] -> [B, 3, H, W] in [-1, 1]."""
        assert conditioning.spatial is not None
        inner = self.inner(torch.cat([image, conditioning.spatial], 1))
        return torch.tanh(self.outer(torch.tanh(inner + self.shift(conditioning.pooled)[..., None, None])))

    def generate(self, batch: FaceBatch, seeds: Sequence[int]) -> Tensor:
        """Pictures [B, 3, H, W] without gradients; the seeds change nothing."""
        with torch.inference_mode():
            return self(batch.identity.image, self.encode(batch))  # type: ignore[no-any-return]


def model(networks: Networks, codec: CodecSpace | None = None) -> ConditionalDiffusion:
    """A conditional diffusion model of a few thousand weights with the reference recipe's conditions."""
    codec = codec or CodecSpace()
    with torch.random.fork_rng():
        torch.manual_seed(derive("stand-in model"))
        shared = {"identity": "recognition", "expression": "expression", "landmark": "points"}
        sources = {"identity": "identity", "expression": "driver", "landmark": "driver"}
        conditions = {n: Condition(StandInEncoder(networks[shared[n]]), sources[n], 0.2) for n in CONDITIONS}
        scheduler = DDPMScheduler()  # type: ignore[no-untyped-call]
        denoiser = StandInDenoiser(codec.channels)
        return ConditionalDiffusion(conditions, StandInFusion(), denoiser, scheduler, codec=codec)
