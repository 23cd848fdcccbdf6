"""Select a denoiser's attention kernel: by name, or the fastest one on this machine."""

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
    """PyTorch's ``scaled_dot_product_attention``: runs on every device; on a CPU it is repeatable to the last bit."""

    def available(self) -> str | None:
        """Always None: PyTorch itself is a requirement."""
        return None

    def apply(self, module: nn.Module) -> None:
        """Set ``AttnProcessor2_0`` in every diffusers attention layer of ``module``."""
        for layer in module.modules():
            if isinstance(layer, Attention):
                layer.set_processor(AttnProcessor2_0())


def registered() -> Iterator[tuple[str, AttentionBackend]]:
    """Yield (name, backend) for all plugins; a backend that cannot be loaded is skipped with a warning."""
    for name in registry().names("attention"):
        try:
            yield name, build(name)
        except PalsykitError as error:
            log.warning("attention: skipped a backend: %s", error.message)


def build(name: str) -> AttentionBackend:
    """Create the backend ``name``.

    Raises:
        PalsykitError: the name is unknown (the message has similar names), or its plugin cannot be loaded.
    """
    backend: AttentionBackend = registry().get("attention", name).load()()
    return backend


def named(name: str) -> AttentionBackend:
    """The backend ``name``; if it cannot run on a machine without CUDA, sdpa with a note.

    So a model that was trained with a GPU's kernels can be used on every machine; results differ by rounding only.

    Raises:
        PalsykitError: the name is unknown.
        ValueError: the machine has CUDA, but the backend cannot run; the message has the reason.
    """
    backend = build(name)
    reason = backend.available()
    if reason is None:
        _say_once(f"attention: {_description(name, backend)}, as the recipe says")
        return backend
    if torch.cuda.is_available():
        raise ValueError(f"attention backend {name!r} cannot run here: {reason}; use attention: auto or sdpa")
    _say_once(f"attention: {name} cannot run here: {reason}; using sdpa instead")
    return Sdpa()


def _description(name: str, backend: AttentionBackend) -> str:
    kernels = getattr(backend, "kernels", None)
    return f"{name} ({kernels()})" if callable(kernels) else name


@cache
def _say_once(text: str) -> None:
    """Print a line once per process, although models are built several times: for training, its EMA, generation."""
    say(text)


def fastest(module: nn.Module, run: Callable[[], object]) -> str:
    """Time ``run``, a pass of ``module`` with its real shapes, with every available backend; keep the fastest.

    A backend that fails with these shapes is skipped with a warning. The choice is printed once, with all times.

    Returns:
        The name of the chosen backend.

    Raises:
        RuntimeError: no backend ran.
    """
    # Time each backend.
    seconds: dict[str, float] = {}
    backends = {name: backend for name, backend in registered() if backend.available() is None}
    for name, backend in backends.items():
        backend.apply(module)
        try:
            with torch.compiler.set_stance("force_eager"):  # each of them would be compiled
                seconds[name] = seconds_per_run(run)
        except (RuntimeError, ValueError) as error:  # each library refuses shapes with its own
            log.warning("attention: backend %r failed on these shapes: %s", name, str(error).splitlines()[0])
    if not seconds:
        raise RuntimeError(f"no attention backend ran; tried {', '.join(backends)}; set the key attention to one")
    # Use the fastest.
    best = min(seconds, key=seconds.__getitem__)
    backends[best].apply(module)
    times = ", ".join(f"{name} {1000 * value:.2f} ms" for name, value in seconds.items())
    _say_once(f"attention: auto chose {_description(best, backends[best])} of {times}")
    return best


def seconds_per_run(run: Callable[[], object], repeats: int = 5) -> float:
    """Median wall-clock seconds of ``run``, after two warm-up runs; each run waits until the GPU has finished."""
    seconds = []
    for index in range(repeats + 2):
        _synchronise()
        start = time.perf_counter()
        run()
        _synchronise()
        if index >= 2:
            seconds.append(time.perf_counter() - start)
    return sorted(seconds)[repeats // 2]


def _synchronise() -> None:
    """Wait until the GPU has finished its queue."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
