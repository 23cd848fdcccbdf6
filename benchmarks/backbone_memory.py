"""GPU memory that training a pretrained denoiser needs, by counting: ``python benchmarks/backbone_memory.py``.

fixed = 4 bytes for each weight and each weight of the EMA's copy + 12 for each trained one (gradient, AdamW's moments)
        + 2 for each weight of a linear map or convolution: autocast keeps its bf16 copy until the backward pass.
picture = what the forward pass keeps for the backward pass, for each picture of the batch.

The tensors that are kept are counted with PyTorch's fake tensors, which have shapes and types but no numbers: under
bf16 autocast, with attention that keeps queries, keys, values and its result, as flash attention does. Not counted: the
codec's encoder and the condition networks at work, gradients in flight, temporary buffers, and CUDA itself.

``--measure``, on a GPU: the most memory that PyTorch holds while recipes/cfcpalsy-sd15.yaml takes two steps on random
weights of this size, everything included: codec, networks, optimiser and EMA.
"""

import argparse
import gc
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from ceiling import clock
from diffusers import AutoencoderKL, PixArtTransformer2DModel, UNet2DConditionModel
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from training_step import at_random, stepper

from palsykit.cli.table import table
from palsykit.interfaces import Conditioning, ConditioningSpec
from palsykit.run.parts import Parts
from palsykit_pretrained.denoisers import Pretrained
from palsykit_pretrained.layouts import PIXART, UNET

TOKENS = 180
"""About as many as the three conditions of cfcpalsy.yaml give."""
SPEC = ConditioningSpec(token_width=256, pooled_width=256, spatial=4 + 7 * 64 + 4, channels=4)
"""Its fusion's width, and its maps over latents of 8 px: two pictures of 4 channels, and lines of 7."""
HEADS = {"attention_head_dim": (5, 10, 20, 20), "use_linear_projection": True, "cross_attention_dim": 1024}
MODELS: dict[str, Any] = {
    "sd15": (UNet2DConditionModel, {"cross_attention_dim": 768, "attention_head_dim": 8}, UNET),
    "sd21": (UNet2DConditionModel, HEADS, UNET),
    "pixart512": (
        PixArtTransformer2DModel,
        {"sample_size": 64, "caption_channels": 4096, "attention_bias": True},
        PIXART,
    ),
}
CODEC: dict[str, Any] = {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2}
RECIPE = Path(__file__).parents[1] / "recipes" / "cfcpalsy-sd15.yaml"
TRAINED: dict[str, Any] = {"all": "all", "attention": "attention", "lora 16": {"lora": {"rank": 16}}}


class Flash(torch.autograd.Function):
    """What flash attention keeps: queries, keys, values, its result and one number per query and head."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out = torch.empty_like(q)
        ctx.save_for_backward(q, k, v, out, torch.empty(q.shape[:-1], dtype=torch.float32, device=q.device))
        return out


def forward_bytes(denoiser: Pretrained, side: int, batch: int) -> int:
    """Bytes that the forward pass of a batch keeps, each tensor once: bf16 copies of weights, but no weights."""
    own = {p.untyped_storage()._cdata for p in denoiser.parameters()}
    found: dict[int, Any] = {}

    def keep(value: Tensor) -> Tensor:
        store = value.untyped_storage()
        if store._cdata not in own:
            found[store._cdata] = store  # holds it, so that no other tensor gets its number
        return value

    tokens = torch.empty(batch, TOKENS, SPEC.token_width, requires_grad=True)
    maps = torch.empty(batch, SPEC.spatial, side, side)
    conditioning = Conditioning({"all": tokens}, torch.empty(batch, 256), maps)
    attention = F.scaled_dot_product_attention
    F.scaled_dot_product_attention = lambda q, k, v, **_: Flash.apply(q, k, v)
    try:
        with torch.autocast("cpu", torch.bfloat16), torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
            denoiser(torch.empty(batch, 4, side, side), torch.zeros(batch, dtype=torch.long), conditioning)
    finally:
        F.scaled_dot_product_attention = attention
    return sum(store.nbytes() for store in found.values())


def random_backbone(folder: Path, small: bool = False) -> Path:
    """Random weights of Stable Diffusion 1.5's shapes, as diffusers saves them; ``small``: of fewer channels."""
    blocks = {"block_out_channels": (32, 64, 64, 64), "norm_num_groups": 8} if small else {}
    levels = {"block_out_channels": (8, 8, 8, 8), "norm_num_groups": 4} if small else CODEC
    kinds = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8, **blocks).save_pretrained(folder / "unet")
    AutoencoderKL(**kinds, **levels, latent_channels=4, scaling_factor=0.18215).save_pretrained(folder / "vae")
    return folder


def measure(folder: Path, train: str, checkpointing: bool, batch: int, more: Sequence[str] = ()) -> dict[str, float]:
    """GB that PyTorch holds at most in two training steps on the model in ``folder``; seconds of the second step."""
    kind = json.dumps(TRAINED[train])
    changes = [f"denoiser.weights={folder}", f"codec.weights={folder}", f"denoiser.train={kind}", *more]
    changes.append(f"train.gradient_checkpointing={json.dumps(checkpointing)}")
    on_gpu, before = torch.cuda.is_available(), 0
    if on_gpu:
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    parts, now = Parts(at_random(RECIPE, changes)), clock("wall")
    assert parts.settings.trainer is not None
    take = stepper(parts, parts.settings.trainer, "bf16" if on_gpu else "fp32", batch)
    take(1)
    began = now()
    take(1)
    most = torch.cuda.max_memory_allocated() - before if on_gpu else 0
    return {"measured_gb": most / 1e9, "seconds": now() - began}


def fake(module: torch.nn.Module) -> None:
    """Put fake tensors of the CPU, for which there is an autocast, in place of those of the meta device."""
    for part in module.modules():
        for name, value in part.named_parameters(recurse=False):
            empty = torch.empty(value.shape)
            setattr(part, name, torch.nn.Parameter(empty, requires_grad=value.requires_grad))
        for name, value in part.named_buffers(recurse=False):
            setattr(part, name, torch.empty(value.shape, dtype=value.dtype))


def count(name: str, train: str, side: int, checkpointing: bool) -> dict[str, float]:
    """Parameters, and GB of each kind of memory."""
    make, keys, layout = MODELS[name]
    with torch.device("meta"):
        model: Any = make(**keys)
        if checkpointing:
            model.enable_gradient_checkpointing()
        denoiser = Pretrained(model, layout, SPEC, side, TRAINED[train]).train()
    with FakeTensorMode():
        fake(denoiser)
        one, two = (forward_bytes(denoiser, side, batch) for batch in (1, 2))
    whole = sum(p.numel() for p in denoiser.parameters())
    learns = sum(p.numel() for p in denoiser.parameters() if p.requires_grad)
    copied = learns if isinstance(TRAINED[train], dict) else whole  # the EMA shares what an adapter leaves frozen
    fixed = 4 * (whole + copied) + 12 * learns + 2 * one - two
    return {"parameters": whole, "trained": learns, "fixed_gb": fixed / 1e9, "picture_gb": (two - one) / 1e9}


def measure_all() -> None:
    """Print what was counted and measured for Stable Diffusion 1.5, batch 4."""
    if not torch.cuda.is_available():
        raise SystemExit("--measure: found no GPU with CUDA")
    rows, found = [], []
    with tempfile.TemporaryDirectory() as folder:
        home = random_backbone(Path(folder))
        for train in TRAINED:
            for checkpointing in (False, True):
                counted = count("sd15", train, 64, checkpointing)
                row = measure(home, train, checkpointing, 4)
                row["counted_gb"] = counted["fixed_gb"] + 4 * counted["picture_gb"]
                found.append({"train": train, "checkpointing": checkpointing, **row})
                figures = (f"{row[key]:.2f}" for key in ("counted_gb", "measured_gb", "seconds"))
                rows.append((train, "yes" if checkpointing else "no", *figures))
                print(json.dumps(found[-1]), flush=True)
    heads = ("trained part", "checkpointing", "GB counted", "GB measured", "seconds per step of 4")
    print(table(heads, rows))
    print(json.dumps({"benchmark": "backbone_memory measured", "gpu": torch.cuda.get_device_name(), "rows": found}))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--side", type=int, default=64, help="side of the latents: 64 for 512 px")
    parser.add_argument("--measure", action="store_true", help="measure Stable Diffusion 1.5 at 512 px on a GPU")
    options = parser.parse_args(arguments)
    if options.measure:
        measure_all()
        return
    found, rows = [], []
    for name in options.models:
        for train in TRAINED:
            for checkpointing in (False, True):
                row = count(name, train, options.side, checkpointing)
                found.append({"model": name, "train": train, "checkpointing": checkpointing, **row})
                figures = (f"{row['parameters'] / 1e6:.0f}", f"{row['trained'] / 1e6:.1f}", f"{row['fixed_gb']:.1f}")
                total = row["fixed_gb"] + 4 * row["picture_gb"]
                kind = "yes" if checkpointing else "no"
                rows.append((name, train, kind, *figures, f"{row['picture_gb']:.2f}", f"{total:.1f}"))
    heads = (
        "model",
        "trained part",
        "checkpointing",
        "M parameters",
        "M trained",
        "GB fixed",
        "GB/picture",
        "GB batch 4",
    )
    print(table(heads, rows))
    print(json.dumps({"benchmark": "backbone_memory", "side": options.side, "rows": found}))


if __name__ == "__main__":
    main()
