"""Checks that several interfaces share: shapes, seeds and rows; for modules also gradients, files and devices."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from palsykit.files.weights import load_exact, save
from palsykit.interfaces import FaceView
from palsykit.seeds import generator
from palsykit.testing.result import Check, NotChecked, Unmet, require
from palsykit.testing.stand_ins import faces

STEPS, RATE = 5, 1e-3
SAME = 1e-5
"""Relative difference below which two results differ only by rounding (another order of additions)."""
ROWS_APART, HALF = 1e-4, 0.1
Tensors = dict[str, Tensor]
Shapes = Mapping[str, tuple[int, ...] | None]
"""Output -> its shape; None for an output that must be absent."""


@dataclass(frozen=True)
class Harness:
    """How to build and call a part, and what it promises.

    Attributes:
        build: seed -> a new part.
        inputs: by name, tensors [B, ...] or views of B rows.
        call: part and inputs -> outputs by name, each [B, ...].
        shapes: part and outputs -> the outputs' shapes.
        promise: the source of these shapes, for the message.
    """

    build: Callable[[int], Any]
    inputs: Mapping[str, Any]
    call: Callable[[Any, Mapping[str, Any]], Tensors]
    shapes: Callable[[Any, Tensors], Shapes]
    promise: str

    def run(self, part: Any, inputs: Mapping[str, Any] | None = None) -> Tensors:
        """Outputs in eval mode, without gradients."""
        if isinstance(part, nn.Module):
            part.eval()
        with torch.no_grad():
            return self.call(part, self.inputs if inputs is None else inputs)


def by_row(harness: Harness) -> list[Check]:
    """The checks of every part that turns rows into rows."""
    return [
        ("shapes in fp32", lambda: shapes(harness)),
        ("deterministic under a seed", lambda: determinism(harness)),
        ("rows do not depend on their neighbours", lambda: independence(harness)),
    ]


def trainable(harness: Harness) -> list[Check]:
    """The checks of every module."""
    return [
        ("gradients reach every parameter", lambda: gradients(harness)),
        ("weights are restored from safetensors", lambda: round_trip(harness)),
        ("runs in bf16", lambda: half_precision(harness)),
        ("moves between devices", lambda: devices(harness)),
    ]


def draw(name: str, *shape: int) -> Tensor:
    """Standard normal numbers; the same name gives the same numbers."""
    return torch.randn(shape, generator=generator("input", name))


def distance(a: Tensor, b: Tensor) -> float:
    """Largest difference, relative to the largest value of ``b``."""
    a, b = a.detach(), b.detach()
    return float((a - b).abs().max() / b.abs().max().clamp(min=1e-8)) if a.numel() else 0.0


def shapes(harness: Harness) -> None:
    """Outputs are finite, in float32, and have the shapes that the part promises."""
    part = harness.build(0)
    found = harness.run(part)
    for name, shape in harness.shapes(part, found).items():
        value, promise = found.get(name), harness.promise
        seen = None if value is None else tuple(value.shape)
        expected = f"no {name}" if shape is None else f"{name} of shape {list(shape)}"
        require(seen == shape, f"{expected}, as {promise}", seen and list(seen), f"correct {name}, or what {promise}")
        if value is not None:
            kind, finite = value.dtype, bool(torch.isfinite(value).all())
            require(kind == torch.float32, f"{name} in float32", kind, "do not cast inside the part")
            require(finite, f"finite {name}", "NaN or infinity", "look for roots, logarithms and divisions near 0")


def in_range(harness: Harness) -> None:
    """A part whose pictures would be too bright still gives pictures in [-1, 1]."""
    brightest = float(harness.run(harness.build(0))["picture"].abs().max())
    require(brightest <= 1 + SAME, "pictures in [-1, 1]", f"{brightest:.2f}", "clamp the result")


def determinism(harness: Harness) -> None:
    """The same seed gives the same weights; the same inputs give the same outputs."""
    first, second = harness.build(0), harness.build(0)
    if isinstance(first, nn.Module):
        others = second.state_dict()
        require(
            not (unequal := [n for n, value in first.state_dict().items() if not torch.equal(value, others[n])]),
            "the same initial weights from the same torch seed",
            f"{', '.join(unequal[:5])} differ",
            "draw from torch's generator, not from numpy, random or the clock",
        )
    once, again, other = harness.run(first), harness.run(first), harness.run(second)
    for name, value in once.items():
        require(
            torch.equal(value, again[name]) and distance(other[name], value) <= SAME,
            "the same outputs for the same inputs in eval mode",
            f"{name} differs from call to call",
            "in eval mode draw only from a row's own seed or generator, and keep no state between calls",
        )


def independence(harness: Harness) -> None:
    """A row alone gives the same result as in its batch."""
    part = harness.build(0)
    whole, count = harness.run(part), len(next(iter(harness.inputs.values())))
    for name, value in whole.items():
        require(len(value) == count, f"{name} [B, ...]", f"{list(value.shape)} for {count} rows", "keep rows first")
    for row in range(count):
        alone = harness.run(part, {name: _rows(value, row, row + 1) for name, value in harness.inputs.items()})
        for name, value in whole.items():
            gap = (alone[name][0] - value[row]).abs().max() / value.abs().max().clamp(min=1e-8)
            require(
                not gap > ROWS_APART,
                "each row's result to depend on that row only",
                f"row {row} of {name} changes by {float(gap):.1e} (relative) with its neighbours",
                "use no statistics over rows in eval mode, and draw row by row; mean(dim=0) and view are usual causes",
            )


def _rows(value: Any, start: int, stop: int) -> Any:
    return value.rows(start, stop) if isinstance(value, FaceView) else value[start:stop]


def train(groups: Mapping[str, Mapping[str, nn.Parameter]], loss: Callable[[int, str], Tensor]) -> list[str]:
    """Take a few training steps, each with one phase per group. Returns the parameters that have not moved.

    Args:
        groups: group -> its parameters by name.
        loss: step and group -> the loss to minimise over the group.
    """
    start = {name: p.detach().clone() for group in groups.values() for name, p in group.items()}
    optimisers = {group: torch.optim.Adam(parameters.values(), lr=RATE) for group, parameters in groups.items()}
    for step in range(STEPS):
        for group, optimiser in optimisers.items():
            optimiser.zero_grad()
            loss(step, group).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return [name for group in groups.values() for name, p in group.items() if torch.equal(p.detach(), start[name])]


def _train_part(harness: Harness, module: nn.Module) -> list[str]:
    """``train`` of a module towards random targets."""

    def loss(step: int, group: str) -> Tensor:
        outputs = harness.call(module, harness.inputs)
        losses = [
            (value - draw(f"target {name} {step}", *value.shape)).square().mean()
            for name, value in outputs.items()
            if value.requires_grad
        ]
        require(
            losses, "outputs that depend on the parameters", "no output requires a gradient", "remove detach/no_grad"
        )
        return torch.stack(losses).sum()

    return train({"": {name: p for name, p in module.train().named_parameters() if p.requires_grad}}, loss)


def gradients(harness: Harness) -> None:
    """In a few steps towards random targets every trainable parameter gets a gradient and moves."""
    module = harness.build(0)
    count = sum(p.requires_grad for p in module.parameters())
    if not count:
        raise NotChecked("it has no trainable parameter")
    unmoved = _train_part(harness, module)
    require(
        not unmoved,
        f"a gradient for every trainable parameter within {STEPS} steps",
        f"none for {', '.join(unmoved[:5])} ({len(unmoved)} of {count})",
        "use it in forward and do not write to .data; make untrained tensors buffers, or set requires_grad False",
    )


def every_input(harness: Harness, groups: Mapping[str, Sequence[str]]) -> None:
    """The outputs change with every input, or with one of a group of inputs."""
    part = harness.build(0)
    if any(p.requires_grad for p in part.parameters()):  # some layers are zero at first
        _train_part(harness, part)
    base, ignored = harness.run(part), []
    for group, names in groups.items():
        old = {name: harness.inputs[name] for name in names}
        new = {n: draw(f"other {n}", *v.shape) if v.is_floating_point() else (v + 371) % 1000 for n, v in old.items()}
        outputs = harness.run(part, {**harness.inputs, **new})
        if all(torch.equal(outputs[name], value) for name, value in base.items()):
            ignored.append(group)
    require(
        not ignored,
        "the result to change with every input",
        f"{', '.join(ignored)} without effect",
        "read it (tokens by attention, t and the pooled vector with the time embedding, maps beside x_t), or refuse it "
        "in __init__: an input without effect is misleading in a recipe",
    )


def pixel_gradients(read: Callable[[FaceView], Tensors], view: FaceView) -> None:
    """If the pixels of ``view`` change an output, the output has a gradient with respect to them."""
    with torch.no_grad():
        before = read(view)
        other = faces(len(view), view.image.shape[-1], "other").image
        changed = read(FaceView(other, view.landmarks, view.labels))
    image = view.image.clone().requires_grad_()
    cut_off = [
        name
        for name, value in read(FaceView(image, view.landmarks, view.labels)).items()
        if distance(changed[name], before[name]) > 0 and not (value.requires_grad and _reaches(value, image))
    ]
    require(
        not cut_off,
        "outputs that are differentiable in the pixels (a trainer may pass generated pictures)",
        f"{', '.join(cut_off)} depends on the pixels, but has no gradient",
        "remove no_grad, detach, rounding and numpy; core disables gradients where it does not need them",
    )


def _reaches(value: Tensor, image: Tensor) -> bool:
    (slope,) = torch.autograd.grad(value.sum(), image, retain_graph=True, allow_unused=True)
    return slope is not None


def round_trip(harness: Harness) -> None:
    """Weights saved, and loaded into a part of another seed, give the same outputs."""
    original, other = harness.build(0), harness.build(1)
    with tempfile.TemporaryDirectory() as folder:
        save(original.state_dict(), Path(folder) / "weights.safetensors")
        try:
            load_exact(other, Path(folder) / "weights.safetensors")
        except ValueError as error:
            mend = "let names and shapes depend on the keys only"
            raise Unmet("weights that load into a new part", str(error), mend) from None
    before, after = harness.run(original), harness.run(other)
    for name, value in before.items():
        require(
            not (gap := distance(after[name], value)) > SAME,
            "the same outputs after a round trip through safetensors",
            f"{name} differs by {gap:.1e}",
            "make all drawn or learnt values parameters or persistent buffers",
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
        finite = all(p.grad is None or bool(torch.isfinite(p.grad).all()) for p in module.parameters())
        require(finite, "finite gradients in bf16", "NaN or infinity", "compute in float32 where values overflow")
    # Outputs, in eval mode. A new module, because training mode has changed the batch statistics of the first.
    module = harness.build(0)
    exact = harness.run(module)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = harness.run(module)
    for name, value in rounded.items():
        error = float((value.float() - exact[name]).norm() / exact[name].norm().clamp(min=1e-8))
        require(
            error < HALF,
            f"{name} in bf16 within {HALF:.0%} of float32",
            f"{error:.1%} apart",
            "compute norms, exponentials and long sums in float32: x.float()",
        )


def devices(harness: Harness) -> None:
    """It runs on the meta device (shapes without numbers), and on a GPU if there is one."""
    expected = "everything on the device to which the part was moved"
    mend = "register constants with register_buffer, and create tensors with device=x.device"
    for device in ("meta", *(["cuda"] if torch.cuda.is_available() else [])):
        module = harness.build(0).to(device)
        try:
            outputs = harness.run(module, {name: value.to(device) for name, value in harness.inputs.items()})
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            if device == "meta" and "device" not in reason.replace("meta device", ""):
                raise NotChecked(f"it reads numbers where only shapes are known ({reason})") from None
            raise Unmet(expected, f"{reason} (on {device})", mend) from None
        for name, value in outputs.items():
            there = value.device.type
            require(there == device, expected, f"{name} on {there}, inputs and part on {device}", mend)
