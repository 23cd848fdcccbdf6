"""A run under LC_ALL=C with umlauts in its paths, to the report."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_umlauts_under_the_c_locale(tmp_path: Path) -> None:
    folder = tmp_path / "Gesichtslähmung für Übung"
    folder.mkdir()
    shutil.copyfile(Path(__file__).with_name("tiny.yaml"), folder / "wörter.yaml")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "-m", "palsykit", "run", str(folder / "wörter.yaml"), "--output", str(folder / "läuft")],
        env={**variables, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PALSYKIT_CACHE": str(folder / "cäche")},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert "wörter" in (folder / "läuft/report.html").read_text(encoding="utf-8")
