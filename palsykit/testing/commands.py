"""The contract of a command: typer can read it, and listing it or showing its help imports nothing heavy."""

import inspect
import json
import subprocess
import sys
from typing import Any

import typer

from palsykit.commands import typer_command
from palsykit.registry import Entry
from palsykit.testing.result import Check, NotChecked, require

HEAVY = ("torch", "torchvision", "diffusers", "transformers", "scipy", "matplotlib")
"""Libraries that take a second or more to import."""


def command_checks(entry: Entry) -> list[Check]:
    """It loads, typer can read it, and it has help. ``--help`` itself is checked for installed commands only."""
    return [
        ("is loaded", lambda: loads(entry)),
        ("typer reads its parameters", lambda: typer_command(entry)),
        ("has help", lambda: has_help(entry)),
        ("--help works and imports nothing heavy", lambda: shows_help(entry)),
    ]


def loads(entry: Entry) -> None:
    """The attribute that "module:attribute" names is a function or a ``typer.Typer``."""
    command = entry.load()
    require(
        isinstance(command, typer.Typer) or inspect.isroutine(command),
        "a function with typer's annotations, or a typer.Typer",
        type(command).__name__,
        'write `def command(...) -> None` and register "module:command"',
    )


def has_help(entry: Entry) -> None:
    """The command and each of its parameters have help."""
    command: Any = typer_command(entry)
    commands = [command, *getattr(command, "commands", {}).values()]
    silent = ", ".join(str(each.name) for each in commands if not each.help)
    require(not silent, "a docstring, which --help shows", f"none for {silent}", "add one to the function")
    parameters = [p for each in commands for p in each.params if p.name != "help"]
    bare = ", ".join(str(p.name) for p in parameters if not getattr(p, "help", None))
    mend = 'annotate it: Annotated[int, typer.Option(help="What it does.")]'
    require(not bare, "a line of help for every parameter", f"none for {bare}", mend)


def shows_help(entry: Entry) -> None:
    """``palsykit NAME --help`` in a new interpreter ends with exit code 0 and loads no heavy library."""
    if not isinstance(entry.factory, str):
        raise NotChecked("it is not installed; `palsykit plugins check NAME` checks an installed one")
    heavy = _heavy_after(f"sys.argv = ['palsykit', {entry.name!r}, '--help']; from palsykit.cli import main; main()")
    mend = "import them inside the function, not at the top of a module; for annotations use `if TYPE_CHECKING`"
    require(not heavy, "help without heavy imports", f"{', '.join(heavy)} imported", mend)


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
    seen = f"{done.returncode}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"
    require(not done.returncode, "exit code 0 in a fresh interpreter", seen, "fix what the message names")
    heavy: list[str] = json.loads(done.stdout.splitlines()[-1])
    return heavy
