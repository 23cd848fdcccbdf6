"""Every extension point of palsykit, on one page.

A plugin is an importable module named by an entry point of the group ``palsykit``. It implements any of
these hooks with ``@palsykit.hookimpl``. All of them run once, when the registry is first needed, before any
recipe is read; the order between plugins does not matter, because a name given twice is an error.

Each hook but ``palsykit_register_commands`` receives ``register(name, factory)``. ``factory`` is a callable or, better,
``"module:attribute"``, which is imported only when a recipe uses the name, so that listing plugins imports no heavy
library. The factory's positional parameters come from core, as the hook's docstring says; its keyword-only parameters
are the recipe's keys.
"""

from collections.abc import Callable
from typing import Any, Protocol

import pluggy

GROUP = "palsykit"
API_VERSION = 2

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


class Register(Protocol):
    """``register(name, factory)``: one part under one name."""

    def __call__(self, name: str, factory: str | Callable[..., Any]) -> None: ...


class RegisterCommand(Protocol):
    """``register(name, "module:attribute", help="one line")``: one command under one name."""

    def __call__(self, name: str, command: str, *, help: str) -> None: ...


@hookspec
def palsykit_register_datasets(register: Register) -> None:
    """Where faces come from: ``factory(image_size, cache, *, ...) -> FaceDataset``; recipe section ``data``."""


@hookspec
def palsykit_register_detectors(register: Register) -> None:
    """Finders of faces in photographs: ``factory(*, ...) -> Detector``; data sets and ``palsykit data`` name one."""


@hookspec
def palsykit_register_posers(register: Register) -> None:
    """A person's picture with a named expression and palsy: ``factory(*, ...) -> Poser``; recipe section ``poser``."""


@hookspec
def palsykit_register_networks(register: Register) -> None:
    """Named nets that parts share: ``factory(image_size, *, ...) -> Network``; recipe section ``networks``."""


@hookspec
def palsykit_register_encoders(register: Register) -> None:
    """Condition encoders: ``factory(image_size, *, ...) -> ConditionEncoder``; recipe section ``conditions``."""


@hookspec
def palsykit_register_fusions(register: Register) -> None:
    """Fusions: ``factory(inputs, *, ...) -> Fusion``, inputs ``{condition: TokenSpec}``; recipe section ``fusion``."""


@hookspec
def palsykit_register_denoisers(register: Register) -> None:
    """Denoisers: ``factory(conditioning, image_size, *, ...) -> Denoiser``, conditioning a ``ConditioningSpec``."""


@hookspec
def palsykit_register_attention(register: Register) -> None:
    """Attention backends: ``factory(*, ...) -> AttentionBackend``; a denoiser's key ``attention`` names one."""


@hookspec
def palsykit_register_schedulers(register: Register) -> None:
    """Forward processes: ``factory(*, ...) -> a diffusers scheduler``; recipe section ``scheduler``."""


@hookspec
def palsykit_register_samplers(register: Register) -> None:
    """Reverse processes: ``factory(training_scheduler, *, ...) -> Sampler``; recipe section ``sampler``."""


@hookspec
def palsykit_register_trainers(register: Register) -> None:
    """Trainers: ``factory(data, *, ...) -> Trainer``, data a ``TrainingData``; sections ``trainer`` and ``fits``."""


@hookspec
def palsykit_register_synthesisers(register: Register) -> None:
    """Generators but diffusion: ``factory(image_size, *, ...) -> Synthesiser``; recipe section ``synthesiser``."""


@hookspec
def palsykit_register_metrics(register: Register) -> None:
    """What is measured: ``factory(*, ...) -> Metric``; recipe section ``metrics``."""


@hookspec
def palsykit_register_commands(register: RegisterCommand) -> None:
    """Commands of the command line: ``register(name, "module:attribute", help="one line")``.

    The attribute is a function with typer's annotations, or a ``typer.Typer`` of several commands. Its module is
    imported when the command runs, or its own ``--help`` is asked for; ``palsykit --help`` shows the name and the line
    of help. A command of palsykit's own cannot be replaced.
    """
