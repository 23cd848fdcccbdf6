"""diffusers' models from the user's disk: nothing is downloaded, and no pickle is read."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from palsykit.errors import PalsykitError
from palsykit.files import weights
from palsykit.foreign.licence import say_licence
from palsykit.foreign.quiet import quiet

CONFIG = "config.json"
STEM = "diffusion_pytorch_model"


def load(path: Path, classes: dict[str, Any], config: Path | None = None) -> nn.Module:
    """A model in float32, in eval mode.

    Args:
        path: a folder that ``save_pretrained`` wrote, the folder of a pipeline that contains it, or one .safetensors
            file: diffusers' weights, or a checkpoint that diffusers' ``from_single_file`` converts.
        classes: the classes to look for, by their name in ``_class_name`` of a configuration.
        config: for a file: the folder with the configuration, or a pipeline's folder; None: beside the file.

    Raises:
        PalsykitError: no such model is there, its weights are pickled, incomplete or of another model.
    """
    home, name = find(path if path.is_dir() else config or path.parent, classes, path)
    try:
        from diffusers.utils import logging

        with quiet(logging):
            model = _from_folder(home, classes[name]) if path.is_dir() else _from_file(path, home, classes[name])
    except (OSError, ValueError, RuntimeError, LookupError, TypeError) as error:
        files = ", ".join(sorted(item.name for item in home.iterdir())[:8])
        raise PalsykitError(
            f"{path}: diffusers cannot load the {name} in {home} ({type(error).__name__}: {_first_line(error)}); found "
            f"{files}; expected {STEM}.safetensors as save_pretrained writes it; pickled weights (.bin, .ckpt) are not "
            "read: convert them first, for example with diffusers' save_pretrained"
        ) from error
    say_licence("diffusers", path if path.is_dir() else path.parent)
    return model.eval()


def find(folder: Path, classes: dict[str, Any], asked: Path | None = None) -> tuple[Path, str]:
    """The folder itself or its one direct subfolder whose configuration names one of ``classes``; and the class's name.

    Raises:
        PalsykitError: there is none, or there are several.
    """
    wanted, asked = " or ".join(classes), asked or folder
    if (own := _class_of(folder)) in classes:
        return folder, own
    named = {sub: _class_of(sub) for sub in sorted(folder.iterdir()) if sub.is_dir()} if folder.is_dir() else {}
    found = [(sub, name) for sub, name in named.items() if name in classes]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(sub.name for sub, _ in found)
        raise PalsykitError(f"{asked}: several folders with {wanted}: {several}; name the folder of one of them")
    seen = ", ".join(f"{sub.name} ({name})" for sub, name in named.items() if name) or own or "no configuration"
    step = "" if asked.is_dir() else "; a file needs the folder with its configuration: give the key config"
    raise PalsykitError(f"{asked}: expected the {CONFIG} of {wanted} in {folder} or below it, found {seen}{step}")


def _class_of(folder: Path) -> str:
    """``_class_name`` of a folder's configuration; "" if there is none."""
    try:
        found = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(found.get("_class_name", "")) if isinstance(found, dict) else ""


def _from_folder(folder: Path, kind: Any) -> nn.Module:
    plain = [*folder.glob(f"{STEM}.safetensors"), *folder.glob(f"{STEM}.safetensors.index.json")]
    half = not plain and (folder / f"{STEM}.fp16.safetensors").is_file()
    model, report = kind.from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=True,
        torch_dtype=torch.float32,
        variant="fp16" if half else None,
        output_loading_info=True,
    )
    wrong = [*report.get("missing_keys", ()), *map(str, report.get("mismatched_keys", ()))]
    if wrong:
        raise ValueError(f"its weights are not those of its {CONFIG}: missing or of another shape {wrong[:3]}")
    return model  # type: ignore[no-any-return]


def _from_file(file: Path, config: Path, kind: Any) -> nn.Module:
    if file.suffix != ".safetensors":
        raise ValueError("not a .safetensors file")
    model: Any = kind.from_config(kind.load_config(config, local_files_only=True))
    state, _ = weights.load(file)
    if weights.misfits(model.state_dict(), state) and hasattr(kind, "from_single_file"):
        home = config.resolve()
        where = {"config": str(home.parent), "subfolder": home.name}
        return kind.from_single_file(  # type: ignore[no-any-return]
            str(file), local_files_only=True, torch_dtype=torch.float32, **where
        )
    weights.load_exact(model, file)
    return model  # type: ignore[no-any-return]


def _first_line(error: Exception) -> str:
    return (str(error).strip() or "no message").splitlines()[0]
