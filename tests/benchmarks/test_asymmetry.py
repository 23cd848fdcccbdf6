"""The asymmetry benchmark uses only the points that the network finds, and its figures measure their quality."""

import importlib.resources
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from palsykit.errors import PalsykitError
from palsykit.faces.landmarks import flip_points
from palsykit.faces.vocabulary import EXPRESSIONS, Group, Side
from palsykit.faces.webmorph import to_ibug68
from palsykit.files import weights
from palsykit.interfaces import NetworkOutput
from palsykit.recipe import load_recipe
from palsykit.run.parts import Parts
from palsykit_face_space.palsy import Action, displace_all

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "run" / "tiny.yaml"
ASSET = importlib.resources.files("palsykit_face_space") / "assets/face_space.safetensors"
Script = Callable[[str], ModuleType]


@pytest.fixture
def benchmark(script: Script) -> ModuleType:
    return script("benchmarks/asymmetry.py")


class Numbered:
    """Renders pictures that show nothing but their number; the simulator's points are kept by number."""

    def __init__(self) -> None:
        self.shape = load_file(str(ASSET))["shape_mean"].astype(np.float64)
        self.points: list[np.ndarray] = []

    def render(
        self, person: int, expression: str, side: Side, grade: float, *, group: Group | None, strength: float
    ) -> Any:
        action = Action(expression, side, grade, strength, group)
        points = to_ibug68(displace_all(self.shape[None], [action]).points[0])
        self.points.append(points)
        number = len(self.points) - 1
        picture = np.zeros((4, 4, 3), np.uint8)
        picture[0, 0] = number // 256, number % 256, 0
        return picture, points

    def network(self, find: Callable[[np.ndarray], np.ndarray]) -> Any:
        """Parts whose network reads the number and tells the points, as ``find`` sees them."""

        def points(image: torch.Tensor) -> NetworkOutput:
            pixel = ((image[:, :2, 0, 0] + 1) * 127.5).round().long()
            numbers = (pixel[:, 0] * 256 + pixel[:, 1]).tolist()
            found = np.stack([find(self.points[number]) for number in numbers])
            return NetworkOutput(map=image, points=torch.from_numpy(found))

        return SimpleNamespace(points_network=lambda: points, device="cpu")


def figures_of(
    benchmark: ModuleType, find: Callable[[np.ndarray], np.ndarray], group: Group = Group.FLACCID
) -> dict[str, Any]:
    dataset = Numbered()
    faces = benchmark.rendered(dataset, 4, group, 1)
    found: dict[str, Any] = benchmark.figures(benchmark.measured(dataset.network(find), faces, group), 20)
    return found


def test_a_network_that_sees_names_every_side(benchmark: ModuleType) -> None:
    rows = figures_of(benchmark, lambda points: points)
    assert rows["all"]["n"] == 4 * 8 * 6
    assert rows["all"]["expression"]["signed"]["value"] > 0.94
    assert rows["all"]["expression"]["side"] == {"value": 100, "low": 100, "high": 100}
    assert rows["rest"]["expression"]["side"]["value"] == 100, "from grade V: below it a face at rest is symmetric"
    for index in ("nothing", "expression"):
        assert all(rows[word][index]["size"]["value"] > 0.95 for word in ("brow_raise", "smile_full", "lip_pucker"))
        assert all(rows[f"grade {grade}"][index]["side"]["value"] == 100 for grade in ("V", "VI"))
    assert {name: row["n"] for name, row in rows.items() if name.startswith("grade")} == {
        f"grade {grade}": 32 for grade in ("II", "III", "IV", "V", "VI")
    }


def test_a_synkinetic_palsy_needs_what_is_known_of_it(benchmark: ModuleType) -> None:
    rows = figures_of(benchmark, lambda points: points, Group.SYNKINETIC)
    assert rows["all"]["n"] == 4 * 8 * 4
    assert list(rows["all"]) == ["n", "nothing", "expression", "expression and group"]
    pucker = {index: rows["lip_pucker"][index]["signed"]["value"] for index in rows["all"] if index != "n"}
    assert pucker["nothing"] < 0, "the eye that narrows with the mouth outweighs the rest"
    assert min(pucker["expression"], pucker["expression and group"]) > 0.85
    assert rows["all"]["expression"]["side"]["value"] == rows["all"]["expression and group"]["side"]["value"] == 100


def test_a_network_that_mirrors_names_none(benchmark: ModuleType) -> None:
    rows = figures_of(benchmark, lambda points: flip_points(points, 128))
    assert rows["all"]["expression"]["signed"]["value"] < -0.94
    assert rows["all"]["expression"]["side"]["value"] == 0
    assert rows["grade VI"]["expression"]["side"]["value"] == 0


def test_a_network_that_sees_nothing_guesses(benchmark: ModuleType) -> None:
    rng = np.random.default_rng(0)
    mean = to_ibug68(load_file(str(ASSET))["shape_mean"])
    rows = figures_of(benchmark, lambda points: mean + rng.normal(0, 1, (68, 2)))
    assert abs(rows["all"]["nothing"]["signed"]["value"]) < 0.25
    assert 30 < rows["all"]["nothing"]["side"]["value"] < 70


def test_spearman_is_scipys(benchmark: ModuleType) -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, 50).astype(float), rng.normal(size=50)
    assert benchmark.spearman(a, b) == pytest.approx(spearmanr(a, b)[0])
    assert np.isnan(benchmark.spearman(np.ones(5), np.arange(5.0)))


@pytest.mark.parametrize("records", [[], ["--records"]])
def test_it_runs(benchmark: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], records: list[str]) -> None:
    file = tmp_path / "points.safetensors"
    weights.save(Parts(load_recipe(TINY)).networks["points"].module.state_dict(), file)
    few = ["--identities", "3", "--resamples", "3", *records]
    benchmark.main(["--recipe", str(TINY), "--weights", str(file), *few])
    *lines, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    assert list(found["groups"]) == ["flaccid", "synkinetic"]
    rows = found["groups"]["flaccid"]
    assert rows["all"]["n"] == sum(rows[name]["n"] for name in rows if name in EXPRESSIONS)
    assert lines[0] == "flaccid; the index knows: nothing"
    assert f"{rows['all']['nothing']['signed']['value']:.3f}" in lines[3]


def test_the_people_must_be_fresh(benchmark: ModuleType) -> None:
    parts = Parts(load_recipe(TINY))
    with pytest.raises(PalsykitError, match="new people need a key seed, other than 0"):
        benchmark.fresh(parts, 0, 3)
    with pytest.raises(PalsykitError, match="cannot render on demand"):
        next(benchmark.rendered(SimpleNamespace(), 1, Group.FLACCID, 1))
