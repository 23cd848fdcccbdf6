"""Every part of palsykit meets the contract that third parties must meet."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from palsykit.registry import Entry, registry
from palsykit.testing import examine

FACES = {"use": "face_space", "identities": 1, "validation": 1, "test": 1, "renders": 2}
SMALL = {
    ("datasets", "face_space"): {"identities": 1, "validation": 1, "test": 1, "renders": 2},
    ("datasets", "joined"): {"parts": {"one": FACES, "other": {**FACES, "seed": 1}}},
    ("networks", "ir"): {"depth": 18, "width": 0.125, "embedding": 16},
    ("networks", "mobilefacenet"): {"width": 0.25},
    ("denoisers", "unet"): {"channels": [8, 16], "attention_at": [16], "head_channels": 8},
    ("fusions", "cross"): {"width": 16, "output": 16, "heads": 2},
    ("samplers", "ddpm"): {"steps": 50},
}
"""Keys that make a part small; the others are quick with their defaults."""

ELSEWHERE = {
    "aflfp",
    "folder",
    "meei",
    "webmorph",
    "simulated",
    "insightface",
    "open_clip",
    "transformers",
    "arcface_onnx",
    "lpips",
    "autoencoder",
    "pretrained_unet",
    "pretrained_dit",
    "inception",
}
"""Parts that need files; their own tests have these."""

OURS = [entry for entry in registry().entries.values() if entry.distribution == "palsykit"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Six pictures of three people as an imagefolder."""
    rows = []
    for number in range(6):
        Image.fromarray(np.full((40, 40, 3), 40 * number, np.uint8)).save(tmp_path / f"{number}.png")
        rows.append({"file_name": f"{number}.png", "subject": f"s{number % 3}"})
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


@pytest.mark.parametrize("entry", OURS, ids=lambda entry: f"{entry.interface}-{entry.name}")
def test_it_meets_its_contract(entry: Entry, request: pytest.FixtureRequest) -> None:
    keys = dict(SMALL.get((entry.interface, entry.name), {}))
    if entry.name == "imagefolder":
        keys["root"] = str(request.getfixturevalue("photographs"))
    results = examine(entry, keys)
    assert [str(result) for result in results if result.state == "failed"] == []
    if entry.name not in ELSEWHERE:
        unmade = [result for result in results if result.state == "not checked"]
        assert all("cannot run here" in r.expected or "only shapes are known" in r.expected for r in unmade), unmade


@pytest.mark.parametrize("name", sorted(registry().commands))
def test_a_command_keeps_its_contract(name: str) -> None:
    assert {str(result): result.state for result in examine(registry().commands[name])} == dict.fromkeys(
        (
            "is loaded",
            "typer reads its parameters",
            "has help",
            "--help works and imports nothing heavy",
        ),
        "passed",
    )


def test_there_are_parts_of_every_interface() -> None:
    from palsykit.hookspecs import INTERFACES

    assert {entry.interface for entry in OURS} == set(INTERFACES)
