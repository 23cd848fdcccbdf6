"""The site builds without a warning, has every page, and asks nothing of another host."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
LOADED = re.compile(r"""(?:<(?:script|img|iframe|source)\b[^>]*\bsrc|<link\b[^>]*\bhref)=["']?(https?:|//)[^"'> ]*""")
IMPORTED = re.compile(r"""(?:url\(|@import\s+)["']?(?:https?:)?//""")
for library in ("mkdocs", "material", "mkdocstrings", "latex2mathml"):
    pytest.importorskip(library, reason=f"no {library}; pip install 'palsykit[docs]'")


def build(folder: Path) -> "subprocess.CompletedProcess[str]":
    """As ``make docs``, into ``folder``."""
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


def test_every_page_of_docs_is_in_the_navigation(site: Path) -> None:
    written = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    assert [page for page in pages if f": {page}\n" not in written] == []
    assert [page for page in pages if not (site / page).with_suffix(".html").is_file()] == []


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    found = {page.name: LOADED.findall(page.read_text(encoding="utf-8")) for page in site.rglob("*.html")}
    assert {name: links for name, links in found.items() if links} == {}
    styles = [sheet.name for sheet in site.rglob("*.css") if IMPORTED.search(sheet.read_text(encoding="utf-8"))]
    assert styles == []
    assert LOADED.search('<script src="https://example.org/a.js">')
    assert LOADED.search('<link rel="stylesheet" href=https://example.org/a.css>')


def test_equations_are_drawn_and_files_outside_docs_are_pages(site: Path) -> None:
    method = (site / "method.html").read_text(encoding="utf-8")
    assert method.count('<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">') == 8
    assert 'class="arithmatex"' not in method
    assert 'href="source/plugins/palsykit_cross_fusion/fusion.py.html"' in method
    assert (site / "source/plugins/palsykit_cross_fusion/fusion.py.html").is_file()
    assert 'id="palsykit.synthesis.front.Model.generate"' in (site / "api.html").read_text(encoding="utf-8")


def test_a_link_to_nothing_is_refused(tmp_path: Path) -> None:
    """The same configuration over one page, whose page, anchor and file outside docs/ are not there."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text("# A page\n\n[a](no.md) [b](#no) [c](../no_such_folder/x.py)\n", encoding="utf-8")
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    config |= {
        "docs_dir": str(docs),
        "nav": None,
        "plugins": [],
        "extra_css": [],
        "hooks": [str(ROOT / "docs/site_hooks.py")],
    }
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    for link in ("no.md", "#no", "no_such_folder"):
        assert link in done.stderr
