"""The training log: ``log.jsonl`` and, if the recipe names some, trackers, through accelerate's own classes.

Nothing leaves the machine unless the user's environment asks for it: wandb runs offline (``WANDB_MODE``), mlflow writes
into the run's folder (``MLFLOW_TRACKING_URI``), trackio into its own (``TRACKIO_DIR``).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palsykit.errors import PalsykitError
from palsykit.progress import say
from palsykit.run.folder import RunFolder

MODULES = {"tensorboard": "torch.utils.tensorboard", "wandb": "wandb", "trackio": "trackio", "mlflow": "mlflow"}
"""Tracker -> the module that it needs."""
INSTALL = {"tensorboard": "'palsykit[tracking]'"}
PROJECT = "palsykit"
OWN_STEPS = ("wandb", "trackio")
"""They want steps that only rise, over all trainings of a run: the step is one more value."""


class Trackers:
    """The trackers of one run. They start with the first line; one that fails is said and left out from then on.

    Args:
        run: its log.jsonl always gets the log.
        names: keys of ``MODULES``.
        facts: of the run, such as its recipe's hash.

    Raises:
        PalsykitError: the library of one is not installed.
    """

    def __init__(self, run: RunFolder, names: Sequence[str] = (), facts: Mapping[str, Any] | None = None):
        self._run, self._names, self._facts = run, tuple(names), dict(facts or {})
        self._started: dict[str, Any] | None = None
        for name in self._names:
            try:
                import_module(MODULES[name])
            except ImportError as error:
                raise PalsykitError(
                    f"tracking: {name} is not installed ({error}); install it with "
                    f"pip install {INSTALL.get(name, name)}, or remove it from the key tracking"
                ) from error

    def log(self, line: dict[str, Any]) -> None:
        """Write one line of the training log."""
        self._run.log(line)
        if "loss" in line:
            self.figures(line["job"], line["step"], {"loss": line["loss"], "lr": line["lr"], **line["terms"]})

    def figures(self, job: str, step: int, values: Mapping[str, float]) -> None:
        """Give the trackers numbers by name, as "JOB/NAME"."""
        named = {f"{job}/{name}": value for name, value in values.items()}
        for name in self._running():
            own = {f"{job}/step": step} if name in OWN_STEPS else {}
            self._tell(name, "log", named | own, step=None if name in OWN_STEPS else step)

    def pictures(self, job: str, step: int, pictures: Mapping[str, NDArray[np.uint8]], file: Path) -> None:
        """Give the trackers pictures [B, H, W, 3] by name, as "JOB/NAME"; mlflow gets the file."""
        named = {f"{job}/{name}": values for name, values in pictures.items()}
        for name in self._running():
            if name == "mlflow":
                self._tell(name, "log_artifact", str(file), "watch")
            elif name == "trackio":  # accelerate's class has no pictures for it
                image = import_module("trackio").Image
                each = {f"{key}/{number}": image(p) for key, values in named.items() for number, p in enumerate(values)}
                self._tell(name, "log", each, step=None)
            elif name == "tensorboard":
                self._tell(name, "log_images", named, step=step, dataformats="NHWC")
            else:
                self._tell(name, "log_images", {key: [*values] for key, values in named.items()}, step=None)

    def finish(self) -> None:
        """Close them."""
        for name in list(self._started or {}):
            self._tell(name, "finish")
        self._started = None

    def _running(self) -> list[str]:
        if self._started is None and self._names and self._run.writes:
            self._started = {}
            for name in self._names:
                self._started[name] = _tracker(name, self._run)
                self._tell(name, "start")
                if name != "tensorboard":  # it would write a second run for them
                    self._tell(name, "store_init_configuration", self._facts)
        return list(self._started or {})

    def _tell(self, name: str, method: str, *values: Any, **keys: Any) -> None:
        trackers = self._started or {}
        if name not in trackers:
            return
        try:
            getattr(trackers[name], method)(*values, **keys)
        except Exception as error:  # a service may raise anything, and a training must not end for it
            del trackers[name]
            say(f"tracking: {name} failed ({type(error).__name__}: {error}); the training continues without it")


@contextmanager
def tracked(run: RunFolder, names: str | Sequence[str] | None, facts: Mapping[str, Any]) -> Iterator[Trackers]:
    """The trackers that a recipe's key ``tracking`` names, closed at the end.

    Raises:
        PalsykitError: the library of one is not installed.
    """
    trackers = Trackers(run, (names,) if isinstance(names, str) else names or (), facts)
    try:
        yield trackers
    finally:
        trackers.finish()


def _tracker(name: str, run: RunFolder) -> Any:
    """accelerate's tracker, set up to write into the run's folder."""
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    make, title = LOGGER_TYPE_TO_CLASS[name], run.path.absolute().name
    if name == "tensorboard":
        return make("tensorboard", logging_dir=run.path)
    identity = str(run.state().get("run", title))
    if name == "wandb":
        mode = os.environ.get("WANDB_MODE", "offline")
        return make(PROJECT, name=title, id=identity, resume="allow", dir=str(run.path), mode=mode)
    if name == "trackio":
        return make(PROJECT, name=title, resume="allow")
    if "MLFLOW_TRACKING_URI" not in os.environ:
        import_module("mlflow").set_tracking_uri(f"sqlite:///{(run.path / 'mlflow.db').absolute()}")
    return make(PROJECT, run_name=title, logging_dir=(run.path / "mlflow").absolute().as_uri())
