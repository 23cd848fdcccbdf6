"""palsykit: synthesis of facial-palsy photographs; importing it imports no torch."""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from palsykit.hookspecs import API_VERSION, hookimpl

__version__ = "0.1.0"

# A build of xformers for another torch prints a banner whenever anything imports it, as diffusers does, though its
# kernels that PyTorch brings still run; the attention backend tries them and says what is used. Its other warnings, and
# this one with XFORMERS_MORE_DETAILS=1, go through.
logging.getLogger("xformers").addFilter(
    lambda record: bool(record.exc_info) or "can't load C++/CUDA extensions" not in record.getMessage()
)

if TYPE_CHECKING:
    from palsykit.diffusion.model import ConditionalDiffusion
    from palsykit.interfaces import (
        Conditioning,
        ConditioningSpec,
        Encoded,
        FaceBatch,
        FaceView,
        Images,
        MetricCard,
        Network,
        NetworkOutput,
        TokenSpec,
        TrainingData,
    )
    from palsykit.run.front import Model, load

_HOME = {
    **dict.fromkeys(
        (
            "Conditioning",
            "ConditioningSpec",
            "Encoded",
            "FaceBatch",
            "FaceView",
            "Images",
            "MetricCard",
            "Network",
            "NetworkOutput",
            "TokenSpec",
            "TrainingData",
        ),
        "palsykit.interfaces",
    ),
    "ConditionalDiffusion": "palsykit.diffusion.model",
    "Model": "palsykit.run.front",
    "load": "palsykit.run.front",
}

__all__ = [
    "API_VERSION",
    "ConditionalDiffusion",
    "Conditioning",
    "ConditioningSpec",
    "Encoded",
    "FaceBatch",
    "FaceView",
    "Images",
    "MetricCard",
    "Model",
    "Network",
    "NetworkOutput",
    "TokenSpec",
    "TrainingData",
    "__version__",
    "hookimpl",
    "load",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'palsykit' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
