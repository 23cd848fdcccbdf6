"""The run folder: it holds the output of every stage; ``state.json`` lists the finished stages."""

import json
import secrets
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palsykit import __version__
from palsykit.errors import PalsykitError
from palsykit.files.atomic import remove_partials, write_text
from palsykit.files.claims import Claim
from palsykit.files.json_files import parse, read_object
from palsykit.files.locks import LOCK, locked
from palsykit.files.resources import is_inside
from palsykit.progress import say
from palsykit.recipe import Recipe
from palsykit.recipe.read import SIZE_LIMIT, read_file
from palsykit.run import manifest, trust
from palsykit.run.exported import is_exported

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
    def exported(self) -> bool:
        """Whether it is the folder of an exported run, which has no data and no stages to resume."""
        return is_exported(self.path)

    @property
    def model(self) -> Path:
        return self.path if self.exported else self.path / "model"

    @property
    def networks(self) -> Path:
        return self.model / "networks"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.json"

    @property
    def provenance(self) -> Path:
        return self.path / "provenance.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def best(self) -> Path:
        """The folder for the best weights of the main training."""
        return self.checkpoints("train") / "best"

    @property
    def watch(self) -> Path:
        """What was seen while the main model trained; ``live`` is the page about it."""
        return self.path / "watch"

    @property
    def live(self) -> Path:
        return self.path / "live.html"

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
            state = read_object(file)
            stages = state.get("stages")
            if not isinstance(state.get("recipe_hash"), str) or not isinstance(stages, dict):
                raise ValueError("found no recipe_hash or no stages")
            if bad := [name for name, facts in stages.items() if name not in STAGES or not isinstance(facts, dict)]:
                raise ValueError(f"found the stage {bad[0]!r}, expected facts of {', '.join(STAGES)}")
        except (OSError, ValueError) as error:
            raise PalsykitError(
                f"{file}: cannot be read ({error}); the rest of the folder is intact; run again with --fresh, "
                "which keeps the old folder under another name"
            ) from error
        return state

    def bound(self) -> Path | None:
        """The folder that what the run names must not leave: its own, or None if this user made or trusts the run.

        Raises:
            PalsykitError: the folder is not a run, or a stranger's with a link out of it.
        """
        read = (self.path / "state.json", self.recipe)
        if all(not file.exists() or is_inside(file, self.path) for file in read):
            identity = str(self.state().get("run", ""))
            if trust.is_trusted(identity, self.recipe_text()):
                return None
        trust.refuse_links_outside(self.path)
        return self.path

    def refuse_exported(self, what: str) -> None:
        """Refuse an exported folder, because ``what`` needs the run's data or stages.

        Raises:
            PalsykitError: it is one.
        """
        if self.exported:
            raise PalsykitError(
                f"{self.path}: an exported model, without the run's data and pictures: palsykit cannot {what}; "
                "expected the folder of a run"
            )

    def recipe_text(self) -> str:
        """The text of recipe.yaml; empty if it cannot be read, which ``load_recipe`` refuses."""
        try:
            if not self.recipe.is_file() or self.recipe.stat().st_size > SIZE_LIMIT:
                return ""
            return self.recipe.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return ""

    def made(self, name: str) -> dict[str, Any]:
        """The JSON object in a file that a stage made.

        Raises:
            PalsykitError: the file is missing or cannot be read.
        """
        try:
            return read_object(self.path / name)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise PalsykitError(
                f"{self.path / name}: cannot be read ({reason}); make it again: palsykit run {self.recipe} --output "
                f"{self.path}"
            ) from error

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

        A model is trained again from its last checkpoint, so its weights are the same. What was seen while it was
        trained cannot be made again from there; the rest of it stays.
        """
        done = list(self.state()["stages"])
        looks = [manifest.WATCH] if "train" in done else []
        for stage, faults in manifest.changed(self.path, *done, *looks).items():
            manifest.set_aside(self.path, faults)
            if stage == manifest.WATCH:
                manifest.record(self.path, stage)
                words = "the training made them; no checkpoint can make them again, and the rest stays"
            else:
                self.forget(stage)
                words = f"{stage} made them; {stage} runs again"
            shown = [f"{name} ({fault})" for name, fault in list(faults.items())[:3]]
            shown += [f"{len(faults) - 3} more"] if len(faults) > 3 else []
            kept = f"; changed files are kept in {self.path / manifest.ASIDE}" if "changed" in faults.values() else ""
            say(f"{self.path}: {', '.join(shown)}: not as {words}{kept}")

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
        if path.is_file():
            lines = [line for line in self.logged() if line["job"] != job or line["step"] <= step]
            write_text(path, "".join(json.dumps(line) + "\n" for line in lines))

    def logged(self) -> list[dict[str, Any]]:
        """Read the log: the steps that were logged. Skips errors, and a line that was cut by a kill."""
        path = self.path / "log.jsonl"
        lines = []
        for text in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []:
            try:
                lines.append(parse(text))
            except ValueError:
                continue
        return [line for line in lines if _is_step(line)]


def open_run(recipe: Recipe, path: Path) -> RunFolder:
    """Create the folder of a recipe's run, or open it to resume the run.

    Args:
        recipe: the recipe to run.
        path: the folder; created if it does not exist.

    Raises:
        PalsykitError: the folder belongs to another recipe, or is neither empty nor a run.
    """
    run, claim = RunFolder(path), _claim(path)
    run.refuse_exported("run in it")
    if claim.begun():
        if run.state()["recipe_hash"] != recipe.hash:
            claim.refuse(recipe.difference(_written(run.recipe)))
    else:
        # The state first: a folder without it is not a run, and after a kill it would be refused.
        made = {"palsykit": __version__, "run": secrets.token_hex(8), "recipe_hash": recipe.hash, "stages": {}}
        run.write_state(made)
    if not run.recipe.exists():
        write_text(run.recipe, recipe.yaml())
    trust.remember(str(run.state().get("run", "")), recipe.yaml())
    return run


def _is_step(line: Any) -> bool:
    """Whether a line of the log is one of a step."""
    terms = line.get("terms", {}) if isinstance(line, dict) else None
    if not isinstance(terms, dict):
        return False
    numbers = (line.get("step"), line.get("loss"), *terms.values())
    return isinstance(line.get("job"), str) and all(isinstance(number, int | float) for number in numbers)


def _written(recipe: Path) -> dict[str, Any]:
    """The recipe of a run as plain values; empty if it cannot be read."""
    try:
        return read_file(recipe).value
    except PalsykitError:
        return {}


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
