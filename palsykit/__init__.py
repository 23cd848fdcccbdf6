"""palsykit: synthesis of facial-palsy photographs; importing it imports no torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from palsykit.hookspecs import API_VERSION, hookimpl

__version__ = "0.1.0"

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
    from palsykit.synthesis.front import Model, load
    from palsykit.synthesis.pipeline import Pipeline

_HOME = {
    "ConditionalDiffusion": "palsykit.diffusion.model",
    "Model": "palsykit.synthesis.front",
    "Pipeline": "palsykit.synthesis.pipeline",
    "load": "palsykit.synthesis.front",
}
"""Name -> the module that it comes from; the others come from palsykit.interfaces."""

__all__ = [
    "API_VERSION", "ConditionalDiffusion", "Conditioning", "ConditioningSpec", "Encoded", "FaceBatch",
    "FaceView", "Images", "MetricCard", "Model", "Network", "NetworkOutput", "Pipeline", "TokenSpec", "TrainingData",
    "__version__", "hookimpl", "load",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'palsykit' has no attribute {name!r}")
    return getattr(import_module(_HOME.get(name, "palsykit.interfaces")), name)
