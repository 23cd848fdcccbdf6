"""For every check of a command's contract, a command that breaks it."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import pytest
import typer

from palsykit.registry import Entry
from palsykit.testing import check, examine

HOOK = """
{light}
from palsykit import hookimpl

@hookimpl
def palsykit_register_commands(register):
    register("count", "acme_command:{attribute}", help="Count faces.")
"""
GOOD = """
from typing import Annotated
import typer

def count(times: Annotated[int, typer.Option(help="How often.")] = 1) -> None:
    '''Count faces.'''
"""
Install = Callable[..., Entry]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a distribution with a command on the path of this interpreter and of those it starts."""

    def put(source: str = GOOD, light: str = "", attribute: str = "count") -> Entry:
        (tmp_path / "acme.py").write_text(HOOK.format(light=light, attribute=attribute))
        (tmp_path / "acme_command.py").write_text(source)
        info = tmp_path / "acme-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[palsykit]\nacme = acme\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        return Entry("commands", "count", "acme", "acme", "1.0", f"acme_command:{attribute}", "Count faces.")

    yield put
    sys.modules.pop("acme_command", None)


def failed(entry: Entry) -> dict[str, str]:
    return {result.check: result.seen for result in examine(entry) if result.state == "failed"}


def test_a_good_one(install: Install) -> None:
    assert failed(install()) == {}


def test_a_hook_that_imports_a_heavy_library(install: Install) -> None:
    assert failed(install(light="import scipy")) == {"--help works and imports nothing heavy": "scipy imported"}


def test_a_command_that_imports_a_heavy_library_before_it_runs(install: Install) -> None:
    assert failed(install("import scipy" + GOOD)) == {"--help works and imports nothing heavy": "scipy imported"}


def test_a_module_that_cannot_be_imported(install: Install) -> None:
    found = failed(install("import no_such_library"))
    assert "no_such_library" in found["is loaded"]
    assert "no_such_library" in found["--help works and imports nothing heavy"]


def test_what_is_no_command(install: Install) -> None:
    assert failed(install("class count:\n    pass"))["is loaded"] == "type"


def test_annotations_that_typer_cannot_read(install: Install) -> None:
    found = failed(install("def count(what: int | str) -> None:\n    '''Count.'''"))
    assert "cannot be read by typer" in found["typer reads its parameters"]


def test_help_that_is_missing() -> None:
    def silent(times: Annotated[int, typer.Option(help="How often.")] = 1) -> None: ...

    def bare(times: int = 1) -> None:
        """Count faces."""

    with pytest.raises(AssertionError, match="none for silent"):
        check("command", silent)
    with pytest.raises(AssertionError, match="none for times"):
        check("commands", bare)


def test_a_function_under_test_is_checked_but_for_its_registration() -> None:
    def count(times: Annotated[int, typer.Option(help="How often.")] = 1) -> None:
        """Count faces."""

    states = {result.check: result.state for result in check("command", count)}
    assert list(states.values()) == ["passed", "passed", "passed", "not checked"]
