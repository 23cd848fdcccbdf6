"""Commands of plugins: listed by what was registered, imported when they run."""

from difflib import get_close_matches
from typing import Any

from typer.core import TyperCommand, TyperGroup

from palsykit.commands import typer_command
from palsykit.errors import PalsykitError
from palsykit.hookspecs import COMMANDS
from palsykit.registry import registry


class CommandLine(TyperGroup):
    """Palsykit's own commands, then those of plugins in the order of their names.

    A command of palsykit's own runs without any plugin being looked for.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Every name, as ``--help`` lists them."""
        return [*super().list_commands(ctx), *sorted(registry().commands)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """What ``--help`` shows of a command; a plugin's is only its name and line of help."""
        own = super().get_command(ctx, cmd_name)
        if own is not None or (entry := registry().commands.get(cmd_name)) is None:
            return own
        return TyperCommand(name=cmd_name, help=entry.help, rich_markup_mode=None)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command to run, whose module is imported here.

        Raises:
            PalsykitError: it cannot be imported, or no plugin has it and a broken one might.
        """
        name = args[0]
        if super().get_command(ctx, name) is None and not name.startswith("-"):
            known = registry()
            if name in known.commands:
                return name, typer_command(known.commands[name]), args[1:]
            if (COMMANDS, name) in known.clashes:
                raise PalsykitError(f"command {name!r}: {known.advice(COMMANDS, name)}")
            close = get_close_matches(name, self.list_commands(ctx))
            hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
            if known.broken:
                words = f"No such command {name!r}.{hint} Broken plugins, one of which may have it"
                raise PalsykitError(words, known.broken)
            ctx.fail(f"No such command {name!r}.{hint}")
        return super().resolve_command(ctx, args)
