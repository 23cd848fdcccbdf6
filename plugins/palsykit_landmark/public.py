"""The public 68-point network's layout (cunjian/pytorch_face_landmark), which ``mobilefacenet`` loads."""

from typing import Any

from torch import Tensor

from palsykit.foreign.layout import Layout, State

STEM = 64
STRIDE = 16
SPREAD = 0.05
"""Unit of ``mobilefacenet``'s last linear layer, in image sides; the public network's unit is one side."""
LAST = "output_layer.linear."
NORM = "output_layer.bn."


def _settings(state: State) -> tuple[int, dict[str, Any]]:
    stem = state["conv1.conv.weight"].shape[0]
    side = state["output_layer.conv_6_dw.conv.weight"].shape[-1]
    return side * STRIDE, {"width": stem / STEM, "colours": "bgr", "levels": "unit", "crop": "box"}


def _folded(state: State) -> dict[str, Tensor]:
    """Fold the batch norm of the coordinates, which is linear after training, into the linear layer before it.

    norm(W x) = g (W x - m) / s + h, s = sqrt(variance + 1e-5), in image sides; divided by ``SPREAD``.
    """
    result = {name: value for name, value in state.items() if not name.startswith(NORM)}
    scale, shift, mean, variance = (state[NORM + key] for key in ("weight", "bias", "running_mean", "running_var"))
    gain = scale / (variance + 1e-5).sqrt()
    result[LAST + "weight"] = state[LAST + "weight"] * gain[:, None] / SPREAD
    result[LAST + "bias"] = (shift - mean * gain) / SPREAD
    return result


MOBILEFACENET68 = Layout(
    name="mobilefacenet68",
    settings=_settings,
    prefixes=("module.",),
    rewrite=_folded,
    images="112 px crops 1.2 times the face's box, BGR, value / 255 (test_batch_detections.py); palsykit crops the "
    "average face's box out of its own frame",
    source="models/mobilefacenet.py of github.com/cunjian/pytorch_face_landmark, 136 outputs",
    licence="none is stated there; 300-W and Menpo, on which its networks were trained, are for non-commercial "
    "research",
)
