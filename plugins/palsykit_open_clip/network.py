"""Any image tower of open_clip as a network: ViT, ResNet or timm's, trained with CLIP, SigLIP and similar methods."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from palsykit.foreign.preprocessing import Crop, Preprocessing
from palsykit.interfaces import NetworkOutput
from palsykit_open_clip.loading import tower


class OpenClipNetwork(nn.Module):
    """A frozen image tower of open_clip (github.com/mlfoundations/open_clip; CLIP, arXiv:2103.00020).

    image [B, 3, H, W] in [-1, 1] -> map [B, C, h, w], the patches after the last block and, if the tower has a last
    LayerNorm of that width, after it; embedding [B, D], the pooled and projected features that are compared with text.
    Pictures are resized, cropped and normalised as the model's configuration says. Gradients reach the picture.

    Args:
        image_size: side of the images in px; any size, because they are resized.
        weights: a folder with open_clip_config.json and open_clip_model.safetensors, as on Hugging Face, or the
            safetensors file. Nothing is downloaded, and the text tower is not read.
        model: name of a configuration built into open_clip, for a file without open_clip_config.json. Mean and
            deviation of the channels are then OpenAI's, as open_clip does for files. A name that ends in -quickgelu
            is another model than the name without it.
        crop: the part of the picture that the model sees: as its configuration crops, the whole frame, or the ArcFace
            crop.

    Raises:
        PalsykitError: the library or a file is missing, or the weights do not match the configuration.
        ValueError: the tower reads pictures that are not square.
    """

    tower: Any

    def __init__(self, image_size: int, *, weights: Path, model: str | None = None, crop: Crop = "config"):
        super().__init__()
        self.tower, settings = tower(weights, model)
        side = _side(settings["size"])
        self.preprocessing = Preprocessing(
            side, side, settings["interpolation"], tuple(settings["mean"]), tuple(settings["std"]), crop=crop
        )
        self.requires_grad_(False).eval()
        self.normalised = _norm_fits(self.tower)
        with torch.no_grad():
            probe = self(torch.zeros(1, 3, image_size, image_size))
        self.map_shape = tuple(probe.map.shape[1:])
        self.embedding_width = probe.embedding.shape[-1]

    def forward(self, image: Tensor) -> NetworkOutput:
        """image [B, 3, H, W] in [-1, 1] -> map [B, C, h, w] and embedding [B, D] (not normalised)."""
        output = self.tower.forward_intermediates(
            self.preprocessing(image), indices=1, normalize_intermediates=self.normalised, output_fmt="NCHW"
        )
        return NetworkOutput(map=output["image_intermediates"][-1], embedding=output["image_features"])


def _norm_fits(tower: Any) -> bool:
    """Whether the last norm has the blocks' width. With attentional pooling it comes later and has the pool's."""
    norm = getattr(tower, "ln_post", None)
    if isinstance(norm, nn.LayerNorm):
        return tuple(norm.normalized_shape) == (tower.conv1.out_channels,)
    return True


def _side(size: Any) -> int:
    sides = {int(value) for value in (size if isinstance(size, list | tuple) else (size,))}
    if len(sides) != 1:
        raise ValueError(f"the tower reads pictures of {size} px; expected squares")
    return sides.pop()
