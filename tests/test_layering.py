"""Who may import whom: core no plugin, a plugin no other plugin, and nothing heavy where listing happens."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    """Listing plugins imports every ``__init__``; whatever is heavy belongs into the modules that it names."""
    modules = [module for _, module in imported(ROOT / "plugins" / plugin / "__init__.py")]
    light = {"palsykit", "palsykit.hookspecs", *sys.stdlib_module_names}
    assert [
        module for module in modules if module not in light and module.split(".")[0] not in light - {"palsykit"}
    ] == []


def test_there_are_plugins_to_look_at() -> None:
    assert len(PLUGINS) >= 10


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    text = (
        "import torch\nfrom palsykit_a.b import c\ndef f():\n    import palsykit_own\n    import_module('palsykit_d')\n"
    )
    (tmp_path / "x.py").write_text(text, encoding="utf-8")
    assert plugin_imports(tmp_path, own="palsykit_own") == ["x.py:2: palsykit_a.b", "x.py:5: palsykit_d"]
