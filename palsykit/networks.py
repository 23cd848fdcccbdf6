"""One instance of a named network for every part that reads it."""

from typing import Any

import torch
from torch import Tensor, nn

from palsykit.diffusion.features import FeatureCache, Features
from palsykit.files.weights import state_digest
from palsykit.interfaces import FaceView, NetworkOutput
from palsykit.training.strided import subsample_first

HELD = 1 << 30
"""Bytes of outputs that a frozen network remembers at most."""


class SharedNetwork:
    """A network as parts receive it: callable like the module, but no ``nn.Module``, so that no part owns its weights.

    Once frozen it remembers, picture by picture, what it saw: a photograph that two conditions and a metric read is
    encoded once. Pictures with a gradient, and whatever runs under autocast, are not remembered.

    Attributes:
        name: its key in the recipe's ``networks``.
        module: the network itself; the run moves, freezes, fits and saves it.
    """

    def __init__(self, name: str, module: nn.Module):
        subsample_first(module)
        self.name, self.module = name, module
        self._seen: FeatureCache | None = None
        self._fingerprint: str | None = None

    def __call__(self, image: Tensor) -> NetworkOutput:
        if self._seen is None or not _can_remember(image) or self._learns():
            output: NetworkOutput = self.module(image)
            return output
        found = self._seen.features(self.name, [FaceView.of_images(image)], lambda view: _flat(self.module(view.image)))
        logits = {key.removeprefix("logits."): value for key, value in found.items() if key.startswith("logits.")}
        return NetworkOutput(found["map"], found.get("embedding"), found.get("points"), logits)

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__") or attribute == "module":
            raise AttributeError(attribute)
        return getattr(self.module, attribute)

    def __deepcopy__(self, memo: dict[int, Any]) -> "SharedNetwork":
        return self  # a copy of a model (its EMA) reads the same frozen network

    def fingerprint(self) -> str:
        """The first 12 digits of the SHA-256 of its weights, for a metric's card: figures compare for the same weights.

        "" of a network that shows none, such as another library's program.
        """
        frozen = self._seen is not None and not self._learns()
        if frozen and self._fingerprint is not None:  # every metric of every system that is compared asks for it
            return self._fingerprint
        found = state_digest({"weights": self.module})[:12] if self.module.state_dict() else ""
        self._fingerprint = found if frozen else None
        return found

    def freeze(self) -> None:
        """No gradients into the weights, batch statistics as they were learnt; what was seen before is forgotten."""
        self.module.eval().requires_grad_(False)
        self._seen, self._fingerprint = FeatureCache(HELD), None

    def _learns(self) -> bool:
        return any(parameter.requires_grad for parameter in self.module.parameters())


def _can_remember(image: Tensor) -> bool:
    """Whether a picture's output is worth keeping: full precision, no graph, and tensors that autograd may read."""
    wants_graph = torch.is_grad_enabled() and image.requires_grad
    return not (wants_graph or torch.is_inference_mode_enabled() or torch.is_autocast_enabled(image.device.type))


def _flat(output: NetworkOutput) -> Features:
    named = {"map": output.map, "embedding": output.embedding, "points": output.points}
    logits = {f"logits.{name}": value for name, value in output.logits.items()}
    return {name: value for name, value in (named | logits).items() if value is not None}
