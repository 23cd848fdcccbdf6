"""Read and write scalars by YAML 1.2's core schema; PyYAML alone follows YAML 1.1.

For example ``1e-4`` is a number, ``no``, ``on`` and ``2024-01-01`` are text, ``010`` is ten and ``1:30`` is text.
"""

import re
from typing import Any

import yaml

TOKEN_LIMIT = 20_000
"""Most words and signs of a text; the longest recipe that ships has a twentieth of it."""

DIGITS = 100
"""Most digits of a whole number; Python takes seconds for a million of them, and cannot print them."""

DEPTH_LIMIT = 100
"""Most brackets inside each other."""

TAG = "tag:yaml.org,2002:"
RULES = (
    ("null", re.compile(r"~|null|Null|NULL|"), ["~", "n", "N", ""]),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF")),
    ("int", re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"), list("-+0123456789")),
    (
        "float",
        re.compile(
            r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        ),
        list("-+.0123456789"),
    ),
)


class Loader(yaml.SafeLoader):
    """Compose nodes; ``scalar`` converts them to values."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own attribute)

    def fetch_more_tokens(self) -> None:
        """Stop at texts that only cost time: PyYAML takes a minute for a megabyte of brackets or commas."""
        if self.flow_level > DEPTH_LIMIT or self.tokens_taken > TOKEN_LIMIT:
            what = "blocks nested too deeply" if self.flow_level > DEPTH_LIMIT else f"more than {TOKEN_LIMIT} words"
            raise yaml.MarkedYAMLError(problem=what, problem_mark=self.get_mark())
        super().fetch_more_tokens()


class Dumper(yaml.SafeDumper):
    """Quote text that YAML 1.1 or 1.2 would read as another type, so that all readers agree."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_items(self, data: list[Any]) -> yaml.Node:
        """Write lists of scalars in one line, other lists as blocks."""
        flat = not any(isinstance(item, dict | list) for item in data)
        return self.represent_sequence(TAG + "seq", data, flow_style=flat)

    def represent_text(self, data: str) -> yaml.Node:
        """Write every text in one line, so that a comment can follow."""
        return self.represent_scalar(TAG + "str", data, style=None if data.isprintable() else '"')


Dumper.add_representer(list, Dumper.represent_items)
Dumper.add_representer(str, Dumper.represent_text)
for _tag, _pattern, _first in RULES:
    _whole = re.compile(f"(?:{_pattern.pattern})\\Z")
    Loader.add_implicit_resolver(TAG + _tag, _whole, _first)
    Dumper.add_implicit_resolver(TAG + _tag, _whole, _first)


def scalar(tag: str, text: str) -> Any:
    """The value of a scalar node.

    Raises:
        ValueError: the tag is unknown, or an explicit tag (``!!int x``) does not match the text.
    """
    kind = tag.removeprefix(TAG)
    if kind == "str":
        return text
    for name, pattern, _ in RULES:
        if name == kind:
            if not pattern.fullmatch(text):
                raise ValueError(f"{text[:40]!r} is not of type {kind}")
            return _read(kind, text)
    raise ValueError(f"unknown tag {tag[:60]!r}")


def _read(kind: str, text: str) -> Any:
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int" and len(text) > DIGITS:
        raise ValueError(f"a whole number of {len(text)} digits")
    if kind == "int":
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    return float(re.sub(r"\.(inf|nan)", r"\1", text.lower()))


def dump(value: Any) -> str:
    """Write ``value`` as YAML that ``read`` reads back to the same value."""
    return yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=1_000_000)
