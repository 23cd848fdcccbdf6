"""The training loop. All trainers share it, so all of them get resuming, EMA, distribution and logging."""

import torch
from torch import nn

from palsykit.progress import track
from palsykit.stopping import Stopped, finishing
from palsykit.training.memory import enough_memory
from palsykit.training.processes import stop_signal, together
from palsykit.training.steps import Job, Training

__all__ = ["Job", "Training", "train"]


def train(job: Job) -> nn.Module:
    """Train to the last step, from the last checkpoint if there is one.

    All random numbers depend on the seed and the step: the trainer's own, and torch's global ones, which dropout draws.
    What a trainer draws by row (palsykit/seeds.py) does not depend on the number of processes or on ``accumulate``.

    Returns:
        The exponential moving average of the model, in eval mode.

    Raises:
        PalsykitError: the loss, a gradient or a weight is not finite, the trainer fails, a parameter group is wrong, no
            checkpoint is as it was written, the memory is too small, or another process of the run has ended.
        Stopped: a signal came; the step is finished and saved.
    """
    with torch.random.fork_rng(), finishing(), together(job.name), enough_memory(job.name, job.settings):
        # Construct model, optimisers and EMA; resume if there is a checkpoint.
        state = Training(job)
        first = state.restore()
        job.rewind(first)
        settings, steps = job.settings, job.settings.steps
        batches = state.batches(first)
        if first == 0:
            job.watch(0, job.model, state.ema.module, [*state.groups])
        with track(job.name, steps, "steps", done=first) as progress:
            for step in range(first, steps):
                # Load the batches of one step and update the weights.
                rows = [next(batches).to(state.device, non_blocking=True) for _ in range(settings.accumulate)]
                terms = state.step(step, rows)
                done = step + 1
                # Log the mean losses since the last line.
                if done % settings.log_every == 0 or done == steps:
                    state.log(done)
                job.watch(done, job.model, state.ema.module, [*state.groups])
                # Save a checkpoint; the last step needs none.
                signal = stop_signal()
                if (done % settings.checkpoint_every == 0 and done < steps) or signal is not None:
                    state.save(done)
                if signal is not None:
                    raise Stopped(signal)
                progress.advance(1, f"loss {sum(terms.values()):.4f}")
        return state.result()
