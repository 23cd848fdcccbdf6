"""The licence that a folder of weights states."""

from pathlib import Path

import pytest

from palsykit.foreign.licence import UNKNOWN, licence, say_licence


def test_the_model_cards_licence_comes_first(tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text("\n  Apache License\n  Version 2.0\n")
    assert licence(tmp_path) == "Apache License (LICENSE)"
    (tmp_path / "README.md").write_text("---\nlicense: cc-by-nc-4.0\ntags: [vision]\n---\n# A model\n")
    assert licence(tmp_path) == "cc-by-nc-4.0 (README.md)"
    (tmp_path / "README.md").write_text("---\nlicense: other\nlicense_name: dinov3-license\n---\n")
    assert licence(tmp_path) == "dinov3-license (README.md)"


@pytest.mark.parametrize("card", ["# license: mit\n", "---\nlicense: [\n---\n", "---\njust words\n---\n", "---"])
def test_a_card_that_states_none(tmp_path: Path, card: str) -> None:
    (tmp_path / "README.md").write_text(card)
    assert licence(tmp_path) == UNKNOWN


def test_a_folders_licence_is_printed_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    say_licence("a library", tmp_path)
    say_licence("a library", tmp_path)
    said = capsys.readouterr().err
    assert said.count("licence not stated") == 1
    assert said.startswith(f"a library weights {tmp_path.name}: licence not stated")
