"""``palsykit plugins``: what recipes can name, and what is broken."""

from collections.abc import Sequence


def command() -> None:
    """List every part that recipes can use. Broken plugins follow, each with its reason and cure."""
    from palsykit.plugins import INTERFACES
    from palsykit.registry import registry

    known = registry()
    entries = sorted(known.entries.values(), key=lambda entry: (INTERFACES.index(entry.interface), entry.name))
    rows = [(e.interface, e.name, e.plugin, f"{e.distribution} {e.version}") for e in entries]
    print(table(("interface", "name", "plugin", "version"), rows))
    if known.broken:
        print("\nbroken:")
        for plugin in known.broken:
            print(f"  {plugin.name} ({plugin.module}, from {plugin.distribution})")
            print(f"    reason: {plugin.reason}\n    cure: {plugin.cure}")
    if known.disabled:
        print(f"\ndisabled by PALSYKIT_DISABLE: {', '.join(known.disabled)}")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns wide enough for what they hold; nothing is cut, whatever the terminal's width."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
