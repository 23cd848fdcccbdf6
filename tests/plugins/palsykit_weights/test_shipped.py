"""The weights that ship: small, described by their cards, and the ones that the shipped recipes want."""

import hashlib
import re
from pathlib import Path

import pytest
import torch

import palsykit_weights
from palsykit.files.weights import load
from palsykit.recipe import load_recipe
from palsykit.recipe.merge import read_extended
from palsykit.run.model_folder import load_into
from palsykit.run.parts import Parts

ROOT = Path(__file__).parents[3]
HERE = Path(palsykit_weights.__file__).parent
FILES = sorted(HERE.glob("*.safetensors"))
MOST = 46_000_000  # of 60 MB; the face finder and the face space have the rest
SHIPPED = pytest.mark.skipif(not FILES, reason=f"no weights in {HERE} yet; make weights trains them")


@SHIPPED
def test_they_are_small_enough_to_ship() -> None:
    assert sum(file.stat().st_size for file in FILES) <= MOST


@SHIPPED
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_has_a_card_with_its_digest(file: Path) -> None:
    card = file.with_suffix(".md").read_text()
    digest = re.search(r"SHA-256 ([0-9a-f]{64})", card)
    assert digest is not None
    assert digest[1] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert "CC BY 4.0" in card
    assert re.search(r"recipe hash: [0-9a-f]{64}", card)


@SHIPPED
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_number_is_finite(file: Path) -> None:
    state, metadata = load(file)
    assert [name for name, value in state.items() if not torch.isfinite(value).all()] == []
    assert metadata["recipe_hash"] in file.with_suffix(".md").read_text()


def test_each_file_is_used_and_no_other_is_named() -> None:
    users = [*(ROOT / "recipes").glob("*.yaml"), *(ROOT / "plugins").glob("*/*.py")]
    named = {
        match for path in users for match in re.findall(r"palsykit_weights:([\w-]+[.]safetensors)", path.read_text())
    }
    networks = ("recognition", "expression", "points")
    judges = {f"judge_{name}.safetensors" for name in networks}
    assert named == {
        *(f"{name}.safetensors" for name in networks),
        *judges,
        "base.safetensors",
        "base_256.safetensors",
        "judge_expression_112.safetensors",
        "judge_recognition_112.safetensors",
        "judge_points_256.safetensors",
        "points_256.safetensors",
        "recognition_112.safetensors",
        "expression_112.safetensors",
    }
    assert {file.name for file in FILES} <= named


@pytest.mark.parametrize("name", ["base", "base-256", "cfcpalsy-64", "cfcpalsy"])
def test_they_fit_the_recipes_that_name_them(name: str) -> None:
    """Every key and shape: networks load where they are built, the base model into a new one."""
    path = ROOT / "recipes" / f"{name}.yaml"
    text = str(read_extended(path).value)
    missing = [file for file in re.findall(r"palsykit_weights:([\w.-]+)", text) if not (HERE / file).exists()]
    if missing:
        pytest.skip(f"not trained yet: {', '.join(missing)}")
    parts = Parts(load_recipe(path))
    assert not any(p.requires_grad for network in parts.networks.values() for p in network.parameters())
    if parts.settings.train.start is not None:
        load_into(parts.model(), parts.settings.train.start)
