"""A new interface is one row of the table in ``palsykit.hookspecs``: everything else follows from it."""

import subprocess
import sys
from pathlib import Path

from palsykit import hookspecs

ROW = (
    '    Interface("lenses", "What bends light", ("Lens",), ("image_size",), where="a network\'s key",'
    ' home="optics", singular="lens"),\n'
)

OPTICS = '''
"""A protocol, as ``palsykit.interfaces`` has them, a plugin with two lenses, and a network that takes one."""

from typing import Protocol

from palsykit import hookimpl


class Lens(Protocol):
    def __call__(self, image): ...


class Thin:
    """A thin lens; power in dioptres.

    Args:
        power: its power.
    """

    def __init__(self, image_size: int, *, power: float = 1.0):
        self.image_size, self.power = image_size, power


class Eye:
    def __init__(self, image_size: int, *, lens: Lens = "thin"):
        self.lens = lens


@hookimpl
def palsykit_register_lenses(register):
    register("thin", "optics:Thin")
    register("broken", "optics:NotThere")


@hookimpl
def palsykit_register_networks(register):
    register("eye", "optics:Eye")
'''

SCRIPT = """
import importlib.util, sys
from pathlib import Path

source = importlib.util.find_spec("palsykit").submodule_search_locations[0] + "/hookspecs.py"
text = Path(source).read_text().replace("TABLE = (\\n", "TABLE = (\\n" + sys.argv[1], 1)
spec = importlib.util.spec_from_loader("palsykit.hookspecs", loader=None)
module = sys.modules["palsykit.hookspecs"] = importlib.util.module_from_spec(spec)
exec(compile(text, source, "exec"), vars(module))

from palsykit.recipe import RecipeError, build_part, load_recipe
from palsykit.recipe.schema import PartBlock
from palsykit.registry import registry
from palsykit.testing import check

assert registry().names("lenses") == ["broken", "thin"], registry().broken
lens = build_part("lenses", PartBlock(use="thin", parameters={"power": 2}), 32)
assert (lens.image_size, lens.power) == (32, 2.0)

path = Path("r.yaml")
path.write_text("{data: face_space, synthesiser: copy, networks: {eye: {use: eye, lens: {use: thin, power: 3}}}}")
eye = load_recipe(path).settings.networks["eye"]
assert build_part("networks", eye, 32).lens.power == 3.0
try:
    load_recipe(path, ["networks.eye.lens={use: thin, pwer: 3}"])
except RecipeError as error:
    print(error)
print([str(result) for result in check("lens", "thin", power=4)])
"""


def test_a_row_makes_hook_checks_and_parts(tmp_path: Path) -> None:
    (tmp_path / "optics.py").write_text(OPTICS)
    info = tmp_path / "optics-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: optics\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[palsykit]\noptics = optics\n")
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, '.')\n{SCRIPT}", ROW]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "networks.eye.lens.pwer: found an unknown key, expected one of use, power" in ran.stdout
    assert "is built" in ran.stdout


def test_every_row_says_where_a_recipe_names_it() -> None:
    for row in hookspecs.TABLE:
        assert row.section or row.where, row.name
        assert row.protocols or row.also or row.gives, row.name
