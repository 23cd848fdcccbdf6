"""The ArcFace model of an insightface pack as a network for conditions and judges."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from palsykit.errors import PalsykitError
from palsykit.faces.alignment import ARCFACE_CROP
from palsykit.faces.cropping import crop_square
from palsykit.files.hashes import sha256
from palsykit.interfaces import NetworkOutput
from palsykit_insightface.model import load
from palsykit_insightface.pack import find_recognition


class ArcFaceOnnx(nn.Module):
    """The recognition model of a pack (w600k_r50.onnx, glintr100.onnx ...; ArcFace, arXiv:1801.07698) in onnxruntime.

    image [B, 3, H, W] in [-1, 1] -> embedding [B, D] (not normalised), and the same as a map [B, D, 1, 1], because an
    ONNX graph does not say which of its values is the last feature map. The model's input is the ArcFace crop of
    palsykit's frame in RGB, resized (to 112 px), with the mean and deviation that insightface finds in the graph.

    It always runs on the CPU and gives NO GRADIENT. Use it for conditions, metrics and judges, but not for a loss or
    for a condition in the cycle trainer's second pass with ``condition_gradients``: it refuses if a gradient is needed.
    For those, use ``ir`` with weights from ``palsykit convert weights --layout arcface``.

    Args:
        image_size: side of the images in px; any size, because they are resized.
        weights: folder of an unpacked pack (buffalo_l, antelopev2 ...), or the ONNX file of its recognition model.
            Nothing is downloaded. The packs' models are for non-commercial research only.

    Raises:
        PalsykitError: the extra is missing, the pack lacks the model, or the model does not run as insightface's do.
    """

    differentiable = False
    digest: Tensor

    def __init__(self, image_size: int, *, weights: Path):
        super().__init__()
        file = find_recognition(weights)
        self.model = load(file)
        size, batch = self.model.input_size[0], self.model.input_shape[0]
        self.side, self.at_once = int(size), batch if isinstance(batch, int) and batch > 0 else None
        # The weights are inside onnxruntime. Their digest in the state distinguishes runs with other weights.
        digest = bytes.fromhex(sha256(file))
        self.register_buffer("digest", torch.frombuffer(bytearray(digest), dtype=torch.uint8))
        try:
            width = self._embed(np.zeros((1, 3, self.side, self.side), np.float32)).shape[1]
        except Exception as error:  # onnxruntime may raise anything for a graph of another kind
            raise PalsykitError(
                f"{file}: does not run as insightface's recognition models do, expected an unchanged file of a "
                f"published pack ({type(error).__name__}: {error})"
            ) from error
        self.embedding_width = width
        self.map_shape = (width, 1, 1)

    def forward(self, image: Tensor) -> NetworkOutput:
        """image [B, 3, H, W] in [-1, 1] -> map [B, D, 1, 1] and embedding [B, D].

        Raises:
            PalsykitError: a gradient in the picture is needed.
        """
        if torch.is_grad_enabled() and image.requires_grad:
            raise PalsykitError(
                "network arcface_onnx: onnxruntime gives no gradient, but a loss or the cycle trainer's second pass "
                "needs one; expected a torch network: name one such as ir (palsykit convert weights --layout arcface)"
            )
        pixels = (crop_square(image.detach().float(), *ARCFACE_CROP, size=self.side).clamp(-1, 1) + 1) * 127.5
        embedding = torch.from_numpy(self._embed(pixels.cpu().numpy())).to(image.device)
        return NetworkOutput(map=embedding[:, :, None, None], embedding=embedding)

    def _embed(self, pixels: np.ndarray) -> np.ndarray:
        """[B, 3, side, side] RGB from 0 to 255 -> [B, D] float32, in the graph's batch size if that is fixed."""
        step = self.at_once or max(len(pixels), 1)
        parts = []
        for start in range(0, len(pixels), step):
            rows = pixels[start : start + step]
            short = step - len(rows)  # a graph for four pictures refuses three
            padded = np.concatenate([rows, np.repeat(rows[-1:], short, axis=0)]) if short else rows
            parts.append(self.model.forward(padded)[: len(rows)])
        return np.concatenate(parts).astype(np.float32, copy=False)
