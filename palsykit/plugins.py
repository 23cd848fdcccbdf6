"""Find plugins by their entry points. A broken plugin is recorded with its cure; the others still work."""

import inspect
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import Any

import pluggy

from palsykit import hookspecs
from palsykit.hookspecs import API_VERSION, COMMANDS, GROUP, HOOKS, INTERFACES, PREFIX

DISABLE = "PALSYKIT_DISABLE"
"""Environment variable: names of entry points to skip, separated by commas."""

STATED = "PALSYKIT_API"
"""Name of a module's constant: the ``API_VERSION`` it is written for. docs/plugins.md lists a version's guarantees."""


@dataclass(frozen=True)
class Registration:
    """One call of ``register(name, factory)`` by a plugin. Only commands have ``help``."""

    interface: str
    name: str
    factory: str | Callable[..., Any]
    help: str = ""


@dataclass(frozen=True)
class Plugin:
    """A working plugin: its entry point, its distribution and what it registers."""

    name: str
    module: str
    distribution: str
    version: str
    registrations: tuple[Registration, ...]


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin, or a part of a plugin, that cannot be used.

    Attributes:
        name: the entry point's name.
        module: the entry point's value.
        distribution: the installed distribution that contains it.
        reason: what is wrong, in one line.
        cure: what the user can do.
    """

    name: str
    module: str
    distribution: str
    reason: str
    cure: str

    def __str__(self) -> str:
        return f"plugin {self.name} ({self.module}, from {self.distribution}): {self.reason}; {self.cure}"


@dataclass
class Discovery:
    """All plugins of the entry-point group, sorted by the entry points' names."""

    plugins: list[Plugin] = field(default_factory=list)
    broken: list[BrokenPlugin] = field(default_factory=list)
    disabled: list[str] = field(default_factory=list)


def cure(*names: str) -> str:
    """The next step for a user who cannot fix the plugin itself."""
    choice = " or ".join(f"{DISABLE}={name}" for name in names)
    return f"update or uninstall it, or leave it out with {choice}"


def discover() -> Discovery:
    """Load all installed plugins that are not disabled."""
    discovery = Discovery()
    unwanted = {name.strip() for name in os.environ.get(DISABLE, "").split(",")} - {""}
    owners: dict[str, str] = {}
    for entry, origin, version in sorted(_entry_points(discovery), key=lambda item: (item[0].name, item[1])):
        if entry.name in unwanted:
            discovery.disabled.append(entry.name)
        elif entry.name in owners:
            reason = f"{owners[entry.name]} already has an entry point of this name"
            step = f"rename it or uninstall {origin} or {owners[entry.name]}"
            discovery.broken.append(BrokenPlugin(entry.name, entry.value, origin, reason, step))
        else:
            owners[entry.name] = origin
            _load(entry, origin, version, discovery)
    _report_unknown_disabled(unwanted - set(discovery.disabled), [*owners, *discovery.disabled], discovery)
    return discovery


def _entry_points(discovery: Discovery) -> Iterator[tuple[EntryPoint, str, str]]:
    """(entry point, distribution, version). If the path holds a distribution twice, the first one counts."""
    seen: set[str] = set()
    for distribution in distributions():
        try:
            name, version = _identity(distribution)
            key = re.sub(r"[-_.]+", "-", name).lower()
            if key in seen:
                continue
            seen.add(key)
            mine = [entry for entry in distribution.entry_points if entry.group == GROUP]
        except Exception as error:  # a distribution's own files may contain anything
            if _mentions_palsykit(distribution):
                reason = f"its entry_points.txt cannot be read: {_one_line(error)}"
                label = _label(distribution)
                discovery.broken.append(BrokenPlugin("?", "?", label, reason, f"reinstall or uninstall {label}"))
            continue
        yield from ((entry, name, version) for entry in mine)


def _identity(distribution: Distribution) -> tuple[str, str]:
    """Name and version; "?" for what is unknown."""
    metadata: Any = distribution.metadata
    name = metadata["Name"] if metadata is not None else None
    version = metadata["Version"] if metadata is not None else None
    return name or _label(distribution), version or "?"


def _label(distribution: Distribution) -> str:
    """The distribution's name taken from its folder, for one without usable metadata."""
    path = getattr(distribution, "_path", None)
    return str(path.name).split("-")[0] if path is not None else "?"


def _mentions_palsykit(distribution: Distribution) -> bool:
    """Whether entry_points.txt has our group, even if the file cannot be parsed."""
    try:
        return f"[{GROUP}]" in (distribution.read_text("entry_points.txt") or "")
    except Exception:  # the file may contain anything
        return False


def _load(entry: EntryPoint, origin: str, version: str, discovery: Discovery) -> None:
    """Import a plugin and add it to the working or to the broken ones."""
    try:
        registrations = _registrations(entry.load())
    except (Exception, SystemExit) as error:  # a plugin's code may raise anything
        discovery.broken.append(BrokenPlugin(entry.name, entry.value, origin, _one_line(error), cure(entry.name)))
    else:
        discovery.plugins.append(Plugin(entry.name, entry.value, origin, version, registrations))


def _registrations(plugin: object) -> tuple[Registration, ...]:
    """Call the plugin's hooks and return what it registers.

    Raises:
        ValueError, pluggy.PluginValidationError: the plugin has another API version or a wrong hook or registration.
    """
    # Check the hooks. Each plugin has its own manager, so a broken plugin leaves nothing behind.
    _check_api(plugin)
    _check_hook_names(plugin)
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    manager.check_pending()

    # Call the hooks and collect the registrations.
    collected: dict[tuple[str, str], Registration] = {}

    def add(part: Registration) -> None:
        if (part.interface, part.name) in collected:
            raise ValueError(f"it registers {part.interface} {part.name!r} twice")
        collected[part.interface, part.name] = part

    for interface in INTERFACES:

        def register(name: str, factory: str | Callable[..., Any], interface: str = interface) -> None:
            _check_registration(interface, name, factory)
            add(Registration(interface, name, factory))

        getattr(manager.hook, PREFIX + interface)(register=register)

    def register_command(name: str, command: str, *, help: str = "") -> None:
        _check_command(name, command, help)
        add(Registration(COMMANDS, name, command, help))

    getattr(manager.hook, PREFIX + COMMANDS)(register=register_command)
    return tuple(collected.values())


def _check_api(plugin: object) -> None:
    """Refuse a plugin that states another API version. One that states none is judged by its hooks only."""
    stated = getattr(plugin, STATED, API_VERSION)
    if stated == API_VERSION and type(stated) is int:
        return
    if type(stated) is not int:
        raise ValueError(f"{STATED} is {stated!r}, expected a whole number such as {API_VERSION}")
    step = "update palsykit" if stated > API_VERSION else "update the plugin"
    raise ValueError(f"it is written for API {stated} of palsykit, and this palsykit has API {API_VERSION}: {step}")


def _check_hook_names(plugin: object) -> None:
    """Refuse functions that look like hooks but are not: pluggy would ignore them silently."""
    for name, value in vars(plugin).items() if hasattr(plugin, "__dict__") else ():
        if not name.startswith(f"{GROUP}_") or not inspect.isroutine(value):
            continue
        if name not in HOOKS:
            close = get_close_matches(name, HOOKS, n=1, cutoff=0.85)
            hint = f"did you mean {close[0]}?" if close else f"the hooks are {', '.join(HOOKS)}"
            raise ValueError(f"unknown hook {name}; {hint}")
        if not hasattr(value, f"{GROUP}_impl"):
            raise ValueError(f"hook {name} lacks the decorator @palsykit.hookimpl")
        parameters = tuple(inspect.signature(getattr(plugin, name)).parameters)
        if parameters != ("register",):
            raise ValueError(f"hook {name} takes ({', '.join(parameters)}), expected (register)")


def _check_registration(interface: str, name: object, factory: object) -> None:
    if not isinstance(name, str) or not name:
        raise ValueError(f"in {interface} it registers {name!r}, expected a name")
    if callable(factory):
        return
    if not isinstance(factory, str) or not re.fullmatch(r"[\w.]+:[\w.]+", factory):
        raise ValueError(
            f'the factory of {interface} {name!r} is {factory!r}, expected a callable or "module:attribute"'
        )


def _check_command(name: object, command: object, help: object) -> None:
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
        raise ValueError(f"it registers the command {name!r}, expected lower-case letters, digits, - and _")
    if not isinstance(command, str) or not re.fullmatch(r"[\w.]+:[\w.]+", command):
        raise ValueError(f'the command {name!r} is {command!r}, expected "module:attribute", imported when it runs')
    if not isinstance(help, str) or not help.strip() or "\n" in help:
        raise ValueError(f'the command {name!r} has the help {help!r}, expected help="one line that says what it does"')


def _one_line(error: BaseException) -> str:
    """An error's type and message without line breaks."""
    if isinstance(error, pluggy.PluginValidationError):
        # pluggy's message: "Plugin 'module'\nfor hook 'name'\nhookimpl definition: ...\nArgument(s) ... wrong"
        return " ".join(line.strip() for line in str(error).splitlines())
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _report_unknown_disabled(unknown: set[str], known: Sequence[str], discovery: Discovery) -> None:
    """Record names in PALSYKIT_DISABLE that no plugin has: they are probably misspelt."""
    for name in sorted(unknown):
        close = get_close_matches(name, known, n=1)
        step = f"did you mean {close[0]}?" if close else f"the plugins are {', '.join(known) or 'none'}"
        discovery.broken.append(BrokenPlugin(name, "-", DISABLE, f"{DISABLE} names no installed plugin", step))
