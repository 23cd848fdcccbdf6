"""Build a recipe's parts: data, networks and the model, one instance of each."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, cast

import torch
from torch import nn

from palsykit.diffusion.codec import CodecSpace
from palsykit.diffusion.model import Condition, ConditionalDiffusion, Overlay
from palsykit.diffusion.synthesis import DiffusionSynthesiser
from palsykit.errors import PalsykitError
from palsykit.faces.pairing import Pair, grid, of_first_people
from palsykit.faces.records import FaceDataset, FaceRecord
from palsykit.faces.splits import split_records
from palsykit.faces.views import view
from palsykit.files.caches import cache_folder
from palsykit.interfaces import ConditioningSpec, Synthesiser, TokenSpec, Trainer, TrainingData
from palsykit.networks import SharedNetwork
from palsykit.recipe import Recipe
from palsykit.recipe.build import build_part
from palsykit.recipe.schema import FitBlock, PartBlock, Settings
from palsykit.registry import registry
from palsykit.seeds import derive
from palsykit.training.processes import accelerator


class Data:
    """A data set with its splits. A network can predict the landmarks that the data set lacks."""

    def __init__(self, dataset: FaceDataset, seed: int):
        self.dataset, self.predicted = dataset, False
        try:
            self.splits = split_records(dataset.records, seed)
        except ValueError as error:
            raise PalsykitError(f"the data ({type(dataset).__name__}): {error}") from error

    @property
    def without_landmarks(self) -> int:
        """Number of records whose landmarks are unknown."""
        return sum(record.landmarks is None for records in self.splits.values() for record in records)

    def predict_landmarks(self, network: SharedNetwork) -> None:
        """Fill in unknown landmarks with the network's predictions, marked "predicted"."""
        for split, records in self.splits.items():
            self.splits[split] = _predict_landmarks(self.dataset, records, network)


def _predict_landmarks(dataset: FaceDataset, records: Sequence[FaceRecord], network: SharedNetwork) -> list[FaceRecord]:
    result = list(records)
    unknown = [i for i, record in enumerate(records) if record.landmarks is None]
    for start in range(0, len(unknown), 64):
        rows = unknown[start : start + 64]
        with torch.inference_mode():
            points = network(view(dataset, [records[i] for i in rows]).image.to(accelerator().device)).points
        if points is None:
            return result
        for i, landmarks in zip(rows, points.float().cpu().numpy(), strict=True):
            result[i] = replace(records[i], landmarks=landmarks, landmarks_source="predicted")
    return result


def _key(block: PartBlock, size: int) -> str:
    return json.dumps([size, {"use": block.use, **block.parameters}], sort_keys=True, default=str)


class Parts:
    """Build a recipe's parts on demand and keep one instance of each.

    Every part is built with its own seed, so adding a part does not change the initial weights of the others.

    Attributes:
        predicts_landmarks: whether ``data()`` fills in missing landmarks of the recipe's data; set to True after the
            networks are fitted.
        check: called with the recipe's data when they are read; a run that goes on refuses data that have changed.
        refuse: called before they are read; an exported model has none.
    """

    def __init__(self, recipe: Recipe):
        self.recipe, self.settings = recipe, recipe.settings
        self.device = accelerator().device
        self.networks: dict[str, SharedNetwork] = {}
        self.predicts_landmarks = False
        self.check: Callable[[Data], None] | None = None
        self.refuse: Callable[[], None] | None = None
        self._data: dict[str, Data] = {}
        for name, block in self.settings.networks.items():
            side = block.image_size or self.settings.image_size
            module = cast(nn.Module, self.build("networks", block, side)).to(self.device)
            self.networks[name] = SharedNetwork(name, module, side)
            self.networks[name].freeze()

    def build(self, interface: str, block: PartBlock, *positional: Any) -> Any:
        """Build one part; its keys may name the recipe's networks."""
        keys = json.dumps(block.parameters, default=str)
        try:
            with torch.random.fork_rng():
                torch.manual_seed(derive("build", self.settings.seed, interface, block.use, keys))
                within = self.recipe.within
                return build_part(interface, block, *positional, networks=self.networks, within=within)
        except PalsykitError as error:
            if not (place := self.recipe.place(block)):
                raise
            raise PalsykitError(f"{place}: {error.message}", error.problems) from error

    @property
    def fits(self) -> list[FitBlock]:
        """The entries of ``fits`` whose network has no weights, in order."""
        networks = self.settings.networks
        return [block for block in self.settings.fits if networks[block.network].parameters.get("weights") is None]

    def data(self, block: PartBlock | None = None, image_size: int | None = None) -> Data:
        """The recipe's data, or the data of another block or size; equal blocks of one size share one instance.

        Data is read on the first call only, so a trained model can be opened without its photographs.
        """
        own, block = block is None and image_size is None, block or self.settings.data
        size = image_size or self.settings.image_size
        key = _key(block, size)
        if self.refuse is not None and block == self.settings.data:
            self.refuse()
        if key not in self._data:
            data = Data(self.build("datasets", block, size, cache_folder()), self.settings.seed)
            if self.check is not None and key == _key(self.settings.data, self.settings.image_size):
                self.check(data)
            self._data[key] = data
        data = self._data[key]
        if own and self.predicts_landmarks and not data.predicted:
            if data.without_landmarks and (network := self.points_network()) is not None:
                data.predict_landmarks(network)
            data.predicted = True
        return data

    def fit_data(self, block: FitBlock) -> Data:
        """The data on which a network is fitted, at the network's own size; no landmarks are predicted."""
        return self.data(block.data or self.settings.data, self.networks[block.network].own_size)

    @cached_property
    def chosen_pairs(self) -> list[Pair]:
        """The photographs to synthesise, of held-out identities, in the data set's order; chosen once."""
        settings = self.settings.generate
        return grid(of_first_people(self.data().splits[settings.split], settings.identities), self.settings.seed)

    def forget(self) -> None:
        """Free the data sets and the networks' caches. Both are filled again when needed."""
        self._data.clear()
        self.__dict__.pop("chosen_pairs", None)
        for network in self.networks.values():
            network.freeze()

    def trainer(self, block: PartBlock, data: Data) -> Trainer:
        """Build a trainer for the training records of ``data``, on the run's device if it is a module."""
        records = data.splits["train"]
        if not records:
            raise PalsykitError(
                f"the data ({type(data.dataset).__name__}) has no training photographs; expected at least one subject "
                "in the split 'train'; data.json and rejected.csv in the run folder list what was read and rejected"
            )
        subjects = tuple(sorted({str(record.labels.subject) for record in records}))
        trainer = self.build("trainers", block, TrainingData(data.dataset.image_size, records, subjects))
        return cast(Trainer, trainer.to(self.device) if isinstance(trainer, nn.Module) else trainer)

    def points_network(self) -> SharedNetwork | None:
        """The network that predicts landmarks: the first one that returns points; None if there is none."""
        probe = torch.zeros(1, 3, self.settings.image_size, self.settings.image_size, device=self.device)
        with torch.inference_mode():
            return next((n for n in self.networks.values() if n(probe).points is not None), None)

    def model(self) -> nn.Module:
        """Build the model to train, with initial weights: the recipe's diffusion model, else its synthesiser.

        Raises:
            PalsykitError: the recipe lacks a section that it needs, or has no model or two models to train.
        """
        block = self.settings.synthesiser
        if block is None:
            return self._diffusion()
        candidate = self.synthesiser(None)
        trainable = isinstance(candidate, nn.Module) and any(p.requires_grad for p in candidate.parameters())
        if trainable and self.settings.denoiser is not None:
            raise PalsykitError(
                f"{self.recipe.name}: two models to train, a diffusion model and the synthesiser {block.use!r}; "
                "expected one: remove conditions, fusion, denoiser, scheduler and sampler, or remove synthesiser"
            )
        if not trainable and self.settings.denoiser is None:
            raise PalsykitError(
                f"{self.recipe.name}: there is a trainer, but the synthesiser {block.use!r} has no trainable weights; "
                "remove trainer, or name a synthesiser that can be trained"
            )
        return cast(nn.Module, candidate) if trainable else self._diffusion()

    def _diffusion(self) -> ConditionalDiffusion:
        """Build the diffusion model from the sections conditions, maps, fusion, denoiser and scheduler."""
        s = self.settings
        lacking = [n for n in ("conditions", "fusion", "denoiser", "scheduler") if not getattr(s, n)]
        if lacking or s.fusion is None or s.denoiser is None or s.scheduler is None:
            raise PalsykitError(
                f"{self.recipe.name}: the recipe lacks {', '.join(lacking)}; a diffusion model needs all of them"
            )
        # Build encoders and maps.
        conditions = {
            name: Condition(self.build("encoders", block, s.image_size), block.source, block.drop, block.beside)
            for name, block in s.conditions.items()
        }
        maps = {
            name: Overlay(self.build("maps", block, s.image_size), block.error, block.drops_with)
            for name, block in s.maps.items()
        }
        # Build the fusion; the pooled vector is its own, or that of the condition named by pooled_from.
        specs = {name: c.encoder.spec for name, c in conditions.items()}
        fusion = self.build("fusions", s.fusion, specs)
        pooled, pooled_from = getattr(fusion, "pooled_width", None), None
        if pooled is None:
            pooled_from = s.fusion.pooled_from
            pooled = pooled_width(specs, pooled_from)
        # Build codec, denoiser, scheduler and model.
        codec = self._codec()
        channels = sum(codec.map_channels(overlay.map, overlay.error is not None) for overlay in maps.values())
        streams = tuple(getattr(fusion, "streams", ()))
        spec = ConditioningSpec(fusion.token_width, pooled, streams, channels, codec.channels)
        denoiser = self.build("denoisers", s.denoiser, spec, s.image_size // codec.factor)
        scheduler = self.build("schedulers", s.scheduler)
        if not codec.bounded:
            scheduler.register_to_config(clip_sample=False)  # samplers read it, and the run's folder keeps it
        with torch.random.fork_rng():
            torch.manual_seed(derive("model", s.seed))
            try:
                model = ConditionalDiffusion(conditions, fusion, denoiser, scheduler, maps, pooled_from, codec)
            except KeyError as error:  # torch's modules have attributes of their own: type, training, keys
                names = f"{', '.join(conditions)}; {', '.join(maps)}"
                raise PalsykitError(
                    f"{self.recipe.name}: {error.args[0]}; expected other names of conditions and maps ({names})"
                ) from error
        return model.to(self.device)

    def _codec(self) -> CodecSpace:
        """The recipe's codec, with its latents cached on disk.

        Raises:
            PalsykitError: the codec's factor does not divide the image size.
        """
        block, side = self.settings.codec, self.settings.image_size
        if block is None:
            return CodecSpace()
        codec = self.build("codecs", block, side)
        if side % codec.factor:
            raise PalsykitError(
                f"{self.recipe.name}: image_size {side} is not a multiple of {codec.factor}, the factor of the codec "
                f"{block.use!r}; use {side // codec.factor * codec.factor or codec.factor}, or another codec"
            )
        return CodecSpace(codec, cache_folder() / "latents", self.device)

    def synthesiser(self, model: nn.Module | None, guidance: float | None = None) -> Synthesiser:
        """The synthesiser: ``model`` if it is one, the recipe's synthesiser, or its sampler with ``model``."""
        s = self.settings
        if s.synthesiser is not None:
            if model is not None and not isinstance(model, ConditionalDiffusion):
                return cast(Synthesiser, model.eval())
            built = self.build("synthesisers", s.synthesiser, s.image_size)
            return cast(Synthesiser, built.to(self.device).eval() if isinstance(built, nn.Module) else built)
        if not isinstance(model, ConditionalDiffusion) or s.sampler is None:
            known = ", ".join(registry().names("samplers")) or "none"
            raise PalsykitError(
                f"{self.recipe.name}: the recipe has no sampler; add sampler: {{use: NAME}}; known samplers: {known}"
            )
        strength = s.generate.guidance if guidance is None else guidance
        check_guidance(strength, s)
        return DiffusionSynthesiser(model.eval(), self.build("samplers", s.sampler, model.scheduler), strength)

    def poser_block(self, name: str | None = None) -> PartBlock:
        """The poser, which makes drivers for named expressions: ``name``, else the recipe's, else the only one.

        Raises:
            PalsykitError: none is installed, or several are and neither recipe nor caller names one.
        """
        if name is not None or self.settings.poser is not None:
            return PartBlock(use=name) if name is not None else cast(PartBlock, self.settings.poser)
        known = registry().names("posers")
        if len(known) != 1:
            reason = f"several are installed ({', '.join(known)})" if known else "no installed plugin has one"
            step = "name one with --poser" if known else "`palsykit plugins` lists parts; give --driver IMAGE instead"
            raise PalsykitError(
                f"{self.recipe.name}: an expression by name needs a poser; the recipe names none and {reason}; {step}; "
                "in the recipe of a new run, add poser: {use: NAME}"
            )
        return PartBlock(use=known[0])


def pooled_width(specs: Mapping[str, TokenSpec], name: str | None) -> int | None:
    """The width of the pooled vector of condition ``name``; None if ``name`` is None.

    Raises:
        PalsykitError: there is no such condition, or it has no pooled vector.
    """
    widths = {key: spec.pooled for key, spec in specs.items() if spec.pooled is not None}
    if name is not None and name not in widths:
        raise PalsykitError(
            f"fusion: pooled_from names {name}, but the conditions with a pooled vector are "
            f"{', '.join(widths) or 'none'}; name one of those, or null for no pooled vector"
        )
    return None if name is None else widths[name]


MOST_GUIDANCE = 100.0
"""As in a recipe's ``generate.guidance``."""


def check_guidance(strength: float, settings: Settings) -> None:
    """Refuse guidance that the recipe's model does not support. Runs before any training.

    Raises:
        PalsykitError: guidance is not 1, and training drops no condition; or it is no number from 0 to MOST_GUIDANCE.
    """
    if not 0 <= strength <= MOST_GUIDANCE:  # nor is "not a number", which would make black pictures
        raise PalsykitError(f"guidance: found {strength:g}, expected a number from 0 to {MOST_GUIDANCE:g}; 1 is none")
    diffuses = settings.synthesiser is None and settings.sampler is not None
    if diffuses and strength != 1 and not any(block.drop > 0 for block in settings.conditions.values()):
        raise PalsykitError(
            f"guidance {strength:g}: no condition is dropped in training, so only guidance 1 is possible; use it, "
            f"or train with drop: 0.1 in a condition ({', '.join(settings.conditions)})"
        )
