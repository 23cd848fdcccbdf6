"""What the site (mkdocs.yml) has beyond the folder docs/: other files of the repository, and equations as MathML.

A page may link to any file or folder of the repository, as it must for who reads the repository itself. Here such a
file becomes a page below ``source/``: Markdown as it is, other text as a listing, a folder as a list of its files. A
link to nothing is left as it is, so that ``mkdocs build --strict`` refuses it. Equations are written in TeX between
dollars; browsers draw MathML without any script.
"""

import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
OUTSIDE = "source/"
CODE = re.compile(r"(^ *(`{3,}|~{3,}).*?^ *\2 *$)", re.S | re.M)
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^)\s#]+)(?=[)#])")
EQUATION = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.S)
NAMED = re.compile(rf"'({OUTSIDE}[^']+)'")
KINDS = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml"}


def on_files(files: Files, config: Any) -> Files:
    """Add the files outside docs/ that the navigation and pages name, and those that these link to."""
    waiting = [(place_of(file.src_uri), file.content_string) for file in files.documentation_pages()]
    waiting.append((".", "".join(f"[]({place_of(uri)})" for uri in NAMED.findall(str(config.nav)))))
    while waiting:
        here, text = waiting.pop()
        for place in targets(text, here):
            if not place.startswith("docs/") and page_uri(place) not in files.src_uris:
                content = listing(ROOT / place)
                files.append(File.generated(config, page_uri(place), content=content))
                if place.endswith(".md"):
                    waiting.append((place, content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point each link that leaves docs/ to the page that the file has here."""
    uri = page.file.src_uri
    here = place_of(uri)

    def lead(match: re.Match[str]) -> str:
        place = posixpath.normpath(posixpath.join(posixpath.dirname(here), match[1]))
        if not (ROOT / place).exists() or place.startswith(".."):
            return match[1]
        return posixpath.relpath(page_uri(place), posixpath.dirname(uri) or ".")

    return outside_code(markdown, lambda prose: LINK.sub(lead, prose))


def on_page_content(html: str, **_: Any) -> str:
    """Draw the equations."""
    return EQUATION.sub(lambda m: convert(unescaped(m[2]), display="block" if m[1] == "div" else "inline"), html)


def targets(markdown: str, here: str) -> list[str]:
    """The files and folders of the repository that a page links to, from the repository's root."""
    found: list[str] = []
    outside_code(markdown, lambda prose: found.extend(LINK.findall(prose)) or prose)
    places = (posixpath.normpath(posixpath.join(posixpath.dirname(here), link)) for link in found)
    return [place for place in places if not place.startswith("..") and (ROOT / place).exists()]


def outside_code(markdown: str, change: Callable[[str], str]) -> str:
    """``change`` what is not in a fenced block."""
    parts, last = [], 0
    for block in CODE.finditer(markdown):
        parts += [change(markdown[last : block.start()]), block[0]]
        last = block.end()
    return "".join([*parts, change(markdown[last:])])


def place_of(uri: str) -> str:
    """Where a page of the site is in the repository."""
    return uri.removeprefix(OUTSIDE) if uri.startswith(OUTSIDE) else f"docs/{uri}"


def page_uri(place: str) -> str:
    """Where a file or folder of the repository is in the site."""
    if place.startswith("docs/"):
        return place.removeprefix("docs/")
    return OUTSIDE + (place if place.endswith(".md") else f"{place}.md")


def listing(path: Path) -> str:
    """A page's text for a file or a folder."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    title = f"# `{path.relative_to(ROOT).as_posix()}`\n\n"
    if path.is_dir():
        names = sorted(child.name for child in path.iterdir() if not child.name.startswith(("_", ".")))
        return title + "".join(f"- `{name}`\n" for name in names)
    return f"{title}````{KINDS.get(path.suffix, 'text')}\n{path.read_text(encoding='utf-8')}\n````\n"


def unescaped(tex: str) -> str:
    """TeX as it was written."""
    return tex.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
