"""The training loop. All trainers share it, so all of them get resuming, EMA, distribution and logging."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from palsykit.errors import PalsykitError
from palsykit.interfaces import FaceBatch, Trainer
from palsykit.progress import say, track
from palsykit.recipe.schema import Optimisation
from palsykit.seeds import derive, generator
from palsykit.stopping import Stopped, finishing, requested
from palsykit.training import checkpoint
from palsykit.training.batches import PairedFaces, StepSampler
from palsykit.training.ema import averaged
from palsykit.training.failures import last_lines, owner
from palsykit.training.groups import checked_groups, optimisers, rate
from palsykit.training.precision import autocast, autocast_dtype
from palsykit.training.strided import subsample_first


@dataclass
class Job:
    """One training.

    Attributes:
        name: "train" or "fit-NETWORK"; used for its checkpoints and its lines in the log.
        model: a ConditionalDiffusion, a trainable synthesiser, or the network to fit.
        trainer: gives the losses.
        faces: the training data.
        settings: steps, batch size, learning rate.
        seed: of the order of rows and of the trainer's random numbers.
        folder: for its checkpoints.
        log: called with one JSON-serialisable line.
        rewind: called with the number of steps done; removes the lines of later steps from the log.
    """

    name: str
    model: nn.Module
    trainer: Trainer
    faces: PairedFaces
    settings: Optimisation
    seed: int
    folder: Path
    log: Callable[[dict[str, Any]], None]
    rewind: Callable[[int], None] = lambda step: None


class Losses(nn.Module):
    """Model and trainer as one module, so that for a distributed wrapper the whole step is one forward pass."""

    def __init__(self, model: nn.Module, trainer: Trainer):
        super().__init__()
        self.model = model
        self.trainer_module = trainer if isinstance(trainer, nn.Module) else None
        self._trainer = [trainer]  # in a list, so that a trainer that is a module is not registered a second time

    def forward(self, batch: FaceBatch, generator: torch.Generator, phase: str) -> dict[str, Tensor]:
        """The trainer's loss terms: scalars by name."""
        return self._trainer[0].losses(self.model, batch, generator, phase)


@cache
def accelerator() -> Accelerator:
    """This process's Accelerator. It handles device and distribution; the loop handles precision and accumulation."""
    return Accelerator(kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)])


def train(job: Job) -> nn.Module:
    """Train to the last step, from the last checkpoint if there is one.

    All random numbers depend on the seed and the step: the trainer's own, and torch's global ones, which dropout draws.

    Returns:
        The exponential moving average of the model, in eval mode.

    Raises:
        PalsykitError: the loss, a gradient or a weight is not finite, the trainer fails, a parameter group is wrong, or
            no checkpoint is as it was written.
        Stopped: a signal came; the step is finished and saved.
    """
    with torch.random.fork_rng(), finishing():
        # Construct model, optimisers and EMA; resume if there is a checkpoint.
        state = _State(job)
        first = state.restore()
        job.rewind(first)
        settings, steps = job.settings, job.settings.steps
        batches = state.batches(first)
        with track(job.name, steps, "steps", done=first) as progress:
            for step in range(first, steps):
                # Load the batches of one step and update the weights.
                terms = state.step(step, [next(batches).to(state.device) for _ in range(settings.accumulate)])
                done = step + 1
                # Log the mean losses since the last line.
                if done % settings.log_every == 0 or done == steps:
                    state.log(done)
                # Save a checkpoint; the last step needs none.
                signal = _stop_signal()
                if (done % settings.checkpoint_every == 0 and done < steps) or signal is not None:
                    state.save(done)
                if signal is not None:
                    raise Stopped(signal)
                progress.advance(1, f"loss {sum(terms.values()):.4f}")
        return state.result()


def _stop_signal() -> int | None:
    """The signal that asks any process of this run to stop, so that all stop after the same step."""
    number = requested()
    if accelerator().num_processes == 1:
        return number
    numbers = accelerator().gather(torch.tensor([number or 0], device=accelerator().device))
    return int(numbers.max()) or None


class _State:
    """The state of a training: model, optimisers and EMA. A step changes it; a checkpoint stores it."""

    def __init__(self, job: Job):
        # Prepare the model.
        self.job, self.device = job, accelerator().device
        self.module = Losses(job.model, job.trainer).to(self.device)
        subsample_first(self.module)
        self.module.train()
        # Group the parameters. Seeded, because a trainer may create its own weights in groups().
        with torch.random.fork_rng():
            torch.manual_seed(derive("groups", job.seed))
            try:
                self.groups = checked_groups(job.model, job.trainer)
            except ValueError as error:
                raise PalsykitError(f"{job.name}: {error}") from error
        # Optimisers, EMA, distributed wrapper and precision.
        self.optimisers = optimisers(self.groups, job.settings)
        self.ema: AveragedModel = averaged(job.model, job.settings.ema)
        self.wrapped = accelerator().prepare(self.module)
        self.dtype = autocast_dtype(job.settings.precision, self.device)
        self.recent: list[dict[str, float]] = []  # loss terms since the last line of the log
        self.skipped = 0

    def batches(self, first_step: int) -> Iterator[FaceBatch]:
        """This process's batches, starting at ``first_step``."""
        return iter(DataLoader(self.job.faces, sampler=self._sampler(first_step), batch_size=None))

    def _sampler(self, first_step: int) -> StepSampler:
        job, world = self.job, accelerator().num_processes
        first = first_step * job.settings.accumulate * world + accelerator().process_index
        settings = job.settings
        return StepSampler(len(job.faces), settings.batch_size, job.seed, first, world, settings.flip)

    def step(self, step: int, batches: list[FaceBatch]) -> dict[str, float]:
        """Take one optimiser step per group. Returns the loss terms, averaged over the accumulated batches.

        Raises:
            PalsykitError: a loss or a gradient is not finite, and no more steps may be skipped; no weight has changed.
        """
        torch.manual_seed(derive("global", self.job.seed, step, accelerator().process_index))
        totals: dict[str, float] = {}
        for phase, optimiser in self.optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = rate(step, self.job.settings)
            # Accumulate gradients; processes exchange them with the last batch only.
            optimiser.zero_grad(set_to_none=True)
            for number, batch in enumerate(batches):
                last = number == len(batches) - 1
                for term, value in self._backward(step, number, batch, phase, sync=last).items():
                    totals[term] = totals.get(term, 0.0) + value / len(batches)
            # Update weights, if all gradients are finite.
            limit = math.inf if self.job.settings.clip is None else self.job.settings.clip
            norm = accelerator().clip_grad_norm_(list(self.groups[phase].values()), limit)
            if not (norm is None or math.isfinite(norm)) or not all(map(math.isfinite, totals.values())):
                self._skip(step, phase, totals)
                return {}
            optimiser.step()
        # Update EMA.
        self.ema.update_parameters(self.job.model)
        self.recent.append(totals)
        return totals

    def _skip(self, step: int, phase: str, terms: dict[str, float]) -> None:
        """Leave out a step that is not finite; refuse if there were too many of them."""
        bad = [name for name, p in self.groups[phase].items() if p.grad is not None and not p.grad.isfinite().all()]
        what = f"losses {terms}"
        if bad:
            what += f", and the gradient is not finite in {', '.join(bad[:3])}"
            what += f" and {len(bad) - 3} more of {len(self.groups[phase])} parameters" if len(bad) > 3 else ""
        what += f"; photographs: {', '.join(self._photographs(step))}"
        self.optimisers[phase].zero_grad(set_to_none=True)
        self.skipped += 1
        if self.skipped > self.job.settings.skip_not_finite:
            raise PalsykitError(
                f"{self.job.name}: step {step + 1} is not finite: {what}. It was not taken, and the checkpoints before "
                f"it are in {self.job.folder}; lower lr, raise warmup, train with precision: fp32, or let some steps "
                "be left out with skip_not_finite: NUMBER"
            )
        say(f"{self.job.name}: left out step {step + 1}, which is not finite: {what}")

    def _photographs(self, step: int, most: int = 8) -> list[str]:
        """The keys of the photographs of this process's step."""
        sampler = self._sampler(step)
        draws = [draw for _, batch in zip(range(self.job.settings.accumulate), sampler, strict=False) for draw in batch]
        keys = [self.job.faces.pairs[draw.row].record.key for draw in draws]
        return keys[:most] + ([f"and {len(keys) - most} more"] if len(keys) > most else [])

    def log(self, done: int) -> None:
        """Log the mean losses since the last line; only the main process does."""
        if self.recent and accelerator().is_main_process:
            means = {name: sum(terms[name] for terms in self.recent) / len(self.recent) for name in self.recent[0]}
            line = {"loss": sum(means.values()), "terms": means}
            self.job.log({"job": self.job.name, "step": done, "lr": rate(done - 1, self.job.settings), **line})
        self.recent.clear()

    def _backward(self, step: int, number: int, batch: FaceBatch, phase: str, sync: bool) -> dict[str, float]:
        """Add the gradients of one batch; returns its loss terms."""
        draws = generator("step", self.job.seed, step, number, accelerator().process_index)
        with torch.enable_grad() if sync else accelerator().no_sync(self.wrapped):
            try:
                with autocast(self.dtype, self.device):
                    terms: dict[str, Tensor] = self.wrapped(batch, draws, phase)
            except (PalsykitError, ValueError, torch.OutOfMemoryError):  # a ValueError is how a part refuses its input
                raise
            except Exception as error:  # a plugin's code may raise anything
                raise self._failure(step, error) from error
            loss = torch.stack([term.float() for term in terms.values()]).sum()
            accelerator().backward(loss / self.job.settings.accumulate)
        return {name: float(term.detach()) for name, term in terms.items()}

    def _failure(self, step: int, error: Exception) -> PalsykitError:
        """The message for an exception in model or trainer; the log gets the end of its traceback."""
        self.job.log({"job": self.job.name, "step": step + 1, "error": last_lines(error)})
        whose = owner(error)
        return PalsykitError(
            f"{self.job.name}: {whose or type(self.job.trainer).__name__} failed in step {step + 1}: "
            f"{type(error).__name__}: {error}; the end of the traceback is in the run's log.jsonl, and the checkpoints "
            f"before this step are in {self.job.folder}; " + ("update or report the plugin" if whose else "see the log")
        )

    def restore(self) -> int:
        """Load the last checkpoint, if there is one. Returns the number of steps already done."""
        with accelerator().main_process_first():  # only the main process renames what is damaged
            last = checkpoint.newest(self.job.folder)
        if last is None:
            return 0
        self.job.model.load_state_dict(checkpoint.load(last, "model"))
        self.ema.module.load_state_dict(checkpoint.load(last, "ema"))
        if isinstance(self.job.trainer, nn.Module):
            self.job.trainer.load_state_dict(checkpoint.load(last, "trainer"))
        checkpoint.restore_optimisers(checkpoint.load(last, "optimiser"), self.groups, self.optimisers)
        facts = checkpoint.facts(last)
        self.ema.n_averaged.fill_(facts["averaged"])
        self.recent, self.skipped = facts["recent"], facts["skipped"]
        return int(facts["step"])

    def save(self, step: int) -> None:
        """Write a checkpoint; only the main process writes.

        Raises:
            PalsykitError: a weight is not finite, or the checkpoint cannot be written. Those before it stay.
        """
        accelerator().wait_for_everyone()
        self._check_weights(step)
        if accelerator().is_main_process:
            tensors = {
                "model": checkpoint.module_state(self.job.model),
                "ema": checkpoint.module_state(self.ema.module),
                "trainer": checkpoint.module_state(self.job.trainer),
                "optimiser": checkpoint.optimiser_state(self.groups, self.optimisers),
            }
            facts = {"averaged": int(self.ema.n_averaged), "recent": self.recent, "skipped": self.skipped}
            checkpoint.save(self.job.folder, step, tensors, facts)

    def _check_weights(self, step: int) -> None:
        for what, module in (("weights", self.job.model), ("averaged weights", self.ema.module)):
            if bad := checkpoint.not_finite(dict(module.state_dict())):
                raise PalsykitError(
                    f"{self.job.name}: after step {step} the {what} are not finite in {', '.join(bad[:3])} "
                    f"({len(bad)} tensors); nothing was written, and the checkpoints before it are in "
                    f"{self.job.folder}; remove them if they come from the same fault, lower lr or raise warmup"
                )

    def result(self) -> nn.Module:
        """The averaged model, or the model itself if there was no step.

        Raises:
            PalsykitError: a weight is not finite.
        """
        self._check_weights(self.job.settings.steps)
        module = self.ema.module
        if int(self.ema.n_averaged) == 0:
            module.load_state_dict(self.job.model.state_dict())
        return module.eval()
