"""All weights come from one command: each stage reads what those before it wrote; a share runs all of it in short."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from palsykit.recipe import load_recipe
from palsykit.recipe.merge import read_extended

ROOT = Path(__file__).parents[2]
TINY = Path(__file__).parents[1] / "run" / "tiny.yaml"
NETWORKS = ("recognition", "expression", "points")
METRICS = ("ssim", "identity", "landmark_error", "afid")


@pytest.fixture(scope="module")
def tool(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("tools/make_weights.py")


def changed(tool: ModuleType, recipe: str, share: float, made: Path) -> dict[str, str]:
    tree = read_extended(ROOT / "recipes" / f"{recipe}.yaml").value
    return dict(change.split("=", 1) for change in tool.changes(tree, share, made))


def test_whole_command_changes_no_recipe(tool: ModuleType) -> None:
    assert all(changed(tool, stage.recipe, 1, tool.SHIPPED) == {} for stage in tool.STAGES)


def test_every_file_that_ships_is_made(tool: ModuleType) -> None:
    made = set()
    for stage in tool.STAGES:
        tree = read_extended(ROOT / "recipes" / f"{stage.recipe}.yaml").value
        made |= {name for name, block in tree["networks"].items() if block and block["weights"] is None}
        made |= {stage.model} if "denoiser" in tree else set()
    assert made == {file.stem for file in tool.SHIPPED.glob("*.safetensors")}


def test_a_share_takes_its_part_of_steps_and_people(tool: ModuleType, tmp_path: Path) -> None:
    found = changed(tool, "networks-256", 0.1, tmp_path)
    assert found["fits.0.steps"] == "100"
    assert found["fits.2.data.parts.rendered.identities"] == found["data.identities"] == "120"
    for stage in tool.STAGES:  # and it is a recipe
        path = ROOT / "recipes" / f"{stage.recipe}.yaml"
        load_recipe(path, tool.changes(read_extended(path).value, 0.001, tmp_path))


def test_weights_of_earlier_stages_are_read(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "points_256.safetensors").touch()
    assert changed(tool, "base-256", 1, tmp_path) == {
        "networks.points.weights": str(tmp_path / "points_256.safetensors")
    }


def test_stages_run_one_after_another(tool: ModuleType, tmp_path: Path) -> None:
    """The second stage's networks are as small as the first one's, so that the shipped ones would not fit into them."""
    rest = "train: {steps: 4}\ngenerate: {identities: 1}\nmetrics:\n" + "".join(f"  {name}: null\n" for name in METRICS)
    made = "".join(f"  {name}: {{weights: palsykit_weights:{name}.safetensors}}\n" for name in NETWORKS)
    (tmp_path / "first.yaml").write_text(f"extends: {TINY}\n{rest}")
    (tmp_path / "second.yaml").write_text(f"extends: {TINY}\nfits: []\nnetworks:\n{made}{rest}")
    to, runs = tmp_path / "weights", tmp_path / "runs"
    stages = (tool.Stage("first"), tool.Stage("second", "small"))
    tool.make(0.5, to, runs, stages, tmp_path)
    assert {"points.safetensors", "small.safetensors", "small.md"} <= {file.name for file in to.iterdir()}
    used = yaml.safe_load((runs / "second" / "recipe.yaml").read_text())["networks"]["points"]["weights"]
    assert used == str(to / "points.safetensors")


def test_weights_of_no_use_do_not_replace_those_that_ship(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["make_weights.py", "--share", "0.1"])
    with pytest.raises(SystemExit, match="2"):
        tool.main()
    assert "--to" in capsys.readouterr().err
