"""A training under way: one step at a time, with its checkpoints."""

import contextlib
import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from palsykit.errors import PalsykitError
from palsykit.interfaces import FaceBatch, Trainer
from palsykit.progress import say
from palsykit.recipe.schema import Optimisation
from palsykit.seeds import by_row, derive
from palsykit.training import checkpoint, sharded
from palsykit.training.batches import PairedFaces, StepSampler
from palsykit.training.ema import Averaged
from palsykit.training.failures import last_lines, owner
from palsykit.training.finite import Finite
from palsykit.training.groups import checked_groups, optimisers, rate, trainable
from palsykit.training.kernels import faster
from palsykit.training.memory import bounds, is_out_of_memory, smaller
from palsykit.training.precision import autocast, autocast_dtype
from palsykit.training.processes import accelerator, exact, is_lost, means, require_able_processes
from palsykit.training.repeatable import Repeatable, is_not_repeatable
from palsykit.training.speed import compile_model, loader, recompute
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
        watch: called with the number of steps done, the model, its EMA and the groups' names, before the checkpoint of
            these steps; it changes nothing.
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
    watch: Callable[[int, nn.Module, nn.Module, list[str]], None] = lambda *_: None


class Part(NamedTuple):
    """A part of a step, as large as the memory allows.

    Attributes:
        batch: its rows.
        first: the number of its first row, counted over all processes from the first step on.
        share: of the step of this process.
        last: whether it is the last one; only then processes exchange gradients.
    """

    batch: FaceBatch
    first: int
    share: float
    last: bool


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


class Training:
    """A training under way: model, optimisers and EMA. ``step`` changes them, ``save`` stores them.

    ``train`` runs one; a program that needs its steps one by one, such as a benchmark, makes its own.
    """

    def __init__(self, job: Job):
        # Prepare the model.
        require_able_processes(job.name)
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
        # EMA, distributed wrapper, optimisers and precision.
        self.ema = Averaged(job.model, job.settings.ema)
        if job.settings.gradient_checkpointing:
            recompute(job.name, job.model, job.settings.compile)
        if job.settings.compile:
            compile_model(job.model, job.trainer)
        self.result_of: nn.Module | None = None  # what takes the result, where no process has all of a weight
        self.wrapped = self._distributed()
        self.optimisers = optimisers(self.groups, job.settings)
        self.dtype = autocast_dtype(job.settings.precision, self.device)
        self.repeatable = Repeatable(self.device)
        half = self.dtype is torch.float16
        self.finite = Finite(job.name, job.settings, self.groups, self.device, half, self._photographs, job.folder)
        self.finite.late = self.finite.late and self.result_of is None
        self.recent: list[dict[str, float]] = []  # loss terms since the last line of the log
        self.parts = 1  # of a batch; more if the memory of the GPU is too small for a whole one

    def _distributed(self) -> Any:
        """The module as several processes run it; the main model's weights are shared out, if that is asked for."""
        if accelerator().num_processes == 1:  # what accelerate prepares it holds for ever
            return self.module
        if not sharded.is_asked():
            return accelerator().prepare(self.module)
        if self.job.name != "train":  # a network is small, and is needed whole
            return nn.parallel.DistributedDataParallel(self.module, find_unused_parameters=True)
        sharded.require_able(self.job.name, self.job.settings, self.job.model, self.ema.module)
        self.result_of = copy.deepcopy(self.ema.module).cpu()
        sharded.share_out(self.module)
        sharded.share_out(self.ema.module)
        named = trainable(self.job.model, self.job.trainer)
        self.groups = {group: {name: named[name] for name in names} for group, names in self.groups.items()}
        return self.module

    def batches(self, first_step: int) -> Iterator[FaceBatch]:
        """This process's batches, starting at ``first_step``."""
        return iter(loader(self.job.faces, self._sampler(first_step), self.job.settings, self.device))

    def _sampler(self, first_step: int) -> StepSampler:
        job, world = self.job, accelerator().num_processes
        first = first_step * job.settings.accumulate * world + accelerator().process_index
        settings = job.settings
        return StepSampler(len(job.faces), settings.batch_size, job.seed, first, world, settings.flip)

    def step(self, step: int, batches: list[FaceBatch]) -> dict[str, float]:
        """Take one optimiser step per group.

        Returns:
            The loss terms, averaged over the accumulated batches; empty if the step was left out. Where they are read
            late (palsykit/training/finite.py), those of the last log line.

        Raises:
            PalsykitError: a loss or a gradient is not finite, and no more steps may be skipped; no weight has changed.
        """
        torch.manual_seed(derive("global", self.job.seed, step, accelerator().process_index))
        totals: dict[str, float] = {}
        for phase, optimiser in self.optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = rate(step, self.job.settings)
            # Accumulate gradients, in smaller parts if the memory is too small for a whole batch.
            while (terms := self._gradients(step, batches, phase)) is None:
                pass  # once more, in smaller parts or with other algorithms
            terms = means(terms)
            # Update weights, if all gradients are finite.
            self.finite.unscale(phase, optimiser)
            limit = math.inf if self.job.settings.clip is None else self.job.settings.clip
            norm = accelerator().clip_grad_norm_(list(self.groups[phase].values()), limit)
            norm = None if norm is None else sharded.whole(norm)
            if not self.finite.take(step, phase, optimiser, norm, terms):
                return {}
            if not self.finite.late:
                for term, value in terms.items():
                    totals[term] = totals.get(term, 0.0) + float(value)
        # Update EMA.
        self.ema.update_parameters(self.job.model)
        if self.finite.late:
            return self.recent[-1] if self.recent else {}
        self.recent.append(totals)
        return totals

    def _photographs(self, step: int, most: int = 8) -> list[str]:
        """The keys of the photographs of this process's step."""
        sampler = self._sampler(step)
        draws = [draw for _, batch in zip(range(self.job.settings.accumulate), sampler, strict=False) for draw in batch]
        keys = [self.job.faces.pairs[draw.row].record.key for draw in draws]
        return keys[:most] + ([f"and {len(keys) - most} more"] if len(keys) > most else [])

    def log(self, done: int) -> None:
        """Log the mean losses since the last line; only the main process does."""
        self.recent += self.finite.read()
        if self.recent and accelerator().is_main_process:
            means = {name: sum(terms[name] for terms in self.recent) / len(self.recent) for name in self.recent[0]}
            line = {"loss": sum(means.values()), "terms": means}
            self.job.log({"job": self.job.name, "step": done, "lr": rate(done - 1, self.job.settings), **line})
        self.recent.clear()

    def _gradients(self, step: int, batches: list[FaceBatch], phase: str) -> dict[str, Tensor] | None:
        """Add up the gradients of a step; returns its loss terms, or None if it must be computed in another way."""
        self.optimisers[phase].zero_grad(set_to_none=True)
        totals: dict[str, Tensor] = {}
        try:
            with self.repeatable:
                for part in self._in_parts(step, batches):
                    for term, value in self._backward(step, part, phase).items():
                        share = exact(value) * part.share
                        totals[term] = totals[term] + share if term in totals else share
        except torch.OutOfMemoryError:
            # Several processes would have to halve together, and one that fails cannot tell the others.
            if self.parts >= max(map(len, batches)) or accelerator().num_processes > 1:
                raise
            self._halve(step)
            return None
        except RuntimeError as error:
            if not is_not_repeatable(error):
                raise
            self.repeatable.give_up(self.job.name, error)
            return None
        return totals

    def _halve(self, step: int) -> None:
        """Go on with parts of a batch that are half as large. The gradients stay the same."""
        torch.cuda.empty_cache()
        self.parts *= 2
        say(
            f"{self.job.name}: step {step + 1}: the memory of the GPU is too small; from now on a batch is computed in "
            f"{self.parts} parts, which takes the same steps more slowly. To begin so, "
            f"{smaller(self.job.settings, self.parts)}"
        )

    def _in_parts(self, step: int, batches: list[FaceBatch]) -> list[Part]:
        """This process's part of a step, in the order of its rows."""
        size, world, parts = self.job.settings.batch_size, accelerator().num_processes, []
        for number, batch in enumerate(batches):
            first = ((step * len(batches) + number) * world + accelerator().process_index) * size
            for start, stop in bounds(len(batch), self.parts):
                share = (stop - start) / len(batch) / len(batches)
                last = number == len(batches) - 1 and stop == len(batch)
                parts.append(Part(batch.rows(start, stop), first + start, share, last))
        return parts

    def _backward(self, step: int, part: Part, phase: str) -> dict[str, Tensor]:
        """Add the gradients of a part of a step; returns its loss terms."""
        draws = by_row(self.job.seed, step, range(part.first, part.first + len(part.batch)))
        apart = accelerator().no_sync if self.result_of is None else sharded.without_exchange
        with torch.enable_grad() if part.last else apart(self.wrapped):
            try:
                with autocast(self.dtype, self.device), self._faster():
                    terms: dict[str, Tensor] = self.wrapped(part.batch, draws, phase)
            except (PalsykitError, ValueError):  # a ValueError is how a part refuses its input
                raise
            except Exception as error:  # a plugin's code may raise anything
                if is_out_of_memory(error) or is_lost(error) or is_not_repeatable(error):
                    raise
                raise self._failure(step, error) from error
            loss = torch.stack([term.float() for term in terms.values()]).sum()
            accelerator().backward(self.finite.scaled(phase, loss * part.share))
        return {name: term.detach() for name, term in terms.items()}

    def _faster(self) -> contextlib.AbstractContextManager[object]:
        """On a CPU in bf16, faster ways for slow functions; in fp32 they gain nothing, and compilers have their own."""
        gains = self.dtype is torch.bfloat16 and not self.job.settings.compile
        return faster(self.device) if gains else contextlib.nullcontext()

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
            if accelerator().is_main_process:
                checkpoint.remove_old(self.job.folder)  # a kill may have come before it
        if last is None:
            return 0
        sharded.load(self.job.model, checkpoint.load(last, "model"))
        sharded.load(self.ema.module, checkpoint.load(last, "ema"))
        if isinstance(self.job.trainer, nn.Module):
            sharded.load(self.job.trainer, checkpoint.load(last, "trainer"))
        checkpoint.restore_optimisers(checkpoint.load(last, "optimiser"), self.groups, self.optimisers)
        facts = checkpoint.facts(last)
        self.ema.n_averaged.fill_(facts["averaged"])
        self.recent = facts["recent"]
        self.finite.restore(facts)
        return int(facts["step"])

    def save(self, step: int) -> None:
        """Write a checkpoint; only the main process writes.

        Raises:
            PalsykitError: a weight is not finite, or the checkpoint cannot be written. Those before it stay.
        """
        accelerator().wait_for_everyone()
        self.recent += self.finite.read()
        self._check_weights(step)
        if accelerator().is_main_process or self.result_of is not None:  # all give their parts
            tensors = {
                "model": checkpoint.module_state(self.job.model),
                "ema": checkpoint.module_state(self.ema.module),
                "trainer": checkpoint.module_state(self.job.trainer),
                "optimiser": checkpoint.optimiser_state(self.groups, self.optimisers),
            }
        if accelerator().is_main_process:
            facts = {"averaged": int(self.ema.n_averaged), "recent": self.recent, **self.finite.state()}
            checkpoint.save(self.job.folder, step, tensors, facts)

    def _check_weights(self, step: int) -> None:
        for what, module in (("weights", self.job.model), ("averaged weights", self.ema.module)):
            bad = checkpoint.not_finite({name: sharded.here(value) for name, value in module.state_dict().items()})
            if bad or (self.result_of is not None and sharded.anywhere(bool(bad))):
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
        source = self.ema.module if int(self.ema.n_averaged) else self.job.model
        if self.result_of is not None:
            self.result_of.load_state_dict(checkpoint.module_state(source))
            return self.result_of.to(self.device).eval()
        module = self.ema.module
        if source is not module:
            module.load_state_dict(source.state_dict())
        return module.eval()
