"""Load a model of a pack from its file, with insightface."""

from pathlib import Path
from typing import Any

from palsykit.errors import PalsykitError
from palsykit_insightface.pack import INSTALL

_PROVIDERS = ["CPUExecutionProvider"]  # results must not depend on the machine's GPU


def load(file: Path) -> Any:
    """insightface's object for an ONNX file; nothing is downloaded.

    Raises:
        PalsykitError: the extra is missing, the file cannot be loaded, or insightface does not know the model.
    """
    try:
        from insightface.model_zoo import get_model
    except ImportError as error:
        raise PalsykitError(f"insightface: {error}; {INSTALL}") from error
    try:
        model = get_model(str(file), providers=_PROVIDERS, download=False)
    except Exception as error:  # onnxruntime's exceptions have no common base class
        raise PalsykitError(f"{file}: onnxruntime cannot load it ({error}); unpack the pack again") from error
    if model is None:
        raise PalsykitError(f"{file}: insightface does not know this kind of model; expected one of its packs")
    return model
