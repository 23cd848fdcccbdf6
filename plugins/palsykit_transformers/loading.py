"""Load a model and its image processor from a folder written by ``save_pretrained``, after checking the folder."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import nn

from palsykit.errors import PalsykitError
from palsykit.foreign.licence import say_licence
from palsykit.foreign.quiet import quiet

INSTALL = "pip install 'palsykit[transformers]'"
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
TEXT = ("text_model", "text_projection", "language_model", "text_decoder")
"""The text parts of models for pictures and text; they are removed after loading."""


def load(folder: Path) -> tuple[nn.Module, Any]:
    """(model, image processor) from a folder. Nothing is downloaded, and no code or pickle is run.

    Raises:
        PalsykitError: the library is missing, or the folder does not contain such a model.
    """
    check(folder)
    try:
        import transformers
    except ImportError as error:
        raise PalsykitError(f"network transformers: {error}; {INSTALL}") from error
    try:
        from transformers.utils import logging

        with quiet(logging):
            model, report = _model(transformers, folder)
            processor = _processor(transformers, folder)
    except (SafetensorError, ImportError, OSError, ValueError, RuntimeError, LookupError, TypeError) as error:
        raise PalsykitError(
            f"{folder}: transformers cannot load it ({type(error).__name__}: {_first_line(error)}); expected a vision "
            "model written by save_pretrained, and a transformers version not older than the one that wrote it"
        ) from error
    _complete(folder, model, report)
    say_licence("transformers", folder)
    for name in TEXT:
        if isinstance(getattr(model, name, None), nn.Module):
            setattr(model, name, None)
    return model, processor


def check(folder: Path) -> None:
    """Check that a folder has a configuration, safetensors and an image processor's configuration.

    Raises:
        PalsykitError: a file is missing; the message lists the files that exist and says where to get the rest.
    """
    lacking = []
    if not (folder / "config.json").is_file():
        lacking.append("config.json")
    if not any(folder.glob("*.safetensors")):
        lacking.append("model.safetensors")
    if not any((folder / name).is_file() for name in PROCESSORS):
        lacking.append(PROCESSORS[0])
    if not lacking:
        return
    names = sorted(item.name for item in folder.iterdir())[:8] if folder.is_dir() else ["a file, not a folder"]
    pickled = any(name.endswith((".bin", ".pt", ".pth")) for name in names)
    step = "pickled weights are not read: " if pickled else ""
    raise PalsykitError(
        f"{folder}: no {' and no '.join(lacking)} among {', '.join(names) or 'nothing'}; {step}download the model's "
        "folder yourself (hf download OWNER/MODEL --local-dir FOLDER), or write it with model.save_pretrained(FOLDER) "
        "and AutoImageProcessor's save_pretrained(FOLDER)"
    )


def _model(transformers: Any, folder: Path) -> tuple[nn.Module, dict[str, Any]]:
    """Load the class that was saved, so that its classifier or projection is included; otherwise AutoModel's choice."""
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    saved: Any = getattr(transformers, (config.architectures or [""])[0], None)
    factory = saved if hasattr(saved, "from_pretrained") else transformers.AutoModel
    return factory.from_pretrained(  # type: ignore[no-any-return]
        folder,
        config=config,
        local_files_only=True,
        use_safetensors=True,
        dtype="float32",
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # _complete refuses them and gives their names
    )


def _processor(transformers: Any, folder: Path) -> Any:
    """Load the image processor, for its settings only. The Pillow kind does not need torchvision."""
    keys = {"local_files_only": True, "trust_remote_code": False}
    return transformers.AutoImageProcessor.from_pretrained(folder, backend="pil", **keys)


def _complete(folder: Path, model: Any, report: dict[str, Any]) -> None:
    """Refuse weights that leave parameters untrained. A pooler may be missing: some models are published without it."""
    missing = sorted(report.get("missing_keys", ()))
    if missing and all(name.startswith("pooler.") for name in missing):
        model.pooler = None
        missing = []
    wrong = sorted(str(item) for item in report.get("mismatched_keys", ()))
    if missing or wrong:
        raise PalsykitError(
            f"{folder}: its weights are not those of its config.json: missing {', '.join(missing[:5]) or 'none'}, of "
            f"another shape {', '.join(wrong[:5]) or 'none'}; download the folder again"
        )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or "no message").splitlines()[0]
