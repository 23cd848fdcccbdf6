"""A recipe is read without torch, and as it is read with it."""

import subprocess
import sys
from pathlib import Path

import pytest

from palsykit.recipe.load import load_recipe

ROOT = Path(__file__).parents[2]

SIGNATURES = """
import sys
from palsykit.recipe.light import HEAVY, without_torch
from palsykit.recipe.signature import keys_of
from palsykit.registry import registry

def signatures():
    return {key: [(k.name, str(k.annotation), str(k.default)) for k in keys_of(entry).values()]
            for key, entry in registry().entries.items()}

with without_torch():
    light = signatures()
assert not HEAVY & sys.modules.keys(), sorted(HEAVY & sys.modules.keys())
real = signatures()
import torch
assert torch.tensor([1.0]).sum() == 1
assert len(light) > 60
print([key for key in real if light[key] != real[key]])
"""

ASKS_MORE = """
import torch
class Part:
    def __init__(self, *, size: int = int(torch.tensor([3]).sum())): ...
"""


def run(code: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=folder)


def test_every_part_has_the_same_keys_without_torch_and_the_libraries_are_themselves_afterwards() -> None:
    done = run(SIGNATURES)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr[-1500:]


@pytest.mark.parametrize("name", ["cfcpalsy", "base", "networks", "baselines/adversarial"])
def test_a_recipe_is_read_as_with_torch(name: str) -> None:
    code = f"""
import sys
from pathlib import Path
from palsykit.recipe.light import read_recipe
recipe = read_recipe(Path("recipes/{name}.yaml"), ["seed=3"])
print(recipe.hash, "torch" in sys.modules)
"""
    done = run(code)
    expected = load_recipe(ROOT / "recipes" / f"{name}.yaml", ["seed=3"]).hash
    assert done.stdout.split() == [expected, "False"], done.stderr[-1500:]


def test_a_module_that_asks_more_of_a_library_is_read_with_it(tmp_path: Path) -> None:
    (tmp_path / "asks_more.py").write_text(ASKS_MORE, encoding="utf-8")
    (tmp_path / "some.yaml").write_text("data: {use: asks_more}\nfits: []\n", encoding="utf-8")
    code = """
import sys
from pathlib import Path
from palsykit.recipe.light import read_recipe
from palsykit.recipe.problems import RecipeError
from palsykit.registry import Entry, registry
registry().entries["metrics", "asks_more"] = Entry("metrics", "asks_more", "acme", "acme", "1", "asks_more:Part")
try:
    read_recipe(Path("some.yaml"), ["metrics.own={use: asks_more, size: 4, sise: 5}"])
except RecipeError as error:
    print("torch" in sys.modules, *error.problems, sep="\\n")
"""
    done = run(code, tmp_path)
    with_torch, *problems = done.stdout.splitlines()
    assert with_torch == "True", done.stderr[-1500:]
    assert any("metrics.own.sise: found an unknown key, expected one of use, size" in line for line in problems)
    assert not any("cannot be loaded" in line for line in problems if "asks_more" in line)
