"""A plugin's wheel and palsykit's wheel work together in a clean environment."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from palsykit.files.provenance import files_sha256

ROOT = Path(__file__).parents[2]
TINY = (
    "data={use: face_space, identities: 2, validation: 0, test: 1, renders: 2}",
    "denoiser={use: unet, channels: [8, 16, 32], head_channels: 8, attention_at: [16]}",
    "fusion.width=16",
    "train.steps=1",
    "train.batch_size=2",
    "generate.identities=1",
    "sampler.steps=2",
)
WHERE = """
import importlib, json, sys
from importlib.metadata import distribution
from palsykit.files.resources import locate
modules = ["palsykit", "palsykit_cross_fusion", "palsykit_weights", "acme_film"]
print(json.dumps({
    "files": [importlib.import_module(name).__file__ for name in modules],
    "recipe": str(locate("palsykit:recipes/cfcpalsy.yaml", None)),
    "path": sys.path,
    "origin": json.loads(distribution("palsykit").read_text("direct_url.json")),
}))
"""
Say = Callable[[str], str]


def test_the_wheel_holds_every_file_of_every_package(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    folders = [ROOT / "palsykit", *(ROOT / "plugins").glob("palsykit_*")]
    files = {
        (file.relative_to(folder.parent)).as_posix()
        for folder in folders
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    files |= {f"palsykit/{file.relative_to(ROOT).as_posix()}" for file in (ROOT / "recipes").rglob("*.yaml")}
    assert {"palsykit/recipes/cfcpalsy.yaml", "palsykit_face_space/assets/face_space.safetensors"} <= files
    assert sorted(files - held) == []
    assert wheel.stat().st_size < 70_000_000
    assert {name.split("/")[0] for name in held if ".dist-info/" not in name} == {folder.name for folder in folders}


@pytest.fixture
def say(clean: Any, tmp_path: Path) -> Say:
    """Runs a command in the clean environment, far from this tree, and gives what it says."""
    work = tmp_path / "work"
    work.mkdir()

    def run(command: str) -> str:
        done = clean.run(command, work)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return str(done.stdout)

    return run


@pytest.mark.slow
def test_a_third_partys_wheel_trains_beside_palsykits(clean: Any, say: Say, tmp_path: Path) -> None:
    assert "acme_film" not in say("palsykit plugins")
    say("palsykit plugins new acme_film --interface fusion")
    say("pip wheel --quiet --wheel-dir dist ./acme_film")
    say("pip install --quiet dist/acme_film-*.whl")
    say("mv acme_film/acme_film.yaml . && rm -r acme_film")  # what is left of it is its wheel

    found = json.loads(say(f"python -c '{WHERE}'"))
    assert [file for file in [*found["files"], found["recipe"]] if not Path(file).is_relative_to(clean.packages)] == []
    assert [entry for entry in found["path"] if Path(entry or ".").is_relative_to(ROOT)] == []
    assert "archive_info" in found["origin"], "installed from a wheel, not editable"

    listed = [line.split() for line in say("palsykit plugins").splitlines()]
    assert ["fusions", "acme_film", "acme_film", "acme-film", "0.1.0"] in listed
    assert ["fusions", "cross", "cross_fusion", "palsykit"] in [line[:4] for line in listed]

    say("palsykit run acme_film.yaml --output run " + " ".join(f"--set '{change}'" for change in TINY))
    run = tmp_path / "work" / "run"
    assert "psnr" in json.loads((run / "metrics.json").read_text())["metrics"]
    assert "fusion: acme_film" in (run / "MODEL_CARD.md").read_text()
    (entry,) = json.loads((run / "provenance.json").read_text())
    film, unet = entry["plugins"]["acme_film"], entry["plugins"]["unet"]
    assert (film["distribution"], film["version"], len(film["sha256"])) == ("acme-film", "0.1.0", 64)
    assert unet["sha256"] == files_sha256(ROOT / "plugins" / "palsykit_unet"), "a wheel has the hash of its clone"
    assert entry["palsykit"]["sha256"] == files_sha256(ROOT / "palsykit")
    assert entry["palsykit"]["commit"] == "unknown"
    with safe_open(run / "model" / "conditioning.safetensors", "pt") as file:
        assert [name for name in file.keys() if name.startswith("fusion.")] != []  # noqa: SIM118 (no mapping)

    say("pip uninstall --quiet --yes acme-film")
    gone = clean.run("palsykit check acme_film.yaml", tmp_path / "work")
    assert gone.returncode == 2
    assert '"acme_film"' in gone.stderr
