"""The run folder: it holds the output of every stage; ``state.json`` lists the finished stages."""

import json
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from palsykit import __version__
from palsykit.errors import PalsykitError
from palsykit.files.atomic import remove_partials, write_text
from palsykit.files.claims import Claim
from palsykit.files.locks import LOCK, locked
from palsykit.progress import say
from palsykit.recipe import Recipe
from palsykit.run import manifest

_START_AGAIN = "start again with --fresh (the old run is kept under another name)"
_ANOTHER = "name another: --output DIR"
STAGES = ("prepare", "fit", "train", "generate", "evaluate", "report")


@dataclass(frozen=True)
class RunFolder:
    """Paths and state of one run.

    Attributes:
        path: the folder.
        writes: whether this process writes to the folder; in a distributed run only the main process does.
    """

    path: Path
    writes: bool = True

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.yaml"

    @property
    def images(self) -> Path:
        return self.path / "images"

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def networks(self) -> Path:
        return self.path / "model" / "networks"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.json"

    @property
    def provenance(self) -> Path:
        return self.path / "provenance.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    def checkpoints(self, job: str) -> Path:
        """The folder for the checkpoints of one training."""
        return self.path / "checkpoints" / job

    def state(self) -> dict[str, Any]:
        """Read ``state.json``.

        Raises:
            PalsykitError: the folder or the file is missing, or the file cannot be read.
        """
        file = self.path / "state.json"
        if not file.is_file():
            raise PalsykitError(
                f"{self.path}: not a palsykit run (no state.json in it); "
                f"create one: palsykit run RECIPE --output {self.path}"
            )
        try:
            state: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            state["recipe_hash"], state["stages"].items()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise PalsykitError(
                f"{file}: cannot be read ({error}); the rest of the folder is intact; run again with --fresh, "
                "which keeps the old folder under another name"
            ) from error
        return state

    def write_state(self, state: dict[str, Any]) -> None:
        """Replace ``state.json``."""
        write_text(self.path / "state.json", json.dumps(state, indent=1) + "\n")

    def facts(self, stage: str) -> dict[str, Any]:
        """The facts that a finished stage stored in ``state.json``; empty if it is not finished."""
        facts: dict[str, Any] = self.state()["stages"].get(stage, {})
        return facts

    def finished(self) -> bool:
        """Whether every stage is done."""
        return set(STAGES) <= set(self.state()["stages"])

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, Any] | None]:
        """Yield a dict for the stage to fill with facts, or None if the stage is finished already.

        When the block ends without an error, the stage is marked as finished.

        Raises:
            PalsykitError: a part raised a ValueError; the message names the stage and the line of code.
        """
        state = self.state()
        if name in state["stages"]:
            yield None
            return
        facts: dict[str, Any] = {}
        began = time.monotonic()
        try:
            yield facts
        except ValueError as error:  # this is how a part refuses its input
            frame = traceback.extract_tb(error.__traceback__)[-1]
            raise PalsykitError(f"{name}: {error} [at {Path(frame.filename).name}:{frame.lineno}]") from error
        if not self.writes:
            return
        manifest.record(self.path, name)
        state = self.state()
        state["stages"][name] = {**facts, "seconds": round(time.monotonic() - began, 1)}
        self.write_state(state)

    def repair(self) -> None:
        """Let the stages run again whose files are missing or were changed; says so, and moves changed files aside.

        A model is trained again from its last checkpoint, so its weights are the same.
        """
        for stage, faults in manifest.changed(self.path, *self.state()["stages"]).items():
            manifest.set_aside(self.path, faults)
            self.forget(stage)
            shown = [f"{name} ({fault})" for name, fault in list(faults.items())[:3]]
            shown += [f"{len(faults) - 3} more"] if len(faults) > 3 else []
            kept = f"; changed files are kept in {self.path / manifest.ASIDE}" if "changed" in faults.values() else ""
            say(f"{self.path}: {', '.join(shown)}: not as {stage} made them; {stage} runs again{kept}")

    def forget(self, *stages: str) -> None:
        """Mark stages as not finished, so that they run again."""
        state = self.state()
        for name in stages:
            state["stages"].pop(name, None)
        self.write_state(state)

    def log(self, line: dict[str, Any]) -> None:
        """Append a line to ``log.jsonl``."""
        with (self.path / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": round(time.time(), 2), **line}) + "\n")

    def rewind_log(self, job: str, step: int) -> None:
        """Remove the lines of ``job`` after ``step`` and a line that was cut, because they are written again.

        So the log of a resumed run has the lines of one that was not stopped.
        """
        path = self.path / "log.jsonl"
        if path.exists():
            lines = [line for line in self.logged() if line["job"] != job or line["step"] <= step]
            write_text(path, "".join(json.dumps(line) + "\n" for line in lines))

    def logged(self) -> list[dict[str, Any]]:
        """Read the log: the steps that were logged. Skips errors, and a line that was cut by a kill."""
        path = self.path / "log.jsonl"
        lines = []
        for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            try:
                lines.append(json.loads(text))
            except json.JSONDecodeError:
                continue
        return [line for line in lines if "loss" in line]


def open_run(recipe: Recipe, path: Path) -> RunFolder:
    """Create the folder of a recipe's run, or open it to resume the run.

    Args:
        recipe: the recipe to run.
        path: the folder; created if it does not exist.

    Raises:
        PalsykitError: the folder belongs to another recipe, or is neither empty nor a run.
    """
    run, claim = RunFolder(path), _claim(path)
    if claim.begun():
        if run.state()["recipe_hash"] != recipe.hash:
            before = yaml.safe_load(run.recipe.read_text(encoding="utf-8")) if run.recipe.exists() else {}
            claim.refuse(recipe.difference(before))
    else:
        # The state first: a folder without it is not a run, and after a kill it would be refused.
        run.write_state({"palsykit": __version__, "recipe_hash": recipe.hash, "stages": {}})
    if not run.recipe.exists():
        write_text(run.recipe, recipe.yaml())
    return run


@contextmanager
def held(path: Path, fresh: bool = False) -> Iterator[None]:
    """Hold a run's folder for this process, and remove what a killed process was writing there.

    Args:
        path: the folder; created if it does not exist.
        fresh: an existing run is renamed and kept beside the new one.

    Raises:
        PalsykitError: another process runs in the folder, or it is neither empty nor a run.
    """
    begun = _claim(path).begun()  # before anything is written: only a run may be renamed
    if begun and fresh:
        with locked(path, _ANOTHER):
            _set_aside(path.absolute())
    with locked(path, _ANOTHER):
        remove_partials(path)
        yield


def _claim(path: Path) -> Claim:
    return Claim(path, "state.json", "palsykit run", _ANOTHER, _START_AGAIN)


def nothing_to_do(path: Path, recipe: Recipe) -> bool:
    """Whether the folder holds a finished run of this recipe."""
    run = RunFolder(path)
    known = (path / "state.json").is_file() and run.state().get("recipe_hash") == recipe.hash
    return known and run.finished() and not manifest.changed(path)


def _set_aside(path: Path) -> None:
    (path / LOCK).unlink(missing_ok=True)
    number = 1
    while (aside := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    path.rename(aside)
