"""Decides whether a step is taken: one that is not finite is left out; the loss of fp16 is scaled."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from palsykit.errors import PalsykitError
from palsykit.progress import say
from palsykit.recipe.schema import Optimisation

LEAST = 1.0
"""Scale of the loss down to which a gradient that is not finite is taken for an overflow; below it is the model's."""

SCALE = 2.0**16
"""The first scale, as torch.amp.GradScaler's."""


class _Taken(NamedTuple):
    """What a phase of a step gave, as 0-dim tensors on the device: nobody has waited for them yet."""

    step: int
    terms: dict[str, Tensor]
    fault: Tensor


def reads_late(device: torch.device, settings: Optimisation) -> bool:
    """Whether the device itself leaves out a step: torch's fused AdamW does, and the host then waits at log lines only.

    On a CPU there is nothing to wait for.
    """
    return device.type == "cuda" and settings.optimiser == "adamw"


class Finite:
    """Takes the steps of a training's optimisers.

    With fp16, gradients that overflow lower the scale of the loss (torch.amp.GradScaler; Micikevicius et al.,
    arXiv:1710.03740), the weights stay, and nothing is said: that is how the scale is found. Each optimiser has its
    own scale, because losses of several phases differ.

    Args:
        name: of the job, for messages.
        settings: of the training.
        groups: phase -> its parameters, by name.
        device: where the model is.
        half: whether the forward pass is in fp16.
        photographs: step -> the keys of its photographs, for messages.
        folder: of the checkpoints, for messages.

    Attributes:
        skipped: how many steps were left out because of a fault.
        late: whether terms and faults are read at log lines only.
    """

    def __init__(
        self,
        name: str,
        settings: Optimisation,
        groups: Mapping[str, Mapping[str, nn.Parameter]],
        device: torch.device,
        half: bool,
        photographs: Callable[[int], list[str]],
        folder: object,
    ):
        self.name, self.settings, self.groups, self.half = name, settings, groups, half
        self._photographs, self._folder = photographs, folder
        self.scalers = {phase: torch.amp.GradScaler(device.type, SCALE, enabled=half) for phase in groups}
        self.skipped, self.late = 0, reads_late(device, settings)
        self._unread: list[_Taken] = []

    def scaled(self, phase: str, loss: Tensor) -> Tensor:
        """The loss whose gradients fp16 can hold."""
        scaled: Tensor = self.scalers[phase].scale(loss)
        return scaled

    def unscale(self, phase: str, optimiser: torch.optim.Optimizer) -> None:
        """Give the gradients their own size, before they are clipped."""
        self.scalers[phase].unscale_(optimiser)

    def take(
        self, step: int, phase: str, optimiser: torch.optim.Optimizer, norm: Tensor | None, terms: dict[str, Tensor]
    ) -> bool:
        """Update the weights if loss terms and gradients (by their norm) are finite; False if a fault left it out.

        Raises:
            PalsykitError: too many steps were left out.
        """
        # Judge on the device.
        finite = torch.stack([value.float() for value in terms.values()]).isfinite().all()
        whole = finite if norm is None else finite & norm.isfinite()
        fault = ~whole
        if self.half:
            scaler = self.scalers[phase]
            overflows = finite & (scaler.scale(torch.ones((), device=finite.device)) > LEAST)
            fault = fault & ~overflows
            scaler.update()
        # Let the device decide, or wait for it.
        if self.late:
            optimiser.found_inf = (~whole).float()  # type: ignore[attr-defined]
            optimiser.grad_scale = None  # type: ignore[attr-defined]
            optimiser.step()
            self._unread.append(_Taken(step, terms, fault))
            return True
        if bool(whole):
            optimiser.step()
        elif bool(fault):
            self._leave_out(step, self._bad(phase), {name: float(value) for name, value in terms.items()})
            optimiser.zero_grad(set_to_none=True)
            return False
        return True

    def read(self) -> list[dict[str, float]]:
        """The terms of the steps that were taken since the last call, where they are read late.

        Raises:
            PalsykitError: too many steps were left out.
        """
        found: dict[int, dict[str, float]] = {}
        faults = set()
        for one in self._unread:
            terms = {name: float(value) for name, value in one.terms.items()}
            for name, value in terms.items():
                found.setdefault(one.step, {})[name] = found.get(one.step, {}).get(name, 0.0) + value
            if bool(one.fault) and one.step not in faults:
                faults.add(one.step)
                self._leave_out(one.step, [], terms)
        self._unread.clear()
        return [terms for step, terms in found.items() if step not in faults]

    def state(self) -> dict[str, Any]:
        """For a checkpoint, as JSON holds it to the last bit."""
        return {"skipped": self.skipped, "scalers": {phase: s.state_dict() for phase, s in self.scalers.items()}}

    def restore(self, facts: dict[str, Any]) -> None:
        """Go on from ``state``; a checkpoint of an earlier version, or of another precision, has no scales."""
        self.skipped = facts["skipped"]
        for phase, scaler in self.scalers.items():
            if scaler.is_enabled() and (kept := facts.get("scalers", {}).get(phase)):
                scaler.load_state_dict(kept)

    def _bad(self, phase: str) -> list[str]:
        named = self.groups[phase]
        bad = [name for name, p in named.items() if p.grad is not None and not p.grad.isfinite().all()]
        if not bad:
            return []
        rest = f" and {len(bad) - 3} more of {len(named)} parameters" if len(bad) > 3 else ""
        return [f"the gradient is not finite in {', '.join(bad[:3])}{rest}"]

    def _leave_out(self, step: int, bad: list[str], terms: dict[str, float]) -> None:
        """Say that a step is left out; refuse if there were too many of them."""
        what = ", and ".join([f"losses {terms}", *bad]) + f"; photographs: {', '.join(self._photographs(step))}"
        self.skipped += 1
        if self.skipped > self.settings.skip_not_finite:
            raise PalsykitError(
                f"{self.name}: step {step + 1} is not finite: {what}. It was not taken, and the checkpoints before "
                f"it are in {self._folder}; lower lr, raise warmup, train with precision: fp32, or let some steps "
                "be left out with skip_not_finite: NUMBER"
            )
        say(f"{self.name}: left out step {step + 1}, which is not finite: {what}")
