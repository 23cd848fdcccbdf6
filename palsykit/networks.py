"""Named networks, shared: all parts that read a network get the same instance."""

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
    """Within this context, ``once`` and shared networks return the same tensors, with their graph, for the same input.

    If several conditions and maps read one picture with one network, forward and backward pass run only once.
    """
    token = _MEMO.set({})
    try:
        yield
    finally:
        _MEMO.reset(token)


def once(function: Callable[..., T], *arguments: Any) -> T:
    """Return ``function(*arguments)``; within ``computed_once``, call it only once for identical objects."""
    memo = _MEMO.get()
    if memo is None:
        return function(*arguments)
    key = (function, *map(id, arguments))
    if key not in memo:
        memo[key] = (function(*arguments), arguments)  # store the arguments, too, so that no new object gets their ids
    result: T = memo[key][0]
    return result


class SharedNetwork:
    """A network as parts receive it: callable like the module, but not an ``nn.Module``, so no part owns its weights.

    A frozen network caches its outputs per picture: a photograph that two conditions and a metric read is encoded once.
    Pictures with a gradient and calls under autocast are not cached.

    Attributes:
        name: the key in the recipe's ``networks``.
        module: the network itself; the run moves, freezes, fits and saves it.
    """

    def __init__(self, name: str, module: nn.Module):
        subsample_first(module)
        self.name, self.module = name, module
        self._cache: FeatureCache | None = None
        self._fingerprint: str | None = None

    def __call__(self, image: Tensor) -> NetworkOutput:
        return once(self._read, image)

    def _read(self, image: Tensor) -> NetworkOutput:
        if self._cache is None or not _can_cache(image) or self._is_trainable():
            output: NetworkOutput = self.module(image)
            return output
        features = self._cache.features(image, lambda pictures: _flat(self.module(pictures)))
        logits = {key.removeprefix("logits."): value for key, value in features.items() if key.startswith("logits.")}
        return NetworkOutput(features["map"], features.get("embedding"), features.get("points"), logits)

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__") or attribute == "module":
            raise AttributeError(attribute)
        return getattr(self.module, attribute)

    def __deepcopy__(self, memo: dict[int, Any]) -> "SharedNetwork":
        return self  # a copy of a model (its EMA) reads the same frozen network

    def fingerprint(self) -> str:
        """The first 12 digits of the SHA-256 of its weights; "" if it has no state dict.

        A metric's card shows it, because figures can be compared only if the weights are the same.
        """
        frozen = self._cache is not None and not self._is_trainable()
        if frozen and self._fingerprint is not None:  # metrics call this often
            return self._fingerprint
        digest = state_digest({"weights": self.module})[:12] if self.module.state_dict() else ""
        self._fingerprint = digest if frozen else None
        return digest

    def freeze(self) -> None:
        """Freeze weights and batch statistics, and empty the cache."""
        self.module.eval().requires_grad_(False)
        self._cache, self._fingerprint = FeatureCache(), None

    def _is_trainable(self) -> bool:
        return any(parameter.requires_grad for parameter in self.module.parameters())


def _can_cache(image: Tensor) -> bool:
    """Whether the output for a picture can be cached: full precision and no graph."""
    wants_graph = torch.is_grad_enabled() and image.requires_grad
    return not (wants_graph or torch.is_autocast_enabled(image.device.type))


def _flat(output: NetworkOutput) -> Features:
    named = {"map": output.map, "embedding": output.embedding, "points": output.points}
    logits = {f"logits.{name}": value for name, value in output.logits.items()}
    return {name: value for name, value in (named | logits).items() if value is not None}
