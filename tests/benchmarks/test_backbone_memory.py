"""Counted memory: an adapter needs less than the whole model, and a picture less with checkpointing."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from palsykit_pretrained.layouts import UNET

TINY: dict[str, Any] = {"block_out_channels": (8, 8), "norm_num_groups": 4, "layers_per_block": 1, "sample_size": 8}
BLOCKS = {
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
}


def test_backbone_memory(script: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    module = script("benchmarks/backbone_memory.py")
    keys = {**TINY, **BLOCKS, "cross_attention_dim": 16, "attention_head_dim": 2}
    monkeypatch.setattr(module, "MODELS", {"tiny": (UNet2DConditionModel, keys, UNET)})
    module.main(["--side", "8"])
    *lines, last = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 6
    rows = {(row["train"], row["checkpointing"]): row for row in json.loads(last)["rows"]}
    whole, adapter = rows["all", False], rows["lora 16", False]
    assert whole["trained"] == whole["parameters"]
    assert adapter["trained"] < whole["trained"]
    assert whole["fixed_gb"] * 1e9 >= 20 * whole["parameters"], "weights, EMA, gradients and two moments, 4 bytes each"
    assert 0 < rows["all", True]["picture_gb"] < whole["picture_gb"]
    side, first = 8, 8
    assert whole["picture_gb"] * 1e9 > 2 * side**2 * first, "at least what the first convolution gives, in bf16"


def test_the_recipe_takes_its_steps_on_a_backbone_of_these_shapes(script: Any, tmp_path: Path) -> None:
    module = script("benchmarks/backbone_memory.py")
    home = module.random_backbone(tmp_path, small=True)
    found = module.measure(home, "lora 16", True, 2, ["image_size=256"])
    assert found["seconds"] > 0
    assert (found["measured_gb"] > 0) == torch.cuda.is_available()
