"""``palsykit doctor``: what this installation has, what is broken in it, and the cure."""

import json
from dataclasses import asdict
from typing import Annotated

import typer


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Look at libraries, device, disk, plugins and shipped models; print what is wrong and the cure.

    The text can be pasted into an issue: it has no name of the user. Exit code 1 if something is wrong.
    """
    from palsykit.health import examine

    findings = list(examine())
    wrong = [each for each in findings if each.cure]
    if as_json:
        print(json.dumps({"ok": not wrong, "findings": [asdict(each) for each in findings]}, indent=1))
    else:
        width = max(len(each.name) for each in findings)
        for each in findings:
            print(f"{'WRONG' if each.cure else 'ok':5}  {each.name:{width}}  {each.found}")
        print("")
        for each in wrong:
            print(f"{each.name}: {each.found}\n  cure: {each.cure}")
        if not wrong:
            print("Nothing is wrong.")
    raise typer.Exit(1 if wrong else 0)
