"""The page's texts: every language has every one, and every one that the code asks for is there."""

import json
import re
import string
from pathlib import Path

import pytest

from palsykit.faces.vocabulary import EXPRESSIONS
from palsykit_studio import texts as module
from palsykit_studio.texts import FIRST, Texts, languages, preferred

FOLDER = Path(module.__file__).parent
TABLE = json.loads((FOLDER / "texts.json").read_text(encoding="utf-8"))


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_language_has_every_text_with_the_same_fields() -> None:
    assert set(languages()) == {"en", "de"}
    assert {key: set(row) for key, row in TABLE.items() if set(row) != set(languages())} == {}
    assert [key for key, row in TABLE.items() if len({frozenset(fields(text)) for text in row.values()}) > 1] == []
    assert [key for key, row in TABLE.items() if not all(text.strip() for text in row.values())] == []


def test_every_text_that_the_code_names_is_in_the_table() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.py"))
    named = set(re.findall(r"""(?:\bt|texts)\(\s*["']([a-z.]+)["']""", source))
    assert len(named) > 50
    assert named - TABLE.keys() == set()


def test_every_expression_has_words() -> None:
    for language in languages():
        shown = Texts(language).expressions()
        assert [name for _, name in shown] == list(EXPRESSIONS)
        assert len({words for words, _ in shown}) == len(EXPRESSIONS)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de-DE,de;q=0.9,en;q=0.8", "de"),
        ("en-GB", "en"),
        ("fr, de;q=0.4, en;q=0.7", "en"),
        ("fr", FIRST),
        ("", FIRST),
        ("de;q=what", FIRST),
    ],
)
def test_the_browsers_language_is_taken_if_the_table_has_it(header: str, language: str) -> None:
    assert preferred(header) == language


def test_a_language_that_lacks_a_text_shows_the_first_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_table", lambda: {"stop": {FIRST: "Stop"}})
    assert Texts("xx")("stop") == "Stop"
    with pytest.raises(KeyError):
        Texts(FIRST)("gone")


def test_a_reason_is_said_in_the_pages_language_with_the_programs_own_words() -> None:
    message = "found no face in 10 x 10 px; expected a face"
    assert Texts("en").reason(message) == message
    said = Texts("de").reason(message)
    assert said.startswith("Es wurde kein Gesicht gefunden.")
    assert message in said
    assert Texts("de").reason("something else") == "something else"
    several = "found 2 faces: 1 at (4, 3), 2 at (12, 2); took 1, the largest; choose another by its number"
    assert Texts("de").reason(several).startswith("Es wurden mehrere Gesichter gefunden")
