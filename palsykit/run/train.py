"""Second and third stage: fit the networks that have no weights, in the recipe's order; then train the model."""

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from palsykit.errors import PalsykitError
from palsykit.faces.pairing import pair
from palsykit.networks import SharedNetwork
from palsykit.recipe.schema import FitBlock, Optimisation
from palsykit.run.best import load_best
from palsykit.run.folder import RunFolder
from palsykit.run.model_folder import load_into, load_model, save_model, save_network, start_from
from palsykit.run.parts import Data, Parts
from palsykit.run.same_data import fit_record, require_same_fit
from palsykit.run.tracking import Trackers
from palsykit.run.watch import Watch, watching
from palsykit.seeds import derive
from palsykit.training import sharded
from palsykit.training.batches import PairedFaces, check_flips
from palsykit.training.loop import Job, train


def check_model(parts: Parts) -> None:
    """Build the model and its sampler once before any data are read, and load the weights that trainings start from.

    Raises:
        PalsykitError: what it is built from does not fit together or into the memory; said now, not after the fits.
    """
    for block in parts.fits:
        if block.start is not None:
            start_from(copy.deepcopy(parts.networks[block.network].module), block.start)
    settings, model = parts.settings, None
    if settings.trainer is not None:
        model = parts.model()
        if settings.train.start is not None:
            start_from(model, settings.train.start, settings.train.start_without)
    if settings.synthesiser is not None or settings.sampler is not None:
        parts.synthesiser(model)


def check_all_flips(parts: Parts) -> None:
    """Refuse random flips that the data does not allow. Checks all trainings before the first one begins.

    Raises:
        PalsykitError: flips are not allowed; the message names the training and the photographs.
    """
    for block in parts.fits:
        if block.flip > 0:
            check_flips(f"fit-{block.network}", block.flip, parts.fit_data(block).splits["train"])
    if parts.settings.trainer is not None and parts.settings.train.flip > 0:
        check_flips("train", parts.settings.train.flip, parts.data().splits["train"])


def fit(run: RunFolder, parts: Parts, facts: dict[str, Any], trackers: Trackers) -> None:
    """Fit each network of ``fits`` that this run has not fitted yet."""
    for block in parts.fits:
        file = run.networks / f"{block.network}.safetensors"
        if not file.exists():
            _fit_one(run, parts, block, trackers)
            if run.writes:
                save_network(parts.networks[block.network], run.networks)
                fit_record(run, block.network).unlink(missing_ok=True)
        facts[block.network] = block.steps


def restore_fits(run: RunFolder, parts: Parts) -> None:
    """Load the weights of the networks that this run has fitted.

    Raises:
        PalsykitError: the run has fitted its networks, and the file of one is missing or does not match.
    """
    fitted = "fit" in run.state()["stages"]
    for block in parts.fits:
        file = run.networks / f"{block.network}.safetensors"
        if file.exists():
            load_into(parts.networks[block.network].module, file)
            parts.networks[block.network].freeze()
        elif fitted:
            raise PalsykitError(
                f"{file}: missing, although this run has fitted the network {block.network!r}; copy the whole run "
                "folder again, or start again with palsykit run RECIPE --fresh"
            )


def train_model(run: RunFolder, parts: Parts, facts: dict[str, Any], trackers: Trackers) -> None:
    """Train the main model and write its EMA weights, the last or the best ones, to model/; nothing without a trainer.

    Raises:
        PalsykitError: the recipe asks for the best weights, and there are none.
    """
    settings = parts.settings
    if settings.trainer is None:
        return
    data = parts.data()
    model = parts.model()
    if settings.train.start is not None:
        start_from(model, settings.train.start, settings.train.start_without)
    trainer = parts.trainer(settings.trainer, data)
    job = partial(_job, "train", run, parts, model, trainer, data, settings.train, settings.seed, trackers)
    if settings.watch is None:
        average = train(job())
    elif sharded.is_asked():
        raise PalsykitError(
            "watch: the first process alone looks at the training, but where processes share out the weights (FSDP) no "
            "process has a whole one; set watch: null, or choose distributed_type: MULTI_GPU"
        )
    else:
        with watching(run, parts, data, trainer, trackers) as watch:
            average = train(job(watch))
    if settings.generate.checkpoint == "best" and run.writes:
        facts["best"] = load_best(average, run.best)
    facts["parameters"] = sum(p.numel() for p in model.parameters() if p.requires_grad)
    facts["steps"] = settings.train.steps
    if run.writes:
        save_model(average, run.model)


def trained_model(run: RunFolder, parts: Parts) -> nn.Module | None:
    """Load the trained model from model/; None if the recipe trains none."""
    if parts.settings.trainer is None:
        return None
    model = parts.model()
    load_model(model, run.model)
    return model.eval().requires_grad_(False)


def _fit_one(run: RunFolder, parts: Parts, block: FitBlock, trackers: Trackers) -> None:
    name, network, data = f"fit-{block.network}", parts.networks[block.network], parts.fit_data(block)
    if block.data is not None:  # the recipe's own data are compared with those in data.json
        require_same_fit(run, block.network, data)
    seed = derive(name, parts.settings.seed)
    fit_network(
        network,
        lambda: _job(name, run, parts, network.module, parts.trainer(block.trainer, data), data, block, seed, trackers),
        block.start,
    )


def fit_network(network: SharedNetwork, job: Callable[[], Job], start: Path | None = None) -> None:
    """Train a network, from its last checkpoint if there is one, and freeze it with its EMA weights.

    Args:
        network: its weights become trainable before ``job`` builds the trainer.
        job: builds the training of ``network.module``.
        start: a file with the weights that the first step starts from; None for the network's own.

    Raises:
        PalsykitError: the file is not of this network.
    """
    if start is not None:
        start_from(network.module, start)
    network.module.requires_grad_(True)
    network.module.load_state_dict(train(job()).state_dict())
    network.freeze()


def _job(
    name: str,
    run: RunFolder,
    parts: Parts,
    model: Any,
    trainer: Any,
    data: Data,
    settings: Optimisation,
    seed: int,
    trackers: Trackers,
    watch: Watch | None = None,
) -> Job:
    faces = PairedFaces(data.dataset, pair(data.splits["train"], seed))

    def rewind(step: int) -> None:
        if run.writes:
            run.rewind_log(name, step)
            if watch is not None:
                watch.rewind(step)

    job = Job(name, model, trainer, faces, settings, seed, run.checkpoints(name), trackers.log, rewind)
    if watch is not None and run.writes:
        job.watch = watch.look
    return job
