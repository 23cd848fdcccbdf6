"""Read YAML; every value keeps the place where it is written."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from palsykit.recipe.problems import KeyPath, Problem, RecipeError, dotted
from palsykit.recipe.yaml_rules import DEPTH_LIMIT, TAG, Loader, scalar

NODE_LIMIT = 20_000
"""Most values in one file, with aliases expanded. No recipe needs so many; nested aliases can produce billions."""


SIZE_LIMIT = 1 << 17
"""Most bytes in one file; the longest recipe that ships has 6,000."""


@dataclass(frozen=True)
class Spot:
    """Where a key and its value are written.

    Attributes:
        key: ``file:line:column`` of the key, or ``--set ...``.
        value: the same for the value.
        folder: where a relative path written there starts.
    """

    key: str
    value: str
    folder: Path


@dataclass
class Tree:
    """A recipe as written: nested mappings, and the spot of every key path.

    Attributes:
        removed: paths where a ``null`` removed a parent recipe's value.
    """

    value: dict[str, Any]
    spots: dict[KeyPath, Spot]
    removed: set[KeyPath] = field(default_factory=set)

    def is_omitted(self, path: KeyPath) -> bool:
        """Whether ``path`` is not written, or removed by a null."""
        return path not in self.spots or path in self.removed

    def spot(self, path: KeyPath) -> Spot:
        """The spot of ``path`` or, if it is not written, of the nearest block around it."""
        while path not in self.spots and path:
            path = path[:-1]
        return self.spots[path]


def read_file(path: Path) -> Tree:
    """Read the recipe file ``path``, without the recipes that it extends.

    Raises:
        RecipeError: the file is missing, not UTF-8 or not YAML, has a key twice, or its top level is not a mapping.
    """
    shown = displayed(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():  # a pipe or a device may never end
            raise RecipeError(shown, [Problem(shown, "", "not a regular file", "a recipe file")])
        if (size := path.stat().st_size) > SIZE_LIMIT:
            found, expected = f"{size:,} bytes", f"a recipe, which has at most {SIZE_LIMIT:,}"
            raise RecipeError(shown, [Problem(shown, "", found, expected)])
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise RecipeError(shown, [Problem(shown, "", "no such file", "a recipe", _siblings(path))]) from None
    except IsADirectoryError:
        raise RecipeError(shown, [Problem(shown, "", "a folder", "a recipe file", _siblings(path / "x"))]) from None
    except UnicodeDecodeError as error:
        byte = f"byte {error.start} that is not UTF-8"
        raise RecipeError(shown, [Problem(shown, "", byte, "a text file in UTF-8")]) from None
    except OSError as error:
        raise RecipeError(shown, [Problem(shown, "", f"{error.strerror}", "a readable file")]) from None
    return read_text(text, shown, path.parent)


def read_text(text: str, name: str, folder: Path) -> Tree:
    """Read a recipe from a text; ``name`` is the file's name in messages."""

    def place(mark: yaml.Mark) -> str:
        return f"{name}:{mark.line + 1}:{mark.column + 1}"

    walk = read_value(text, name, place, folder)
    if not isinstance(walk.value, dict):
        # Its kind only: the file may not be a recipe, and messages must not show what is in it.
        walk.problems.append(Problem(f"{name}:1:1", "", _kind(walk.value), "a mapping of sections"))
    if walk.problems:
        raise RecipeError(name, walk.problems)
    return Tree(walk.value, walk.spots)


@dataclass
class Walk:
    """Conversion of a text to values; collects spots and problems."""

    place: Callable[[yaml.Mark], str]
    folder: Path
    value: Any = None
    spots: dict[KeyPath, Spot] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    nodes: int = 0

    def convert(self, node: yaml.Node, path: KeyPath, key: str, around: tuple[int, ...] = ()) -> Any:
        """The value of ``node``; ``around`` has the ids of the nodes that contain it."""
        self.nodes += 1
        here = self.place(node.start_mark)
        self.spots[path] = Spot(key or here, here, self.folder)
        if id(node) in around:
            self._complain(here, path, "an alias of the block that contains it", "no cycle")
            return None
        if len(around) > DEPTH_LIMIT:
            self._complain(here, path, "blocks nested too deeply", "a recipe")
            return None
        if self.nodes > NODE_LIMIT:
            if self.nodes == NODE_LIMIT + 1:
                self._complain(here, path, f"more than {NODE_LIMIT} values, with aliases expanded", "a recipe")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, (*around, id(node)))
        if isinstance(node, yaml.SequenceNode):
            inside = (*around, id(node))
            return [self.convert(item, (*path, index), "", inside) for index, item in enumerate(node.value)]
        try:
            return scalar(node.tag, node.value)
        except ValueError as error:
            self._complain(here, path, str(error), "text, a number, true, false or null")
            return None

    def _mapping(self, node: yaml.MappingNode, path: KeyPath, around: tuple[int, ...]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            here = self.place(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != TAG + "str":
                found = f"the key {key_node.value!r}" if isinstance(key_node, yaml.ScalarNode) else "a block as a key"
                self._complain(here, path, found, "text as a key", "put it in quotes")
                continue
            key = key_node.value
            if key in values:
                self._complain(here, (*path, key), "the key a second time", f"it once: {self.spots[*path, key].key}")
                continue
            values[key] = self.convert(value_node, (*path, key), here, around)
        return values

    def _complain(self, where: str, path: KeyPath, found: str, expected: str, hint: str = "") -> None:
        self.problems.append(Problem(where, dotted(path), found, expected, hint))


def read_value(text: str, name: str, place: Callable[[yaml.Mark], str], folder: Path) -> Walk:
    """Read any YAML value, with its spots and problems. Raises RecipeError if the text is not YAML."""
    walk = Walk(place, folder)
    loader = None
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        walk.value = None if node is None else walk.convert(node, (), "")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = " ".join(part for part in (error.context, error.problem) if part)
        raise RecipeError(name, [Problem(place(mark) if mark else name, "", words, "YAML")]) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position].split("\n")
        mark = yaml.Mark(name, error.position, len(before) - 1, len(before[-1]), None, 0)
        found = f"the character {text[error.position]!r}"
        raise RecipeError(name, [Problem(place(mark), "", found, "YAML")]) from None
    except RecursionError:
        where = name if loader is None else place(loader.get_mark())
        raise RecipeError(name, [Problem(where, "", "blocks nested too deeply", "a recipe")]) from None
    return walk


def _kind(value: Any) -> str:
    words = {type(None): "nothing", str: "text", list: "a list", bool: "true or false"}
    return words.get(type(value), "a number")


def displayed(path: Path) -> str:
    """``path`` as shown in messages: relative if it is inside the current folder."""
    try:
        return str(Path(os.path.abspath(path)).relative_to(Path.cwd()))  # noqa: PTH100 (links are shown as written)
    except ValueError:
        return os.path.normpath(path)


def _siblings(path: Path) -> str:
    if not path.parent.is_dir():
        return f"there is no folder {displayed(path.parent)}"
    names = sorted(item.name for item in path.parent.iterdir() if item.suffix in {".yaml", ".yml"})
    return f"recipes in {displayed(path.parent)}: {', '.join(names[:12])}" if names else "its folder has no recipe"
