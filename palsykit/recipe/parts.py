"""Read and check a recipe's blocks: sections against the schema, parts against their factory's keys."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from palsykit.errors import PalsykitError
from palsykit.files.resources import OutsideFile, canonical, locate
from palsykit.hookspecs import INTERFACES
from palsykit.recipe.annotations import SECTIONS, is_block, takes_null
from palsykit.recipe.overrides import FLAG
from palsykit.recipe.problems import (
    INSIDE,
    TRUST,
    Complaint,
    KeyPath,
    Problem,
    complaints,
    describe,
    dotted,
    nearest,
    refused,
)
from palsykit.recipe.read import Tree
from palsykit.recipe.schema import NetworkBlock
from palsykit.recipe.signature import Key, Missing, fields_of, keys_of, model_of
from palsykit.recipe.values import WrittenMapping, WrittenPath, WrittenText, bare, placed, plain
from palsykit.registry import SINGULAR, Entry, one, registry

Kind = TypeVar("Kind", bound=BaseModel)


@dataclass
class Reader:
    """Read blocks as written in a recipe; the context of pydantic's validation.

    Attributes:
        networks: valid names for keys annotated ``Network``; inline networks are added.
        unchecked: sections to take over unchecked.
        within: the folder that files must not leave, unless ``--set`` names them; None: no bound.
        inline: the inline networks.
        keys: the valid keys of each block, by the block's path.
        outer: for a nested part, the interface of the part that contains it; else empty.
        problems: all problems so far.
        moved: by the block's path, keys that have moved and where to.
    """

    tree: Tree
    networks: set[str] = field(default_factory=set)
    unchecked: Collection[str] = ()
    within: Path | None = None
    inline: dict[str, NetworkBlock] = field(default_factory=dict)
    keys: dict[KeyPath, Mapping[str, Key]] = field(default_factory=dict)
    outer: str = ""
    problems: list[Problem] = field(default_factory=list)
    moved: dict[KeyPath, Mapping[str, str]] = field(default_factory=dict)

    def read(self, kind: type[Kind], written: Any, path: KeyPath = (), interface: str = "") -> Kind | None:
        """Read a block of the schema, or a part of ``interface``; on failure, add to ``problems`` and return None."""
        written = placed(written, path)
        try:
            return self.part(interface, written, kind) if interface else self.block(kind, written)
        except ValidationError as error:
            for complaint in complaints(error):
                self._complain_of(path + complaint.path, complaint)
            return None

    def complain(self, path: KeyPath, found: str, expected: str, hint: str = "", at_key: bool = False) -> None:
        """Add a problem at the place of the value, or of the key if ``at_key``."""
        spot = self.tree.spot(path)
        self.problems.append(Problem(spot.key if at_key else spot.value, dotted(path), found, expected, hint))

    def block(self, kind: type[Kind], written: Any) -> Kind:
        """Read a block of the schema, with the defaults of ``kind``."""
        if not isinstance(written, WrittenMapping):
            raise refused(describe(written), "a mapping")
        self.keys[written.path] = keys = fields_of(kind)
        values = model_of(kind).validate_python(self._without_removed(written, written.path, keys), context=self)
        return kind.model_construct(**values)

    def part(self, interface: str, written: Any, kind: Any) -> Any:
        """Read a part as a block of ``kind``; its ``parameters`` are plain and have every key, with its default."""
        # A name alone stands for {use: name}.
        block = {"use": written} if isinstance(written, WrittenText) else written
        if not isinstance(block, dict) or not isinstance(block.get("use"), str):
            found = describe(block["use"]) if isinstance(block, dict) and "use" in block else describe(written)
            raise refused(found, f"{one(interface)}: {{use: name, ...}}", choice(interface))
        # Find the factory and its keys.
        name, path, own = str(block["use"]), written.path, fields_of(kind)
        use: str | ValidationError = name
        entry = None
        if not self.is_unchecked(path):
            try:
                entry = self._entry(interface, name)
            except ValidationError as error:
                use = error  # raised by the validation, together with problems in the schema's fields
        factory_keys = {k: key for k, key in keys_of(entry).items() if k not in own} if entry else {}
        self.moved[path] = getattr(entry.load(), "former_keys", {}) if entry else {}

        # Fill in the defaults of omitted keys and validate.
        self.keys[path] = keys = {"use": Key("use", str, Missing), **own, **factory_keys}
        data = self._without_removed(block, path, keys)
        for key in factory_keys.values():
            if key.name not in data and key.default is not Missing:
                default = _plain(key.name, key.default, f"the default of {key.name}", "one that a recipe can hold")
                data[key.name] = placed(default, (*path, key.name))
        values = model_of(kind, entry).validate_python(data | {"use": use}, context=replace(self, outer=interface))

        # Convert the values to plain ones; an unchecked part keeps its keys as written.
        holdable = "a value that a recipe can hold"
        parameters = {k: _plain(k, values[k], describe(values[k]), holdable) for k in factory_keys}
        if entry is None:
            parameters = {k: bare(value) for k, value in block.items() if k not in keys}
        return kind.model_construct(use=name, **{k: values[k] for k in own if k in values}, parameters=parameters)

    def file(self, text: str) -> WrittenPath:
        """Find an existing file. A relative path starts at the folder of the recipe file that contains it."""
        path: KeyPath = getattr(text, "path", ())
        spot = self.tree.spot(path)
        base = spot.folder
        try:
            file = WrittenPath(locate(text, base, None if spot.value.startswith(FLAG) else self.within))
        except (FileNotFoundError, OutsideFile) as error:
            if not self.is_unchecked(path) and isinstance(error, OutsideFile):
                raise refused(f'"{text}"', INSIDE, TRUST.format(self.within)) from error
            if not self.is_unchecked(path):
                raise ValueError(f"an existing file ({error})") from error
            file = WrittenPath(canonical(text, base))
        file.text = canonical(str(text), base)
        return file

    def network(self, written: Any) -> str:
        """Read the name of a network, or an inline network; returns the name."""
        if isinstance(written, WrittenMapping):
            return self._inline(written)
        if not isinstance(written, str) or written not in self.networks:
            known = ", ".join(sorted(self.networks)) or "the recipe has none"
            raise ValueError(f"the name of an entry of networks ({known})")
        return str(written)

    def is_unchecked(self, path: KeyPath) -> bool:
        """Whether ``path`` is in an unchecked section."""
        return bool(path) and path[0] in self.unchecked

    def _inline(self, written: WrittenMapping) -> str:
        """Add an inline network to ``networks``, so that the run moves, freezes and saves it like the others."""
        name = "_".join(str(part) for part in written.path)
        block = replace(self, outer="").part("networks", written, NetworkBlock)
        if name in self.networks and self.inline.get(name) != block:
            raise ValueError(f"no entry {name} in networks: the inline network takes this name")
        self.networks.add(name)
        self.inline[name], self.keys["networks", name] = block, self.keys[written.path]
        return name

    def _entry(self, interface: str, name: str) -> Entry:
        """The entry registered under a name, if a part of it can be built here."""
        known = registry()
        if (interface, name) not in known.entries:
            raise refused(f'"{name}"', one(interface), known.advice(interface, name))
        positional = INTERFACES[interface].positional
        lacking = [need for need in positional if self.outer and need not in INTERFACES[self.outer].positional]
        if lacking:
            expected = f"no {SINGULAR[interface]} inside {one(self.outer)}, which has no {' and no '.join(lacking)}"
            raise refused(f'"{name}"', expected)
        try:
            keys_of(entry := known.get(interface, name))
        except PalsykitError as error:
            raise refused(f'"{name}"', f"{one(interface)} that can be built", error.message) from None
        return entry

    def _without_removed(self, block: dict[str, Any], path: KeyPath, keys: Mapping[str, Key]) -> dict[str, Any]:
        """A block without the nulls that remove keys or entries of a parent recipe."""

        def removes(at: KeyPath, value: Any, annotation: Any) -> bool:
            return value is None and at in self.tree.removed and not takes_null(annotation)

        rest: dict[str, Any] = {}
        for name, value in block.items():
            annotation = keys[name].annotation if name in keys else Any
            if removes((*path, name), value, annotation):
                continue
            inner = get_args(annotation)[-1] if get_origin(annotation) is dict else None
            if is_block(inner) and isinstance(value, dict):
                value = {k: item for k, item in value.items() if not removes((*path, name, k), item, inner)}
            rest[name] = value
        return rest

    def _complain_of(self, at: KeyPath, complaint: Complaint) -> None:
        """Add a problem for one error of the validation."""
        keys = self.keys.get(at[:-1], {})
        if complaint.kind == "extra_forbidden":
            expected, moved = f"one of {', '.join(keys)}", self.moved.get(at[:-1], {}).get(str(at[-1]))
            hint = f"it has moved: {moved}" if moved else nearest(str(at[-1]), keys)
            self.complain(at, "an unknown key", expected, hint, at_key=True)
        elif complaint.kind == "missing" and at[-1] in keys:
            self.complain(at[:-1] or at, f"no key {at[-1]}", _needed(keys[str(at[-1])]))
        elif at[-1:] == ("use",) and at not in self.tree.spots:  # a name alone
            self.complain(at[:-1], complaint.found, complaint.expected, complaint.hint)
        else:
            block = next((at[:length] for length in range(len(at) - 1, 0, -1) if at[:length] in self.keys), ())
            is_default = complaint.kind != "refused" and self.tree.is_omitted(at[: len(block) + 1])
            self.complain(at, "the default " * is_default + complaint.found, complaint.expected, complaint.hint)


def _needed(key: Key) -> str:
    if not is_block(key.annotation):
        return "this key, which has no default"
    return f"{key.name}: {{use: ...}}, {choice(SECTIONS[key.name])}"


def choice(interface: str) -> str:
    """List the known names of an interface, for a message."""
    return f"known are {', '.join(registry().names(interface)) or 'none'}"


def _plain(name: str, value: Any, found: str, expected: str) -> Any:
    try:
        return plain(value)
    except TypeError as error:
        raise refused(found, expected, str(error), (name,)) from None
