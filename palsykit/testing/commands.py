"""The contract of a command: cheap to list, read by typer, and with help that imports nothing heavy."""

import inspect
import json
import subprocess
import sys
from typing import Any

import typer

from palsykit.commands import typer_command
from palsykit.hookspecs import GROUP
from palsykit.registry import Entry
from palsykit.testing.result import Check, NotChecked, Unmet

HEAVY = ("torch", "torchvision", "diffusers", "transformers", "scipy", "matplotlib")
"""Libraries that take a second or more to import."""


def command_checks(entry: Entry) -> list[Check]:
    """Registered without imports, loaded, read by typer, described, and its ``--help`` shown.

    The factory of ``entry`` may be a function: then what concerns its registration is not checked.
    """
    return [
        ("registering it imports nothing heavy", lambda: registers_lightly(entry)),
        ("is loaded", lambda: loads(entry)),
        ("typer reads its parameters", lambda: typer_command(entry)),
        ("has help", lambda: has_help(entry)),
        ("--help works and imports nothing heavy", lambda: shows_help(entry)),
    ]


def registers_lightly(entry: Entry) -> None:
    """The plugin's entry point, loaded in a fresh interpreter, brings no heavy library."""
    _only_installed(entry)
    code = (
        "from importlib.metadata import entry_points\n"
        f"[entry.load() for entry in entry_points(group={GROUP!r}, name={entry.plugin!r})]"
    )
    if heavy := _heavy_after(code):
        raise Unmet(
            "an entry point that imports palsykit and little else, as `palsykit --help` loads it",
            f"{', '.join(heavy)} imported",
            "move such imports to the command's own module, which the hook names as a string",
        )


def loads(entry: Entry) -> None:
    """What "module:attribute" names is a function or a ``typer.Typer``."""
    command = entry.load()
    if not isinstance(command, typer.Typer) and not inspect.isroutine(command):
        raise Unmet(
            "a function with typer's annotations, or a typer.Typer",
            type(command).__name__,
            'write `def command(...) -> None` and register "module:command"',
        )


def has_help(entry: Entry) -> None:
    """The command says what it does, and so does each of its parameters."""
    command: Any = typer_command(entry)
    commands = [command, *getattr(command, "commands", {}).values()]
    if silent := [str(each.name) for each in commands if not each.help]:
        raise Unmet("a docstring, which --help shows", f"none for {', '.join(silent)}", "add one to the function")
    bare = [str(p.name) for each in commands for p in each.params if p.name != "help" and not getattr(p, "help", None)]
    if bare:
        raise Unmet(
            "a line of help for every parameter",
            f"none for {', '.join(bare)}",
            'annotate it: Annotated[int, typer.Option(help="What it does.")]',
        )


def shows_help(entry: Entry) -> None:
    """``palsykit NAME --help`` in a fresh interpreter ends well and loads no heavy library."""
    _only_installed(entry)
    if heavy := _heavy_after(
        f"sys.argv = ['palsykit', {entry.name!r}, '--help']; from palsykit.cli import main; main()"
    ):
        raise Unmet(
            "help that is shown at once",
            f"{', '.join(heavy)} imported before it",
            "import them inside the function, and under `if TYPE_CHECKING` for annotations",
        )


def _only_installed(entry: Entry) -> None:
    if not isinstance(entry.factory, str):
        raise NotChecked("it is not installed; `palsykit plugins check NAME` checks an installed one")


def _heavy_after(code: str) -> list[str]:
    """Which of HEAVY a fresh interpreter has imported once ``code`` has run.

    Raises:
        Unmet: it does not end with exit code 0.
    """
    lines = [
        "import json, sys",
        "try:",
        *(f"    {line}" for line in code.splitlines()),
        "except SystemExit as leaving:",
        "    if leaving.code: raise",
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))",
    ]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        raise Unmet("exit code 0 in a fresh interpreter", f"{done.returncode}: {last}", "mend what it names")
    heavy: list[str] = json.loads(done.stdout.splitlines()[-1])
    return heavy
