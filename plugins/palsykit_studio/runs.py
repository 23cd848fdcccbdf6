"""Runs on the page: how far they are, their log, the live page, the report, and the pictures of two of them."""

import html
from collections.abc import Sequence
from pathlib import Path

from palsykit.errors import PalsykitError
from palsykit.run.folder import STAGES, RunFolder

MOST_POINTS = 1000
"""Of a curve; more are thinned out, the last one is kept."""
FRAME_PX = 900
"""Height of a report and of a live page."""


class Runs:
    """The run folders below one folder; a name that is not among them is refused.

    Args:
        folder: has the runs.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def names(self) -> list[str]:
        """Names of the runs, those changed last first."""
        if not self.folder.is_dir():
            return []
        states = [path for path in self.folder.glob("*/state.json") if path.is_file()]
        return [path.parent.name for path in sorted(states, key=_changed, reverse=True)]

    def open(self, name: str) -> RunFolder:
        """The run of that name.

        Raises:
            PalsykitError: there is none.
        """
        if name not in self.names():
            raise PalsykitError(
                f"{name}: found no such run in {self.folder}; expected one of {', '.join(self.names())}"
            )
        return RunFolder(self.folder / name, writes=False)

    def stages(self, name: str) -> tuple[list[str], list[str]]:
        """The stages that are finished, and those that are not."""
        done = self.open(name).state()["stages"]
        return [stage for stage in STAGES if stage in done], [stage for stage in STAGES if stage not in done]

    def curve(self, name: str) -> list[tuple[str, int, float]]:
        """(job, step, loss) of what was logged so far; at most ``MOST_POINTS``."""
        lines = [(str(line["job"]), int(line["step"]), float(line["loss"])) for line in self.open(name).logged()]
        every = -(-len(lines) // MOST_POINTS) or 1
        kept = lines[::every]
        return kept if not lines or kept[-1] == lines[-1] else [*kept, lines[-1]]

    def report(self, name: str) -> str | None:
        """The report as HTML to put on a page; None if there is none yet."""
        return _framed(self.open(name).report, name)

    def looked(self, name: str) -> float | None:
        """When the live page of the training was written, in seconds; None without the recipe's section ``watch``."""
        try:
            return self.open(name).live.stat().st_mtime
        except FileNotFoundError:
            return None

    def live(self, name: str) -> str | None:
        """The live page of the training as HTML to put on a page; None if there is none."""
        return _framed(self.open(name).live, name)

    def shared_pictures(self, names: Sequence[str]) -> list[str]:
        """The pictures that all these runs have under the same name, sorted."""
        found = [self._pictures(name) for name in names]
        return sorted(set.intersection(*found)) if found else []

    def _pictures(self, name: str) -> set[str]:
        images = self.open(name).images
        return {path.relative_to(images).as_posix() for path in images.rglob("*.png")}

    def picture(self, name: str, picture: str) -> Path:
        """One picture of a run.

        Raises:
            PalsykitError: the run has none of that name.
        """
        if picture not in self._pictures(name):
            raise PalsykitError(f"{name}: found no picture {picture}")
        return self.open(name).images / picture


def _changed(state: Path) -> float:
    """When the run of a ``state.json`` last went on, in seconds: its log grows while the file stays as it is."""
    files = (state, state.with_name("log.jsonl"))
    return max(file.stat().st_mtime for file in files if file.is_file())


def _framed(page: Path, title: str) -> str | None:
    """A file of HTML in a frame that runs no script and does not load itself again; None if the file is missing."""
    if not page.is_file():
        return None
    written = html.escape(page.read_text(encoding="utf-8"), quote=True)
    return (
        f'<iframe title="{html.escape(title, quote=True)}" sandbox srcdoc="{written}" '
        f'style="width:100%;height:{FRAME_PX}px;border:0;background:white"></iframe>'
    )
