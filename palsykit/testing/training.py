"""Contracts of trainers and networks."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from palsykit.diffusion.codec import CodecSpace
from palsykit.diffusion.model import ConditionalDiffusion
from palsykit.errors import PalsykitError
from palsykit.faces.vocabulary import FaceLabels
from palsykit.interfaces import FaceBatch, NetworkOutput
from palsykit.seeds import generator
from palsykit.testing import shared
from palsykit.testing.result import Check, NotChecked, Unmet, require
from palsykit.testing.shared import Harness, Shapes, Tensors
from palsykit.testing.stand_ins import (
    StandInCodec,
    StandInNetwork,
    StandInSynthesiser,
    face_batch,
    faces,
    model,
    training_data,
)
from palsykit.testing.subject import ROWS, Subject
from palsykit.training.groups import Groups, checked_groups

Built = tuple[nn.Module, Any, Groups]
"""Model, trainer, the trainer's groups."""
Make = Callable[[int], Built]


def trainer_checks(subject: Subject) -> list[Check]:
    """Losses and steps, on the kind of model that it trains: a diffusion model, a network or a synthesiser."""
    batch = face_batch(2 * ROWS, subject.image_size)
    make = _maker(subject, batch)
    return [
        ("finite scalar terms", lambda: terms_are_scalars(make(0), batch)),
        ("unknown landmarks and labels are handled", lambda: unknowns(make(0), batch)),
        ("works on the latents of a codec", lambda: works_on_latents(subject, batch)),
        ("all random numbers are from the generator", lambda: seeded(make, batch)),
        ("every parameter is trained", lambda: trained(make(0), batch)),
        ("weights are restored from safetensors", lambda: trainer_round_trip(make, batch)),
    ]


def _maker(subject: Subject, batch: FaceBatch) -> Make:
    """A function that builds model and trainer from a seed. The model is the first of three kinds that works.

    Raises:
        PalsykitError: a parameter is in no group or in two.
        Unmet: the trainer's losses work with none of them.
    """
    data = training_data(len(batch), subject.image_size)
    kinds: dict[str, Callable[[], nn.Module]] = {
        "ConditionalDiffusion": lambda: model(subject.networks),
        "network": lambda: StandInNetwork("fitted", subject.image_size),
        "synthesiser that is trained": lambda: StandInSynthesiser(subject.networks["driver"]),
    }

    def build(seed: int, kind: str) -> Built:
        trainer = subject.build(data, seed=seed)
        module = kinds[kind]()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return module, trainer, checked_groups(module, trainer)

    failures = []
    for kind in kinds:
        try:
            module, trainer, groups = build(0, kind)
            trainer.losses(module, batch, generator("probe"), next(iter(groups)))
        except PalsykitError:
            raise
        except Exception as error:  # a trainer may raise anything for a kind of model that it is not made for
            failures.append(f"on a {kind}: {type(error).__name__}: {error}")
        else:
            return lambda seed, kind=kind: build(seed, kind)  # type: ignore[misc]
    raise Unmet(
        "losses for a ConditionalDiffusion, for a network to fit, or for a trainable synthesiser",
        "; ".join(failures),
        "call model.encode, model.fuse and model.predict; or model(image), as palsykit.interfaces.Trainer says; or "
        "model.encode and model(image, conditioning), as TrainedSynthesiser does",
    )


def works_on_latents(subject: Subject, batch: FaceBatch) -> None:
    """A trainer of diffusion models gives finite losses also for a model with a codec."""
    if not isinstance(_maker(subject, batch)(0)[0], ConditionalDiffusion):
        return
    module = model(subject.networks, CodecSpace(StandInCodec()))
    trainer = subject.build(training_data(len(batch), subject.image_size))
    try:
        groups = checked_groups(module, trainer)
    except (PalsykitError, ValueError):
        return  # it refuses codecs
    for phase in groups:
        mend = "denoise model.codec.encode(batch.target.image); model.codec.decode(x0_hat) is a picture"
        expected = "finite losses for latents of 12 channels and half the side"
        try:
            terms = _losses((module, trainer, groups), batch, phase)
        except (RuntimeError, IndexError) as error:
            raise Unmet(expected, f"{type(error).__name__}: {str(error).splitlines()[0]}", mend) from None
        bad = [name for name, term in terms.items() if not torch.isfinite(term)]
        require(not bad, expected, f"{', '.join(bad)} is not finite", mend)


def _losses(built: Built, batch: FaceBatch, phase: str, seed: str = "a") -> dict[str, Tensor]:
    module, trainer, _ = built
    module.train()
    terms: dict[str, Tensor] = trainer.losses(module, batch, generator(seed), phase)
    return terms


def terms_are_scalars(built: Built, batch: FaceBatch) -> None:
    """In every phase losses gives {term: scalar}: finite, and at least one with a gradient."""
    for phase in built[2]:
        terms = _losses(built, batch, phase)
        bad = {name: list(term.shape) for name, term in terms.items() if term.ndim or not torch.isfinite(term)}
        require(
            terms and not bad and any(term.requires_grad for term in terms.values()),
            f"finite scalar terms with a gradient in phase {phase!r}",
            bad or list(terms) or "no terms",
            "reduce each term to a scalar, and do not detach all of them",
        )


def unknowns(built: Built, batch: FaceBatch) -> None:
    """The terms are finite if only the picture and the subject of some rows are known."""
    own = faces(len(batch), batch.identity.image.shape[-1], "driver")
    own.landmarks[::2] = torch.nan
    own.labels = tuple(label if row % 2 else FaceLabels(label.subject) for row, label in enumerate(own.labels))
    for phase in built[2]:
        for name, term in _losses(built, FaceBatch(batch.identity, own, own), phase).items():
            require(
                torch.isfinite(term),
                "finite terms if landmarks are NaN and labels None, as in most data",
                f"{name} is {float(term.detach())}",
                "select the known rows before computing; NaN times 0 is still NaN",
            )


def seeded(make: Make, batch: FaceBatch) -> None:
    """The same generator gives the same terms, whatever torch's global state is."""
    for phase in make(0)[2]:
        results = []
        for global_seed in (1, 2):
            built = make(0)
            with torch.random.fork_rng():
                torch.manual_seed(global_seed)
                results.append(_losses(built, batch, phase))
        for name, term in results[0].items():
            require(
                torch.equal(term, results[1][name]),
                "all randomness from the generator that losses receives",
                f"{name} follows torch's global seed",
                "pass generator=generator to every draw, on the CPU, then move the result",
            )


def trained(built: Built, batch: FaceBatch) -> None:
    """In a few steps, phase by phase, every parameter moves in its own phase."""
    module, _, groups = built

    def loss(step: int, phase: str) -> Tensor:
        return torch.stack([term.float() for term in _losses(built, batch, phase, f"step {step}").values()]).sum()

    named = [name for group in groups.values() for name in group]
    unmoved = shared.train(groups, loss)
    require(len(unmoved) < len(named), "a model that moves", "no parameter did", "use the model's output in the losses")
    if isinstance(module, StandInNetwork):  # it has more outputs than any one trainer fits
        named, unmoved = ([name for name in names if name.startswith("trainer.")] for names in (named, unmoved))
    require(
        not unmoved,
        f"every parameter to move within {shared.STEPS} steps of its phase",
        f"{', '.join(unmoved[:5])} did not ({len(unmoved)} of {len(named)})",
        "use it in a loss term of the phase whose group contains it",
    )


def trainer_round_trip(make: Make, batch: FaceBatch) -> None:
    """A trainer that owns modules resumes from its saved weights."""
    module, trainer, groups = make(0)
    if not isinstance(trainer, nn.Module) or not trainer.state_dict():
        return
    phase = next(iter(groups))

    def call(other: Any, inputs: Mapping[str, FaceBatch]) -> Tensors:
        terms = other.losses(module.eval(), inputs["batch"], generator("a"), phase)
        return {"terms": torch.stack(list(terms.values()))}

    shared.round_trip(Harness(lambda seed: make(seed)[1], {"batch": batch}, call, lambda *_: {}, ""))


def network_checks(subject: Subject) -> list[Check]:
    """Map and embedding have the promised shapes, and the contract of a module holds."""
    view, build = faces(ROWS, subject.image_size, "image"), subject.maker(subject.image_size)

    def call(network: nn.Module, inputs: Mapping[str, Tensor]) -> Tensors:
        output: NetworkOutput = network(inputs["image"])
        named = {"map": output.map, "embedding": output.embedding, "points": output.points, **output.logits}
        return {name: value for name, value in named.items() if value is not None}

    def differentiable() -> None:
        network = build(0).eval()
        if not getattr(network, "differentiable", True):
            raise NotChecked("it gives no gradient (differentiable = False): only for conditions and judges")
        shared.pixel_gradients(lambda view: call(network, {"image": view.image}), view)

    harness = Harness(build, {"image": view.image}, call, network_shapes, "map_shape and embedding_width say")
    harness.build(0)
    pixels: Check = ("gradients reach the pixels", lambda: differentiable())
    return [*shared.by_row(harness), pixels, *shared.trainable(harness)]


def network_shapes(network: Any, outputs: Tensors) -> Shapes:
    """It gives map [B, *map_shape], embedding [B, embedding_width] or None, points [B, 68, 2] or None."""
    promised = hasattr(network, "map_shape") and hasattr(network, "embedding_width")
    require(promised, "the attributes map_shape and embedding_width", "not both", "set both in __init__")
    width = network.embedding_width
    points = {"points": (ROWS, 68, 2)} if "points" in outputs else {}
    return {"map": (ROWS, *network.map_shape), "embedding": None if width is None else (ROWS, width), **points}
