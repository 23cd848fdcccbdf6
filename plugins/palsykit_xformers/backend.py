"""xformers' memory-efficient attention (github.com/facebookresearch/xformers) for diffusers' attention layers."""

from importlib.util import find_spec

import torch
from diffusers.models.attention_processor import Attention, XFormersAttnProcessor
from torch import nn


class Xformers:
    """``xformers.ops.memory_efficient_attention``; xformers chooses the kernel by shape and type."""

    def available(self) -> str | None:
        """Run a kernel on this machine's GPU: None if that works, otherwise the reason in one line."""
        if find_spec("xformers") is None:
            return 'the package xformers is not installed; pip install "palsykit[xformers]"'
        if not torch.cuda.is_available():
            return "xformers needs a CUDA device, and PyTorch finds none"
        try:
            from xformers.ops import memory_efficient_attention

            probe = torch.zeros(1, 8, 1, 32, device="cuda", dtype=torch.float16)  # [B, T, heads, width]
            memory_efficient_attention(probe, probe, probe)
        except Exception as error:  # a binary for another torch or GPU may raise anything
            missing = _not_loaded()
            return (
                f"xformers does not run here: {type(error).__name__}: {(str(error) or 'no message').splitlines()[0]}"
                f"{'; ' + missing if missing else ''}"
            )
        return None

    def kernels(self) -> str:
        """Version and kernels in one line: xformers' own, or PyTorch's (-pt) if its binary is for another PyTorch."""
        import xformers
        from xformers._cpp_lib import _cpp_library_load_exception
        from xformers.ops.fmha import cutlass, flash

        names = f"{flash.FwOp.NAME} in half precision, {cutlass.FwOp.NAME} in float32"
        without = "" if _cpp_library_load_exception is None else ", without its binary part, built for another PyTorch"
        return f"xformers {xformers.__version__}{without}: {names}"

    def apply(self, module: nn.Module) -> None:
        """Set ``XFormersAttnProcessor`` in every diffusers attention layer of ``module``."""
        for layer in module.modules():
            if isinstance(layer, Attention):
                layer.set_processor(XFormersAttnProcessor())


def _not_loaded() -> str | None:
    """Why xformers' binary part was not loaded, and what helps; None if it was, or if xformers cannot tell."""
    try:
        from xformers._cpp_lib import _cpp_library_load_exception as error
    except ImportError:
        return None
    if error is None:
        return None
    while error.__cause__ is not None:
        error = error.__cause__
    return (
        f"its binary part was not loaded ({error}); for CUDA 13, pip install nvidia-cuda-runtime-cu12 and put the "
        "folder of its libcudart.so.12 into LD_LIBRARY_PATH (docs/performance.md)"
    )
