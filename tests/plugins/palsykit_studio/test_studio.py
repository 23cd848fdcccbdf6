"""What a page says when a step fails, and that it says it safely."""

from pathlib import Path

import pytest

from palsykit.errors import PalsykitError
from palsykit_studio.engine import Engine, Stopped
from palsykit_studio.runs import Runs
from palsykit_studio.sessions import Sessions
from palsykit_studio.studio import Session, Studio, lengths_in_words, progress, status, telling
from palsykit_studio.texts import Texts


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(Engine("cfcpalsy-64"), Sessions(tmp_path / "sessions"), Runs(tmp_path / "runs"))


def test_a_refusal_is_a_sentence_without_this_machines_folders(studio: Studio) -> None:
    session = studio.open()
    with telling(Texts("en"), session) as refusal:
        raise PalsykitError(f"none can be used; {session.folder}/out/rejected.csv lists all", ["one", "two"])
    assert refusal
    assert not refusal.stopped
    assert refusal.words == "This cannot be done: none can be used; out/rejected.csv lists all; one; two"
    with telling(Texts("de"), session, "photograph.cannot") as refusal:
        raise PalsykitError("found no face in 1 x 1 px")
    assert refusal.words.startswith("**Dieses Foto kann nicht verwendet werden.** Es wurde kein Gesicht gefunden.")


def test_what_does_not_fail_says_nothing_and_a_stop_is_no_fault() -> None:
    with telling(Texts("en")) as refusal:
        pass
    assert not refusal
    with telling(Texts("en")) as refusal:
        raise Stopped
    assert (refusal.words, refusal.stopped) == ("Stopped.", True)


def test_a_fault_of_ours_goes_to_the_terminal_alone(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    session = studio.open()
    with telling(Texts("en"), session) as refusal:
        raise KeyError("a detail")
    assert refusal.words == Texts("en")("failed")
    assert "KeyError: 'a detail' [at test_studio.py:" in capsys.readouterr().err


def test_a_page_whose_files_are_deleted_is_told_so(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    session = studio.open()
    studio.close(session)
    assert session.stop.is_set()
    with telling(Texts("en"), session) as refusal:
        (session.folder / "photograph").mkdir()
    assert refusal.words == Texts("en")("expired")
    assert capsys.readouterr().err == ""
    studio.close(None)


def test_pages_do_not_share_a_session(studio: Studio) -> None:
    one, two = studio.open(), studio.open()
    one.stop.set()
    assert one.folder != two.folder
    assert not two.stop.is_set()
    one.begin()
    assert not one.stop.is_set()
    assert isinstance(two, Session)


def test_a_line_is_read_out_and_a_files_name_is_no_html() -> None:
    assert (
        status("**Ready.** a < b") == '<div role="status" class="studio-status"><strong>Ready.</strong> a &lt; b</div>'
    )
    assert progress("<2 of 6", 2, 6).endswith('value="2" max="6" aria-label="&lt;2 of 6"></progress>')
    assert status("<script>", bad=True) == '<div role="alert" class="studio-bad">&lt;script&gt;</div>'


def test_a_length_has_words_also_if_the_table_lacks_it() -> None:
    assert lengths_in_words(Texts("de"), "palpebral_fissure") == "Lidspalte"
    assert lengths_in_words(Texts("de"), "new_length") == "new length"
