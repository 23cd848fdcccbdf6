"""What all pages of the studio share, and what each open page has of its own."""

import html
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from palsykit.errors import PalsykitError
from palsykit.progress import say
from palsykit_studio.engine import Engine, Stopped
from palsykit_studio.photograph import Found
from palsykit_studio.runs import Runs
from palsykit_studio.sessions import Sessions
from palsykit_studio.texts import Texts

QUEUE = "model"
"""The queue of everything that uses the model: one at a time, in the order of asking."""


@dataclass
class Session:
    """One open page.

    Attributes:
        folder: its files.
        found: the photograph that is worked on.
        stop: set when somebody presses Stop.
    """

    folder: Path
    found: Found | None = None
    stop: Event = field(default_factory=Event)

    def begin(self) -> None:
        """Forget an earlier Stop."""
        self.stop.clear()


@dataclass(frozen=True)
class Studio:
    """What the pages share.

    Attributes:
        engine: has the model.
        sessions: the folders of the pages.
        runs: the runs that are shown.
    """

    engine: Engine
    sessions: Sessions
    runs: Runs

    def open(self) -> Session:
        """A session for a page that was just opened."""
        return Session(self.sessions.open())

    def close(self, session: Session | None) -> None:
        """Stop what a page is doing, and delete its files."""
        if session is not None:
            session.stop.set()
            self.sessions.close(session.folder)


class Refusal:
    """Whether a step on the page failed, and the sentence that says why.

    Attributes:
        words: empty if it did not fail.
        stopped: the user stopped it, which is not a fault.
    """

    def __init__(self) -> None:
        self.words, self.stopped = "", False

    def __bool__(self) -> bool:
        return bool(self.words)


@contextmanager
def telling(texts: Texts, session: Session | None = None, key: str = "refused") -> Iterator[Refusal]:
    """Turn what fails inside into a sentence for the page; a fault of ours goes to the terminal, with no file's name.

    Args:
        texts: the page's language.
        session: the page's; a page whose files are deleted is told so.
        key: the text that ``{reason}`` goes into.
    """
    refusal = Refusal()
    try:
        yield refusal
    except Stopped:
        refusal.words, refusal.stopped = texts("stopped"), True
    except PalsykitError as error:
        reason = "; ".join([error.message, *(str(problem) for problem in error.problems[:5])])
        if session is not None:  # where this machine keeps files is nobody's business
            reason = reason.replace(f"{session.folder}{os.sep}", "")
        refusal.words = texts(key, reason=texts.reason(reason))
    except Exception as error:
        gone = session is not None and not session.folder.is_dir()
        refusal.words = texts("expired" if gone else "failed")
        if not gone:
            lines = traceback.extract_tb(error.__traceback__)
            say(f"studio: {type(error).__name__}: {error} [at {Path(lines[-1].filename).name}:{lines[-1].lineno}]")


def status(words: str, *, bad: bool = False) -> str:
    """A line that a screen reader reads out when it changes; ``**words**`` are bold."""
    plain = html.escape(words)
    parts = plain.split("**")
    shown = "".join(f"<strong>{part}</strong>" if i % 2 else part for i, part in enumerate(parts))
    return f'<div role="{"alert" if bad else "status"}" class="studio-{"bad" if bad else "status"}">{shown}</div>'


def progress(words: str, done: int, total: int) -> str:
    """A status line with a bar below it."""
    bar = (
        f'<progress class="studio-progress" value="{done}" max="{total}" aria-label="{html.escape(words)}"></progress>'
    )
    return f"{status(words)}{bar}"


def lengths_in_words(texts: Texts, name: str) -> str:
    """A length's name as the page writes it; one that the table lacks as files have it."""
    try:
        return texts(f"length.{name}")
    except KeyError:
        return name.replace("_", " ")
