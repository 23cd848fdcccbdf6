"""The run folder: whatever a stage made is in it, and ``state.json`` says which stages are done."""

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
from palsykit.files.atomic import write_text
from palsykit.files.claims import Claim
from palsykit.recipe import Recipe

_ANEW = "begin anew with --fresh (the old run is kept beside it)"
STAGES = ("prepare", "fit", "train", "generate", "evaluate", "report")


@dataclass(frozen=True)
class RunFolder:
    """Paths and state of one run.

    Attributes:
        path: the folder.
        writes: whether this process keeps the state; of a distributed run's processes, one does.
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
        """Where the checkpoints of one training are."""
        return self.path / "checkpoints" / job

    def state(self) -> dict[str, Any]:
        """What ``state.json`` holds.

        Raises:
            PalsykitError: where there is no such folder, no state in it, or one that cannot be read.
        """
        file = self.path / "state.json"
        if not file.is_file():
            raise PalsykitError(
                f"{self.path}: no palsykit run (no state.json in it); make one: palsykit run RECIPE --output "
                f"{self.path}"
            )
        try:
            state: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            state["recipe_hash"], state["stages"].items()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise PalsykitError(
                f"{file}: cannot be read ({error}); the rest of the folder is whole: run again with --fresh, which "
                "keeps the old folder under another name"
            ) from error
        return state

    def write_state(self, state: dict[str, Any]) -> None:
        """Replaces ``state.json``."""
        write_text(self.path / "state.json", json.dumps(state, indent=1) + "\n")

    def facts(self, stage: str) -> dict[str, Any]:
        """What a finished stage left in ``state.json``; empty while it is not finished."""
        facts: dict[str, Any] = self.state()["stages"].get(stage, {})
        return facts

    def finished(self) -> bool:
        """Whether every stage is done."""
        return set(STAGES) <= set(self.state()["stages"])

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, Any] | None]:
        """Yields the dict that the stage fills with facts, or None where it is done; left without error, it is done.

        Raises:
            PalsykitError: for a ValueError of a part, with the stage's name and the place.
        """
        state = self.state()
        if name in state["stages"]:
            yield None
            return
        facts: dict[str, Any] = {}
        began = time.monotonic()
        try:
            yield facts
        except ValueError as error:  # a part's way to refuse what it is given
            frame = traceback.extract_tb(error.__traceback__)[-1]
            raise PalsykitError(f"{name}: {error} [at {Path(frame.filename).name}:{frame.lineno}]") from error
        if not self.writes:
            return
        state = self.state()
        state["stages"][name] = {**facts, "seconds": round(time.monotonic() - began, 1)}
        self.write_state(state)

    def forget(self, *stages: str) -> None:
        """Stages to be done again."""
        state = self.state()
        for name in stages:
            state["stages"].pop(name, None)
        self.write_state(state)

    def log(self, line: dict[str, Any]) -> None:
        """Appends a line to ``log.jsonl``."""
        with (self.path / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": round(time.time(), 2), **line}) + "\n")

    def logged(self) -> list[dict[str, Any]]:
        """The log; where a resumed run did a step again, the last line counts; one cut off by a crash does not."""
        lines: dict[tuple[str, int], dict[str, Any]] = {}
        path = self.path / "log.jsonl"
        for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            try:
                line = json.loads(text)
            except json.JSONDecodeError:
                continue
            lines[line["job"], line["step"]] = line
        return list(lines.values())


def open_run(recipe: Recipe, path: Path, fresh: bool) -> RunFolder:
    """The folder of a recipe's run, new or gone on with.

    Args:
        recipe: what is to be run.
        path: the folder; made where it is not there.
        fresh: begin anew; a run that is there already is kept under a free name beside it.

    Raises:
        PalsykitError: where the folder belongs to another recipe, or is neither empty nor a run.
    """
    run = RunFolder(path)
    claim = Claim(path, "state.json", "palsykit run", "name another: --output DIR", _ANEW)
    begun = claim.begun()  # with --fresh as well: only a run of ours is moved aside
    if begun and fresh:
        _set_aside(path.absolute())
    if begun and not fresh:
        if run.state()["recipe_hash"] != recipe.hash:
            claim.refuse(recipe.difference(yaml.safe_load(run.recipe.read_text(encoding="utf-8"))))
    else:
        write_text(run.recipe, recipe.yaml())
        state = {"palsykit": __version__, "recipe_hash": recipe.hash, "stages": {}}
        run.write_state(state)
    return run


def nothing_to_do(path: Path, recipe: Recipe) -> bool:
    """Whether a finished run of this recipe is in the folder."""
    run = RunFolder(path)
    return (path / "state.json").is_file() and run.state().get("recipe_hash") == recipe.hash and run.finished()


def _set_aside(path: Path) -> None:
    number = 1
    while (aside := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    path.rename(aside)
