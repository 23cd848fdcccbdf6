"""Image towers of open_clip, saved here as its models are published, small and with random weights."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

open_clip = pytest.importorskip("open_clip", reason="open_clip is not installed: pip install 'palsykit[clip]'")

from palsykit.errors import PalsykitError  # noqa: E402
from palsykit.recipe.build import build_part  # noqa: E402
from palsykit.recipe.schema import PartBlock  # noqa: E402
from palsykit.registry import registry  # noqa: E402
from palsykit.testing import examine  # noqa: E402

VIT = {"image_size": 32, "patch_size": 8, "width": 16, "layers": 2, "head_width": 8}
TEXT = {"context_length": 4, "vocab_size": 20, "width": 16, "heads": 2, "layers": 1}
TOWERS: dict[str, dict[str, Any]] = {
    "vit": VIT,
    "mean": {**VIT, "pool_type": "avg", "final_ln_after_pool": True},
    "attention": {**VIT, "attentional_pool": True, "attn_pooler_queries": 4, "attn_pooler_heads": 2},
    "resnet": {"image_size": 64, "width": 8, "layers": [1, 1, 1, 1], "head_width": 8},
    "timm": {"image_size": 32, "timm_model_name": "resnet10t", "timm_pool": "avg", "timm_proj": "linear"},
}
SHAPES = {
    "vit": (16, 4, 4),
    "mean": (16, 4, 4),
    "attention": (16, 4, 4),
    "resnet": (256, 2, 2),
    "timm": (512, 1, 1),
}
PREPROCESS = {"mean": [0.5, 0.45, 0.4], "std": [0.3, 0.25, 0.2], "interpolation": "bilinear", "resize_mode": "squash"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of a kind of tower, written when first asked for."""
    base = tmp_path_factory.mktemp("models")

    def folder(kind: str) -> Path:
        if not (base / kind).exists():
            (base / kind).mkdir()
            torch.manual_seed(0)
            config = {"embed_dim": 12, "vision_cfg": TOWERS[kind], "text_cfg": TEXT, "quick_gelu": kind == "vit"}
            written = {"model_cfg": config, "preprocess_cfg": PREPROCESS}
            (base / kind / "open_clip_config.json").write_text(json.dumps(written))
            state = open_clip.create_model(f"local-dir:{base / kind}").state_dict()
            save_file(
                {name: value.contiguous() for name, value in state.items()}, base / kind / "open_clip_model.safetensors"
            )
        return base / kind

    return folder


def network(weights: Path, size: int = 48, **keys: Any) -> Any:
    """As a recipe builds it."""
    return build_part("networks", PartBlock(use="open_clip", parameters={"weights": str(weights), **keys}), size)


def photograph(side: int = 48) -> np.ndarray:
    y, x = np.mgrid[:side, :side] / side
    return np.uint8(127.5 + 127 * np.stack([np.sin(9 * x + y), np.cos(7 * y), np.sin(5 * x * y)], -1))


def as_image(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1


@pytest.mark.parametrize("kind", TOWERS)
def test_the_embedding_is_the_librarys(kind: str, folders: Callable[[str], Path]) -> None:
    built = network(folders(kind))
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folders(kind)}")
    image = as_image(photograph())
    pixels = preprocess(Image.fromarray(photograph()))[None]
    # the library's pixels are rounded to 8 bits once more
    torch.testing.assert_close(built.preprocessing(image), pixels, atol=0.02, rtol=0)
    found = built(image)
    with torch.no_grad():
        same = model.eval().encode_image(built.preprocessing(image))
    torch.testing.assert_close(found.embedding, same)
    assert (built.map_shape, built.embedding_width) == (SHAPES[kind], 12)
    assert tuple(found.map.shape) == (1, *SHAPES[kind])


def test_the_map_is_the_patches_that_the_tower_pools(folders: Callable[[str], Path]) -> None:
    built = network(folders("vit"))
    image = as_image(photograph())
    built.tower.output_tokens = True
    _, tokens = built.tower(built.preprocessing(image))
    torch.testing.assert_close(built(image).map.flatten(2).transpose(1, 2), tokens)


@pytest.mark.parametrize("kind", ["vit", "resnet"])
def test_it_keeps_the_contract_of_networks(kind: str, folders: Callable[[str], Path]) -> None:
    results = examine(registry().get("networks", "open_clip"), {"weights": str(folders(kind))})
    assert [str(result) for result in results if result.state == "failed"] == []
    assert sum(result.state == "passed" for result in results) >= 6


def test_only_the_image_tower_is_there(folders: Callable[[str], Path]) -> None:
    assert all(name.startswith("tower.") for name in network(folders("vit")).state_dict())
    assert not any("token_embedding" in name for name in network(folders("vit")).state_dict())


def test_a_file_alone_with_a_configuration_by_name(folders: Callable[[str], Path], tmp_path: Path) -> None:
    config = tmp_path / "tiny-test-tower.json"
    config.write_text(json.dumps({"embed_dim": 12, "vision_cfg": VIT, "text_cfg": TEXT, "quick_gelu": True}))
    open_clip.add_model_config(config)
    file = tmp_path / "weights" / "mine.safetensors"
    file.parent.mkdir()
    file.write_bytes((folders("vit") / "open_clip_model.safetensors").read_bytes())
    with pytest.raises(PalsykitError, match=r"no open_clip_config\.json beside mine\.safetensors and no key model"):
        network(file)
    with pytest.raises(PalsykitError, match=r"no model 'ViT-Z'; .*such as ViT-B-32"):
        network(file, model="ViT-Z")
    built = network(file, model="tiny-test-tower")
    assert built.preprocessing.mean == open_clip.OPENAI_DATASET_MEAN
    assert built.preprocessing.interpolation == "bicubic"


def test_a_folder_may_hold_the_same_model_in_another_naming(folders: Callable[[str], Path], tmp_path: Path) -> None:
    for name in ("open_clip_config.json", "open_clip_model.safetensors"):
        (tmp_path / name).write_bytes((folders("vit") / name).read_bytes())
    save_file({"vision_model.embeddings.class_embedding": torch.zeros(2)}, tmp_path / "model.safetensors")
    assert network(tmp_path).embedding_width == 12
    (tmp_path / "open_clip_model.safetensors").unlink()
    with pytest.raises(
        PalsykitError, match=r"image tower \(visual\.\*\) among model\.safetensors, .*use: transformers"
    ):
        network(tmp_path)


def test_pickles_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "open_clip_pytorch_model.bin").write_bytes(b"PK")
    with pytest.raises(PalsykitError, match=r"pickled \.bin and \.pt are not read"):
        network(tmp_path)
    with pytest.raises(PalsykitError, match=r"pickled \.bin and \.pt are not read"):
        network(tmp_path / "open_clip_pytorch_model.bin")


def test_weights_of_another_configuration(folders: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes((folders("vit") / "open_clip_model.safetensors").read_bytes())
    config = json.loads((folders("vit") / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"] = {**VIT, "layers": 3}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(PalsykitError, match=r"not the image tower of open_clip_config\.json: missing: transformer"):
        network(tmp_path)
    config["model_cfg"]["vision_cfg"] = {**VIT, "petals": 3}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(PalsykitError, match=r"cannot build an image tower .*petals"):
        network(tmp_path)
    (tmp_path / "open_clip_config.json").write_text("{}")
    with pytest.raises(PalsykitError, match=r"model_cfg"):
        network(tmp_path)


def test_a_missing_library_names_the_installation(
    folders: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folders("vit")
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(PalsykitError, match=r"pip install 'palsykit\[clip\]'"):
        network(folder)
