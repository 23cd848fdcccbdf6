"""The improved residual network (IR) of face recognition, with optional heads for classification."""

from itertools import pairwise
from pathlib import Path
from typing import Literal

from torch import Tensor, nn

from palsykit.faces.alignment import ARCFACE_CROP
from palsykit.faces.cropping import crop_square
from palsykit.files.weights import load_exact
from palsykit.interfaces import NetworkOutput
from palsykit.recipe.ranges import Scale, Width
from palsykit_identity.public import ADAFACE, ARCFACE

UNITS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3), 101: (3, 13, 30, 3)}
"""Depth -> residual units in each of the four stages; 100 and 101 are the same network."""
STAGES = (64, 128, 256, 512)


class ResidualUnit(nn.Module):
    """BN - conv - BN - PReLU - strided conv - BN, with a shortcut (ArcFace, arXiv:1801.07698).

    [B, inputs, h, w] -> [B, outputs, ceil(h / stride), ceil(w / stride)].
    """

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        if inputs != outputs:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        x_next: Tensor = self.res_layer(x) + self.shortcut_layer(x)
        return x_next


class InsightResNet(nn.Module):
    """IR-18 to IR-101 (ArcFace, arXiv:1801.07698; AdaFace, arXiv:2204.00964): a face -> feature map and embedding.

    Each of the four stages halves the side (rounded up): 112 px give a 7 x 7 map, 64 px a 4 x 4 map. At 112 px, with
    width 1 and without heads, the parameters have the names and shapes of AdaFace's public IR-50 and IR-101, which need
    ``colours: bgr`` and ``crop: arcface``. ``palsykit convert weights --layout adaface`` (or ``arcface``) writes the
    file and prints the keys. Difference: their dropout is 0.4.

    Args:
        image_size: side of the images in px.
        depth: number in the network's name, as in IR-50.
        width: multiplies the channels of every stage (64, 128, 256, 512).
        embedding: width of the embedding.
        heads: name -> number of outputs of linear heads on the embedding: {"expression": 8, "side": 3, "severity": 1};
            the classes are in ``palsykit.faces.classes``.
        dropout: before the embedding, in training; uses PyTorch's global generator.
        colours: the order of channels that the weights expect.
        crop: the part of the picture that the network sees: palsykit's frame, or the ArcFace crop inside it,
            enlarged to ``image_size`` again.
        weights: a safetensors file; every key and shape must be this network's.
    """

    layouts = (ADAFACE, ARCFACE)

    def __init__(
        self,
        image_size: int,
        *,
        depth: Literal[18, 34, 50, 100, 101] = 50,
        width: Scale = 1.0,
        embedding: Width = 512,
        heads: dict[str, int] | None = None,
        dropout: float = 0.0,
        colours: Literal["rgb", "bgr"] = "rgb",
        crop: Literal["frame", "arcface"] = "frame",
        weights: Path | None = None,
    ):
        super().__init__()
        stem, *stages = _channels(width)
        side = -(-image_size // 16)
        self.colours, self.crop = colours, crop
        self.map_shape = (stages[-1], side, side)
        self.embedding_width = embedding
        self.input_layer = nn.Sequential(nn.Conv2d(3, stem, 3, 1, 1, bias=False), nn.BatchNorm2d(stem), nn.PReLU(stem))
        self.body = nn.Sequential(*_stages([stem, *stages], UNITS[depth]))
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(stages[-1]),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(stages[-1] * side * side, embedding),
            nn.BatchNorm1d(embedding, affine=False),
        )
        self.heads = nn.ModuleDict({name: nn.Linear(embedding, outputs) for name, outputs in (heads or {}).items()})
        self._initialise()
        if weights is not None:
            load_exact(self, weights)

    def forward(self, image: Tensor) -> NetworkOutput:
        """image [B, 3, H, W] in [-1, 1] -> map [B, C, h, w], embedding [B, D] (not normalised), logits of the heads."""
        x = self._as_seen(image)
        features = self.body(self.input_layer(x))
        embedding = self.output_layer(features)
        logits = {name: head(embedding) for name, head in self.heads.items()}
        return NetworkOutput(map=features, embedding=embedding, logits=logits)

    def _as_seen(self, image: Tensor) -> Tensor:
        if self.crop == "arcface":
            image = crop_square(image, *ARCFACE_CROP)
        return image.flip(1) if self.colours == "bgr" else image

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def _channels(width: float) -> list[int]:
    """Channels of the stem and of the four stages."""
    stages = [round(channels * width) for channels in STAGES]
    if stages[0] < 1:
        raise ValueError(f"width {width} leaves the first stage no channel; expected at least {1 / STAGES[0]}")
    return [stages[0], *stages]


def _stages(channels: list[int], units: tuple[int, ...]) -> list[ResidualUnit]:
    """All residual units in order; the first of each stage changes the channels and halves the side."""
    return [
        ResidualUnit(inputs if unit == 0 else outputs, outputs, stride=2 if unit == 0 else 1)
        for (inputs, outputs), count in zip(pairwise(channels), units, strict=True)
        for unit in range(count)
    ]
