"""What systems leave behind is told by its name alone."""

import pytest

from palsykit.data.left_alone import is_left_alone


@pytest.mark.parametrize("name", [".DS_Store", "._a.jpg", "Thumbs.db", "desktop.ini", "@eaDir", "__MACOSX"])
def test_what_is_left_alone(name: str) -> None:
    assert is_left_alone(name)


@pytest.mark.parametrize("name", ["anna.jpg", "thumbs.jpg", "eaDir", "a.db", "_a.jpg", "#1.jpg"])
def test_what_is_not(name: str) -> None:
    assert not is_left_alone(name)
