"""Every extension point of palsykit, on one page.

A plugin is an importable module named by an entry point of the group ``palsykit``. It implements any of
these hooks with ``@palsykit.hookimpl``. All of them run once, when the registry is first needed, before any
recipe is read; the order between plugins does not matter, because a name given twice is an error.

Each hook except ``palsykit_register_commands`` receives ``register(name, factory)``. ``factory`` is a callable or,
better, ``"module:attribute"``. This is imported only when a recipe uses the name, so that listing plugins imports no
heavy library. The factory's positional parameters come from core; the hook's docstring lists them. Its keyword-only
parameters are the recipe's keys.
"""

from collections.abc import Callable
from dataclasses import dataclass
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


PREFIX = "palsykit_register_"
COMMANDS = "commands"
"""The group of ``palsykit_register_commands``. Not an interface: a recipe cannot name commands."""


@dataclass(frozen=True)
class Interface:
    """One kind of part, as a row of the table below.

    Attributes:
        name: its group in the registry; the hook is ``palsykit_register_`` and this name.
        parts: a short description of its parts.
        protocols: the protocols of its parts. A parameter annotated with one takes a part of this interface.
        positional: a factory's positional parameters, which core gives, in order.
        section: the section of a recipe that contains such parts, if there is one.
        where: where a recipe names such a part, as text; empty: in ``section``.
        also: further protocols of these parts; they do not mark a parameter as a part.
        gives: what a factory returns, as text, if there is no protocol for it.
        home: the module that defines the protocols.
        singular: the name of one part in messages; empty: ``name`` without its s.
    """

    name: str
    parts: str
    protocols: tuple[str, ...] = ()
    positional: tuple[str, ...] = ()
    section: str = ""
    where: str = ""
    also: tuple[str, ...] = ()
    gives: str = ""
    home: str = "palsykit.interfaces"
    singular: str = ""

    @property
    def noun(self) -> str:
        """The name of one part in messages: ``fusion``, ``attention backend``."""
        return self.singular or self.name.removesuffix("s")

    @property
    def factory(self) -> str:
        """A factory's parameters and result: ``(inputs, *, ...) -> Fusion``."""
        parameters = ", ".join((*self.positional, "*", "..."))
        return f"({parameters}) -> {' or '.join([*self.protocols, *self.also]) or self.gives}"

    @property
    def place(self) -> str:
        """Where a recipe names such a part."""
        return self.where or f"recipe section ``{self.section}``"


TABLE = (
    Interface(
        "datasets", "Data sets of faces", ("FaceDataset",), ("image_size", "cache"), "data",
        home="palsykit.faces.records",
    ),
    Interface(
        "detectors", "Face detectors for photographs", ("Detector",),
        where="data sets and ``palsykit data`` name one", home="palsykit.faces.interfaces",
    ),
    Interface(
        "posers", "Posers, which change a picture to a named expression and palsy", ("Poser",), section="poser",
        also=("FinePoser",), home="palsykit.faces.interfaces",
    ),
    Interface(
        "networks", "Named networks, shared by parts", (), ("image_size",), "networks", also=("Network",),
    ),
    Interface("encoders", "Condition encoders", ("ConditionEncoder",), ("image_size",), "conditions"),
    Interface("maps", "Channels aligned with the picture", ("Map",), ("image_size",), "maps"),
    Interface(
        "fusions", "Fusions, whose inputs are ``{condition: TokenSpec}``", ("Fusion",), ("inputs",), "fusion",
    ),
    Interface("codecs", "Codecs, between pictures and the space of diffusion", ("Codec",), ("image_size",), "codec"),
    Interface(
        "denoisers", "Denoisers, whose conditioning is a ``ConditioningSpec``", ("Denoiser",),
        ("conditioning", "image_size"), "denoiser",
    ),
    Interface(
        "attention", "Attention backends", ("AttentionBackend",), where="a denoiser's key ``attention``",
        singular="attention backend",
    ),
    Interface("schedulers", "Forward processes", section="scheduler", gives="a diffusers scheduler"),
    Interface("samplers", "Reverse processes", ("Sampler",), ("training_scheduler",), "sampler"),
    Interface(
        "trainers", "Trainers, whose data is a ``TrainingData``", ("Trainer",), ("data",), "trainer",
        where="recipe sections ``trainer`` and ``fits``",
    ),
    Interface(
        "synthesisers", "Synthesisers other than diffusion", ("Synthesiser",), ("image_size",), "synthesiser",
        also=("TrainedSynthesiser",),
    ),
    Interface(
        "metrics", "Metrics of pictures", ("Metric",), section="metrics", home="palsykit.metrics",
    ),
)  # fmt: skip
"""All interfaces. To add one, add a row here and the code in core that uses its parts."""

INTERFACES = {row.name: row for row in TABLE}


def _hook(interface: Interface) -> Callable[[Register], None]:
    def hook(register: Register) -> None: ...

    hook.__name__ = hook.__qualname__ = PREFIX + interface.name
    hook.__doc__ = f"{interface.parts}: ``factory{interface.factory}``; {interface.place}."
    return hookspec(hook)


for _interface in TABLE:
    globals()[PREFIX + _interface.name] = _hook(_interface)


@hookspec
def palsykit_register_commands(register: RegisterCommand) -> None:
    """Commands of the command line: ``register(name, "module:attribute", help="one line")``.

    The attribute is a function with typer's annotations, or a ``typer.Typer`` of several commands. Its module is
    imported when the command runs or shows its own ``--help``; ``palsykit --help`` shows the name and the line of help.
    Commands of palsykit itself cannot be replaced.
    """


HOOKS = tuple(PREFIX + name for name in (*INTERFACES, COMMANDS))
