"""A model of a pack, loaded by insightface itself from its file."""

from pathlib import Path
from typing import Any

from palsykit.errors import PalsykitError
from palsykit_insightface.pack import INSTALL

_PROVIDERS = ["CPUExecutionProvider"]  # what is seen in a photograph must not depend on the machine's GPU


def load(file: Path) -> Any:
    """insightface's own object for an ONNX file; nothing is ever downloaded.

    Raises:
        PalsykitError: the extra is missing, the file cannot be loaded, or insightface does not know the model.
    """
    try:
        from insightface.model_zoo import get_model
    except ImportError as error:
        raise PalsykitError(f"insightface: {error}; {INSTALL}") from error
    try:
        model = get_model(str(file), providers=_PROVIDERS, download=False)
    except Exception as error:  # onnxruntime's own kinds, none of which derives from another
        raise PalsykitError(f"{file}: onnxruntime cannot load it ({error}); unpack the pack again") from error
    if model is None:
        raise PalsykitError(f"{file}: insightface does not know what model this is; expected one of its packs")
    return model
