"""``palsykit plugins``: list parts and broken plugins, write a new plugin, check a part against its contract."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palsykit.cli.table import table
from palsykit.errors import PalsykitError

if TYPE_CHECKING:
    from palsykit.registry import Entry

app = typer.Typer(
    help="List all parts and broken plugins; write a new plugin; check a part.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


Scaffold = StrEnum("Scaffold", "fusion encoder scheduler trainer metric denoiser dataset command")
"""Kinds of plugin that ``new`` can write."""


@app.callback(invoke_without_command=True)
def plugins(context: typer.Context) -> None:
    """List every part that recipes can use (as `list` does), write a new plugin, or check a part."""
    if context.invoked_subcommand is None:
        listing()


@app.command("list")
def listing(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in place of a table.")] = False,
) -> None:
    """List all parts and plugin commands. Broken plugins follow, with reason and cure."""
    from palsykit.hookspecs import INTERFACES
    from palsykit.registry import registry

    known, order = registry(), list(INTERFACES)
    entries = sorted(known.entries.values(), key=lambda entry: (order.index(entry.interface), entry.name))
    entries += [known.commands[name] for name in sorted(known.commands)]
    rows = [(e.interface, e.name, e.plugin, f"{e.distribution} {e.version}") for e in entries]
    if as_json:
        parts = [dict(zip(("interface", "name", "plugin", "version"), row, strict=True)) for row in rows]
        broken = [asdict(plugin) for plugin in known.broken]
        print(json.dumps({"parts": parts, "broken": broken, "disabled": list(known.disabled)}, indent=1))
        return
    print(table(("interface", "name", "plugin", "version"), rows))
    if known.broken:
        print("\nbroken:")
        for plugin in known.broken:
            print(f"  {plugin.name} ({plugin.module}, from {plugin.distribution})")
            print(f"    reason: {plugin.reason}\n    cure: {plugin.cure}")
    if known.disabled:
        print(f"\ndisabled by PALSYKIT_DISABLE: {', '.join(known.disabled)}")


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the package and its part, such as acme_film.")],
    interface: Annotated[Scaffold, typer.Option("--interface", help="Kind of the part.")],
    dest: Annotated[
        Path | None, typer.Option("--dest", metavar="DIR", help="The folder to write; default: ./NAME.")
    ] = None,
) -> None:
    """Write a complete, installable plugin: entry point, module, test, recipe and README."""
    from palsykit.scaffold import package_name, write

    name = package_name(name)
    folder = Path(name) if dest is None else dest
    for path in write(name, interface.value, folder):
        print(path)
    use = f"palsykit {name} --help" if interface is Scaffold.command else f"palsykit run {folder}/{name}.yaml"
    print(f"\nNext: pip install -e {folder} && palsykit plugins check {name} && {use}")


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a part, of a command or of a plugin.")],
    interface: Annotated[
        str | None, typer.Option("--interface", metavar="NAME", help="The interface, if several parts share the name.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Set a key of the part, for example width=32 (small parts are faster). Can be repeated.",
            show_default=False,
        ),
    ] = None,
    size: Annotated[int, typer.Option("--size", metavar="PX", min=16, help="Side of the test images in px.")] = 32,
) -> None:
    """Check installed parts and commands against their contracts. Exit code 2 if a check failed."""
    from palsykit.hookspecs import COMMANDS

    entries = _named(name, interface)
    keys = _keys(name, overrides or [])
    if keys and any(entry.interface == COMMANDS for entry in entries):
        raise PalsykitError(f"--set: {name} is a command, which has no keys of a recipe; leave it out")
    if keys and len(entries) > 1:
        parts = ", ".join(f"{entry.interface} {entry.name}" for entry in entries)
        raise PalsykitError(
            f"--set: {name} has several parts ({parts}); name one part, and add --interface if two share the name"
        )

    from palsykit.registry import SINGULAR
    from palsykit.testing import examine, report

    failed = False
    for entry in entries:
        results = examine(entry, keys, size)
        failed |= any(result.state == "failed" for result in results)
        print(report(f"{SINGULAR[entry.interface]} {entry.name} of {entry.plugin} ({entry.distribution})", results))
    if failed:
        raise typer.Exit(2)


def _named(name: str, interface: str | None) -> list["Entry"]:
    """The parts and commands called ``name``; if there are none, those of the plugin called ``name``.

    Raises:
        PalsykitError: no part, command or plugin has the name, it is broken, or ``interface`` is unknown.
    """
    from palsykit.registry import GROUPS, SINGULAR, registry

    known = registry()
    group = None
    if interface is not None:
        if interface not in GROUPS:
            raise PalsykitError(f"--interface {interface}: expected one of {', '.join(SINGULAR)}")
        group = GROUPS[interface]
    everything = (*known.entries.values(), *known.commands.values())
    entries = [entry for entry in everything if group in (None, entry.interface)]
    if matches := [entry for entry in entries if entry.name == name] or [e for e in entries if e.plugin == name]:
        return matches
    # Not registered: broken, or misspelt.
    broken = [plugin for plugin in known.broken if name in plugin.name.split(", ")]
    if broken:
        raise PalsykitError(f"{name} is broken", broken)
    from difflib import get_close_matches

    names = {entry.name for entry in entries} | {entry.plugin for entry in entries}
    close = get_close_matches(name, sorted(names), n=3)
    hint = f"did you mean {' or '.join(close)}?" if close else "`palsykit plugins` lists them"
    raise PalsykitError(f"no part and no plugin {name!r}{f' among {group}' if group else ''}; {hint}")


def _keys(name: str, overrides: Sequence[str]) -> dict[str, Any]:
    """Parse ``key=VALUE`` pairs in the same way as a recipe's overrides."""
    from palsykit.recipe.overrides import apply
    from palsykit.recipe.read import Spot, Tree

    tree = apply(Tree({}, {(): Spot("--set", "--set", Path.cwd())}), overrides, name)
    value: dict[str, Any] = tree.value
    return value
