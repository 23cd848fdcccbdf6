"""Progress of long work: a bar with rate and time left in a terminal; elsewhere a line every 20 seconds."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

EVERY = 20.0
"""Seconds between lines if there is no terminal."""

console = Console(stderr=True, highlight=False)


def speaks() -> bool:
    """Whether this process prints. In a distributed run (torchrun, accelerate) only the first process does."""
    return os.environ.get("RANK", "0") == "0"


def say(text: str) -> None:
    """Print one line to standard error, above the progress bar if there is one."""
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
        done: units so far, including those before a resume.
        unit: what is counted, as in "images".
    """

    title: str
    total: int
    done: int
    unit: str
    _bar: Progress | None = None
    _began: float = field(default_factory=time.monotonic)
    _first: int = 0
    _reported: float = field(default_factory=time.monotonic)

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count ``count`` more units; ``note`` is printed after the rate."""
        self.done += count
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self.done, note=f"{self.rate:.3g} {self.unit}/s {note}")
        elif time.monotonic() - self._reported > EVERY and self.done < self.total:
            self._reported = time.monotonic()
            left = (self.total - self.done) / max(self.rate, 1e-9)
            rate = f"{self.rate:.3g}/s, {_clock(left)} left"
            say(f"{self.title}: {self.done}/{self.total} {self.unit}, {rate} {note}".rstrip())

    @property
    def rate(self) -> float:
        """Units per second since this process began."""
        return (self.done - self._first) / max(time.monotonic() - self._began, 1e-9)


@contextmanager
def track(title: str, total: int, unit: str, done: int = 0) -> Iterator[Track]:
    """Show the progress of ``total`` units; ``done`` of them were finished earlier."""
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
