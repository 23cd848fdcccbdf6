"""Say whose code failed in a training step: the plugin, its distribution and the last lines of the traceback."""

import traceback

from palsykit.registry import registry

LINES = 12
"""How many lines of a traceback the log gets."""


def owner(error: BaseException) -> str | None:
    """The plugin whose code was running last when ``error`` was raised, as "plugin NAME (DISTRIBUTION VERSION)"."""
    plugins = {
        _package(module): f"plugin {entry.plugin} ({entry.distribution} {entry.version})"
        for entry in registry().entries.values()
        for module in (entry.module, entry.factory if isinstance(entry.factory, str) else entry.factory.__module__)
    }
    frames = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    return next((plugins[_package(name)] for name in reversed(frames) if _package(name) in plugins), None)


def last_lines(error: BaseException) -> list[str]:
    """The last lines of the error's traceback."""
    lines = "".join(traceback.format_exception(error)).rstrip().splitlines()
    return lines[-LINES:]


def _package(module: str) -> str:
    return module.partition(":")[0].partition(".")[0]
