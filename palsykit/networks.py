"""Named networks, shared: all parts that read a network get the same instance."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from palsykit.diffusion.features import FeatureCache, Features
from palsykit.faces.keys import row_keys
from palsykit.files.weights import state_digest
from palsykit.interfaces import NetworkOutput
from palsykit.training.kernels import frozen_weights
from palsykit.training.precision import for_convolutions
from palsykit.training.strided import subsample_first

T = TypeVar("T")
_MEMO: ContextVar[dict[tuple[Any, ...], tuple[Any, ...]] | None] = ContextVar("_MEMO", default=None)


@contextmanager
def computed_once() -> Iterator[None]:
    """Within this context, ``once`` and shared networks return the same tensors, with their graph, for the same input.

    If several conditions, maps and losses read one picture with one network, forward and backward pass run only once.
    Inside another such context, the outer one remembers.
    """
    if _MEMO.get() is not None:
        yield
        return
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

    Pictures of another size are resized to the network's own, differentiably, and the points that it finds are scaled
    back: conditions, maps, losses and metrics know only px of the picture that they hand in.

    A frozen network caches its outputs per picture: a photograph that two conditions and a metric read is encoded once.
    Pictures with a gradient and calls under autocast are not cached.

    Attributes:
        name: the key in the recipe's ``networks``.
        module: the network itself; the run moves, freezes, fits and saves it.
        own_size: side in px of the pictures that the module gets; None: pictures stay as they are.
    """

    def __init__(self, name: str, module: nn.Module, own_size: int | None = None):
        subsample_first(module)
        self.name, self.module, self.own_size = name, module, own_size
        self._cache: FeatureCache | None = None
        self._fingerprint: str | None = None
        self._compiled: Callable[[Tensor], NetworkOutput] | None = None

    def __call__(self, image: Tensor) -> NetworkOutput:
        return once(self._read, image)

    def _read(self, image: Tensor) -> NetworkOutput:
        if self._cache is None or not _can_cache(image) or self._is_trainable():
            return self._output(image)
        keys = once(row_keys, image)  # several networks read one picture, and a hash of 256 px takes a millisecond
        features = self._cache.features(image, lambda pictures: _flat(self._output(pictures)), keys)
        logits = {key.removeprefix("logits."): value for key, value in features.items() if key.startswith("logits.")}
        found = {name: features.get(name) for name in ("embedding", "points", "further")}
        return NetworkOutput(features["map"], logits=logits, **found)

    def _output(self, image: Tensor) -> NetworkOutput:
        """The module's output for pictures of any size, its points in px of them."""
        side = image.shape[-1]
        run: Callable[[Tensor], NetworkOutput] = self.module
        if self._compiled is not None and _wants_graph(image):
            run = self._compiled
        frozen = self._cache is not None and not self._is_trainable()
        with frozen_weights() if frozen else nullcontext():
            if self.own_size is None or side == self.own_size:
                output: NetworkOutput = run(for_convolutions(image))
                return output
            output = run(for_convolutions(once(resized, image, self.own_size)))
        points, further = (None if p is None else p * (side / self.own_size) for p in (output.points, output.further))
        return replace(output, points=points, further=further)

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

    def compile(self) -> None:
        """Compile what it does with pictures that have a gradient: a training's estimates, all of one size."""
        self._compiled = torch.compile(self.module)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Within this context, it remembers outputs in a cache of its own: what others read stays as it is."""
        before = self._cache
        self._cache = None if before is None else FeatureCache()
        try:
            yield
        finally:
            self._cache = before

    def _is_trainable(self) -> bool:
        return any(parameter.requires_grad for parameter in self.module.parameters())


def resized(image: Tensor, side: int) -> Tensor:
    """Square pictures [B, 3, H, H] at another size [B, 3, side, side]: averaged down, interpolated up.

    Linear and differentiable. A pixel is a mean of pixels, so it stays in their range; bicubic weights would leave it.
    """
    return F.interpolate(image, size=(side, side), mode="bilinear", antialias=True, align_corners=False)


def _can_cache(image: Tensor) -> bool:
    """Whether the output for a picture can be cached: full precision and no graph."""
    return not (_wants_graph(image) or torch.is_autocast_enabled(image.device.type))


def _wants_graph(image: Tensor) -> bool:
    return torch.is_grad_enabled() and image.requires_grad


def _flat(output: NetworkOutput) -> Features:
    named = {name: getattr(output, name) for name in ("map", "embedding", "points", "further")}
    logits = {f"logits.{name}": value for name, value in output.logits.items()}
    return {name: value for name, value in (named | logits).items() if value is not None}
