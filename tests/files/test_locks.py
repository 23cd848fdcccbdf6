"""One process writes into a folder; a second one is told which."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from palsykit.errors import PalsykitError
from palsykit.files.locks import LOCK, locked

HOLDS = """
import sys
from pathlib import Path
from palsykit.files.locks import locked
with locked(Path(sys.argv[1]), "name another"):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(folder)], **pipes)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_refused_with_the_first_ones_number_and_host(tmp_path: Path) -> None:
    process = holder(tmp_path / "run")
    try:
        with pytest.raises(PalsykitError) as refused, locked(tmp_path / "run", "name another: --output DIR"):
            pass
        assert f"in use by process {process.pid} on {socket.gethostname()}, since 2" in str(refused.value)
        assert str(refused.value).endswith("or name another: --output DIR")
    finally:
        process.communicate("")
    with locked(tmp_path / "run", ""):
        assert str(os.getpid()) in (tmp_path / "run" / LOCK).read_text()
    assert list((tmp_path / "run").iterdir()) == [], "nothing stays"


def test_the_lock_of_a_killed_process_does_not_hold(tmp_path: Path) -> None:
    process = holder(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (tmp_path / LOCK).exists()
    with locked(tmp_path, ""):
        pass


def test_a_lock_that_was_removed_between_opening_and_locking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    lock, seen = fcntl.flock, []

    def removed_first(file: object, how: int) -> None:
        lock(file, how)  # type: ignore[arg-type]
        if not seen:
            (tmp_path / LOCK).unlink()
        seen.append(how)

    monkeypatch.setattr(fcntl, "flock", removed_first)
    with locked(tmp_path, ""):
        assert (tmp_path / LOCK).exists(), "the file that is locked is the one that others see"
    assert len(seen) == 2


def test_a_file_system_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import fcntl

    def none_here(file: object, how: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", none_here)
    with locked(tmp_path, ""):
        pass
    assert "cannot be locked (Operation not supported); start no second process" in capsys.readouterr().err
