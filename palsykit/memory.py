"""Memory and disk of the machine: what would not fit is refused before it is asked for."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""The bound of a container, of either version of control groups."""


@cache
def machine_memory() -> int:
    """Bytes of memory that a process here can have: the machine's, or less in a container."""
    bounds = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in _LIMITS:
        try:
            bounds.append(int(Path(name).read_text(encoding="ascii")))
        except (OSError, ValueError):  # none, or "max"
            continue
    return min(bounds)


def too_large(needed: float) -> str:
    """What is said of ``needed`` bytes that do not fit into the memory; empty if they do."""
    have = machine_memory()
    return f"at least {size(needed)} of memory, and this machine has {size(have)}" if needed > have else ""


def no_room(folder: Path, needed: float) -> str:
    """What is said of ``needed`` bytes that do not fit onto the disk of a folder; empty if they do."""
    place = next(path for path in (folder, *folder.parents) if path.exists())
    have = shutil.disk_usage(place).free
    return f"{size(needed)} on the disk, and {place} has {size(have)} free" if needed > have else ""


def size(count: float) -> str:
    """A number of bytes in words: 3.2 GB."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{count:,.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


@contextmanager
def bounded() -> Iterator[None]:
    """While a part is built, refuse new tensors that together do not fit into the memory.

    The system grants memory that it does not have, and ends the process when it is used.

    Raises:
        MemoryError: before such a tensor is made.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    makers = {torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn, torch.eye}

    class Bounded(TorchFunctionMode):
        total = 0

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func in makers:
                self.total += 4 * _count(func is torch.eye, args)
                if words := too_large(self.total):
                    raise MemoryError(f"its tensors need {words}")
            return func(*args, **(kwargs or {}))

    with Bounded():
        yield


def _count(is_square: bool, arguments: Sequence[Any]) -> int:
    """The number of values of a tensor that is about to be made."""
    first = arguments[0] if arguments else ()
    if is_square and len(arguments) == 1 and isinstance(first, int):
        return first * first
    sizes = first if isinstance(first, list | tuple) else [one for one in arguments if isinstance(one, int)]
    count = 1
    for one in sizes:
        count *= max(int(one), 0)
    return count
