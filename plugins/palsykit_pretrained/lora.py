"""Low-rank adapters (LoRA, Hu et al., arXiv:2106.09685) through peft, in the file that diffusers loads."""

import json
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from torch import Tensor, nn
from typing_extensions import TypedDict

from palsykit.errors import PalsykitError
from palsykit.files import weights

FILE = "pytorch_lora_weights.safetensors"
INSTALL = "pip install 'palsykit[lora]'"
NAME = "default"
"""The adapter's name inside peft."""
TARGETS = ("to_q", "to_k", "to_v", "to_out.0")
"""The linear maps of diffusers' attention layers."""


class Lora(TypedDict, total=False):
    """Keys of an adapter: its rank r, and alpha, which scales its output by alpha / r (default: r)."""

    rank: Annotated[int, Field(ge=1)]
    alpha: Annotated[float, Field(gt=0)]


def add(model: nn.Module, keys: Lora) -> None:
    """Freeze a model and add a trainable adapter to its attention layers; at first the output stays as it is.

    Raises:
        PalsykitError: peft is missing.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise PalsykitError(f"train: lora needs peft ({error}); {INSTALL}") from error
    rank = keys.get("rank", 16)
    alpha: Any = keys.get("alpha", rank)  # peft's annotation wants an integer; it only divides by r
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(TARGETS))
    model.requires_grad_(False)
    inject_adapter_in_model(config, model, adapter_name=NAME)


def save(model: Any, part: str, folder: Path) -> None:
    """Write the adapter as diffusers' ``save_lora_weights`` does: keys are ``part`` and peft's names.

    The header has peft's configuration, and nothing else: with two entries, safetensors gives them a random order.
    """
    from diffusers.loaders.lora_base import LORA_ADAPTER_METADATA_KEY
    from peft import get_peft_model_state_dict

    state = get_peft_model_state_dict(model, adapter_name=NAME)
    facts = {f"{part}.{key}": _listed(value) for key, value in model.peft_config[NAME].to_dict().items()}
    header = {LORA_ADAPTER_METADATA_KEY: json.dumps(facts, sort_keys=True)}
    weights.save({f"{part}.{key}": value for key, value in state.items()}, folder / FILE, header)


def _listed(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else value


def load(folder: Path) -> dict[str, Tensor]:
    """The adapter in a folder: the names of a state dict of the denoiser -> values.

    Raises:
        FileNotFoundError, ValueError: the file is missing or damaged.
    """
    state, _ = weights.load(folder / FILE)
    return {re.sub(r"\.weight$", f".{NAME}.weight", key): value for key, value in state.items()}
