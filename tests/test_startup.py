"""Help, listing and ``import palsykit`` are fast because they import nothing heavy."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "torchvision", "diffusers", "transformers", "accelerate", "numpy", "scipy", "matplotlib", "PIL")


def loaded(code: str) -> tuple[list[str], str]:
    """(heavy modules, output) after a fresh interpreter has run ``code``."""
    report = f"import sys; print(*[m for m in {HEAVY!r} if m in sys.modules], sep=',', file=sys.stderr)"
    program = f"try:\n    {code}\nexcept SystemExit:\n    pass\n{report}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return [name for name in done.stderr.splitlines()[-1].split(",") if name], done.stdout


def test_the_probe_sees_a_heavy_module() -> None:
    assert loaded("import numpy")[0] == ["numpy"]


def test_importing_palsykit() -> None:
    assert loaded("import palsykit")[0] == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--help"], "Usage: palsykit"),
        (["--version"], "palsykit "),
        (["plugins"], "face_space"),
        (["run", "--help"], "RECIPE"),
        (["data", "prepare", "--help"], "SRC"),
    ],
)
def test_command_line(arguments: list[str], expected: str) -> None:
    heavy, output = loaded(
        f"import sys; sys.argv = ['palsykit', *{arguments!r}]; from palsykit.cli import main; main()"
    )
    assert heavy == []
    assert expected in output


RECIPE = Path(__file__).parents[1] / "recipes" / "cfcpalsy.yaml"
TORCH = {"torch", "torchvision", "diffusers", "transformers", "accelerate"}


def test_whence_does_without_torch() -> None:
    heavy, _ = loaded(
        "import sys; sys.argv = ['palsykit', 'whence', 'none.png']; from palsykit.cli import main; main()"
    )
    assert not TORCH & set(heavy)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["show", str(RECIPE)], "name: cfcpalsy"),
        (["check", str(RECIPE)], "no problems"),
        (["check", str(RECIPE), "--set", "denoiser.chanels=[8]"], ""),
    ],
    ids=["show", "check", "check of a wrong recipe"],
)
def test_a_recipe_is_shown_and_checked_without_torch(arguments: list[str], expected: str) -> None:
    heavy, output = loaded(
        f"import sys; sys.argv = ['palsykit', *{arguments!r}]; from palsykit.cli import main; main()"
    )
    assert not TORCH & set(heavy)
    assert expected in output
