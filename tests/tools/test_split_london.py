"""The split of the London set."""

import csv
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
INFO = ROOT.parent / "shared/data/london/info.csv"


def split_of() -> dict[str, str]:
    with (ROOT / "splits/london.csv").open(newline="") as file:
        return {row["subject"]: row["split"] for row in csv.DictReader(file)}


@pytest.fixture
def tool(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("tools/split_london.py")


def test_the_split_is_the_one_the_script_draws(tool: ModuleType) -> None:
    if not INFO.exists():
        pytest.skip(f"the London set's info.csv is not at {INFO}")
    assert tool.split(tool.read_groups(INFO)) == split_of()


def test_places_are_shared_in_proportion_and_no_group_is_emptied(tool: ModuleType) -> None:
    sizes = {("a", "x"): 40, ("a", "y"): 20, ("b", "x"): 17, ("b", "y"): 3}
    result = tool.shares(sizes, 16)
    assert sum(result.values()) == 16
    assert result[("a", "x")] == 8
    assert all(sizes[group] - taken >= 2 for group, taken in result.items())
