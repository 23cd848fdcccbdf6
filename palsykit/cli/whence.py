"""``palsykit whence``: print what made a picture, as its file says."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Pictures.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per file and line.")] = False,
) -> None:
    """Print what made a picture, as the mark in its file says. Exit code 1 if a file has no mark."""
    from palsykit.data.rejections import printable
    from palsykit.photographs.files import UnreadablePicture
    from palsykit.photographs.mark import read_mark

    worst = 0
    for file in files:
        try:
            facts = read_mark(file)
        except UnreadablePicture as error:
            print(f"palsykit: {printable(str(error))}", file=sys.stderr)
            worst = 2
            continue
        if as_json:
            print(json.dumps({"file": printable(file), "mark": facts}))
        elif facts is not None:
            print("\n".join([printable(file), *(f"  {name}: {_text(value)}" for name, value in facts.items())]))
        if facts is None:
            words = "no mark of palsykit; a program that rewrote the file may have removed it"
            print(f"palsykit: {printable(file)}: {words}", file=sys.stderr)
            worst = max(worst, 1)
    raise typer.Exit(worst)


def _text(value: object) -> str:
    """A fact on one line, whatever a file says."""
    from palsykit.data.rejections import printable

    return printable(value if isinstance(value, str) else json.dumps(value))
