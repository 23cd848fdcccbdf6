"""A fusion strategy written outside the tree, as docs/guide.md prints it, is found and trained like our own."""

import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from palsykit import __version__
from palsykit.cli import main
from palsykit.files.weights import load
from palsykit.recipe import load_recipe
from palsykit.registry import registry

ROOT = Path(__file__).parents[2]
RECIPE = """
# A third party's fusion strategy in the place of ours.
extends: {tiny}
fusion: {{use: film, width: 24}}
fits:
  - {{network: recognition, trainer: {{use: angular_margin}}, steps: 1, batch_size: 4}}
  - {{network: expression, trainer: {{use: expression}}, steps: 1, batch_size: 4}}
  - {{network: points, trainer: {{use: landmarks}}, steps: 1, batch_size: 4}}
train: {{steps: 3}}
generate: {{identities: 1}}
metrics: {{ssim: null, landmark_error: null, afid: null}}
"""


def printed(name: str) -> str:
    """The block of docs/guide.md that is the file ``name``."""
    guide = (ROOT / "docs" / "guide.md").read_text()
    found = re.findall(rf"^```\w+\n(# {re.escape(name)}\b.*?)^```$", guide, re.S | re.M)
    assert len(found) == 1, f"{name}: {len(found)} blocks"
    return str(found[0])


@dataclass
class Done:
    code: object
    out: str
    err: str


@pytest.fixture(autouse=True)
def acme_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package as pip would install it: its folder, and its metadata with the entry point."""
    site = tmp_path / "site-packages"
    (site / "acme_film").mkdir(parents=True)
    (site / "acme_film" / "__init__.py").write_text(printed("acme_film/__init__.py"))
    (site / "acme_film" / "model.py").write_text(printed("acme_film/model.py"))
    info = site / "acme_film-0.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-film\nVersion: 0.3\n")
    points = tomllib.loads(printed("pyproject.toml"))["project"]["entry-points"]["palsykit"]
    (info / "entry_points.txt").write_text("[palsykit]\n" + "".join(f"{n} = {m}\n" for n, m in points.items()))
    monkeypatch.syspath_prepend(site)
    registry.cache_clear()
    yield
    registry.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "acme_film"]:
        del sys.modules[name]


@pytest.fixture
def palsykit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["palsykit", *map(str, arguments)])
        code: object = 0
        try:
            main()
        except SystemExit as error:
            code = error.code or 0
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return run


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "film.yaml"
    path.write_text(RECIPE.format(tiny=Path(__file__).parents[1] / "run" / "tiny.yaml"))
    return path


def test_it_is_found_through_its_entry_point_and_listed(palsykit: Callable[..., Done]) -> None:
    entry = registry().get("fusions", "film")
    assert (entry.plugin, entry.distribution, entry.version) == ("acme_film", "acme-film", "0.3")
    listed = [line.split() for line in palsykit("plugins").out.splitlines()]
    assert ["fusions", "film", "acme_film", "acme-film", "0.3"] in listed
    assert ["fusions", "cross", "cross_fusion", "palsykit", __version__] in listed, "ours no differently"
    assert "acme_film.model" not in sys.modules, "listing imports no part"


def test_its_keys_are_checked_like_ours(palsykit: Callable[..., Done], recipe: Path) -> None:
    done = palsykit("check", recipe)
    assert done.code == 0
    done = palsykit("check", recipe, "--set", "fusion.widht=8", "--set", "fusion.width=wide")
    assert done.code == 2
    assert "fusion.widht: found an unknown key" in done.err
    assert 'did you mean "width"?' in done.err
    assert 'fusion.width: found "wide" (text)' in done.err


def test_a_recipe_that_names_it_trains_it(palsykit: Callable[..., Done], recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    done = palsykit("run", recipe, "--output", folder)
    assert (done.code, done.out) == (0, f"Report: {folder / 'report.html'}\n"), done.err
    state, _ = load(folder / "model" / "conditioning.safetensors")
    assert state["fusion.project.weight"].shape == (24, 3 * 16)
    start = initial(recipe)
    assert not torch.equal(state["fusion.project.weight"], start), "it was trained"
    metrics = json.loads((folder / "metrics.json").read_text())["metrics"]
    assert set(metrics) == {"psnr", "identity_similarity", "identity_similarity_to_target"}
    assert len(list((folder / "images/generated").iterdir())) == 8
    assert "fusion: film" in (folder / "MODEL_CARD.md").read_text()


def test_the_printed_recipe_is_valid(palsykit: Callable[..., Done], tmp_path: Path) -> None:
    path = tmp_path / "film.yaml"
    text = printed("film.yaml")
    assert "extends: recipes/cfcpalsy.yaml\n" in text
    path.write_text(text.replace("extends: ", f"extends: {ROOT}/"))
    done = palsykit("check", path)
    assert done.code == 0, done.err


def initial(recipe: Path) -> torch.Tensor:
    from palsykit.run.parts import Parts

    weight: torch.Tensor = Parts(load_recipe(recipe)).model().fusion.project.weight
    return weight.detach()


def test_without_it_the_recipe_says_so(
    palsykit: Callable[..., Done], recipe: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PALSYKIT_DISABLE", "acme_film")
    registry.cache_clear()
    done = palsykit("run", recipe, "--output", tmp_path / "run")
    assert done.code == 2
    assert '"film"' in done.err
    assert "disabled plugins: acme_film" in done.err
    assert not (tmp_path / "run").exists()
