"""What long work says of itself: a bar with rate and time left in a terminal, else a line now and then."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

EVERY = 20.0
"""Seconds between lines where there is no terminal."""

console = Console(stderr=True, highlight=False)


def speaks() -> bool:
    """Whether this process talks: of a distributed run's processes (torchrun, accelerate), the first does."""
    return os.environ.get("RANK", "0") == "0"


def say(text: str) -> None:
    """One line on standard error, above a bar if there is one."""
    if not speaks():
        return
    if console.is_terminal:
        console.print(text, markup=False, soft_wrap=True)
    else:
        print(text, file=sys.stderr, flush=True)


@dataclass
class Track:
    """Counts units of work.

    Attributes:
        done: units so far, those of an earlier sitting included.
        unit: what is counted, as in "images".
    """

    title: str
    total: int
    done: int
    unit: str
    _bar: Progress | None = None
    _began: float = field(default_factory=time.monotonic)
    _first: int = 0
    _said: float = field(default_factory=time.monotonic)

    def advance(self, count: int = 1, note: str = "") -> None:
        """``count`` more units are done; ``note`` stands behind the rate."""
        self.done += count
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self.done, note=f"{self.rate:.3g} {self.unit}/s {note}")
        elif time.monotonic() - self._said > EVERY and self.done < self.total:
            self._said = time.monotonic()
            left = (self.total - self.done) / max(self.rate, 1e-9)
            rate = f"{self.rate:.3g}/s, {_clock(left)} left"
            say(f"{self.title}: {self.done}/{self.total} {self.unit}, {rate} {note}".rstrip())

    @property
    def rate(self) -> float:
        """Units a second in this sitting."""
        return (self.done - self._first) / max(time.monotonic() - self._began, 1e-9)


@contextmanager
def track(title: str, total: int, unit: str, done: int = 0) -> Iterator[Track]:
    """Shows the progress of ``total`` units, of which ``done`` were done before."""
    work = Track(title, total, done, unit, _first=done)
    if console.is_terminal and speaks():
        columns = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
        with Progress(*columns, TimeRemainingColumn(), TextColumn("{task.fields[note]}"), console=console) as bar:
            bar.add_task(title, total=total, completed=done, note="")
            work._bar = bar
            yield work
    else:
        yield work
        if work.done > done:
            say(f"{title}: {work.done}/{total} {unit} in {_clock(time.monotonic() - work._began)}, {work.rate:.3g}/s")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
