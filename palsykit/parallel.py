"""Work on many items in several threads, with a bar; results come in the order of the items."""

import os
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from palsykit.progress import track

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4
"""Items per thread that are begun before their results are asked for, so that memory does not grow with the count."""


def workers() -> int:
    """How many threads work: the processors that this process may use."""
    usable = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(usable(0)) if usable else os.cpu_count() or 1


def in_parallel(
    function: Callable[[Item], Result], items: Iterable[Item], title: str, total: int, unit: str, each: int = 1
) -> Iterator[Result]:
    """Yields ``function(item)`` for each item, in order, while a bar counts to ``total``; the first error is raised.

    Decoding, hashing, resampling and torch's operations let other threads run. torch computes with one thread
    meanwhile, also with a single worker: so the results do not depend on the number of workers.

    Args:
        function: called in several threads.
        items: what it is called with.
        title: of the bar.
        total: units in all.
        unit: what the bar counts.
        each: units per item; the last item may have fewer.
    """
    count = workers()
    # Readers of pictures change the filters of warnings, which threads share: they are as before when all have ended.
    with track(title, total, unit) as work, one_thread(), warnings.catch_warnings():
        results = map(function, items) if count == 1 else _ahead(function, items, count)
        for result in results:
            yield result
            work.advance(min(each, total - work.done))


def _ahead(function: Callable[[Item], Result], items: Iterable[Item], count: int) -> Iterator[Result]:
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(count) as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) >= AHEAD * count:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


@contextmanager
def one_thread() -> Iterator[None]:
    """torch computes with one thread within this context; without torch nothing changes."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
