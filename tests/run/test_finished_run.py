"""What a finished run leaves: every file, whole and as other tools read it."""

import csv
import json
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from PIL import Image

from palsykit.faces.vocabulary import EXPRESSIONS
from palsykit.files.pictures import read_png
from palsykit.files.weights import load
from palsykit.recipe import Recipe, load_recipe
from palsykit.run.folder import STAGES, RunFolder

FILES = {
    "MODEL_CARD.md",
    "checkpoints/train/step-000002/ema.safetensors",
    "checkpoints/train/step-000002/manifest.json",
    "checkpoints/train/step-000002/model.safetensors",
    "checkpoints/train/step-000002/optimiser.safetensors",
    "checkpoints/train/step-000002/state.json",
    "data.json",
    "images/README.md",
    "images/metadata.jsonl",
    "log.jsonl",
    "manifest.json",
    "metrics.csv",
    "metrics.json",
    "provenance.json",
    "model/conditioning.safetensors",
    "model/networks/expression.safetensors",
    "model/networks/points.safetensors",
    "model/networks/recognition.safetensors",
    "model/scheduler/scheduler_config.json",
    "model/unet/config.json",
    "model/unet/diffusion_pytorch_model.safetensors",
    "recipe.yaml",
    "report.html",
    "state.json",
}
PICTURES = 2 * len(EXPRESSIONS)


def test_every_file_and_none_besides(finished: RunFolder) -> None:
    found = {str(path.relative_to(finished.path)) for path in finished.path.rglob("*") if path.is_file()}
    pictures = {name for name in found if name.endswith(".png")}
    assert found - pictures == FILES
    assert len(pictures) == 2 * PICTURES, "each synthesised, and synthesised again for aFID"


def test_datasets_reads_its_pictures_as_the_split_that_they_are_of(finished: RunFolder, load_dataset: Any) -> None:
    found = load_dataset(finished.images)
    assert list(found) == ["test"], "a picture's name may say train"
    lines = [json.loads(line) for line in (finished.images / "metadata.jsonl").read_text().splitlines()]
    assert found["test"]["seed"] == [line["seed"] for line in lines]
    assert np.array_equal(found["test"][1]["image"], read_png(finished.images / lines[1]["file_name"]))


def test_every_file_is_safetensors_json_text_or_a_picture(finished: RunFolder) -> None:
    """So none is a pickle: each is read to its end as what its name says."""
    for path in finished.path.rglob("*"):
        if path.suffix == ".safetensors":
            assert load(path)[0]
        elif path.suffix == ".png":
            assert read_png(path).any()
        elif path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.is_file():
            assert "\0" not in path.read_text(encoding="utf-8")


def test_the_state_tells_of_every_stage(finished: RunFolder, tiny: Callable[..., Recipe]) -> None:
    state = finished.state()
    assert tuple(state["stages"]) == STAGES
    assert state["recipe_hash"] == tiny().hash
    assert {name: finished.facts("fit")[name] for name in ("recognition", "expression", "points")} == {
        "recognition": 2,
        "expression": 3,
        "points": 2,
    }
    assert finished.facts("train")["steps"] == 4


def test_the_provenance_names_every_stage_and_every_plugin_and_stands_in_the_report_and_card(
    finished: RunFolder,
) -> None:
    text = finished.provenance.read_text(encoding="utf-8")
    (entry,) = json.loads(text)
    assert tuple(entry["stages"]) == STAGES
    assert {"face_space", "cross_fusion", "unet", "schedulers", "metrics"} <= set(entry["plugins"])
    assert str(finished.path) not in text
    for page in (finished.report, finished.path / "MODEL_CARD.md"):
        shown = page.read_text(encoding="utf-8")
        assert entry["machine"] in shown
        assert all(f"{name} {plugin['sha256'][:12]}" in shown for name, plugin in entry["plugins"].items())


def test_the_saved_recipe_is_the_one_that_ran(finished: RunFolder, tiny: Callable[..., Recipe]) -> None:
    kept = load_recipe(finished.recipe)
    assert kept.hash == tiny().hash
    assert kept.resolved == tiny().resolved


def test_the_log_has_every_step_once(finished: RunFolder) -> None:
    lines = [json.loads(line) for line in (finished.path / "log.jsonl").read_text().splitlines()]
    steps = [(line["job"], line["step"]) for line in lines]
    fits = [("fit-recognition", 2), ("fit-expression", 3), ("fit-points", 2)]
    assert steps == fits + [("train", step) for step in (1, 2, 3, 4)]
    assert all(math.isfinite(line["loss"]) and line["lr"] > 0 for line in lines)
    passes = {"noise", "identity", "landmark"}
    assert set(lines[-1]["terms"]) == passes | {f"cycle_{name}" for name in passes}


def test_pictures_are_an_imagefolder(finished: RunFolder) -> None:
    lines = [json.loads(line) for line in (finished.images / "metadata.jsonl").read_text().splitlines()]
    assert len(lines) == PICTURES
    for line in lines:
        with Image.open(finished.images / line["file_name"]) as picture:
            assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (32, 32))
        assert line["synthetic"] is True
        assert line["landmarks"] == "given"
        assert line["identity"] != line["driver"]
    assert len({line["subject"] for line in lines}) == 2
    assert [line["expression"] for line in lines] == 2 * list(EXPRESSIONS)
    assert len({line["seed"] for line in lines}) == PICTURES
    assert len({(finished.images / line["file_name"]).read_bytes() for line in lines}) == PICTURES


def test_diffusers_reads_the_unet_and_the_scheduler(finished: RunFolder, tiny: Callable[..., Recipe]) -> None:
    unet, report = UNet2DConditionModel.from_pretrained(finished.model / "unet", output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    tokens, pooled = torch.zeros(1, 12, 16), torch.zeros(1, 16)
    assert unet(torch.zeros(1, 3, 32, 32), 5, tokens, class_labels=pooled).sample.shape == (1, 3, 32, 32)
    config = DDPMScheduler.from_pretrained(finished.model / "scheduler").config
    assert (config.beta_schedule, config.prediction_type) == ("squaredcos_cap_v2", "v_prediction")
    assert config.num_train_timesteps == 1000


def test_what_diffusers_does_not_know_is_beside_it(finished: RunFolder) -> None:
    state, _ = load(finished.model / "conditioning.safetensors")
    assert {key.split(".")[0] for key in state} == {"encoders", "fusion", "null_tokens", "null_pooled"}
    assert not any("network" in key for key in state), "shared networks are no part of the model"


def test_metrics_are_finite_and_explained(finished: RunFolder) -> None:
    written = json.loads(finished.metrics.read_text())
    similarity = {"identity_similarity", "identity_similarity_to_target"}
    assert set(written["metrics"]) == {"psnr", "ssim", "landmark_error", "afid/self2", *similarity}
    for name, value in written["metrics"].items():
        assert math.isfinite(value), name
        detail = written["details"][name]
        assert detail["count"] == PICTURES
        assert detail["card"]["definition"]
        if name == "afid/self2":
            assert detail["low"] is None
        else:
            assert detail["low"] <= value <= detail["high"]
    assert "NOT comparable with Inception" in written["details"]["afid/self2"]["card"]["source"]


def test_the_table_of_rows_averages_to_the_metrics(finished: RunFolder) -> None:
    with (finished.path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == PICTURES
    metrics = json.loads(finished.metrics.read_text())["metrics"]
    for name in ("psnr", "ssim", "landmark_error"):
        np.testing.assert_allclose(np.mean([float(row[name]) for row in rows]), metrics[name], rtol=1e-4)


def test_the_report_needs_nothing_else(finished: RunFolder) -> None:
    page = finished.report.read_text()
    tags = re.findall(r"<(?:link|img|script|iframe|source|object)\b[^>]*>", page)
    loaded = re.findall(r"""\b(?:src|srcset|href|data)\s*=\s*["']([^"']{0,80})""", " ".join(tags))
    assert len(loaded) == len(tags)
    assert sum(tag.startswith("<img") for tag in tags) > 5, "the figure and the curves"
    assert [address for address in loaded if not address.startswith("data:")] == []
    assert not re.search(r"@import|url\(\s*[\"']?(?!data:|#)", page)
    assert "cycle_landmark" in page, "loss curves"
    assert "timesteps: 1000" in page, "the resolved recipe"
    assert "Landmark error" in page or "landmark_error" in page


def test_the_card_says_what_the_model_is_not_for(finished: RunFolder) -> None:
    card = (finished.path / "MODEL_CARD.md").read_text()
    assert "diagnos" in card.split("## Not for")[1].split("##")[0]
    assert finished.state()["recipe_hash"] in card
    assert "4 steps of batch 4 with the trainer cycle" in card
    assert "12 photographs of 4 people" in card
