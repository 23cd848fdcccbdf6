"""Models of transformers, saved here as the library saves them, small and with random weights."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

transformers = pytest.importorskip("transformers", reason="transformers is not installed: pip install transformers")

from palsykit.errors import PalsykitError  # noqa: E402
from palsykit.faces.classes import EXPRESSION_CLASSES  # noqa: E402
from palsykit.recipe.build import build_part  # noqa: E402
from palsykit.recipe.schema import PartBlock  # noqa: E402
from palsykit.registry import registry  # noqa: E402
from palsykit.testing import examine  # noqa: E402

TINY = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
PICTURES = {"image_size": 32, "patch_size": 8}
LABELS = {0: "Neutral", 1: "happy", 2: "surprise", 3: "contempt"}
MEAN, STD = [0.48, 0.46, 0.41], [0.27, 0.26, 0.28]


def clip_config() -> Any:
    text = {**TINY, "vocab_size": 20, "max_position_embeddings": 4, "bos_token_id": 0, "eos_token_id": 1}
    return transformers.CLIPConfig(text_config=text, vision_config={**TINY, **PICTURES}, projection_dim=12)


def siglip_config() -> Any:
    text = {**TINY, "vocab_size": 20, "max_position_embeddings": 4, "bos_token_id": 0, "eos_token_id": 1}
    return transformers.SiglipConfig(text_config=text, vision_config={**TINY, **PICTURES})


def labelled() -> dict[str, Any]:
    return {"id2label": LABELS, "label2id": {name: number for number, name in LABELS.items()}}


MODELS: dict[str, Callable[[], Any]] = {
    "clip": lambda: transformers.CLIPModel(clip_config()),
    "clip_vision": lambda: transformers.CLIPVisionModelWithProjection(clip_config().vision_config),
    "clip_classifier": lambda: transformers.CLIPForImageClassification(clip_config()),
    "siglip": lambda: transformers.SiglipModel(siglip_config()),
    "dinov2": lambda: transformers.Dinov2Model(transformers.Dinov2Config(**TINY, **PICTURES)),
    "registers": lambda: transformers.Dinov2WithRegistersModel(
        transformers.Dinov2WithRegistersConfig(**TINY, **PICTURES, num_register_tokens=4)
    ),
    "vit": lambda: transformers.ViTForImageClassification(transformers.ViTConfig(**TINY, **PICTURES, **labelled())),
    "swin": lambda: transformers.SwinModel(
        transformers.SwinConfig(
            image_size=32, patch_size=2, embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=4
        )
    ),
    "convnext": lambda: transformers.ConvNextForImageClassification(
        transformers.ConvNextConfig(hidden_sizes=[8, 8, 8, 16], depths=[1, 1, 1, 1], num_labels=4)
    ),
}
SHAPES = {  # map, embedding
    "clip": ((16, 4, 4), 12),
    "clip_vision": ((16, 4, 4), 512),
    "clip_classifier": ((16, 4, 4), 16),
    "siglip": ((16, 4, 4), 16),
    "dinov2": ((16, 4, 4), 16),
    "registers": ((16, 4, 4), 16),
    "vit": ((16, 4, 4), 16),
    "swin": ((16, 8, 8), 16),
    "convnext": ((16, 1, 1), 16),
}


def processor(kind: str) -> dict[str, Any]:
    """preprocessor_config.json as these models have it."""
    common = {"do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}
    common |= {"image_mean": MEAN, "image_std": STD, "resample": 3}
    if kind.startswith("clip"):
        crop = {"do_center_crop": True, "crop_size": {"height": 32, "width": 32}, "size": {"shortest_edge": 32}}
        return {**common, **crop, "image_processor_type": "CLIPImageProcessor"}
    if kind in ("dinov2", "registers"):
        crop = {"do_center_crop": True, "crop_size": {"height": 32, "width": 32}, "size": {"shortest_edge": 40}}
        return {**common, **crop, "image_processor_type": "BitImageProcessor"}
    if kind == "convnext":
        return {
            **common,
            "size": {"shortest_edge": 32},
            "crop_pct": 0.8,
            "image_processor_type": "ConvNextImageProcessor",
        }
    return {**common, "size": {"height": 32, "width": 32}, "image_processor_type": "ViTImageProcessor"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of a kind of model, written when first asked for."""
    base = tmp_path_factory.mktemp("models")

    def folder(kind: str) -> Path:
        if not (base / kind).exists():
            torch.manual_seed(0)
            MODELS[kind]().save_pretrained(base / kind)
            (base / kind / "preprocessor_config.json").write_text(json.dumps(processor(kind)))
        return base / kind

    return folder


def network(folder: Path, size: int = 48, **keys: Any) -> Any:
    """As a recipe builds it."""
    return build_part("networks", PartBlock(use="transformers", parameters={"weights": str(folder), **keys}), size)


def photograph(side: int = 48) -> np.ndarray:
    y, x = np.mgrid[:side, :side] / side
    return np.uint8(127.5 + 127 * np.stack([np.sin(9 * x + y), np.cos(7 * y), np.sin(5 * x * y)], -1))


def as_image(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1


@pytest.mark.parametrize("kind", MODELS)
def test_map_and_embedding_are_what_the_library_gives(kind: str, folders: Callable[[str], Path]) -> None:
    built = network(folders(kind))
    found = built(as_image(photograph()))
    assert (built.map_shape, built.embedding_width) == SHAPES[kind]
    assert (tuple(found.map.shape[1:]), found.embedding.shape[1]) == SHAPES[kind]
    model = MODELS[kind]().from_pretrained(folders(kind)).eval()
    pixels = transformers.AutoImageProcessor.from_pretrained(folders(kind), backend="pil")
    pixels = pixels(Image.fromarray(photograph()), return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        expected = model.get_image_features(pixels) if kind in ("clip", "siglip") else model(pixels)
    # the library's pixels are rounded to 8 bits once more
    close = {"atol": 0.05, "rtol": 0.05}
    if kind == "clip_vision":
        torch.testing.assert_close(found.embedding, expected.image_embeds, **close)
    elif "logits" in expected:
        torch.testing.assert_close(found.logits["labels"], expected.logits, **close)
    else:
        torch.testing.assert_close(found.embedding, expected.pooler_output, **close)
    if "last_hidden_state" in expected and expected.last_hidden_state.ndim == 3:
        patches = found.map.flatten(2).transpose(1, 2)
        torch.testing.assert_close(patches, expected.last_hidden_state[:, -patches.shape[1] :], **close)


def test_a_text_tower_is_let_go(folders: Callable[[str], Path]) -> None:
    names = set(network(folders("clip")).state_dict())
    assert any("vision_model" in name for name in names)
    assert not any("text" in name for name in names)


def test_labels_become_expressions(folders: Callable[[str], Path]) -> None:
    meaning = {"neutral": "rest", "happy": "big smile", "surprise": "rest"}
    found = network(folders("vit"), expressions=meaning)(as_image(photograph())).logits
    share, labels = found["expression"].softmax(-1)[0], found["labels"][0, :3].softmax(-1)
    expected = torch.zeros(8)
    expected[EXPRESSION_CLASSES.index("rest")] = labels[0] + labels[2]
    expected[EXPRESSION_CLASSES.index("smile_full")] = labels[1]
    torch.testing.assert_close(share, expected)
    assert bool(torch.isfinite(found["expression"]).all())
    assert set(network(folders("vit"))(as_image(photograph())).logits) == {"labels"}


def test_unknown_labels_and_expressions_are_refused(folders: Callable[[str], Path]) -> None:
    with pytest.raises(PalsykitError, match=r"no label joy; the model's are neutral, happy, surprise, contempt"):
        network(folders("vit"), expressions={"joy": "smile_full"})
    with pytest.raises(PalsykitError, match=r"unknown expression 'grin'; expected one of rest"):
        network(folders("vit"), expressions={"happy": "grin"})
    with pytest.raises(PalsykitError, match="Dinov2Model has no classifier"):
        network(folders("dinov2"), expressions={"happy": "smile_full"})


@pytest.mark.parametrize("kind", ["clip", "dinov2", "vit"])
def test_it_keeps_the_contract_of_networks(kind: str, folders: Callable[[str], Path]) -> None:
    keys: dict[str, Any] = {"weights": str(folders(kind))}
    if kind == "vit":
        keys["expressions"] = {"happy": "smile_full", "neutral": "rest"}
    results = examine(registry().get("networks", "transformers"), keys)
    assert [str(result) for result in results if result.state == "failed"] == []
    assert sum(result.state == "passed" for result in results) >= 6


def test_a_layer_that_was_published_without_weights(folders: Callable[[str], Path], tmp_path: Path) -> None:
    model = transformers.ViTModel(transformers.ViTConfig(**TINY, **PICTURES), add_pooling_layer=False)
    model.save_pretrained(tmp_path)
    shutil.copy(folders("vit") / "preprocessor_config.json", tmp_path)
    built = network(tmp_path)
    image = as_image(photograph())
    with torch.no_grad():
        token = model.eval()(built.preprocessing(image)).last_hidden_state[:, 0]
    torch.testing.assert_close(built(image).embedding, token)


def test_missing_files_are_named_before_the_library_reads(folders: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(PalsykitError, match=r"no config\.json and no model\.safetensors .*hf download OWNER/MODEL"):
        network(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK")
    shutil.copy(folders("vit") / "config.json", tmp_path)
    with pytest.raises(PalsykitError, match=r"no model\.safetensors .*pickled weights are not read"):
        network(tmp_path)
    shutil.copy(folders("vit") / "model.safetensors", tmp_path)
    with pytest.raises(PalsykitError, match=r"no preprocessor_config\.json among"):
        network(tmp_path)


def test_weights_of_another_model_are_refused(folders: Callable[[str], Path], tmp_path: Path) -> None:
    shutil.copytree(folders("vit"), tmp_path, dirs_exist_ok=True)
    shutil.copy(folders("dinov2") / "model.safetensors", tmp_path)
    with pytest.raises(PalsykitError, match=r"weights are not those of its config\.json: missing .*"):
        network(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(PalsykitError, match=r"transformers cannot load it \(SafetensorError"):
        network(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"resample": 1}, r"resample 1 is not reproduced"),
        ({"size": {"height": 32, "width": 24}}, r"expected one side of a square"),
        ({"do_resize": False}, r"no size and no crop_size"),
    ],
)
def test_preprocessing_that_is_not_reproduced(
    change: dict[str, Any], words: str, folders: Callable[[str], Path], tmp_path: Path
) -> None:
    shutil.copytree(folders("vit"), tmp_path, dirs_exist_ok=True)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**processor("vit"), **change}))
    with pytest.raises(PalsykitError, match=words):
        network(tmp_path)


def test_loading_says_the_licence_and_nothing_else(
    folders: Callable[[str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folders("clip_vision"), tmp_path, dirs_exist_ok=True)
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n")
    capfd.readouterr()
    network(tmp_path)
    assert capfd.readouterr().err == f"transformers weights {tmp_path.name}: licence mit (README.md)\n"


def test_a_missing_library_names_the_installation(
    folders: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folders("vit")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(PalsykitError, match=r"pip install 'palsykit\[transformers\]'"):
        network(folder)
