"""Allowed imports: core imports no plugin, a plugin imports no other plugin, and listing imports nothing heavy."""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from palsykit.registry import registry

ROOT = Path(__file__).parents[1]
PLUGINS = sorted(path.name for path in (ROOT / "plugins").glob("palsykit_*") if (path / "__init__.py").is_file())


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, module) of every import in a file, inside functions and under TYPE_CHECKING as well."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, node.module or ""
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from ((node.lineno, str(name.value)) for name in node.args[:1] if isinstance(name, ast.Constant))


def plugin_imports(folder: Path, own: str = "") -> list[str]:
    """Imports of a plugin, other than ``own``, in the files below ``folder``."""
    return [
        f"{path.name}:{line}: {module}"
        for path in sorted(folder.rglob("*.py"))
        for line, module in imported(path)
        if module.startswith("palsykit_") and module.split(".")[0] != own
    ]


def test_core_imports_no_plugin() -> None:
    assert plugin_imports(ROOT / "palsykit") == []


@pytest.mark.parametrize("plugin", PLUGINS)
def test_plugin_imports_no_other_plugin(plugin: str) -> None:
    assert plugin_imports(ROOT / "plugins" / plugin, own=plugin) == []


@pytest.mark.parametrize("plugin", PLUGINS)
def test_plugin_itself_imports_palsykit_only(plugin: str) -> None:
    """Listing plugins imports every ``__init__``, so heavy imports belong in the modules that it names."""
    modules = [module for _, module in imported(ROOT / "plugins" / plugin / "__init__.py")]
    light = {"palsykit", "palsykit.hookspecs", *sys.stdlib_module_names}
    assert [
        module for module in modules if module not in light and module.split(".")[0] not in light - {"palsykit"}
    ] == []


ORDINARY = {
    "convert": "to convert; the message on pickled checkpoints names the command, which comes in the same wheel",
    "data": "the section of a recipe that names the data set",
    "diffusion": "the method, whose loop is core's",
    "pixels": "picture elements",
    "identity": "a role of a photograph: whose face it is",
    "landmark": "a point of a face",
    "landmarks": "a column and a key that core writes and reads",
    "expression": "a label of a face, and the column that holds it",
    "side": "a label of a face, and the column that holds it",
    "severity": "a label of a face, and the column that holds it",
    "folder": "a folder",
    "photograph": "a picture of a person, in messages and tables",
    "copy": "to copy",
    "cycle": "a recipe that extends itself",
    "features": "what networks find in pictures",
    "unet": "a folder of a model as diffusers writes it",
    "webmorph": "a file format; two plugins read it, so its reader is core's",
}
"""Names of registered parts that are ordinary words of the kernel, and what they mean there."""

OWN = {
    ("data/imagefolder.py", "imagefolder"): "the format's name, once, beside its writer",
    ("recipe/light.py", "transformers"): "the library, which reading a recipe does not import",
    ("testing/commands.py", "transformers"): "the library, which listing commands must not import",
}
"""(file, name): a literal that is a part's name on purpose."""


def literals(text: str) -> Iterator[tuple[int, str]]:
    """(line, text) of every string that the program can use or print, pieces of f-strings among them.

    Docstrings are left out: they explain, and an explanation may give an example.
    """
    tree = ast.parse(text)
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in statements:
            yield node.lineno, node.value


def named(text: str, names: Iterable[str]) -> list[tuple[int, str]]:
    """(line, name) of each of these names that is a whole word of a string in the program ``text``."""
    words = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, names))})(?![\w-])")
    return [(line, found) for line, literal in literals(text) for found in words.findall(literal)]


def test_core_names_no_plugin_and_no_part_of_one() -> None:
    known = registry()
    parts = {name for _, name in known.entries} | set(known.commands)
    assert ORDINARY.keys() <= parts, "a word that no part has as its name needs no entry"
    core = ROOT / "palsykit"
    found = {
        (path.relative_to(core).as_posix(), name): line
        for path in sorted(core.rglob("*.py"))
        for line, name in named(path.read_text(encoding="utf-8"), {*parts, *PLUGINS} - ORDINARY.keys())
    }
    assert [f"{file}:{line}: {name}" for (file, name), line in found.items() if (file, name) not in OWN] == []
    assert found.keys() >= OWN.keys()


def test_the_search_for_names_sees_words_in_every_kind_of_string() -> None:
    text = """'''Of face_space.'''
use = 'face_space'
more = f'{use}: as in face_space, or palsykit_x'
other = 'face_spaces, no-face_space'
def f():
    'Like face_space.'
"""
    assert named(text, ["face_space", "palsykit_x"]) == [(2, "face_space"), (3, "face_space"), (3, "palsykit_x")]


def when_imported(path: Path) -> Iterator[str]:
    """Modules and names of palsykit that a file imports outside functions, under TYPE_CHECKING as well."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting.extend(ast.iter_child_nodes(node))


def circles(folder: Path) -> list[str]:
    """Import circles among a package's modules, each as "a -> b -> a"; its ``__init__``, which is lazy, left out."""
    files = {
        ".".join(path.relative_to(folder.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in folder.rglob("*.py")
        if path != folder / "__init__.py"
    }
    needs = {
        name: sorted(
            {found if found in files else found.rpartition(".")[0] for found in when_imported(path)} & {*files}
        )
        for name, path in files.items()
    }
    found: list[str] = []
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> None:
        if name in way:
            found.append(" -> ".join([*way[way.index(name) :], name]))
        elif name not in done:
            for need in needs[name]:
                walk(need, [*way, name])
            done.add(name)

    for name in files:
        walk(name, [])
    return found


def test_no_import_goes_in_a_circle() -> None:
    assert circles(ROOT / "palsykit") == []


def test_a_circle_is_found_and_named(tmp_path: Path) -> None:
    texts = {
        "__init__": "",
        "a": "from pack.b import c\n",
        "b": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pack import d\n",
        "d": "import pack.a\ndef f():\n    import pack.e\n",
        "e": "import pack.d\n",
    }
    folder = tmp_path / "pack"
    folder.mkdir()
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    (circle,) = circles(folder)
    names = circle.split(" -> ")
    assert (set(names), names[0]) == ({"pack.a", "pack.b", "pack.d"}, names[-1])


def test_there_are_plugins_to_look_at() -> None:
    assert len(PLUGINS) >= 10


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    text = (
        "import torch\nfrom palsykit_a.b import c\ndef f():\n    import palsykit_own\n    import_module('palsykit_d')\n"
    )
    (tmp_path / "x.py").write_text(text, encoding="utf-8")
    assert plugin_imports(tmp_path, own="palsykit_own") == ["x.py:2: palsykit_a.b", "x.py:5: palsykit_d"]
