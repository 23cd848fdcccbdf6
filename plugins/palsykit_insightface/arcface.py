"""ArcFace of an insightface pack as a network: who a face is, for conditions and judges."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from palsykit.errors import PalsykitError
from palsykit.faces.alignment import ARCFACE_CROP
from palsykit.faces.cropping import cropped
from palsykit.files.hashes import sha256
from palsykit.interfaces import NetworkOutput
from palsykit_insightface.model import load
from palsykit_insightface.pack import find_recognition


class ArcFaceOnnx(nn.Module):
    """The recognition model of a pack (w600k_r50.onnx, glintr100.onnx ...; ArcFace, arXiv:1801.07698) in onnxruntime.

    image [B, 3, H, W] in [-1, 1] -> embedding [B, D] (not normalised), and the same as a map [B, D, 1, 1], since an
    ONNX graph does not tell which of its values is the last feature map. The model sees the ArcFace crop of palsykit's
    frame, resized to what it reads (112 px), RGB, with the mean and deviation that insightface finds in its graph.

    It runs on the CPU whatever the run's device is, and gives NO GRADIENT: it serves conditions, metrics and judges,
    but no loss and no condition of the cycle trainer's second pass with ``condition_gradients``; where a gradient is
    asked for it refuses. For those, take ``ir`` with weights that ``palsykit convert weights --layout arcface`` made.

    Args:
        image_size: side of the images in px; any, since they are resized.
        weights: folder of an unpacked pack (buffalo_l, antelopev2 ...), or its recognition model's ONNX file. Nothing
            is downloaded. The packs' models are for non-commercial research only.

    Raises:
        PalsykitError: the extra is missing, the pack lacks the model, or it does not run as insightface's do.
    """

    differentiable = False
    digest: Tensor

    def __init__(self, image_size: int, *, weights: Path):
        super().__init__()
        file = find_recognition(weights)
        self.model = load(file)
        size, batch = self.model.input_size[0], self.model.input_shape[0]
        self.side, self.at_once = int(size), batch if isinstance(batch, int) and batch > 0 else None
        # the weights are onnxruntime's; their digest tells runs apart that differ in them
        digest = bytes.fromhex(sha256(file))
        self.register_buffer("digest", torch.frombuffer(bytearray(digest), dtype=torch.uint8))
        try:
            width = self._embed(np.zeros((1, 3, self.side, self.side), np.float32)).shape[1]
        except Exception as error:  # whatever onnxruntime raises for a graph of another kind
            raise PalsykitError(
                f"{file}: does not run as insightface's recognition models do, expected a file of a pack as it was "
                f"published ({type(error).__name__}: {error})"
            ) from error
        self.embedding_width = width
        self.map_shape = (width, 1, 1)

    def forward(self, image: Tensor) -> NetworkOutput:
        """image [B, 3, H, W] in [-1, 1] -> map [B, D, 1, 1] and embedding [B, D].

        Raises:
            PalsykitError: a gradient in the picture is asked for.
        """
        if torch.is_grad_enabled() and image.requires_grad:
            raise PalsykitError(
                "network arcface_onnx: onnxruntime gives no gradient, which a loss or the cycle trainer's second pass "
                "asks for; expected a network of torch: name one such as ir (palsykit convert weights --layout arcface)"
            )
        seen = (cropped(image.detach().float(), *ARCFACE_CROP, size=self.side).clamp(-1, 1) + 1) * 127.5
        embedding = torch.from_numpy(self._embed(seen.cpu().numpy())).to(image.device)
        return NetworkOutput(map=embedding[:, :, None, None], embedding=embedding)

    def _embed(self, pixels: np.ndarray) -> np.ndarray:
        """[B, 3, side, side] RGB from 0 to 255 -> [B, D] float32, as many rows at once as the graph takes."""
        step = self.at_once or max(len(pixels), 1)
        parts = []
        for start in range(0, len(pixels), step):
            rows = pixels[start : start + step]
            short = step - len(rows)  # a graph for four pictures takes no three
            padded = np.concatenate([rows, np.repeat(rows[-1:], short, axis=0)]) if short else rows
            parts.append(self.model.forward(padded)[: len(rows)])
        return np.concatenate(parts).astype(np.float32, copy=False)
