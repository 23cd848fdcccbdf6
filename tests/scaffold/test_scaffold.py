"""A scaffold is a whole package: it lints, its own test passes untouched, and its recipe trains or its command runs."""

import importlib
import inspect
import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from palsykit import API_VERSION
from palsykit.errors import PalsykitError
from palsykit.plugins import discover
from palsykit.recipe import load_recipe
from palsykit.registry import registry
from palsykit.run import run_recipe
from palsykit.scaffold import KINDS, write
from palsykit.testing import examine

ROOT = Path(__file__).parents[2]
RUFF = "E,F,W,I,B,UP,C4,SIM,RUF,PT,PTH"
FACES = "data={use: face_space, identities: 2, validation: 0, test: 1, renders: 2}"
SMALL = ("train.steps=1", "train.batch_size=2", "generate.identities=1", "sampler.steps=2", "image_size=64")
NETS = ("denoiser={use: unet, channels: [8, 16, 32], head_channels: 8, attention_at: [16]}",)
EXTRA = {
    "fusion": (FACES, "fusion.width=16", *NETS),
    "encoder": (FACES, *NETS),
    "scheduler": (FACES, *NETS),
    "trainer": (FACES, "train.start=null", *NETS),
    "metric": (FACES, "train.start=null", "trainer={use: diffusion}", *NETS),
    "denoiser": (FACES, "denoiser.width=16", "denoiser.depth=3", "denoiser.patch=16"),
    "codec": (FACES, *NETS),
    "dataset": ("train.start=null", "trainer={use: diffusion}", *NETS),
}
"""What makes each recipe tiny; the shipped weights of the model go with its size."""

Install = Callable[[str], Path]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Scaffolds a package and puts it on sys.path with its entry point, as ``pip install -e`` would."""
    modules = set(sys.modules)

    def put(interface: str) -> Path:
        folder, name = tmp_path / "project", f"acme_{interface}"
        write(name, interface, folder)
        info = folder / f"{name}-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 0.1.0\n")
        declared = (folder / "pyproject.toml").read_text().split("[project.entry-points.palsykit]\n")[1].splitlines()[0]
        (info / "entry_points.txt").write_text(f"[palsykit]\n{declared.replace(chr(34), '')}\n")
        monkeypatch.syspath_prepend(folder)
        registry.cache_clear()
        return folder

    yield put
    registry.cache_clear()
    for module in set(sys.modules) - modules:
        if module.startswith(("acme_", "test_acme_")):
            del sys.modules[module]


@pytest.mark.parametrize("interface", KINDS)
def test_it_is_found_and_its_test_passes_untouched(interface: str, install: Install, tmp_path: Path) -> None:
    folder, name = install(interface), f"acme_{interface}"
    entry = registry().get(f"{interface}s", name)
    assert (entry.plugin, entry.distribution, entry.version) == (name, name.replace("_", "-"), "0.1.0")

    monkeyed = sys.path
    sys.path = [str(folder / "tests"), *monkeyed]
    try:
        own = importlib.import_module(f"test_{name}")
    finally:
        sys.path = monkeyed
    tests = [test for test_name, test in vars(own).items() if test_name.startswith("test_")]
    assert len(tests) >= 2
    for number, test in enumerate(tests):
        (tmp_path / str(number)).mkdir()
        test(*[tmp_path / str(number) for _ in inspect.signature(test).parameters])


@pytest.mark.parametrize(
    "interface", [pytest.param(kind, marks=() if kind == "fusion" else pytest.mark.slow) for kind in EXTRA]
)
def test_its_recipe_trains(interface: str, install: Install, tmp_path: Path) -> None:
    folder, name = install(interface), f"acme_{interface}"
    run = tmp_path / "run"
    run_recipe(load_recipe(folder / f"{name}.yaml", [*SMALL, *EXTRA[interface]]), run)
    used = (run / "recipe.yaml").read_text()
    assert f"use: {name}" in used
    metrics = json.loads((run / "metrics.json").read_text())["metrics"]
    assert "psnr" in metrics
    if interface == "metric":
        assert [figure for figure in metrics if "detail_gap" in figure]


def test_its_command_keeps_the_contract_and_runs(install: Install, tmp_path: Path) -> None:
    """``palsykit plugins check`` and the command itself, in processes that find the package as an installed one."""
    folder = install("command")
    (tmp_path / "face.png").write_bytes(b"no picture")

    def palsykit(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "palsykit", *arguments]
        place = {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
        return subprocess.run(command, cwd=tmp_path, env=place, capture_output=True, text=True, check=False)

    done = palsykit("plugins", "check", "acme_command")
    assert "4 passed, 0 failed, 0 not checked" in done.stdout, done.stdout + done.stderr
    assert "acme_command  Synthesise one face" in palsykit("--help").stdout
    done = palsykit("acme_command", "--help")
    assert "Usage: palsykit acme_command [OPTIONS] {RUN} {PHOTOGRAPH}" in done.stdout
    done = palsykit("acme_command", "no-run", "face.png")
    assert (done.returncode, done.stderr.startswith("palsykit: ")) == (2, True), done.stderr


@pytest.mark.parametrize("interface", KINDS)
def test_it_is_written_as_we_write(interface: str, tmp_path: Path) -> None:
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent)) or shutil.which("ruff")
    if ruff is None:
        pytest.skip("ruff is not installed")
    write(f"acme_{interface}", interface, tmp_path)
    style = ["--isolated", "--line-length", "120", "--target-version", "py311"]
    for command in (["check", "--select", RUFF, "--ignore", "RUF002"], ["format", "--check"]):
        done = subprocess.run([ruff, *command, *style, "."], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_its_test_passes_as_its_author_runs_it(tmp_path: Path) -> None:
    write("acme_metric", "metric", tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_it_keeps_its_contract_at_its_defaults(install: Install) -> None:
    """What ``palsykit plugins check NAME`` does, without keys."""
    install("fusion")
    results = examine(registry().get("fusions", "acme_fusion"))
    assert {result.state for result in results} == {"passed"}


def test_the_entry_point_needs_nothing_heavy_and_states_the_api(install: Install) -> None:
    folder = install("encoder")
    source = (folder / "acme_encoder" / "__init__.py").read_text()
    assert f"PALSYKIT_API = {API_VERSION}" in source
    assert "import torch" not in source
    assert [plugin.name for plugin in discover().plugins if plugin.distribution == "acme-encoder"] == ["acme_encoder"]


def test_the_example_faces_are_told_apart(tmp_path: Path) -> None:
    write("acme_dataset", "dataset", tmp_path)
    files = sorted((tmp_path / "acme_dataset" / "example").glob("*/*.png"))
    assert len(files) == 24
    assert len({Image.open(file).tobytes() for file in files}) == 24


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "Acme-Film",
            "'Acme-Film' cannot be a package's name; expected lower-case .* such as acme_f",
        ),
        ("class", "'class' cannot be"),
        ("null", "'null' cannot be"),
        ("true", "'true' cannot be"),
        ("false", "'false' cannot be"),
        ("no", "'no' cannot be"),
        ("acme_", "'acme_' cannot be a package's name; .* between them, such as acme"),
        ("a" * 61, "a name of 61 letters, expected at most 60: aaaaa"),
        ("a" * 300, "a name of 300 letters"),
        ("json", "a package or plugin 'json' already exists"),
        ("unet", "choose another name, such as acme_unet"),
        ("cross", "fusion 'cross' of plugin cross_fusion .* already has this name"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(PalsykitError, match=message):
        write(name, "fusion", tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("audit", "command 'audit' of plugin audit .* already has this name"),
        ("show", "'show' is a command of palsykit's own; choose another name, such as acme_show"),
    ],
)
def test_a_command_needs_a_name_of_its_own(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(PalsykitError, match=message):
        write(name, "command", tmp_path / "new")


def test_a_distributions_name_is_taken_as_the_packages(tmp_path: Path) -> None:
    write("acme-film", "fusion", tmp_path / "new")
    assert (tmp_path / "new" / "acme_film" / "__init__.py").is_file()
    project = tomllib.loads((tmp_path / "new" / "pyproject.toml").read_text())["project"]
    assert (project["name"], project["entry-points"]["palsykit"]) == ("acme-film", {"acme_film": "acme_film"})


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(PalsykitError, match="not empty, expected a new or an empty folder"):
        write("acme_film", "fusion", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
