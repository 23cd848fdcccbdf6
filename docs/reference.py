"""Write the generated parts of the documentation: hooks.md, the ends of interfaces/*.md, CONTRIBUTING's table.

python docs/reference.py            write what has changed
python docs/reference.py --check    write nothing; exit code 1 if something is out of date
"""

import inspect
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from palsykit import hookspecs
from palsykit.hookspecs import COMMANDS, INTERFACES, PREFIX
from palsykit.registry import one
from palsykit.testing import checks_of, declared, shared

DOCS = Path(__file__).parent
CONTRIBUTING = DOCS.parent / "CONTRIBUTING.md"
TABLE = re.compile(r"(?<=\n)\| to add \|.*\n(?:\|.*\n)*")
MARK = "<!-- written by docs/reference.py from the code; edit above this line -->\n"
NAME = re.compile(r'\(\s*"([^"]+)",\s*lambda|shared\.(by_row|trainable)\(')


def protocols(interface: str) -> list[Any]:
    """The protocols that a part of an interface can implement."""
    row = INTERFACES[interface]
    return [getattr(import_module(row.home), name) for name in (*row.protocols, *row.also)]


def hooks() -> str:
    """The hook reference: one section per hook, in the order of ``palsykit.hookspecs``."""
    parts = ["# Hooks\n", inspect.getdoc(hookspecs) or "", f"\nThis is API {hookspecs.API_VERSION}.\n"]
    for interface in INTERFACES:
        given = ", ".join(f"`{name}`" for name in INTERFACES[interface].positional) or "nothing"
        parts += [
            *heading(PREFIX + interface),
            f"\nPositional parameters from core: {given}. [More](interfaces/{interface}.md)",
        ]
    parts += [*heading(PREFIX + COMMANDS), ""]
    return "\n".join(parts).replace("palsykit.hookspecs.Register", "Register") + "\n"


def heading(hook: str) -> list[str]:
    """A hook's signature and docstring."""
    function = getattr(hookspecs, hook)
    signature = inspect.signature(function).replace(return_annotation=inspect.Signature.empty)
    return [f"\n## `{hook}{signature}`\n", inspect.getdoc(function) or ""]


def contract(interface: str) -> list[str]:
    """The names of the checks of ``palsykit.testing``."""
    names = [*named(checks_of(interface)), *named(declared.checks)]
    return list(dict.fromkeys(names))


def named(checks: Any) -> Iterator[str]:
    """The names of checks in the source of a function that lists them, in order."""
    for name, several in NAME.findall(inspect.getsource(checks)):
        yield from [name] if name else named(getattr(shared, several))


def tail(interface: str) -> str:
    """The generated end of an interface's page: hook, protocols, checks."""
    hook = f"palsykit_register_{interface}"
    word = INTERFACES[interface].noun.split()[0]
    lines = [f"\n## `{hook}`\n", inspect.getdoc(getattr(hookspecs, hook)) or "", ""]
    for protocol in protocols(interface):
        lines += ["```python", inspect.getsource(protocol).rstrip(), "```", ""]
    lines += [f'## What `palsykit.testing.check("{word}", ...)` checks\n']
    lines += [f"- {name}" for name in contract(interface)]
    return "\n".join(lines) + "\n"


def table() -> str:
    """CONTRIBUTING's table of interfaces."""
    rows = ["| to add | implement the hook | the factory | where a recipe names it |", "|---|---|---|---|"]
    for name, row in INTERFACES.items():
        where = row.place.replace("``", "`")
        rows.append(f"| {one(name)} | `{PREFIX}{name}` | `{row.factory}` | {where} |")
    return "\n".join(rows) + "\n"


def pages() -> dict[Path, str]:
    """Every file, with its correct text."""
    contributing = CONTRIBUTING.read_text(encoding="utf-8")
    wanted = {DOCS / "hooks.md": hooks(), CONTRIBUTING: TABLE.sub(lambda _: table(), contributing, count=1)}
    for interface in INTERFACES:
        page = DOCS / "interfaces" / f"{interface}.md"
        written = page.read_text(encoding="utf-8") if page.exists() else f"# {interface.capitalize()}\n\n"
        wanted[page] = written.split(MARK)[0] + MARK + tail(interface)
    return wanted


def stale() -> list[Path]:
    """Files whose text is out of date."""
    return [path for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]


def main() -> None:
    """Write the files that are out of date; with --check only name them."""
    outdated = stale()
    for path in outdated:
        print(f"{path.relative_to(DOCS.parent)}: {'out of date' if '--check' in sys.argv else 'written'}")
        if "--check" not in sys.argv:
            path.write_text(pages()[path], encoding="utf-8")
    if outdated and "--check" in sys.argv:
        sys.exit("run: python docs/reference.py")


if __name__ == "__main__":
    main()
