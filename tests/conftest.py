"""What tests share: tiny parts (drawn faces, a model that trains in seconds), a finished run, palsykit as installed."""

import os
import shutil
import site
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from palsykit.cli import main
from palsykit.diffusion.model import Condition, ConditionalDiffusion
from palsykit.faces.records import FaceRecord, Rejected
from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit.interfaces import Conditioning, ConditioningSpec, Encoded, FaceView, NetworkOutput, TokenSpec
from palsykit.networks import SharedNetwork
from palsykit.recipe import Recipe, load_recipe
from palsykit.run import run_recipe
from palsykit.run.folder import RunFolder
from palsykit.run.parts import Parts

ROOT = Path(__file__).parents[1]
SIZE = 16
torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)  # two processes share two cores


@pytest.fixture(scope="session")
def script() -> Callable[[str], ModuleType]:
    """A script of the repository, given by its path from the root, as a module."""

    def load(path: str) -> ModuleType:
        if (folder := str((ROOT / path).parent)) not in sys.path:  # as python does for the script that it runs
            sys.path.append(folder)
        spec = spec_from_file_location(f"script_{Path(path).stem}", ROOT / path)
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@dataclass
class DrawnFaces:
    """A data set of drawn faces: a subject is a colour, an expression the height of a mouth bar."""

    subjects: int = 4
    expressions: tuple[str, ...] = ("rest", "smile_full", "lip_pucker")
    image_size: int = SIZE
    rejected: list[Rejected] = field(default_factory=list)
    attribution: str = "drawn by the tests"
    splits: bool = False

    def __post_init__(self) -> None:
        self.pictures: dict[str, np.ndarray] = {}
        self.records: list[FaceRecord] = []
        for subject in range(self.subjects):
            for number, expression in enumerate(self.expressions):
                key = f"s{subject}-{expression}"
                picture = np.full((SIZE, SIZE, 3), 40 + 15 * subject, np.uint8)
                picture[:, :, subject % 3] += 80
                picture[8 + 2 * number, 3:13] = 255
                picture[4, [4, 11]] = 0
                points = np.tile(np.array([[4.0, 4.0]], np.float32), (68, 1)) + np.arange(68)[:, None] / 10
                points[48:, 1] = 8 + 2 * number
                self.pictures[key] = picture
                labels = FaceLabels(f"s{subject}", expression, Side.LEFT if subject % 2 else Side.NONE, 1.0 + subject)
                split = ("test" if subject == 0 else "train") if self.splits else None
                self.records.append(FaceRecord(key, labels, points.astype(np.float32), "given", split))

    def image(self, record: FaceRecord) -> np.ndarray:
        return self.pictures[record.key]


class TinyNetwork(nn.Module):
    """Embedding, map and points from one strided convolution."""

    def __init__(self, points: bool = False, seed: int = 0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.convolution = nn.Conv2d(3, 8, 4, stride=4)
            self.head = nn.Linear(8 * 16, 136 if points else 6)
        self.map_shape, self.embedding_width, self.points = (8, 4, 4), None if points else 6, points

    def forward(self, image: torch.Tensor) -> NetworkOutput:
        found = torch.tanh(self.convolution(image))
        out = self.head(found.flatten(1))
        if self.points:
            return NetworkOutput(found, points=out.view(-1, 68, 2) * SIZE)
        return NetworkOutput(found, embedding=out)


class TinyEncoder(nn.Module):
    """Tokens from a shared network's map."""

    def __init__(self, network: SharedNetwork, pooled: int | None = None):
        super().__init__()
        self.network, self.spec = network, TokenSpec(16, 8, pooled)
        self.project = nn.Linear(8, 8)

    def extract(self, view: FaceView) -> dict[str, torch.Tensor]:
        output = self.network(view.image)
        features = {"map": output.map.flatten(2).transpose(1, 2)}
        return features if self.spec.pooled is None else {**features, "embedding": output.embedding}

    def forward(self, features: dict[str, torch.Tensor]) -> Encoded:
        return Encoded(self.project(features["map"]), features.get("embedding"))


class TinyFusion(nn.Module):
    """All tokens in one stream."""

    def __init__(self, inputs: dict[str, TokenSpec]):
        super().__init__()
        self.token_width, self.pooled_width = 8, 6
        self.mix = nn.Linear(8, 8)

    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        pooled = next(c.pooled for c in conditions.values() if c.pooled is not None)
        return Conditioning({"all": self.mix(torch.cat([c.tokens for c in conditions.values()], 1))}, pooled)


class TinyDenoiser(nn.Module):
    """A convolution whose output tokens, pooled vector and time shift."""

    def __init__(self, conditioning: ConditioningSpec):
        super().__init__()
        self.inner = nn.Conv2d(3, 8, 3, padding=1)
        self.outer = nn.Conv2d(8, 3, 3, padding=1)
        self.tokens, self.pooled = nn.Linear(conditioning.token_width, 8), nn.Linear(conditioning.pooled_width or 1, 8)

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, conditioning: Conditioning) -> torch.Tensor:
        shift = self.tokens(conditioning.tokens["all"].mean(1)) + self.pooled(conditioning.pooled)
        shift = shift + (t.float() / 1000)[:, None]
        return self.outer(torch.tanh(self.inner(x_t) + shift[:, :, None, None]))


def tiny_networks() -> dict[str, SharedNetwork]:
    """recognition and points, frozen."""
    networks = {
        "recognition": SharedNetwork("recognition", TinyNetwork()),
        "points": SharedNetwork("points", TinyNetwork(True, 1)),
    }
    for network in networks.values():
        network.freeze()
    return networks


def tiny_model(drop: float = 0.0, prediction: str = "epsilon", **networks: Any) -> ConditionalDiffusion:
    """A ConditionalDiffusion of about a thousand weights, the same every time."""
    from diffusers import DDPMScheduler

    shared = networks or tiny_networks()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        conditions = {
            "identity": Condition(TinyEncoder(shared["recognition"], 6), "identity", drop),
            "landmark": Condition(TinyEncoder(shared["points"]), "driver", drop),
        }
        fusion = TinyFusion({name: c.encoder.spec for name, c in conditions.items()})
        denoiser = TinyDenoiser(ConditioningSpec(8, 6))
        return ConditionalDiffusion(conditions, fusion, denoiser, DDPMScheduler(prediction_type=prediction))


@pytest.fixture
def faces() -> DrawnFaces:
    return DrawnFaces()


@pytest.fixture
def networks() -> dict[str, SharedNetwork]:
    return tiny_networks()


@pytest.fixture
def model_of() -> Callable[..., ConditionalDiffusion]:
    return tiny_model


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one cache of all tests and processes, outside the user's."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "palsykit-cache"


@pytest.fixture(autouse=True)
def _own_cache(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests use the cache that they share."""
    monkeypatch.setenv("PALSYKIT_CACHE", str(shared_cache))


@pytest.fixture(scope="session")
def one_cache(shared_cache: Path) -> Iterator[None]:
    """The same cache, for session fixtures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PALSYKIT_CACHE", str(shared_cache))
        yield


@pytest.fixture(scope="session")
def one_thread() -> Iterator[None]:
    """Bits are compared between processes, so all compute with one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Recipe]:
    """A miniature of CFCPalsy with changes."""
    return lambda *changes: load_recipe(ROOT / "tests" / "run" / "tiny.yaml", changes)


@pytest.fixture(scope="session")
def finished(
    tiny: Callable[..., Recipe], tmp_path_factory: pytest.TempPathFactory, one_thread: None, one_cache: None
) -> RunFolder:
    """A finished run of the miniature. Do not change it; make a copy."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    run_recipe(tiny(), folder)
    return RunFolder(folder)


@pytest.fixture(scope="session")
def handed_on(tiny: Callable[..., Recipe], finished: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run trained on a folder of photographs and from a file, moved; photographs and file are gone."""
    base = tmp_path_factory.mktemp("handed-on")
    photographs = _photographs(tiny(), base / "photographs")
    started = [f"networks.{n}.weights={finished.networks}/{n}.safetensors" for n in ("expression", "points")]
    few = ("fits.1.data=null", "fits.0.steps=1", "train.steps=1", "train.checkpoint_every=9", "metrics.ssim=null")
    run_recipe(tiny(f"data={{use: imagefolder, root: {photographs}}}", *few, *started), base / "run")
    (base / "elsewhere").mkdir()
    shutil.move(base / "run", base / "elsewhere/run")
    shutil.move(photographs, base / "away")
    return base / "elsewhere/run"


def _photographs(recipe: Recipe, folder: Path) -> Path:
    """Pictures of the miniature's people as an imagefolder."""
    dataset = Parts(recipe).data().dataset
    folder.mkdir()
    rows = ["file_name,subject,expression,side,severity,split"]
    for number, record in enumerate(dataset.records):
        Image.fromarray(dataset.image(record)).save(folder / f"{number}.png")
        labels = record.labels
        row = (f"{number}.png", labels.subject, labels.expression, labels.side, labels.severity, record.split)
        rows.append(",".join(map(str, row)))
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def face(tmp_path: Path) -> Path:
    """The only file of its folder, a square picture of noise."""
    (tmp_path / "faces").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "faces/who.png")
    return tmp_path / "faces/who.png"


@pytest.fixture
def load_dataset(tmp_path: Path) -> Callable[[Path], Any]:
    """``datasets.load_dataset`` of a folder; the test is skipped where the library is absent."""
    datasets: Any = pytest.importorskip("datasets", reason="needs datasets: pip install 'palsykit[datasets]'")
    return lambda folder: datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "datasets"))


@dataclass
class Done:
    """A finished command line."""

    code: int
    out: str
    err: str


@pytest.fixture
def palsykit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs a command line in this process."""

    def run(*arguments: Any) -> Done:
        monkeypatch.setattr(sys, "argv", ["palsykit", *map(str, arguments)])
        code: Any = 0
        try:
            main()
        except SystemExit as error:
            code = error.code or 0
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return run


@dataclass(frozen=True)
class CleanEnvironment:
    """A virtual environment with palsykit's wheel and its libraries, without network access."""

    home: Path

    @property
    def packages(self) -> Path:
        """Where its own packages are installed."""
        return next((self.home / "lib").glob("python*/site-packages"))

    def run(self, command: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """A command of bash in ``folder``, with the environment's programs first on the path."""
        foreign = ("PIP_", "PYTHON", "VIRTUAL_ENV")
        variables = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        # 0 is how pip is told "no isolation" by a variable: builds use what is installed, as nothing can be fetched
        pip = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_CONFIG_FILE": os.devnull}
        nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
        path = f"{self.home / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=folder,
            env={**variables, **pip, **nowhere, "PATH": path, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """palsykit as it would be published, built from this tree with what is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    offline = ["--no-index", "--no-deps", "--no-build-isolation"]
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", *offline, "--wheel-dir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("palsykit-*.whl")
    return built


@pytest.fixture
def clean(tmp_path: Path, wheel: Path) -> CleanEnvironment:
    """A new environment with palsykit from its wheel."""
    environment = CleanEnvironment(tmp_path / "environment")
    venv.create(environment.home, symlinks=True)
    _lend_libraries(environment)
    assert environment.run("python -c 'import palsykit'", tmp_path).returncode != 0, "palsykit came without its wheel"
    done = environment.run(f"pip install --quiet {wheel}", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    return environment


@pytest.fixture(scope="session")
def lend() -> Callable[[Path], CleanEnvironment]:
    """Lends this Python's libraries to an environment that something else made."""

    def lent(home: Path) -> CleanEnvironment:
        environment = CleanEnvironment(home)
        _lend_libraries(environment)
        return environment

    return lent


def _lend_libraries(environment: CleanEnvironment) -> None:
    """Lend all libraries of this Python, including pip and pytest, but not palsykit.

    The libraries are linked one by one into a folder on the new path. There .pth files are not read, so the editable
    installation of this tree is left out.
    """
    shelf = environment.home / "libraries"
    shelf.mkdir()
    added = (entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages"))  # by .pth files
    for folder in map(Path, dict.fromkeys([*site.getsitepackages(), *added])):
        for library in folder.iterdir() if folder.is_dir() else ():
            if "palsykit" not in library.name and library.suffix != ".pth" and not (shelf / library.name).exists():
                (shelf / library.name).symlink_to(library)
    (environment.packages / "libraries.pth").write_text(f"{shelf}\n")
    for module in ("pip", "pytest"):
        program = environment.home / "bin" / module
        program.write_text(f'#!/bin/sh\nexec {environment.home / "bin" / "python"} -m {module} "$@"\n')
        program.chmod(0o755)
