"""What the tests of this folder share beside a finished run, which they look at from all sides."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def _alike(one_thread: None, one_cache: None) -> None:
    """Every run of this folder computes as the finished one did."""


def weights(folder: Path) -> dict[str, bytes]:
    """Every weights file of a run's model folder, by its name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted((folder / "model").rglob("*.safetensors"))}


@pytest.fixture(scope="session")
def weights_of() -> Callable[[Path], dict[str, bytes]]:
    return weights
