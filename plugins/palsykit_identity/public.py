"""Public layouts of face-recognition weights that ``ir`` loads: AdaFace's, and ArcFace's with the same names."""

from typing import Any

import torch
from torch import Tensor

from palsykit.foreign.layout import Layout, State

DEPTHS = {8: 18, 16: 34, 24: 50, 49: 101}
"""Number of residual units in ``body`` -> depth of the network."""
STEM, LAST = 64, 512
STRIDE = 16
NORM = "output_layer.4."


def _shape(state: State) -> tuple[int, dict[str, Any]]:
    """Find image_size and the network's keys from the shapes of stem, body and last linear layer."""
    stem = state["input_layer.0.weight"].shape[0]
    embedding, inputs = state["output_layer.3.weight"].shape
    units = 1 + max((int(name.split(".")[1]) for name in state if name.startswith("body.")), default=-1)
    if units not in DEPTHS:
        raise ValueError(f"{units} residual units in body, expected one of {', '.join(map(str, DEPTHS))}")
    side = round((inputs / round(LAST * stem / STEM)) ** 0.5)
    return side * STRIDE, {"depth": DEPTHS[units], "width": stem / STEM, "embedding": embedding}


def _adaface(state: State) -> tuple[int, dict[str, Any]]:
    size, keys = _shape(state)
    return size, {**keys, "colours": "bgr", "crop": "arcface"}


def _arcface(state: State) -> tuple[int, dict[str, Any]]:
    size, keys = _shape(state)
    return size, {**keys, "colours": "rgb", "crop": "arcface"}


def _folded(state: State) -> dict[str, Tensor]:
    """Fold scale and shift of the last batch norm, if it has them, into the linear layer before it; ``ir`` has none.

    norm(W x + b) = g (W x + b - m) / s + h, s = sqrt(variance + 1e-5), is linear in x after training.
    """
    result = dict(state)
    if NORM + "weight" not in state:
        return result
    scale, shift = result.pop(NORM + "weight"), result.pop(NORM + "bias")
    mean, variance = state[NORM + "running_mean"], state[NORM + "running_var"]
    gain = scale / (variance + 1e-5).sqrt()
    result["output_layer.3.weight"] = state["output_layer.3.weight"] * gain[:, None]
    result["output_layer.3.bias"] = (state["output_layer.3.bias"] - mean) * gain + shift
    result[NORM + "running_mean"] = torch.zeros_like(mean)
    result[NORM + "running_var"] = torch.full_like(variance, 1 - 1e-5)  # plus the norm's epsilon: 1
    return result


ADAFACE = Layout(
    name="adaface",
    settings=_adaface,
    prefixes=("module.", "model."),
    dropped=("head.kernel", "head.t", "head.batch_mean", "head.batch_std"),
    images="112 px ArcFace crops, BGR (AdaFace's README), (value / 255 - 0.5) / 0.5",
    source="net.py and inference.py of github.com/mk-minchul/AdaFace",
    licence="the code is MIT; for the weights ask their authors: they refer commercial use to MSU Technologies "
    "(AdaFace issue 174), and MS1M and WebFace, on which they were trained, are for non-commercial research",
)
ARCFACE = Layout(
    name="arcface",
    settings=_arcface,
    prefixes=("module.", "model."),
    dropped=("head.kernel", "head.weight"),
    rewrite=_folded,
    images="112 px ArcFace crops, RGB as InsightFace's models, (value / 255 - 0.5) / 0.5; set colours: bgr for weights "
    "that were trained on pictures read with OpenCV",
    source="the naming of net.py of github.com/mk-minchul/AdaFace, trained with ArcFace (arXiv:1801.07698)",
    licence="the weights' own; those from MS1M, Glint360K and WebFace are for non-commercial research",
)
