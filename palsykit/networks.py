"""One instance of a named network for every part that reads it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from palsykit.diffusion.features import FeatureCache, Features
from palsykit.files.weights import state_digest
from palsykit.interfaces import NetworkOutput
from palsykit.training.strided import subsample_first

T = TypeVar("T")
_MEMO: ContextVar[dict[tuple[Any, ...], tuple[Any, ...]] | None] = ContextVar("_MEMO", default=None)


@contextmanager
def computed_once() -> Iterator[None]:
    """Within it ``once`` and shared networks answer the same question with the same tensors, graph and all.

    Several conditions and maps may read one picture with one network; its gradient then flows back through it once.
    """
    token = _MEMO.set({})
    try:
        yield
    finally:
        _MEMO.reset(token)


def once(function: Callable[..., T], *arguments: Any) -> T:
    """``function(*arguments)``; within ``computed_once`` computed once for the very same objects."""
    memo = _MEMO.get()
    if memo is None:
        return function(*arguments)
    key = (function, *map(id, arguments))
    if key not in memo:
        memo[key] = (function(*arguments), arguments)  # the arguments are kept, so that no other object gets their ids
    result: T = memo[key][0]
    return result


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
        return once(self._read, image)

    def _read(self, image: Tensor) -> NetworkOutput:
        if self._seen is None or not _can_remember(image) or self._learns():
            output: NetworkOutput = self.module(image)
            return output
        found = self._seen.features(image, lambda pictures: _flat(self.module(pictures)))
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
        self._seen, self._fingerprint = FeatureCache(), None

    def _learns(self) -> bool:
        return any(parameter.requires_grad for parameter in self.module.parameters())


def _can_remember(image: Tensor) -> bool:
    """Whether a picture's output is worth keeping: full precision and no graph."""
    wants_graph = torch.is_grad_enabled() and image.requires_grad
    return not (wants_graph or torch.is_autocast_enabled(image.device.type))


def _flat(output: NetworkOutput) -> Features:
    named = {"map": output.map, "embedding": output.embedding, "points": output.points}
    logits = {f"logits.{name}": value for name, value in output.logits.items()}
    return {name: value for name, value in (named | logits).items() if value is not None}
