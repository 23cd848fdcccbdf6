"""Which attention kernel a denoiser runs on: by name, or the fastest where it runs."""

import logging
import time
from collections.abc import Callable, Iterator
from functools import cache

import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import nn

from palsykit.errors import PalsykitError
from palsykit.interfaces import AttentionBackend
from palsykit.progress import say
from palsykit.registry import registry

log = logging.getLogger("palsykit")


class Sdpa:
    """PyTorch's ``scaled_dot_product_attention``: on every device, and bit-for-bit repeatable on a CPU."""

    def available(self) -> str | None:
        """Always None: PyTorch itself is a requirement."""
        return None

    def apply(self, module: nn.Module) -> None:
        """Every diffusers attention layer of ``module`` uses ``AttnProcessor2_0``."""
        for layer in module.modules():
            if isinstance(layer, Attention):
                layer.set_processor(AttnProcessor2_0())


def registered() -> Iterator[tuple[str, AttentionBackend]]:
    """Every backend that a plugin gives, by name; one that cannot be loaded is skipped with a warning."""
    for name in registry().names("attention"):
        try:
            yield name, build(name)
        except PalsykitError as error:
            log.warning("attention: skipped a backend: %s", error.message)


def build(name: str) -> AttentionBackend:
    """The backend ``name``.

    Raises:
        PalsykitError: for an unknown name, with the nearest ones, or a plugin that cannot be loaded.
    """
    backend: AttentionBackend = registry().get("attention", name).load()()
    return backend


def named(name: str) -> AttentionBackend:
    """The backend ``name``; on a machine without CUDA, where it cannot run, a note says so and sdpa takes its place.

    A model that was trained with a GPU's kernels is thus read on every machine; attention is the same but for rounding.

    Raises:
        PalsykitError: for an unknown name.
        ValueError: for one that cannot run beside a GPU, with the reason.
    """
    backend = build(name)
    reason = backend.available()
    if reason is None:
        _say_once(f"attention: {_described(name, backend)}, as the recipe says")
        return backend
    if torch.cuda.is_available():
        raise ValueError(f"attention backend {name!r} cannot run here: {reason}; use attention: auto or sdpa")
    _say_once(f"attention: {name} cannot run here: {reason}; sdpa takes its place")
    return Sdpa()


def _described(name: str, backend: AttentionBackend) -> str:
    kernels = getattr(backend, "kernels", None)
    return f"{name} ({kernels()})" if callable(kernels) else name


@cache
def _say_once(text: str) -> None:
    """Models are built more than once in a process: for training, its EMA, generation."""
    say(text)


def fastest(module: nn.Module, run: Callable[[], object]) -> str:
    """Times ``run``, a pass of ``module`` on its real shapes, under every available backend and leaves the fastest on.

    A backend that fails on these shapes is out, with a warning. What is chosen is said once, with all the times.
    """
    seconds: dict[str, float] = {}
    backends = {name: backend for name, backend in registered() if backend.available() is None}
    for name, backend in backends.items():
        backend.apply(module)
        try:
            seconds[name] = seconds_a_run(run)
        except (RuntimeError, ValueError, NotImplementedError) as error:  # kernels refuse shapes or types in their ways
            log.warning("attention: backend %r failed on these shapes: %s", name, str(error).splitlines()[0])
    if not seconds:
        raise RuntimeError(f"no attention backend ran; tried {', '.join(backends)}; name one by the key attention")
    best = min(seconds, key=seconds.__getitem__)
    backends[best].apply(module)
    times = ", ".join(f"{name} {1000 * value:.2f} ms" for name, value in seconds.items())
    _say_once(f"attention: auto chose {_described(best, backends[best])} of {times}")
    return best


def seconds_a_run(run: Callable[[], object], repeats: int = 5) -> float:
    """The median wall-clock seconds of ``run`` after two warm-up runs, the GPU's queue drained around each."""
    taken = []
    for index in range(repeats + 2):
        _drain()
        start = time.perf_counter()
        run()
        _drain()
        if index >= 2:
            taken.append(time.perf_counter() - start)
    return sorted(taken)[repeats // 2]


def _drain() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
