"""A data set on the page: every portrait with every expression, side and grade, as an imagefolder in a ZIP."""

import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any, cast

from palsykit.data.imagefolder import METADATA
from palsykit.errors import PalsykitError
from palsykit.faces.parsing import cells
from palsykit.faces.records import Rejected
from palsykit.faces.vocabulary import Side
from palsykit.registry import registry
from palsykit.synthesis.portraits import MARKER, Output, portraits_in, synthesise_portraits
from palsykit.synthesis.request import Request
from palsykit_studio.engine import Engine, Stopped, Watched

AUDITED = "synthesize"
"""The command that makes a data set with a run's model, and audits it before it is released."""
LOOK = 0.5
"""Seconds between two looks at the work."""


@dataclass(frozen=True)
class Order:
    """What a data set is to show.

    Attributes:
        expressions: names of the vocabulary.
        sides: affected sides.
        grades: House-Brackmann.
        crop: faces only, at the model's own size.
    """

    expressions: tuple[str, ...]
    sides: tuple[str, ...]
    grades: tuple[float, ...]
    crop: bool = True

    def request(self) -> Request:
        """Every combination once; a healthy face once per expression.

        Raises:
            PalsykitError: nothing is asked for.
        """
        labels = cells(self.expressions, [Side(side) for side in self.sides], self.grades)
        if not labels:
            raise PalsykitError("found no expression, side or grade; expected at least one of each")
        return Request(tuple(labels), 1.0)


@dataclass
class Progress:
    """How far the work is; shared by the thread that works and the page that looks.

    Attributes:
        total: pictures to make, those of portraits that turn out to be unusable among them.
        done: pictures that are there.
        rejected: portraits and files that were not used.
        file: the ZIP, when it is written.
        words: what the audit said, if there was one.
        error: what ended the work.
    """

    total: int = 0
    done: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    file: Path | None = None
    words: str = ""
    error: BaseException | None = None


def make(
    engine: Engine, portraits: Path, order: Order, folder: Path, archive: Path, stop: Callable[[], bool]
) -> Iterator[Progress]:
    """Synthesise what is missing in ``folder``, and write the ZIP; gives the progress from time to time.

    Args:
        engine: has the model.
        portraits: a folder with one photograph per person.
        order: what to make.
        folder: of the data set; the same order resumes in it.
        archive: the ZIP to write.
        stop: whether to stop.

    Raises:
        Stopped: the user stopped it; the same call resumes.
        PalsykitError: no portrait can be used, or the folder has another order's pictures.
    """
    pictures, refused = portraits_in(portraits)
    request = order.request()
    progress = Progress(len(pictures) * len(request.labels))
    work = Thread(target=_work, args=(engine, pictures, refused, request, order, folder, stop, progress), daemon=True)
    work.start()
    yield from _watch(work, progress, folder)
    progress.file = pack(folder, archive, lambda name: name != MARKER)
    yield progress


def _work(
    engine: Engine,
    pictures: Sequence[Path],
    refused: list[Rejected],
    request: Request,
    order: Order,
    folder: Path,
    stop: Callable[[], bool],
    progress: Progress,
) -> None:
    watched = cast(Any, Watched(engine, stop, lambda count: None, lambda: None))
    try:
        progress.rejected = synthesise_portraits(
            watched, pictures, request, folder, Output(crop=order.crop), rejected=refused
        )
    except BaseException as error:  # the page's thread raises it again
        progress.error = error


def _watch(work: Thread, progress: Progress, folder: Path) -> Iterator[Progress]:
    while work.is_alive():
        work.join(LOOK)
        progress.done = len(made_in(folder))
        yield progress
    if progress.error is not None:
        raise progress.error


def made_in(folder: Path) -> list[Path]:
    """The pictures of a data set that are there, sheets left out."""
    return [path for path in folder.glob("*/*.png") if path.parent.name != "sheets"]


def described(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The pictures that a finished data set's table lists, each with its row."""
    lines = (folder / METADATA).read_text(encoding="utf-8").splitlines()
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return [(folder / row["file_name"], row) for row in rows]


def pack(folder: Path, archive: Path, keep: Callable[[str], bool]) -> Path:
    """A ZIP of the folder's files; pictures, which are compressed already, as they are.

    Args:
        folder: what to pack; paths in the ZIP begin below it.
        archive: the file to write; it appears when it is whole.
        keep: whether a file of that name belongs in it.
    """
    partial = archive.with_name(f"{archive.name}.partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and keep(path.name):
                packed.write(path, path.relative_to(folder))
    partial.replace(archive)
    return archive


def can_audit(run: str) -> bool:
    """Whether the model is a run's and an installed plugin audits data sets of runs."""
    return Path(run).is_dir() and AUDITED in registry().commands


def make_audited(
    run: str, portraits: Path, order: Order, folder: Path, archive: Path, stop: Callable[[], bool]
) -> Iterator[Progress]:
    """As ``make``, with a run's model, in a process of its own that audits before it releases.

    Raises:
        Stopped: the user stopped it; the same call resumes.
        PalsykitError: the command refuses, or holds the data set back; with its own words.
    """
    pictures, refused = portraits_in(portraits)
    progress = Progress(len(pictures) * len(order.request().labels), rejected=refused)
    words = [run, str(folder), "--identities", str(portraits), "--expressions", ",".join(order.expressions)]
    words += ["--sides", ",".join(order.sides), "--severities", ",".join(f"{grade:g}" for grade in order.grades)]
    log = folder.with_name(f"{folder.name}.log")
    with log.open("w+", encoding="utf-8") as output:
        command = [sys.executable, "-m", "palsykit", AUDITED, *words]
        with subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL) as process:
            try:
                while process.poll() is None:
                    if stop():
                        raise Stopped
                    time.sleep(LOOK)
                    progress.done = len([*folder.glob("*/*/*.png")])
                    yield progress
            finally:
                process.terminate()
        output.seek(0)
        said = output.read().strip()
    if process.returncode:
        raise PalsykitError(said.splitlines()[-1] if said else f"the command {AUDITED} failed", said.splitlines()[:-1])
    released = folder / "images"
    if not (released / METADATA).is_file():
        raise PalsykitError("the data set was made, but not released", said.splitlines())
    progress.words, progress.file = said, pack(released, archive, lambda name: True)
    yield progress
