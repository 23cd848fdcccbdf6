"""xformers' memory-efficient attention (github.com/facebookresearch/xformers) for diffusers' attention layers."""

from importlib.util import find_spec

import torch
from diffusers.models.attention_processor import Attention, XFormersAttnProcessor
from torch import nn


class Xformers:
    """``xformers.ops.memory_efficient_attention``; xformers picks its kernel by shape and type."""

    def available(self) -> str | None:
        """None where a kernel ran on this machine's GPU just now, else the reason in one line."""
        if find_spec("xformers") is None:
            return 'the package xformers is not installed; pip install "palsykit[xformers]"'
        if not torch.cuda.is_available():
            return "xformers needs a CUDA device, and PyTorch finds none"
        try:
            from xformers.ops import memory_efficient_attention

            probe = torch.zeros(1, 8, 1, 32, device="cuda", dtype=torch.float16)  # [B, T, heads, width]
            memory_efficient_attention(probe, probe, probe)
        except Exception as error:  # whatever a binary built for another torch or GPU raises
            return f"xformers does not run here: {type(error).__name__}: {(str(error) or 'no message').splitlines()[0]}"
        return None

    def apply(self, module: nn.Module) -> None:
        """Every diffusers attention layer of ``module`` uses ``XFormersAttnProcessor``."""
        for layer in module.modules():
            if isinstance(layer, Attention):
                layer.set_processor(XFormersAttnProcessor())
