"""Looks at the main model while it trains: pictures, losses and alarms of validation people; never of test people.

A look changes nothing: it measures a copy of the model, draws from random streams of its own, and the frozen networks
remember what they see in it apart. Its figures are a line of watch/figures.jsonl, its pictures watch/step-NNNNNN.png;
a resumed run takes back the looks after the checkpoint from which it resumes, and makes them again to the same bits.
"""

import copy
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from palsykit.errors import PalsykitError
from palsykit.faces.pairing import Pair, by_subject, grid, of_first_people
from palsykit.faces.views import batch, to_pictures
from palsykit.files.atomic import make_folder, write_text
from palsykit.files.json_files import parse
from palsykit.files.pictures import save_png
from palsykit.interfaces import FaceBatch, Trainer
from palsykit.networks import SharedNetwork
from palsykit.progress import say
from palsykit.run import best
from palsykit.run.alarms import alarms
from palsykit.run.copies import TrainingFaces, spaced
from palsykit.run.folder import RunFolder
from palsykit.run.generate import row_seed
from palsykit.run.live import write_page
from palsykit.run.parts import Data, Parts
from palsykit.run.tracking import Trackers
from palsykit.seeds import derive
from palsykit.training import checkpoint
from palsykit.training.looking import apart, losses_at_fixed_noise, shares_of_conditions

EACH = 3
"""Most pictures of a person in a look."""
MOST_ROWS = 64
"""Validation photographs on which losses are computed, evenly spaced among all."""


def require_watched(parts: Parts) -> None:
    """Refuse data with nobody to look at, before anything is trained.

    Raises:
        PalsykitError: the recipe has the section watch, and nobody is in the split validation.
    """
    if parts.settings.watch is not None and not parts.data().splits["validation"]:
        people = ", ".join(f"{len(by_subject(r))} in {name}" for name, r in parts.data().splits.items())
        raise PalsykitError(
            f"watch: found nobody in the split 'validation', whose people it looks at: {people}; give some "
            "subjects that split, or leave out the section watch"
        )


@contextmanager
def watching(run: RunFolder, parts: Parts, data: Data, trainer: Trainer, trackers: Trackers) -> Iterator["Watch"]:
    """Looks at the training within this context; at its end the page says whether the training ended or stopped."""
    watch = Watch(run, parts, data, trainer, trackers)
    try:
        yield watch
    except BaseException as error:
        watch.page("stopped", type(error).__name__ if isinstance(error, KeyboardInterrupt) else str(error))
        raise
    watch.page("ended")


class Watch:
    """The looks at one training.

    Args:
        run: gets the files.
        parts: build the synthesiser; their recipe has a section watch.
        data: its split validation is looked at.
        trainer: gives the losses.
        trackers: get figures and pictures, too.
    """

    def __init__(self, run: RunFolder, parts: Parts, data: Data, trainer: Trainer, trackers: Trackers):
        assert parts.settings.watch is not None
        self.settings, self.seed = parts.settings.watch, parts.settings.seed
        self._run, self._parts, self._data, self._trainer, self._trackers = run, parts, data, trainer, trackers
        self._seen: set[str] = set()
        self._looked = False

    def rewind(self, step: int) -> None:
        """Take back the looks after ``step``; before the first step, all."""
        kept = [line for line in self.lines() if step > 0 and line["step"] <= step]
        if (self._run.watch / "figures.jsonl").exists():
            write_text(self._run.watch / "figures.jsonl", "".join(json.dumps(line) + "\n" for line in kept))
        for path in self._run.watch.glob("step-*.png"):  # by their own numbers: the figures may have been lost
            number = path.stem.removeprefix("step-")
            if step == 0 or not number.isdecimal() or int(number) > step:
                path.unlink()
        best.rewind(self._run.best, step, self.settings.best)
        self._seen = {alarm.kind for alarm in self._alarms()}

    def look(self, step: int, model: nn.Module, average: nn.Module, phases: Sequence[str]) -> None:
        """Look at the model after ``step`` steps, if it is time; what the loop calls.

        Raises:
            PalsykitError: the first look of this process fails; a later failure is only said.
        """
        if step % self.settings.every and step != self._parts.settings.train.steps:
            return
        try:
            self._look(step, model, average, phases)
        except Exception as error:  # plugins' code and a full memory, too
            words = f"watch: the look after step {step} failed ({type(error).__name__}: {error})"
            if not self._looked:
                raise PalsykitError(
                    f"{words}; the checkpoints are as they were; train without looking: --set watch=null"
                ) from error
            say(f"{words}; the training continues")
        self._looked = True

    def lines(self) -> list[dict[str, Any]]:
        """The figures of the looks so far, in the order of the steps; skips a line that was cut by a kill."""
        path, lines = self._run.watch / "figures.jsonl", []
        for text in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            try:
                line = parse(text)
            except ValueError:
                continue
            if isinstance(line, dict) and isinstance(line.get("step"), int):
                lines.append(line)
        return sorted(lines, key=lambda line: int(line["step"]))

    def page(self, state: str, reason: str = "") -> None:
        """Write live.html."""
        if self._run.writes:
            write_page(
                self._run, self._parts, self._data.dataset, self.pairs, self.lines(), self._alarms(), state, reason
            )

    @cached_property
    def pairs(self) -> list[Pair]:
        """The photographs of which each look makes a picture: up to ``EACH`` of each of the first people."""
        people = of_first_people(self._data.splits["validation"], self.settings.identities)
        pairs = grid(people, self.seed)
        return [pair for subject in by_subject(people) for pair in spaced(_of(subject, pairs), EACH)]

    @cached_property
    def _faces(self) -> FaceBatch:
        return batch(self._data.dataset, self.pairs).to(self._parts.device)

    @cached_property
    def _measured(self) -> FaceBatch:
        """The photographs on which losses are computed."""
        pairs = spaced(grid(self._data.splits["validation"], self.seed), MOST_ROWS)
        return batch(self._data.dataset, pairs).to(self._parts.device)

    @cached_property
    def _training_faces(self) -> TrainingFaces | None:
        network = compared_by(self._parts)
        if network is None:
            return None
        splits, dataset = self._data.splits, self._data.dataset
        return TrainingFaces(network, dataset, splits["train"], splits["validation"], self._parts.device)

    def _look(self, step: int, model: nn.Module, average: nn.Module, phases: Sequence[str]) -> None:
        began, settings, trainer = time.monotonic(), self.settings, self._trainer
        models = {"ema": average, "raw": copy.deepcopy(model).eval()}
        line: dict[str, Any] = {"step": step}
        with apart(self._parts.networks.values(), trainer, self.seed):
            # Pictures of fixed people from fixed noise.
            images = {name: self._images(one) for name, one in models.items()}
            pictures = {name: to_pictures(made) for name, made in images.items()}
            line["picture_error"] = {name: self._error(made) for name, made in pictures.items()}
            # Losses at fixed noise, in full precision.
            if settings.losses:
                size = self._parts.settings.train.batch_size
                line["losses"] = {
                    name: losses_at_fixed_noise(one, trainer, self._measured, phases, self.seed, size)
                    for name, one in models.items()
                }
            # What the alarms need.
            if settings.alarms:
                line["shares"] = shares_of_conditions(average, self._faces, self.seed)
                if self._training_faces is not None:
                    line["nearest"] = self._training_faces.facts(self._training_faces.nearest(images["ema"]))
        self._write(step, pictures, line)
        self._keep(step, average, line)
        times = {"time": round(time.time(), 2), "seconds": round(time.monotonic() - began, 2)}
        make_folder(self._run.watch)
        with (self._run.watch / "figures.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(times | _finite(line)) + "\n")
        best.remove_worse(self._run.best, self._checkpoints())
        self._tell(step, pictures, line)
        self.page("running")

    def _images(self, model: nn.Module) -> torch.Tensor:
        """[B, 3, H, W] on the CPU, one per pair."""
        synthesiser = self._parts.synthesiser(model)
        seeds = [row_seed(derive("watch", self.seed), pair) for pair in self.pairs]
        size, count = self._parts.settings.generate.batch_size, len(self.pairs)
        parts = [
            synthesiser.generate(self._faces.rows(start, min(start + size, count)), seeds[start : start + size]).cpu()
            for start in range(0, count, size)
        ]
        return torch.cat(parts).clone()  # no longer a tensor of the inference mode

    def _error(self, pictures: NDArray[np.uint8]) -> float:
        """Root mean squared difference from the true photographs, in levels of 255."""
        assert self._faces.target is not None
        truth = to_pictures(self._faces.target.image).astype(np.float64)
        return float(np.sqrt(np.mean((pictures - truth) ** 2)))

    def _write(self, step: int, pictures: dict[str, NDArray[np.uint8]], line: dict[str, Any]) -> None:
        """The pictures of a look as one file: the averaged weights' above, those of the weights as they are below."""
        rows = [np.concatenate(list(pictures[name]), axis=1) for name in ("ema", "raw")]
        facts = {"recipe": self._parts.recipe.hash, "step": step, "seed": self.seed, "rows": ["ema", "raw"]}
        save_png(np.concatenate(rows), self._picture(step), facts)

    def _keep(self, step: int, average: nn.Module, line: dict[str, Any]) -> None:
        figure = self.settings.best
        if figure is not None:
            value = sum(line["losses"]["ema"].values()) if figure == "validation_loss" else line["picture_error"]["ema"]
            best.offer(self._run.best, step, figure, value, checkpoint.module_state(average))

    def _tell(self, step: int, pictures: dict[str, NDArray[np.uint8]], line: dict[str, Any]) -> None:
        """Give the trackers the figures and pictures; say new alarms."""
        values = {f"{name}_picture_error": value for name, value in line["picture_error"].items()}
        for name, terms in line.get("losses", {}).items():
            values |= {f"{name}_{term}": value for term, value in terms.items()}
        values |= {f"share_{name}": share for name, share in line.get("shares", {}).items()}
        if "nearest" in line:
            values["nearest_training"] = float(np.median(line["nearest"]["distances"]))
        self._trackers.figures("watch", step, values)
        self._trackers.pictures("watch", step, pictures, self._picture(step))
        found = {alarm.kind: alarm for alarm in self._alarms()}
        for kind in found.keys() - self._seen:
            say(f"watch: step {step}: {found[kind].title}. {found[kind].found} See {self._run.live}")
        self._seen = set(found)

    def _alarms(self) -> Any:
        if not self.settings.alarms:
            return []
        return alarms(self.lines(), [line for line in self._run.logged() if line["job"] == "train"])

    def _picture(self, step: int) -> Any:
        return self._run.watch / f"step-{step:06d}.png"

    def _checkpoints(self) -> list[int]:
        return [checkpoint.step_of(path) for path in checkpoint.existing(self._run.checkpoints("train"))]


def compared_by(parts: Parts) -> SharedNetwork | None:
    """The network by whose embedding copies are found; None if the recipe has none."""
    assert parts.settings.watch is not None
    network = parts.networks.get(parts.settings.watch.network or "recognition")
    return network if network is not None and network.embedding_width else None


def _of(subject: str, pairs: Sequence[Pair]) -> list[Pair]:
    return [pair for pair in pairs if pair.record.labels.subject == subject]


def _finite(value: Any) -> Any:
    """The same without numbers that JSON does not have: null for what is not finite."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
