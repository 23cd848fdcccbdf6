"""Stop a training by a signal: the step is finished and saved, so that a later run resumes there."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from palsykit.progress import say

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""From the keyboard, from a scheduler, and from a terminal that closes."""


class Stopped(KeyboardInterrupt):
    """The process was asked to stop. The command line exits with 128 + the signal's number, as shells expect."""

    def __init__(self, number: int):
        self.number = number
        super().__init__(signal.Signals(number).name)


class _Request:
    """What was asked of this process."""

    number: int | None = None
    finishes: bool = False


_request = _Request()


@contextmanager
def stoppable() -> Iterator[None]:
    """Handle the signals within this context: a training finishes its step and saves, everything else stops at once.

    A second signal stops a training at once, too; the files that it has written are whole. In another thread than the
    main one, Python handles no signals and this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _request.number = None


@contextmanager
def finishing() -> Iterator[None]:
    """Within this context a signal only makes a request, which ``requested`` gives after the step."""
    _request.finishes = True
    try:
        yield
    finally:
        _request.finishes = False


def requested() -> int | None:
    """The number of the signal that asks this process to stop; None if there was none."""
    return _request.number


def _handle(number: int, frame: FrameType | None) -> None:
    first = _request.number is None
    _request.number = number
    if not (_request.finishes and first):
        raise Stopped(number)
    say(f"{signal.Signals(number).name}: finishing this step and saving; send it again to stop at once")
