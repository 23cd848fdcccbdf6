"""FID's Inception as a network, so that distances of sets can be compared with published figures."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from palsykit.errors import PalsykitError
from palsykit.files.weights import load_exact
from palsykit.foreign.layout import Layout, State
from palsykit.interfaces import NetworkOutput
from palsykit_fidelity.library import unloaded

COMPARABLE = "inception-v3-compat"
"""torch-fidelity's name for these features. Metrics with this extractor are called comparable."""
PUBLISHED = "6726825d"
"""First digits of the published file's SHA-256; file names of torch-fidelity and of pytorch-fid end with them."""
WIDTH = 2048
COUNTER = ".num_batches_tracked"
LAST = "Mixed_7c"


def _settings(state: State) -> tuple[None, dict[str, Any]]:
    """No image size and no keys: pictures of any size are resized, and there is nothing to set."""
    if (width := state["fc.weight"].shape[1]) != WIDTH:
        raise ValueError(f"features of width {width}, expected {WIDTH}")
    return None, {}


def _renamed(state: State) -> dict[str, Tensor]:
    """Their network's names with our prefix. Older files lack the norms' counters, which nothing reads; add zeros."""
    norms = [name.removesuffix(".running_mean") for name in state if name.endswith(".running_mean")]
    counters = {norm + COUNTER: torch.tensor(0) for norm in norms}
    return {f"model.{name}": value for name, value in {**counters, **state}.items()}


class Inception(nn.Module):
    """FID's Inception v3 (Heusel et al., arXiv:1706.08500), as torch-fidelity rebuilt it from the TensorFlow graph.

    image [B, 3, H, W] in [-1, 1] -> the last feature map [B, 2048, 8, 8] and its mean, the embedding [B, 2048].
    The picture is rounded to 8 bits and resized to 299 px as in TensorFlow 1. It gives NO GRADIENT: use it for metrics
    and judges.

    The weights are converted once:
    ``palsykit convert weights weights-inception-2015-12-05-6726825d.pth inception.safetensors --layout inception``.
    Only figures with that file are called comparable; ``extractor`` is None for others.

    Args:
        image_size: side of the images in px; any size, because they are resized.
        weights: a safetensors file that was converted from torch-fidelity's or pytorch-fid's.

    Raises:
        PalsykitError: torch-fidelity is missing.
        ValueError: the file's keys or shapes are not this network's.
    """

    differentiable = False
    layouts = (
        Layout(
            name="inception",
            settings=_settings,
            rewrite=_renamed,
            images="8-bit RGB of any size, resized to 299 px with TensorFlow 1's bilinear interpolation, "
            "(value - 128) / 128",
            source="weights-inception-2015-12-05-6726825d.pth of torch-fidelity's release v0.2.0, "
            "pt_inception-2015-12-05-6726825d.pth of pytorch-fid's release",
            licence="Apache-2.0, converted from the TensorFlow models' weights",
        ),
    )

    def __init__(self, image_size: int, *, weights: Path | None = None):
        super().__init__()
        self.model = unloaded()
        self.map_shape, self.embedding_width = (WIDTH, 8, 8), WIDTH
        self.extractor: str | None = None
        if weights is not None:
            source = load_exact(self, weights).get("source_sha256", "")
            self.extractor = COMPARABLE if source.startswith(PUBLISHED) else None
        self._seen: list[Tensor] = []
        self.model.get_submodule(LAST).register_forward_hook(lambda module, inputs, output: self._seen.append(output))

    def forward(self, image: Tensor) -> NetworkOutput:
        """image [B, 3, H, W] in [-1, 1] -> map [B, 2048, 8, 8] and embedding [B, 2048].

        Raises:
            PalsykitError: a gradient in the picture is needed.
        """
        if torch.is_grad_enabled() and image.requires_grad:
            raise PalsykitError(
                "network inception: it reads 8-bit pictures and gives no gradient, but a loss needs one; expected a "
                "differentiable network, such as ir"
            )
        pixels = ((image.detach().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        (embedding,) = self.model(pixels)
        return NetworkOutput(map=self._seen.pop(), embedding=embedding)
