"""The training loop. All trainers share it, so all of them get resuming, EMA, distribution and logging."""

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
from palsykit.progress import track
from palsykit.recipe.schema import Optimisation
from palsykit.seeds import derive, generator
from palsykit.training import checkpoint
from palsykit.training.batches import PairedFaces, StepSampler
from palsykit.training.ema import averaged
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
    """

    name: str
    model: nn.Module
    trainer: Trainer
    faces: PairedFaces
    settings: Optimisation
    seed: int
    folder: Path
    log: Callable[[dict[str, Any]], None]


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

    Returns:
        The exponential moving average of the model, in eval mode.

    Raises:
        PalsykitError: the loss is not finite, a parameter group is wrong or a checkpoint is damaged.
    """
    # Construct model, optimisers and EMA; resume if there is a checkpoint.
    state = _State(job)
    first = state.restore()
    settings, steps = job.settings, job.settings.steps
    batches = state.batches(first)
    recent: list[dict[str, float]] = []
    with track(job.name, steps, "steps", done=first) as progress:
        for step in range(first, steps):
            # Load the batches of one step and update the weights.
            terms = state.step(step, [next(batches).to(state.device) for _ in range(settings.accumulate)])
            recent.append(terms)
            done = step + 1
            # Log the mean losses since the last line.
            if done % settings.log_every == 0 or done == steps:
                means = {name: sum(terms[name] for terms in recent) / len(recent) for name in terms}
                recent.clear()
                if accelerator().is_main_process:
                    line = {"loss": sum(means.values()), "terms": means}
                    job.log({"job": job.name, "step": done, "lr": rate(step, settings), **line})
            # Save a checkpoint; the last step needs none.
            if done % settings.checkpoint_every == 0 and done < steps:
                state.save(done)
            progress.advance(1, f"loss {sum(terms.values()):.4f}")
    return state.result()


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

    def batches(self, first_step: int) -> Iterator[FaceBatch]:
        """This process's batches, starting at ``first_step``."""
        job, world = self.job, accelerator().num_processes
        first = first_step * job.settings.accumulate * world + accelerator().process_index
        settings = job.settings
        sampler = StepSampler(len(job.faces), settings.batch_size, job.seed, first, world, settings.flip)
        return iter(DataLoader(job.faces, sampler=sampler, batch_size=None))

    def step(self, step: int, batches: list[FaceBatch]) -> dict[str, float]:
        """Take one optimiser step per group. Returns the loss terms, averaged over the accumulated batches."""
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
            # Update weights.
            if self.job.settings.clip is not None:
                accelerator().clip_grad_norm_(list(self.groups[phase].values()), self.job.settings.clip)
            optimiser.step()
        # Update EMA.
        self.ema.update_parameters(self.job.model)
        return totals

    def _backward(self, step: int, number: int, batch: FaceBatch, phase: str, sync: bool) -> dict[str, float]:
        """Add the gradients of one batch; returns its loss terms."""
        draws = generator("step", self.job.seed, step, number, accelerator().process_index)
        with torch.enable_grad() if sync else accelerator().no_sync(self.wrapped):
            with autocast(self.dtype, self.device):
                terms: dict[str, Tensor] = self.wrapped(batch, draws, phase)
            loss = torch.stack([term.float() for term in terms.values()]).sum()
            values = {name: float(term.detach()) for name, term in terms.items()}
            if not torch.isfinite(loss):
                raise PalsykitError(_not_finite(self.job, step, values))
            accelerator().backward(loss / self.job.settings.accumulate)
        return values

    def restore(self) -> int:
        """Load the last checkpoint, if there is one. Returns the number of steps already done."""
        checkpoints = checkpoint.existing(self.job.folder)
        if not checkpoints:
            return 0
        last = checkpoints[-1]
        self.job.model.load_state_dict(checkpoint.load(last, "model"))
        self.ema.module.load_state_dict(checkpoint.load(last, "ema"))
        if isinstance(self.job.trainer, nn.Module):
            self.job.trainer.load_state_dict(checkpoint.load(last, "trainer"))
        checkpoint.restore_optimisers(checkpoint.load(last, "optimiser"), self.groups, self.optimisers)
        facts = checkpoint.facts(last)
        self.ema.n_averaged.fill_(facts["averaged"])
        return int(facts["step"])

    def save(self, step: int) -> None:
        """Write a checkpoint; only the main process writes."""
        accelerator().wait_for_everyone()
        if accelerator().is_main_process:
            tensors = {
                "model": checkpoint.module_state(self.job.model),
                "ema": checkpoint.module_state(self.ema.module),
                "trainer": checkpoint.module_state(self.job.trainer),
                "optimiser": checkpoint.optimiser_state(self.groups, self.optimisers),
            }
            checkpoint.save(self.job.folder, step, tensors, {"averaged": int(self.ema.n_averaged)})

    def result(self) -> nn.Module:
        """The averaged model, or the model itself if there was no step."""
        module = self.ema.module
        if int(self.ema.n_averaged) == 0:
            module.load_state_dict(self.job.model.state_dict())
        return module.eval()


def _not_finite(job: Job, step: int, values: dict[str, float]) -> str:
    return (
        f"{job.name}: the loss is not finite at step {step + 1}: {values}; the checkpoints before it are kept in "
        f"{job.folder}; lower lr, raise warmup, or train with precision: fp32"
    )
