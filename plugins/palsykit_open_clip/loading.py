"""Load the image tower of an open_clip model from local files, which are checked before the library reads them."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from palsykit.errors import PalsykitError
from palsykit.files.weights import load, misfits
from palsykit.foreign.licence import say_licence

INSTALL = "pip install 'palsykit[clip]'"
CONFIG = "open_clip_config.json"
TOWER = "visual."
"""Prefix of the image tower's weights in all open_clip models."""


def tower(weights: Path, model: str | None) -> tuple[nn.Module, dict[str, Any]]:
    """(image tower, preprocessing settings) from a folder or a safetensors file; nothing is downloaded.

    Raises:
        PalsykitError: the library or a file is missing, or the weights do not match the configuration.
    """
    file = _weights(weights)
    try:
        import open_clip
        from open_clip.model import _build_vision_tower  # not the text tower, which might download files
        from open_clip.transform import PreprocessCfg, merge_preprocess_dict
    except ImportError as error:
        raise PalsykitError(f"network open_clip: {error}; {INSTALL}") from error
    # Build the tower from its configuration, without weights.
    config, overlay, source = _config(open_clip, file, model)
    vision = {**config["vision_cfg"], "timm_model_pretrained": False}
    settings = merge_preprocess_dict(asdict(PreprocessCfg()), overlay)
    try:
        built = _build_vision_tower(config["embed_dim"], vision, config.get("quick_gelu", False))
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise PalsykitError(
            f"{source}: open_clip cannot build an image tower from it ({error}); see open_clip's model configs"
        ) from error
    # Load the weights.
    state = {name.removeprefix(TOWER): value for name, value in load(file)[0].items() if name.startswith(TOWER)}
    _fill(built, state, file, source)
    say_licence("open_clip", file.parent)
    return built, {**settings, "size": built.image_size}


def _fill(built: nn.Module, state: dict[str, Tensor], file: Path, source: str) -> None:
    if problems := misfits(built.state_dict(), state):
        raise PalsykitError(f"{file}: not the image tower of {source}: {'; '.join(problems)}")
    built.load_state_dict(state, strict=True)


def _weights(path: Path) -> Path:
    """The safetensors file with open_clip's names. The folder may also hold the model with transformers' names."""
    files = [path] if path.is_file() else sorted(path.glob("*.safetensors"))
    fitting = [file for file in files if _has_tower(file)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(file.name for file in fitting)
        raise PalsykitError(f"{path}: found {len(fitting)} files of open_clip weights ({names}), expected one; name it")
    names = ", ".join(sorted(item.name for item in path.iterdir())[:8]) if path.is_dir() else path.name
    raise PalsykitError(
        f"{path}: no safetensors with open_clip's image tower ({TOWER}*) among {names or 'nothing'}; expected "
        "open_clip_model.safetensors, as in open_clip's models on Hugging Face (hf download OWNER/MODEL "
        "--local-dir FOLDER); pickled .bin and .pt are not read: torch.load them with weights_only=True and save them "
        "with safetensors.torch.save_file; for a folder with transformers' names, write use: transformers"
    )


def _has_tower(file: Path) -> bool:
    try:
        with safe_open(file, "pt") as opened:
            return any(name.startswith(TOWER) for name in opened.keys())  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError):
        return False


def _config(open_clip: Any, file: Path, model: str | None) -> tuple[dict[str, Any], dict[str, Any], str]:
    """(model configuration, preprocessing settings, their source): from the folder's file, or built into open_clip."""
    beside = file.parent / CONFIG
    if model is None and beside.is_file():
        try:
            settings = json.loads(beside.read_text(encoding="utf-8"))
            dict(settings["model_cfg"]["vision_cfg"], embed_dim=settings["model_cfg"]["embed_dim"])
        except (ValueError, KeyError, TypeError) as error:
            raise PalsykitError(
                f"{beside}: not open_clip's configuration ({error}); expected its key model_cfg"
            ) from error
        return settings["model_cfg"], settings.get("preprocess_cfg", {}), beside.name
    known = open_clip.list_models()
    if model not in known:
        what = f"no {CONFIG} beside {file.name} and no key model" if model is None else f"no model {model!r}"
        raise PalsykitError(
            f"{file.parent}: {what}; also download the configuration, or set model: NAME, one of "
            "open_clip.list_models(), such as ViT-B-32"
        )
    return open_clip.get_model_config(model), {}, f"open_clip's {model}"
