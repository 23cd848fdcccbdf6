"""The registry: name -> factory for every interface. The error for an unknown name gives the nearest known names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Any

from palsykit.errors import PalsykitError
from palsykit.hookspecs import COMMANDS, INTERFACES
from palsykit.plugins import BrokenPlugin, Discovery, cure, discover

SINGULAR = {name: interface.noun for name, interface in INTERFACES.items()} | {COMMANDS: "command"}
"""An interface's name -> the name of one of its parts in messages."""

GROUPS = {word: name for name, noun in SINGULAR.items() for word in (name, noun, noun.split()[0])}
"""A user's word for an interface, such as "fusion" or "fusions" -> the interface's name."""

CORE_COMMANDS = (
    "run",
    "check",
    "show",
    "generate",
    "evaluate",
    "verify",
    "export",
    "trust",
    "whence",
    "doctor",
    "plugins",
)
"""palsykit's own commands, defined in ``palsykit.cli.app``. Plugins cannot replace them."""


def one(interface: str) -> str:
    """The word with its article: ``a fusion``, ``an encoder``."""
    return f"{'an' if SINGULAR[interface][0] in 'aeiou' else 'a'} {SINGULAR[interface]}"


@dataclass(frozen=True)
class Entry:
    """A part that a recipe can name, or a command; ``help`` is a command's one line, ``module`` its entry point's."""

    interface: str
    name: str
    plugin: str
    distribution: str
    version: str
    factory: str | Callable[..., Any]
    help: str = ""
    module: str = ""

    def load(self) -> Callable[..., Any]:
        """Return the factory. Its module is imported only now.

        Raises:
            PalsykitError: the module cannot be imported, lacks the attribute, or the attribute cannot be called.
        """
        if not isinstance(self.factory, str):
            return self.factory
        module, _, attributes = self.factory.partition(":")
        try:
            value: Any = import_module(module)
            for attribute in attributes.split("."):
                value = getattr(value, attribute)
        except (Exception, SystemExit) as error:  # a plugin's module may raise anything
            raise PalsykitError(
                f"{self} cannot be loaded: {type(error).__name__}: {error}; {cure(self.plugin)}"
            ) from error
        if not callable(value):
            raise PalsykitError(f"{self} cannot be built: {self.factory} is {value!r}, expected a callable")
        factory: Callable[..., Any] = value
        return factory

    def __str__(self) -> str:
        return f"{SINGULAR[self.interface]} {self.name!r} of plugin {self.plugin} ({self.distribution} {self.version})"


@dataclass(frozen=True)
class Registry:
    """All usable parts.

    If two plugins register the same name for one interface, neither gets it: the meaning of a recipe must not depend on
    the order of installation. Their other parts stay usable.
    """

    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    clashes: dict[tuple[str, str], tuple[Entry, ...]] = field(default_factory=dict)
    broken: tuple[BrokenPlugin, ...] = ()
    disabled: tuple[str, ...] = ()
    commands: dict[str, Entry] = field(default_factory=dict)

    def get(self, interface: str, name: str) -> Entry:
        """The part ``name`` of ``interface``, or the command ``name``.

        Raises:
            PalsykitError: no plugin registers it, or more than one does. The message gives the nearest names, and
                the plugins that are broken or disabled.
        """
        entry = self.find(interface, name)
        if entry is None:
            raise PalsykitError(f"unknown {SINGULAR[interface]} {name!r}: {self.advice(interface, name)}")
        return entry

    def find(self, interface: str, name: str) -> Entry | None:
        """The part or command ``name``, or None if no plugin, or more than one, registers it."""
        return self.commands.get(name) if interface == COMMANDS else self.entries.get((interface, name))

    def names(self, interface: str) -> list[str]:
        """The usable names of an interface, or of plugins' commands, sorted."""
        if interface == COMMANDS:
            return sorted(self.commands)
        return sorted(name for group, name in self.entries if group == interface)

    def advice(self, interface: str, name: str) -> str:
        """Say why ``name`` is not usable, and what to write instead."""
        if (interface, name) in self.clashes:
            return _clash(self.clashes[interface, name])
        known = self.names(interface)
        close = get_close_matches(name, known, n=3)
        words = [f"did you mean {' or '.join(close)}?"] if close else [f"known are {', '.join(known) or 'none'}"]
        elsewhere = [one(group) for group, other in self.entries if other == name and group != interface]
        if elsewhere:
            words.append(f"{name!r} is {' and '.join(elsewhere)}")
        if self.broken:
            words.append(f"broken plugins: {', '.join(sorted({plugin.name for plugin in self.broken}))}")
        if self.disabled:
            words.append(f"disabled plugins: {', '.join(self.disabled)}")
        if self.broken or self.disabled:
            words.append("`palsykit plugins` says more")
        return "; ".join(words)


def _clash(entries: Sequence[Entry]) -> str:
    """The message for a name that several plugins register."""
    owners = " and ".join(f"{entry.plugin} ({entry.distribution} {entry.version})" for entry in entries)
    return f"plugins {owners} both register it; {cure(*(entry.plugin for entry in entries))}"


def collect(discovery: Discovery) -> Registry:
    """Make the registry from the discovered plugins."""
    # Group the registrations by interface and name.
    candidates: dict[tuple[str, str], list[Entry]] = {}
    for plugin in discovery.plugins:
        for part in plugin.registrations:
            origin = (plugin.name, plugin.distribution, plugin.version)
            entry = Entry(part.interface, part.name, *origin, part.factory, part.help, plugin.module)
            candidates.setdefault((part.interface, part.name), []).append(entry)
    clashes = {key: tuple(entries) for key, entries in candidates.items() if len(entries) > 1}
    broken = list(discovery.broken)
    for (interface, name), entries in clashes.items():
        plugins = ", ".join(entry.plugin for entry in entries)
        origins = ", ".join(entry.distribution for entry in entries)
        reason = f"{SINGULAR[interface]} {name!r} is registered by each of them, so none is used"
        broken.append(BrokenPlugin(plugins, "-", origins, reason, cure(*(entry.plugin for entry in entries))))
    # Separate the commands from the parts; a plugin cannot replace one of palsykit's own.
    usable = {key: entries[0] for key, entries in candidates.items() if len(entries) == 1}
    commands = {name: usable.pop((group, name)) for group, name in list(usable) if group == COMMANDS}
    for name in sorted(commands.keys() & set(CORE_COMMANDS)):
        entry = commands.pop(name)
        reason = f"command {name!r} is palsykit's own; a plugin cannot replace it"
        broken.append(BrokenPlugin(entry.plugin, "-", entry.distribution, reason, cure(entry.plugin)))
    return Registry(usable, clashes, tuple(broken), tuple(discovery.disabled), commands)


@cache
def registry() -> Registry:
    """The registry of this process, made once. After ``registry.cache_clear()`` the next call discovers again."""
    return collect(discover())
