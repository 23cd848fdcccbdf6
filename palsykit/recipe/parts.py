"""Checks blocks against what they are blocks of: a part's keys against its factory, a section's against the schema."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from palsykit.errors import PalsykitError
from palsykit.files.resources import canonical, locate
from palsykit.hookspecs import INTERFACES, TABLE
from palsykit.recipe.annotations import (
    WrittenMapping,
    WrittenText,
    adapter,
    complaints,
    placed,
    plain,
    read,
)
from palsykit.recipe.problems import KeyPath, Problem, describe, dotted, nearest
from palsykit.recipe.read import Tree
from palsykit.recipe.schema import Block, PartBlock
from palsykit.recipe.signature import Key, Missing, keys_of
from palsykit.registry import SINGULAR, one, registry

SECTIONS = {row.section: row.name for row in TABLE if row.section}
"""A field of the schema that holds parts -> their registry group."""

OMITTED: Any = object()
"""A key that the recipe does not have, or that a null took away."""


@dataclass
class Checker:
    """Walks a recipe and gives it back resolved, every default filled in; what is wrong gathers in ``problems``.

    Attributes:
        networks: the names that keys annotated ``Network`` may give; an inline network joins them.
        unchecked: sections whose parts and files are kept as written.
        inline: the inline networks, resolved.
    """

    tree: Tree
    networks: set[str]
    unchecked: Collection[str] = ()
    inline: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def complain(self, path: KeyPath, found: str, expected: str, hint: str = "", at_key: bool = False) -> None:
        spot = self.tree.spot(path)
        self.problems.append(Problem(spot.key if at_key else spot.value, dotted(path), found, expected, hint))

    def leaves(self, path: KeyPath) -> bool:
        """Whether ``path`` lies in a section that is kept as written."""
        return bool(path) and path[0] in self.unchecked

    def block(self, model: type[BaseModel], written: Any, path: KeyPath) -> dict[str, Any]:
        """A block of the schema, resolved."""
        if not isinstance(written, dict):
            self.complain(path, describe(written), "a mapping")
            return {}
        self._unknown(written, model.model_fields, path)
        return {
            name: self._field(name, about, written.get(name, OMITTED), (*path, name))
            for name, about in model.model_fields.items()
        }

    def part(
        self, interface: str, written: Any, path: KeyPath, model: type[PartBlock] = PartBlock, outer: str = ""
    ) -> dict[str, Any]:
        """A part's block, resolved: ``use``, the schema's own keys, then the plugin's; ``outer`` is what it is in."""
        block = {"use": written} if isinstance(written, str) else written
        if not isinstance(block, dict) or not isinstance(block.get("use"), str):
            found = describe(block["use"]) if isinstance(block, dict) and "use" in block else describe(written)
            self.complain(path, found, f"{one(interface)}: {{use: name, ...}}", self._choice(interface))
            return {}
        own = {name: about for name, about in model.model_fields.items() if name not in ("use", "parameters")}
        resolved: dict[str, Any] = {"use": str(block["use"])}
        for name, about in own.items():
            resolved[name] = self._field(name, about, block.get(name, OMITTED), (*path, name))
        if self.leaves(path):
            return {**block, **resolved}
        keys = self._keys(interface, str(block["use"]), path, outer)
        if keys is None:
            return resolved
        self._unknown(block, ["use", *own, *keys], path, former_keys(interface, str(block["use"])))
        for name, key in keys.items():
            if name not in resolved:
                resolved[name] = self._value(key, block.get(name, OMITTED), (*path, name), interface)
        return resolved

    def _keys(self, interface: str, name: str, path: KeyPath, outer: str) -> Mapping[str, Key] | None:
        """The keys of a part; None, with a problem written down, where it cannot be used."""
        use = (*path, "use") if (*path, "use") in self.tree.spots else path
        known = registry()
        if (interface, name) not in known.entries:
            self.complain(use, f'"{name}"', f"{one(interface)}", known.advice(interface, name))
            return None
        lacking = [
            need for need in INTERFACES[interface].positional if outer and need not in INTERFACES[outer].positional
        ]
        if lacking:
            expected = f"no {SINGULAR[interface]} inside {one(outer)}, which has no {' and no '.join(lacking)}"
            self.complain(use, f'"{name}"', expected)
            return None
        try:
            return keys_of(known.get(interface, name))
        except PalsykitError as error:
            self.complain(use, f'"{name}"', f"{one(interface)} that can be built", error.message)
            return None

    def _field(self, name: str, about: FieldInfo, written: Any, path: KeyPath) -> Any:
        """A field of the schema: parts, a block, blocks, or a value."""
        kind, many, nullable = shape(about.annotation)
        if written is None and path in self.tree.removed and not nullable:
            written = OMITTED
        if kind is None:
            annotation: Any = Annotated[(about.annotation, *about.metadata)] if about.metadata else about.annotation
            return self._value(Key(name, annotation, adapter(annotation), _default(about)), written, path, "")
        if written is None and nullable:
            return None
        if written is OMITTED:
            if about.is_required():
                self.complain(path[:-1] or path, f"no key {name}", self._needed(name, kind))
                return None
            default = plain_model(about.get_default(call_default_factory=True))
            return default if default in (None, {}, []) else self.block(kind, default, path)
        return self._blocks(name, kind, many, written, path)

    def _blocks(self, name: str, kind: type[BaseModel], many: type[Any] | None, written: Any, path: KeyPath) -> Any:
        def one(value: Any, at: KeyPath) -> dict[str, Any]:
            if issubclass(kind, PartBlock):
                return self.part(SECTIONS[name], value, at, kind)
            return self.block(kind, value, at)

        if many is None:
            return one(written, path)
        if not isinstance(written, many):
            self.complain(path, describe(written), "a list" if many is list else "a mapping of names")
            return many()
        if isinstance(written, list):
            return [one(item, (*path, index)) for index, item in enumerate(written)]
        return {key: one(item, (*path, key)) for key, item in written.items() if self._kept(item, (*path, key))}

    def _kept(self, item: Any, path: KeyPath) -> bool:
        """False for a null: it removes what a parent recipe has, and has to find something there."""
        if item is None and path not in self.tree.removed:
            self.complain(path, "null", "a part, or nothing", "there is no parent's entry of this name to remove")
        return item is not None

    def _value(self, key: Key, written: Any, path: KeyPath, interface: str) -> Any:
        """A value, or the default in its place, as the resolved recipe keeps it."""
        if written is None and path in self.tree.removed and not self._accepts_null(key):
            written = OMITTED
        found_word = "the default " if written is OMITTED else ""
        if written is OMITTED:
            if key.default is Missing:
                self.complain(path[:-1] or path, f"no key {path[-1]}", "it, since it has no default")
                return None
            try:
                written = plain(key.default)
            except TypeError as error:
                self.complain(path, f"the default of {path[-1]}", "one that a recipe can hold", str(error))
                return None
        try:
            return plain(read(key.check, placed(written, path), _Checking(self, interface)))
        except ValidationError as error:
            for inner, found, expected in complaints(error, written):
                self.complain((*path, *inner), found_word + describe(found), expected)
        except TypeError as error:
            self.complain(path, describe(written), "a value that a recipe can hold", str(error))
        return None

    def _accepts_null(self, key: Key) -> bool:
        try:
            read(key.check, None, _Checking(self, ""))
        except ValidationError:
            return False
        return True

    def _unknown(
        self, written: dict[str, Any], known: Any, path: KeyPath, former: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        for name in written:
            if name not in known:
                here = (*path, name)
                expected = f"one of {', '.join(known)}" if known else "no key"
                hint = f"it has moved: {former[name]}" if name in former else nearest(name, known)
                self.complain(here, "an unknown key", expected, hint, at_key=True)

    def _needed(self, name: str, kind: type[BaseModel]) -> str:
        return f"{name}: {{use: ...}}, {self._choice(SECTIONS[name])}" if issubclass(kind, PartBlock) else f"{name}"

    def _choice(self, interface: str) -> str:
        return f"known are {', '.join(registry().names(interface)) or 'none'}"


@dataclass
class _Checking:
    """Special kinds as the resolved recipe keeps them; a ValueError says what was expected."""

    checker: Checker
    interface: str

    def file(self, text: str) -> str:
        path: KeyPath = getattr(text, "path", ())
        base = self.checker.tree.spot(path).folder
        try:
            locate(text, base)
        except FileNotFoundError as error:
            if self.checker.leaves(path):
                return canonical(text, base)
            raise ValueError(f"an existing file ({error})") from error
        return canonical(text, base)

    def network(self, written: Any) -> str:
        checker = self.checker
        if isinstance(written, WrittenMapping):
            return self._inline(written)
        if not isinstance(written, str) or written not in checker.networks:
            known = ", ".join(sorted(checker.networks)) or "the recipe has none"
            raise ValueError(f"the name of an entry of networks ({known})")
        return str(written)

    def _inline(self, written: WrittenMapping) -> str:
        """An inline network becomes an entry of ``networks``, so that the run moves, freezes and saves it as any."""
        name = "_".join(str(part) for part in written.path)
        resolved = self.checker.part("networks", dict(written), written.path)
        if name in self.checker.networks and self.checker.inline.get(name) != resolved:
            raise ValueError(f"no entry {name} in networks: the inline network takes this name")
        self.checker.networks.add(name)
        self.checker.inline[name] = resolved
        return name

    def part(self, interface: str, written: Any) -> dict[str, Any]:
        if not isinstance(written, WrittenText | WrittenMapping):
            raise ValueError(f"{one(interface)}: {{use: name, ...}}")
        plain_block = str(written) if isinstance(written, str) else dict(written)
        return self.checker.part(interface, plain_block, written.path, outer=self.interface)


def former_keys(interface: str, name: str) -> Mapping[str, str]:
    """Keys that a part no longer has -> what to write instead, from its factory's attribute ``former_keys``."""
    found: Mapping[str, str] = getattr(registry().get(interface, name).load(), "former_keys", {})
    return found


def plain_model(value: Any) -> Any:
    """A block of the schema as its mapping, everything else as it is."""
    return value.model_dump() if isinstance(value, BaseModel) else value


def _default(about: FieldInfo) -> Any:
    return Missing if about.is_required() else about.get_default(call_default_factory=True)


def shape(annotation: Any) -> tuple[type[BaseModel] | None, type[Any] | None, bool]:
    """(block model or None for a plain value, list or dict or None for a single one, whether null is a value)."""
    members = get_args(annotation) if get_origin(annotation) in (Union, type(int | None)) else (annotation,)
    nullable = type(None) in members
    rest = [member for member in members if member is not type(None)]
    if len(rest) != 1:
        return None, None, nullable
    inner = rest[0]
    many: type[Any] | None = get_origin(inner) if get_origin(inner) in (list, dict) else None
    if many is not None:
        inner = get_args(inner)[-1]
    is_block = isinstance(inner, type) and issubclass(inner, Block | PartBlock)
    return (inner, many, nullable) if is_block else (None, None, nullable)
