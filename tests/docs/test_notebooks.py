"""The notebooks hold no outputs, begin with an installation, and run from the first cell to the last."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="no nbformat; pip install 'palsykit[docs]'")
ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_of(path: Path) -> list[Any]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def installs(cell: Any) -> bool:
    return "install" in cell.metadata.get("tags", ())


@each
def test_a_notebook_is_ready_and_shows_nobody(path: Path) -> None:
    cells = code_of(path)
    assert "pip install" in cells[0].source
    assert installs(cells[0])
    assert [cell.outputs for cell in cells if cell.outputs] == []
    assert {cell.execution_count for cell in cells} == {None}


def test_there_are_two() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["first_palsy", "first_plugin"]


@pytest.mark.slow
@each
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Except that nothing is installed into this environment: a cell's own package goes to a folder on the path."""
    nbclient = pytest.importorskip("nbclient", reason="no nbclient; pip install 'palsykit[docs]'")
    pytest.importorskip("ipykernel", reason="no ipykernel; pip install 'palsykit[docs]'")
    packages = tmp_path / "packages"
    packages.mkdir()
    shown = [str(packages), *(entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(shown))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=540, resources={"metadata": {"path": str(tmp_path)}})
    with client.setup_kernel():
        for number, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            if installs(cell):
                install(cell.source.split()[-1], packages, tmp_path)
                continue
            cell.source = checked(cell.source)
            client.execute_cell(cell, number)
    if path.stem == "first_palsy":
        shown_pictures = [cell for cell in notebook.cells if "image/png" in str(cell.get("outputs"))]
        assert len(shown_pictures) == 4
        assert (tmp_path / "lengths" / "measures.csv").is_file()
    else:
        assert "fusion: acme_mean" in (tmp_path / "run" / "MODEL_CARD.md").read_text(encoding="utf-8")


def checked(source: str) -> str:
    """A cell that fails if a command line in it fails; IPython would go on."""
    lines = []
    for line in source.splitlines():
        lines.append(line)
        if line.startswith("!"):
            lines.append(f"assert _exit_code == 0, {line!r}")
    return "\n".join(lines)


def install(what: str, packages: Path, folder: Path) -> None:
    """Install a package of the notebook's own; palsykit is there already."""
    if what == "palsykit":
        return
    offline = ["--no-index", "--no-deps", "--no-build-isolation"]
    command = [sys.executable, "-m", "pip", "install", "--quiet", *offline, "--target", str(packages), what]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
