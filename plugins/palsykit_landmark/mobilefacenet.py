"""MobileFaceNet as a 68-point landmark network."""

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from palsykit.faces.cropping import crop_square
from palsykit.faces.landmarks import COUNT
from palsykit.files.weights import load_exact
from palsykit.interfaces import NetworkOutput
from palsykit.recipe.ranges import Scale
from palsykit_landmark.mean_face import MEAN_FACE
from palsykit_landmark.public import MOBILEFACENET68, SPREAD

STEM, WIDE, MAP = 64, 128, 512
MARGIN = 1.2
"""Side of the crop ``box``, in shorter sides of the average face's bounding box; the value of public networks."""


class ConvUnit(nn.Module):
    """Convolution, batch norm and, unless ``linear``, PReLU: [B, inputs, h, w] -> [B, outputs, h', w']."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        linear: bool = False,
    ):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        if not linear:
            self.prelu = nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.bn(self.conv(x))
        return self.prelu(normed) if hasattr(self, "prelu") else normed


class Bottleneck(nn.Module):
    """Inverted residual: expand to ``hidden``, depthwise 3 x 3, linear projection; a shortcut if the shape stays."""

    def __init__(self, inputs: int, outputs: int, hidden: int, stride: int = 1):
        super().__init__()
        self.residual = stride == 1 and inputs == outputs
        self.conv = ConvUnit(inputs, hidden)
        self.conv_dw = ConvUnit(hidden, hidden, 3, stride=stride, padding=1, groups=hidden)
        self.project = ConvUnit(hidden, outputs, linear=True)

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = self.project(self.conv_dw(self.conv(x)))
        return x + inner if self.residual else inner


class Bottlenecks(nn.Module):
    """``count`` bottlenecks that keep their shape."""

    def __init__(self, channels: int, hidden: int, count: int):
        super().__init__()
        self.model = nn.Sequential(*(Bottleneck(channels, channels, hidden) for _ in range(count)))

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = self.model(x)
        return inner


class PointHead(nn.Module):
    """Global depthwise convolution, then a linear map: [B, C, side, side] -> [B, 136], in image sides."""

    def __init__(self, channels: int, side: int):
        super().__init__()
        self.conv_6_dw = ConvUnit(channels, channels, side, groups=channels, linear=True)
        self.linear = nn.Linear(channels, 2 * COUNT)
        # Start near the average face. Otherwise a short fit spends most of its steps on finding it.
        nn.init.normal_(self.linear.weight, std=0.2 / channels**0.5)
        with torch.no_grad():
            self.linear.bias.copy_(torch.tensor(MEAN_FACE).flatten() / SPREAD)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.conv_6_dw(x).flatten(1)
        with torch.autocast(x.device.type, enabled=False):  # bf16 would round coordinates to 1/256 of the side
            points: Tensor = self.linear(features.float()) * SPREAD
        return points


class MobileFaceNet(nn.Module):
    """MobileFaceNet (arXiv:1804.07573, table 1) with 136 outputs: a face -> feature map and iBUG 68 landmarks.

    The side is halved four times (rounded up): 112 px give a 7 x 7 map, 64 px a 4 x 4 map. The layers have the names
    of the public 68-point network (cunjian/pytorch_face_landmark). Its last layer is a batch norm of the coordinates;
    we leave it out, because batch statistics are noise in a regression. ``palsykit convert weights --layout
    mobilefacenet68`` folds it into ``output_layer.linear``.

    Args:
        image_size: side of the images in px.
        width: multiplies the channels of every layer (64, 128, 512).
        colours: the order of channels that the weights expect.
        levels: the range of pixels that the weights expect: "signed" is [-1, 1], "unit" is [0, 1].
        crop: the part of the picture that the network sees: palsykit's frame, or a box closer around the face, 1.2
            times the average face, enlarged to ``image_size`` again.
        weights: a safetensors file; every key and shape must be this network's.
    """

    layouts = (MOBILEFACENET68,)

    def __init__(
        self,
        image_size: int,
        *,
        width: Scale = 1.0,
        colours: Literal["rgb", "bgr"] = "rgb",
        levels: Literal["signed", "unit"] = "signed",
        crop: Literal["frame", "box"] = "frame",
        weights: Path | None = None,
    ):
        super().__init__()
        stem, wide, last = (round(channels * width) for channels in (STEM, WIDE, MAP))
        if stem < 1:
            raise ValueError(f"width {width} leaves the first layer no channel; expected at least {1 / STEM}")
        side = -(-image_size // 16)
        self.image_size, self.colours, self.levels = image_size, colours, levels
        self.crop = face_box() if crop == "box" else None
        self.map_shape = (last, side, side)
        self.embedding_width = None
        self.conv1 = ConvUnit(3, stem, 3, stride=2, padding=1)
        self.conv2_dw = ConvUnit(stem, stem, 3, padding=1, groups=stem)
        self.conv_23 = Bottleneck(stem, stem, 2 * stem, stride=2)
        self.conv_3 = Bottlenecks(stem, 2 * stem, 4)
        self.conv_34 = Bottleneck(stem, wide, 4 * stem, stride=2)
        self.conv_4 = Bottlenecks(wide, 2 * wide, 6)
        self.conv_45 = Bottleneck(wide, wide, 4 * wide, stride=2)
        self.conv_5 = Bottlenecks(wide, 2 * wide, 2)
        self.conv_6_sep = ConvUnit(wide, last)
        self.output_layer = PointHead(last, side)
        if weights is not None:
            load_exact(self, weights)

    def forward(self, image: Tensor) -> NetworkOutput:
        """image [B, 3, H, W] in [-1, 1] -> map [B, C, h, w] and points [B, 68, 2] px."""
        x = self.conv_3(self.conv_23(self.conv2_dw(self.conv1(self._as_seen(image)))))
        x = self.conv_5(self.conv_45(self.conv_4(self.conv_34(x))))
        features = self.conv_6_sep(x)
        sides = self.output_layer(features).unflatten(1, (COUNT, 2))  # in units of the image side
        if self.crop is not None:
            left, top, side = self.crop
            sides = sides * side + sides.new_tensor([left, top])
        return NetworkOutput(map=features, points=sides * self.image_size)

    def _as_seen(self, image: Tensor) -> Tensor:
        if self.crop is not None:
            image = crop_square(image, *self.crop)
        if self.colours == "bgr":
            image = image.flip(1)
        return (image + 1) / 2 if self.levels == "unit" else image


def face_box() -> tuple[float, float, float]:
    """Left, top and side of the crop ``box``, as fractions of the frame's side: a square around the average face."""
    face = torch.tensor(MEAN_FACE, device="cpu", dtype=torch.float64)
    low, high = face.amin(0), face.amax(0)
    side = MARGIN * float((high - low).min())
    left, top = ((low + high - side) / 2).tolist()
    return left, top, side
