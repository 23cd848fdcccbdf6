"""A whole run on other libraries' networks: transformers conditions it, ArcFace of a pack judges it."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from palsykit import load
from palsykit.recipe import Recipe
from palsykit.run import run_recipe

transformers = pytest.importorskip("transformers", reason="not installed: pip install 'palsykit[transformers]'")
onnx = pytest.importorskip("onnx", reason="not installed: pip install 'palsykit[insightface]'")
pytest.importorskip("insightface", reason="not installed: pip install 'palsykit[insightface]'")

TINY = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
LABELS = {0: "neutral", 1: "happy"}


def vit(folder: Path) -> Path:
    """A classifier of two expressions as save_pretrained writes it, with random weights."""
    torch.manual_seed(0)
    labels = {"id2label": LABELS, "label2id": {name: number for number, name in LABELS.items()}}
    config = transformers.ViTConfig(**TINY, image_size=32, patch_size=8, **labels)
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    settings = {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}, "do_resize": True}
    settings |= {"do_rescale": True, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps({**settings, "rescale_factor": 1 / 255, "resample": 2}))
    return folder


def arcface(folder: Path) -> Path:
    """A pack with a recognition model of the published kind's inputs and outputs."""
    matrix = np.random.default_rng(0).standard_normal((3 * 49, 32)).astype(np.float32)
    of = onnx.numpy_helper.from_array
    held = [of(matrix, "matrix"), of(np.array([0, -1], np.int64), "rows")]
    make = onnx.helper.make_node
    nodes = [
        make("AveragePool", ["input.1"], ["fields"], kernel_shape=[16, 16], strides=[16, 16]),
        make("Reshape", ["fields", "rows"], ["flat"]),
        make("MatMul", ["flat", "matrix"], ["683"]),
    ]
    values = [("input.1", [None, 3, 112, 112]), ("683", [None, 32])]
    given, made = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in values)
    graph = onnx.helper.make_graph(nodes, "tiny", [given], [made], held)
    folder.mkdir()
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(folder / "w600k_tiny.onnx"))
    return folder


def changes(**blocks: Any) -> list[str]:
    return [f"{key.replace('__', '.')}={json.dumps(value)}" for key, value in blocks.items()]


def test_it_is_conditioned_and_judged(tiny: Callable[..., Recipe], tmp_path: Path) -> None:
    faces = {"use": "transformers", "weights": str(vit(tmp_path / "vit")), "crop": "arcface"}
    judge = {"use": "arcface_onnx", "weights": str(arcface(tmp_path / "pack"))}
    recipe = tiny(
        *changes(
            networks__vit={**faces, "expressions": {"happy": "smile_full", "neutral": "rest"}},
            networks__judge=judge,
            conditions__identity={"use": "features", "source": "identity", "network": "judge", "tokens": "embedding"},
            conditions__expression={"use": "features", "source": "driver", "network": "vit", "grid": 2},
        ),
        *("conditions.identity.pooled=16", "conditions.identity.width=16", "conditions.expression.width=16"),
        *changes(
            metrics__identity={"use": "identity", "network": "judge"},
            metrics__afid={"use": "afid", "network": "judge"},
            metrics__expression={"use": "expression", "network": "vit"},
        ),
        "train.steps=2",
    )
    run_recipe(recipe, tmp_path / "run")
    figures = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert "this run's network 'judge'" in figures["details"]["afid/self2"]["card"]["source"]
    assert math.isfinite(figures["metrics"]["afid/self2"])
    assert 0 <= figures["metrics"]["expression_accuracy"] <= 1
    with (tmp_path / "run" / "metrics.csv").open() as file:
        similarities = [float(row["identity_similarity"]) for row in csv.DictReader(file)]
    assert all(math.isfinite(value) for value in similarities)
    assert len(similarities) > 0
    saved = {file.name for file in (tmp_path / "run" / "model" / "networks").glob("*.safetensors")}
    assert saved.isdisjoint({"vit.safetensors", "judge.safetensors"}), "what is read from a folder is not passed on"
    again = load(tmp_path / "run")
    assert again.parts.networks["judge"].embedding_width == 32
