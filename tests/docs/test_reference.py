"""The generated parts of the documentation are up to date, its recipes are valid, and its links work."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from palsykit.hookspecs import HOOKS, INTERFACES
from palsykit.recipe import load_recipe

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "interfaces").glob("*.md"))


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_reference", ROOT / "docs" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_parts_are_up_to_date(reference: ModuleType) -> None:
    stale = [path.name for path in reference.stale()]
    assert stale == [], "run: python docs/reference.py"


def test_a_changed_hook_is_noticed(reference: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(reference.stale())
    monkeypatch.setattr(reference.hookspecs.palsykit_register_fusions, "__doc__", "Another sentence.")
    assert {"hooks.md", "fusions.md"} == {path.name for path in set(reference.stale()) - before}


def test_every_hook_and_every_interface_has_its_page(reference: ModuleType) -> None:
    hooks = (ROOT / "docs" / "hooks.md").read_text()
    takes = dict.fromkeys(HOOKS, "Register") | {"palsykit_register_commands": "RegisterCommand"}
    assert [hook for hook in HOOKS if f"## `{hook}(register: {takes[hook]})`" not in hooks] == []
    assert [page.stem for page in PAGES] == sorted(INTERFACES)
    for page in PAGES:
        written, _, generated = page.read_text().partition(reference.MARK)
        assert "```yaml" in written
        assert "checks\n" in generated


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_recipe_of_a_page_is_valid(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On top of the tests' miniature; files that it names are there."""
    fragment = re.findall(r"```yaml\n(.*?)```", page.read_text(), re.S)[0]
    for folder in ("photographs", "pack"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "recipe.yaml"
    path.write_text(f"extends: {ROOT / 'tests' / 'run' / 'tiny.yaml'}\n{fragment}")
    load_recipe(path)


def test_links_lead_somewhere() -> None:
    broken = []
    for page in [ROOT / "docs" / "plugins.md", ROOT / "docs" / "hooks.md", *PAGES]:
        prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", prose):
            if not target.startswith("http") and not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert broken == []
