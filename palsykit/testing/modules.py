"""The contract of all parts that are ``nn.Module``s: gradients, seeds, files, rows, half precision, devices."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from palsykit.files.weights import load_exact, save
from palsykit.seeds import generator
from palsykit.testing.result import Check, NotChecked, Unmet

STEPS, RATE = 5, 1e-3
SAME = 1e-5
"""Relative difference below which two results differ only by rounding (another order of additions)."""
ROWS_APART, HALF = 1e-4, 0.1
Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Harness:
    """How to build and call a module.

    Attributes:
        build: seed -> a fresh module.
        inputs: tensors by name, each [B, ...].
        call: module and inputs -> outputs by name, each [B, ...].
    """

    build: Callable[[int], nn.Module]
    inputs: Tensors
    call: Callable[[nn.Module, Tensors], Tensors]

    @property
    def rows(self) -> int:
        return len(next(iter(self.inputs.values())))

    def run(self, module: nn.Module, inputs: Tensors | None = None) -> Tensors:
        """Outputs in eval mode, without gradients."""
        module.eval()
        with torch.no_grad():
            return self.call(module, self.inputs if inputs is None else inputs)


def checks(harness: Harness) -> list[Check]:
    """The checks of every module."""
    return [
        ("gradients reach every parameter", lambda: gradients(harness)),
        ("deterministic under a seed", lambda: determinism(harness)),
        ("weights come back from safetensors", lambda: round_trip(harness)),
        ("rows do not depend on their neighbours", lambda: independence(harness)),
        ("runs in bf16", lambda: half_precision(harness)),
        ("moves between devices", lambda: devices(harness)),
    ]


def require_shapes(found: Tensors, expected: dict[str, tuple[int, ...]], promise: str) -> None:
    """Require finite float32 tensors of these shapes. ``promise`` names the source of the shapes, for the message."""
    for name, shape in expected.items():
        value = found.get(name)
        if value is None or tuple(value.shape) != shape:
            seen = "None" if value is None else f"{list(value.shape)}"
            raise Unmet(f"{name} of shape {list(shape)}, as {promise}", seen, f"correct {name}, or what {promise}")
        if value.dtype != torch.float32:
            raise Unmet(f"{name} in float32 for float32 inputs", str(value.dtype), "do not cast inside the part")
        if not torch.isfinite(value).all():
            raise Unmet(f"finite {name}", "NaN or infinity", "look for divisions, square roots and logarithms near 0")


def distance(a: Tensor, b: Tensor) -> float:
    """Largest difference, relative to the largest value of ``b``."""
    a, b = a.detach(), b.detach()
    return float((a - b).abs().max() / b.abs().max().clamp(min=1e-8)) if a.numel() else 0.0


def gradients(harness: Harness) -> None:
    """In a few steps towards random targets every trainable parameter gets a gradient and moves."""
    module = harness.build(0).train()
    named = {name: p for name, p in module.named_parameters() if p.requires_grad}
    if not named:
        raise NotChecked("it has no trainable parameter")
    # Train for a few steps; record which parameters get a gradient.
    start = {name: p.detach().clone() for name, p in named.items()}
    reached: set[str] = set()
    optimiser = torch.optim.Adam(named.values(), lr=RATE)
    for step in range(STEPS):
        outputs = harness.call(module, harness.inputs)
        losses = []
        for name, value in outputs.items():
            if value.requires_grad:
                target = torch.randn(value.shape, generator=generator("target", name, step))
                losses.append((value - target).square().mean())
        if not losses:
            raise Unmet("outputs that depend on the parameters", "no output requires a gradient", "drop detach/no_grad")
        optimiser.zero_grad()
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        reached |= {name for name, p in named.items() if p.grad is not None and bool((p.grad != 0).any())}
        optimiser.step()
    if unreached := [name for name in named if name not in reached]:
        raise Unmet(
            f"a gradient for every trainable parameter within {STEPS} steps",
            f"none for {', '.join(unreached[:5])} ({len(unreached)} of {len(named)})",
            "use it in forward; for what is not trained use a buffer or requires_grad False",
        )
    unchanged = [name for name, p in named.items() if torch.equal(p.detach(), start[name])]
    if unchanged:
        raise Unmet(
            f"every parameter to move within {STEPS} steps",
            f"{', '.join(unchanged[:5])} did not",
            "do not write to .data",
        )


def determinism(harness: Harness) -> None:
    """The same seed gives the same weights; the same inputs give the same outputs."""
    first, second = harness.build(0), harness.build(0)
    for name, value in first.state_dict().items():
        if not torch.equal(value, second.state_dict()[name]):
            raise Unmet(
                "the same initial weights from the same torch seed",
                f"{name} differs",
                "draw from torch's generator, not from numpy, random or the clock",
            )
    once, again, other = harness.run(first), harness.run(first), harness.run(second)
    for name, value in once.items():
        if not torch.equal(value, again[name]) or distance(other[name], value) > SAME:
            raise Unmet(
                "the same outputs for the same inputs in eval mode",
                f"{name} differs from call to call",
                "draw nothing in eval mode, and keep no state between calls",
            )


def round_trip(harness: Harness) -> None:
    """Weights saved, and loaded into a part of another seed, give the same outputs."""
    original, other = harness.build(0), harness.build(1)
    with tempfile.TemporaryDirectory() as folder:
        save(original.state_dict(), Path(folder) / "weights.safetensors")
        try:
            load_exact(other, Path(folder) / "weights.safetensors")
        except ValueError as error:
            raise Unmet(
                "weights that load into a fresh part", str(error), "let names and shapes depend on the keys only"
            ) from None
    before, after = harness.run(original), harness.run(other)
    for name, value in before.items():
        if distance(after[name], value) > SAME:
            raise Unmet(
                "the same outputs after a round trip through safetensors",
                f"{name} differs by {distance(after[name], value):.1e}",
                "make everything that is drawn or learnt a parameter or a persistent buffer",
            )


def independence(harness: Harness) -> None:
    """A row gives the same result alone, in its batch, and at another place in the batch."""
    module = harness.build(0)
    whole = harness.run(module)
    order = [*range(1, harness.rows), 0]
    rotated = harness.run(module, {name: value[order] for name, value in harness.inputs.items()})
    for name, value in whole.items():
        if len(value) != harness.rows:
            raise Unmet(f"{name} [B, ...]", f"{list(value.shape)} for {harness.rows} rows", "keep rows first")
    for row in range(harness.rows):
        alone = harness.run(module, {name: value[row : row + 1] for name, value in harness.inputs.items()})
        for name, value in whole.items():
            scale = value.abs().max().clamp(min=1e-8)
            gap = max(
                float((other - value[row]).abs().max() / scale)
                for other in (alone[name][0], rotated[name][order.index(row)])
            )
            if gap > ROWS_APART:
                raise Unmet(
                    "each row's result to depend on that row only",
                    f"row {row} of {name} changes by {gap:.1e} (relative) with its neighbours",
                    "use no statistics over rows in eval mode; mean(dim=0) and view are the usual causes",
                )


def half_precision(harness: Harness) -> None:
    """Under bf16 autocast, as in training, outputs and gradients are finite and outputs are close to float32."""
    # Gradients, in training mode.
    module = harness.build(0).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = harness.call(module, harness.inputs)
        loss = torch.stack([value.float().square().mean() for value in outputs.values()]).sum()
    if loss.requires_grad:
        loss.backward()  # type: ignore[no-untyped-call]
        if any(p.grad is not None and not torch.isfinite(p.grad).all() for p in module.parameters()):
            raise Unmet("finite gradients in bf16", "NaN or infinity", "compute in float32 what overflows")
    # Outputs, in eval mode. A new module, because training mode has changed the batch statistics of the first.
    module = harness.build(0)
    exact = harness.run(module)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = harness.run(module)
    for name, value in rounded.items():
        error = float((value.float() - exact[name]).norm() / exact[name].norm().clamp(min=1e-8))
        if not error < HALF:
            raise Unmet(
                f"{name} in bf16 within {HALF:.0%} of float32",
                f"{error:.1%} apart",
                "compute norms, exponentials and long sums in float32: x.float()",
            )


def devices(harness: Harness) -> None:
    """It runs on the meta device (shapes without numbers), and on a GPU if there is one."""
    for device in ("meta", *(["cuda"] if torch.cuda.is_available() else [])):
        module = harness.build(0).to(device).eval()
        inputs = {name: value.to(device) for name, value in harness.inputs.items()}
        try:
            with torch.no_grad():
                outputs = harness.call(module, inputs)
        except (RuntimeError, NotImplementedError) as error:
            reason = str(error).splitlines()[0]
            if device == "meta" and "device" not in reason.replace("meta device", ""):
                raise NotChecked(f"it reads numbers where only shapes are known ({reason})") from None
            raise Unmet(_DEVICE, f"{reason} (on {device})", _MEND) from None
        for name, value in outputs.items():
            if value.device.type != device:
                raise Unmet(_DEVICE, f"{name} on {value.device.type}, inputs and part on {device}", _MEND)


_DEVICE = "everything on the device to which the part was moved"
_MEND = "register constants with register_buffer, and create tensors with device=x.device"
