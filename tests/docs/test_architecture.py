"""The map of the code names only existing paths."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAP = ROOT / "docs" / "architecture.md"
PATHS = re.compile(r"`((?:palsykit|plugins|tests|tools|docs)/[\w./*]*)`")


def missing(text: str) -> list[str]:
    """Paths, from the repository's root, that ``text`` names and that do not exist; ``*`` stands for any name."""
    return [path for path in dict.fromkeys(PATHS.findall(text)) if not [*ROOT.glob(path.rstrip("/"))]]


def test_every_path_of_the_map_is_there() -> None:
    text = MAP.read_text(encoding="utf-8")
    assert len(PATHS.findall(text)) > 40
    assert missing(text) == []


@pytest.mark.parametrize(
    "room", sorted(path.name for path in (ROOT / "palsykit").iterdir() if (path / "__init__.py").is_file())
)
def test_every_package_of_the_core_is_on_the_map(room: str) -> None:
    assert f"`palsykit/{room}/`" in MAP.read_text(encoding="utf-8")


def test_a_path_that_is_gone_is_found() -> None:
    assert missing("`palsykit/no_such_room/` and `palsykit/files/` and `plugins/palsykit_*`") == [
        "palsykit/no_such_room/"
    ]
