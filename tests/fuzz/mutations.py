"""Seeded mutations of recipes and texts: what a slip, another program or an attacker may write."""

import copy
import random
from collections.abc import Iterator
from typing import Any

Path = tuple[Any, ...]

BAD: list[Any] = [
    None, True, False, -1, 0, 3.0, -(10**30), 10**30, 1e308, -1e-320, float("nan"), float("inf"), 2**63, -(2**63),
    "", " ", "x", "3", "ß漢字\U0001f600", "\x07", "\u202e", "../../etc/passwd", "/etc/passwd", "~root", "os:system",
    "palsykit:../../x", "a:b", "{{7*7}}", "${HOME}", "%s%n", "-", "1e-4", "0x10", "01", "yes", "<script>", "=1+1",
    [], {}, [[]], [None], {"use": None}, {"use": "x"}, {"use": []}, {"use": {"use": "ir"}}, [1, "a", None], {"": 1},
    {"a.b": 1}, {"use": "ir", "use ": 1}, "a" * 20_000, list(range(500)), {str(i): i for i in range(500)},
]  # fmt: skip

LINES = (
    "<<: *x", "? [a, b]: c", "--- ", "...", "%YAML 9.9", "!!binary x: y", "&a *a : 1", "a: !!float x", "1: 2",
    "x: !!set {a, b}", "null: 3", "[1]: 2", "? |\n  block\n: 1", "a: &b [*b]", "[" * 200,
)  # fmt: skip

SIGNS = "{}[]:&*!|>%@`\"'#,?-\x07\u2028\ufeffé\0"


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every value in a tree."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


def at(value: Any, path: Path) -> Any:
    """The value at a path."""
    for key in path:
        value = value[key]
    return value


def mutated(tree: Any, rng: random.Random) -> Any:
    """A tree with one to four values removed, replaced, renamed, wrapped or moved."""
    tree = copy.deepcopy(tree)
    names = ["use", "extends", "weights", "network", "data", "é", "", "__class__", "name", "width", "steps", "start"]
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        every = [path for path in paths(tree) if path]
        if not every:
            break
        path = rng.choice(every)
        parent, key, kind = at(tree, path[:-1]), path[-1], rng.randrange(8)
        old = parent[key]
        if kind == 0:
            del parent[key]
        elif kind == 1:
            parent[key] = copy.deepcopy(rng.choice(BAD))
        elif kind == 2:
            parent[key] = copy.deepcopy(at(tree, rng.choice(every)))
        elif kind == 3 and isinstance(parent, dict):
            parent[rng.choice([f"{key}x", str(key)[:-1], *names])] = parent.pop(key)
        elif kind == 4 and isinstance(parent, dict):
            parent[rng.choice(names)] = copy.deepcopy(rng.choice(BAD))
        elif kind == 5 and isinstance(old, int | float) and not isinstance(old, bool):
            parent[key] = rng.choice([-old, old * 10**9, old * 2, old + 0.5, 0, 1, str(old), float("nan")])
        elif kind == 6:
            parent[key] = [copy.deepcopy(old)]
        else:
            parent[key] = {"use": copy.deepcopy(old)}
    return tree


def mutated_text(text: str, rng: random.Random) -> str:
    """A text with a line or a sign added, moved, cut or doubled."""
    lines = text.split("\n")
    line, place, kind = rng.randrange(len(lines)), rng.randrange(len(text)), rng.randrange(8)
    if kind == 0:
        lines.insert(line, lines[line])
    elif kind == 1:
        lines.insert(line, "\t" + lines[line])
    elif kind == 2:
        lines[line] = lines[line][: rng.randrange(len(lines[line]) + 1)]
    elif kind == 3:
        lines[line] = "  " * rng.randrange(4) + lines[line].strip()
    elif kind == 4:
        return text[:place]
    elif kind == 5:
        return text[:place] + rng.choice(SIGNS) + text[place:]
    elif kind == 6:
        lines.insert(line, rng.choice(LINES))
    else:
        return text[:place] + text[place + rng.randrange(1, 30) :]
    return "\n".join(lines)
