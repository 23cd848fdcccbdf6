"""The command: what it refuses before anything heavy is imported, and when it asks for a password."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from palsykit.errors import PalsykitError
from palsykit.testing import check
from palsykit_studio import command as module
from palsykit_studio.command import INSTALL, is_loopback, password_for, stay_here


def test_contract() -> None:
    check("command", "studio")


def test_without_gradio_one_line_says_what_to_install(
    palsykit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    done = palsykit("studio")
    assert done.code == 2
    assert done.err.strip() == f"palsykit: {INSTALL}"
    assert "pip install 'palsykit[studio]'" in INSTALL


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such-run"], "models that ship with palsykit: "),
        (["--language", "xx"], "--language xx: expected en or de"),
        (["--password", " "], "--password: found nothing"),
    ],
)
def test_what_is_refused(
    palsykit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: object())
    done = palsykit("studio", *arguments)
    assert done.code == 2
    assert words in done.err


def test_there_is_no_way_to_share_the_page(palsykit: Callable[..., Any]) -> None:
    shown = palsykit("studio", "--help").out
    assert "--password" in shown
    assert "--share" not in shown
    assert palsykit("studio", "--share").code == 2


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("127.3.2.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
     ("192.168.1.2", False), ("clinic.example", False)],
)  # fmt: skip
def test_which_hosts_only_this_machine_reaches(host: str, local: bool) -> None:
    assert is_loopback(host) == local


def test_a_host_that_others_reach_has_a_password() -> None:
    assert password_for(True, None) == (None, False)
    assert password_for(True, "given") == ("given", False)
    assert password_for(False, "given") == ("given", False)
    made = [password_for(False, None) for _ in range(2)]
    assert made[0] != made[1]
    assert all(is_made and password is not None and len(password) >= 20 for password, is_made in made)
    with pytest.raises(PalsykitError, match="expected a password"):
        password_for(True, "")


def test_gradio_keeps_files_in_the_folder_and_reports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED", "GRADIO_RUN_HISTORY", "HF_HUB_OFFLINE",
             "HF_HUB_DISABLE_TELEMETRY")  # fmt: skip
    for name in names:
        monkeypatch.setenv(name, "before")
    stay_here(tmp_path)
    assert [os.environ[name] for name in names] == [str(tmp_path / "gradio"), "False", "False", "1", "1"]


def test_listing_the_command_imports_neither_gradio_nor_torch() -> None:
    code = (
        "import sys; from palsykit.registry import registry; from palsykit.commands import typer_command; "
        "typer_command(registry().commands['studio']); "
        "print([name for name in ('gradio', 'torch', 'fastapi') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.stdout.strip() == "[]", found.stderr
