"""Contracts of trainers and networks."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from palsykit.errors import PalsykitError
from palsykit.interfaces import FaceBatch, NetworkOutput
from palsykit.seeds import generator
from palsykit.testing import modules
from palsykit.testing.modules import Harness, Tensors, require_shapes
from palsykit.testing.result import Check, NotChecked, Unmet
from palsykit.testing.stand_ins import (
    StandInNetwork,
    StandInSynthesiser,
    face_batch,
    faces,
    model,
    training_data,
)
from palsykit.testing.subject import ROWS, Subject
from palsykit.training.groups import Groups, checked_groups

MODELS = {"model": "ConditionalDiffusion", "network": "network", "synthesiser": "synthesiser that is trained"}
Built = tuple[nn.Module, Any, Groups]
"""Model, trainer, the trainer's groups."""


def trainer_checks(subject: Subject) -> list[Check]:
    """Groups, losses and steps, on the kind of model that it trains: a diffusion model, a network or a synthesiser."""
    make = _maker(subject)
    batch = face_batch(2 * ROWS, subject.image_size)
    return [
        ("every parameter in one group", lambda: _groups(make)),
        ("finite scalar terms", lambda: terms_are_scalars(make, batch)),
        ("unknown landmarks and labels do no harm", lambda: unknowns(make, batch)),
        ("all randomness is the generator's", lambda: seeded(make, batch)),
        ("every parameter is trained", lambda: trained(make, batch)),
        ("weights come back from safetensors", lambda: trainer_round_trip(make, batch)),
    ]


def _maker(subject: Subject) -> Callable[[int], Built]:
    """A function that builds model and trainer from a seed. The model is the first of the three kinds that works.

    Raises:
        Unmet: the trainer's losses work with none of them.
    """
    data = training_data(2 * ROWS, subject.image_size)
    batch = face_batch(2 * ROWS, subject.image_size)

    def stand_in(kind: str) -> nn.Module:
        if kind == "synthesiser":
            return StandInSynthesiser(subject.networks["driver"])
        return model(subject.networks) if kind == "model" else StandInNetwork("fitted", subject.image_size)

    def build(seed: int, kind: str) -> Built:
        trainer = subject.build(data, seed=seed)
        module = stand_in(kind)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return module, trainer, checked_groups(module, trainer)

    failures = []
    for kind in MODELS:
        try:
            module, trainer, groups = build(0, kind)
            trainer.losses(module, batch, generator("probe"), next(iter(groups)))
        except PalsykitError:
            raise
        except Exception as error:  # a trainer may raise anything for a kind of model that it is not made for
            failures.append(f"on a {MODELS[kind]}: {type(error).__name__}: {error}")
        else:
            return lambda seed, kind=kind: build(seed, kind)  # type: ignore[misc]
    raise Unmet(
        "losses for a ConditionalDiffusion, for a network to fit, or for a trainable synthesiser",
        "; ".join(failures),
        "call model.encode, model.fuse and model.predict; or model(image), as palsykit.interfaces.Trainer says; or "
        "model.encode and model(image, conditioning), as TrainedSynthesiser does",
    )


def _groups(make: Callable[[int], Built]) -> None:
    """The trainer's groups are valid: checked_groups raises if not."""
    make(0)


def _losses(built: Built, batch: FaceBatch, seed: str, phase: str) -> dict[str, Tensor]:
    module, trainer, _ = built
    module.train()
    terms: dict[str, Tensor] = trainer.losses(module, batch, generator(seed), phase)
    return terms


def terms_are_scalars(make: Callable[[int], Built], batch: FaceBatch) -> None:
    """In every phase losses gives {term: scalar}: finite, and at least one with a gradient."""
    built = make(0)
    for phase in built[2]:
        terms = _losses(built, batch, "a", phase)
        bad = {name: list(term.shape) for name, term in terms.items() if term.ndim or not torch.isfinite(term)}
        if not terms or bad or not any(term.requires_grad for term in terms.values()):
            raise Unmet(
                f"finite scalar terms with a gradient in phase {phase!r}",
                f"{bad or list(terms) or 'no terms'}",
                "reduce each term to a scalar, and do not detach all of them",
            )


def unknowns(make: Callable[[int], Built], batch: FaceBatch) -> None:
    """The terms are finite if only the picture and the subject of some rows are known."""
    built = make(0)
    own = faces(len(batch), batch.identity.image.shape[-1], "driver")
    own.landmarks[::2] = torch.nan
    own.labels = tuple(
        type(label)(subject=label.subject) if row % 2 == 0 else label for row, label in enumerate(own.labels)
    )
    for phase in built[2]:
        for name, term in _losses(built, FaceBatch(batch.identity, own, own), "a", phase).items():
            if not torch.isfinite(term):
                raise Unmet(
                    "finite terms if landmarks are NaN and labels None, as in most data",
                    f"{name} is {float(term.detach())}",
                    "select the known rows before computing; NaN times 0 is still NaN",
                )


def seeded(make: Callable[[int], Built], batch: FaceBatch) -> None:
    """The same generator gives the same terms, whatever torch's global state is."""
    for phase in make(0)[2]:
        results = []
        for global_seed in (1, 2):
            built = make(0)
            with torch.random.fork_rng():
                torch.manual_seed(global_seed)
                results.append(_losses(built, batch, "a", phase))
        for name, term in results[0].items():
            if not torch.equal(term, results[1][name]):
                raise Unmet(
                    "all randomness from the generator that losses receives",
                    f"{name} follows torch's global seed",
                    "pass generator=generator to every draw, on the CPU, then move the result",
                )


def trained(make: Callable[[int], Built], batch: FaceBatch) -> None:
    """In a few steps, phase by phase, every parameter moves in its own phase."""
    # Train for a few steps.
    built = make(0)
    groups = built[2]
    named = {name: p for group in groups.values() for name, p in group.items()}
    start = {name: p.detach().clone() for name, p in named.items()}
    optimisers = {phase: torch.optim.Adam(group.values(), lr=modules.RATE) for phase, group in groups.items()}
    for step in range(modules.STEPS):
        for phase, optimiser in optimisers.items():
            optimiser.zero_grad()
            terms = _losses(built, batch, f"step {step}", phase)
            torch.stack([term.float() for term in terms.values()]).sum().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    # Compare. A stand-in network has more outputs than any one trainer fits, so there one moved parameter is enough.
    own = [name for name in named if name.startswith("trainer.") or not isinstance(built[0], StandInNetwork)]
    moved = {name for name, p in named.items() if not torch.equal(p.detach(), start[name])}
    if unchanged := [name for name in own if name not in moved]:
        raise Unmet(
            f"every parameter to move within {modules.STEPS} steps of its phase",
            f"{', '.join(unchanged[:5])} did not ({len(unchanged)} of {len(own)})",
            "use it in a loss term of the phase whose group contains it",
        )
    if not moved:
        raise Unmet("a fitted network that moves", "no parameter did", "use the network's output in the losses")


def trainer_round_trip(make: Callable[[int], Built], batch: FaceBatch) -> None:
    """A trainer that owns modules resumes from its saved weights."""
    model_, trainer, groups = make(0)
    if not isinstance(trainer, nn.Module) or not trainer.state_dict():
        return
    phase = next(iter(groups))

    def build(seed: int) -> nn.Module:
        other = make(seed)[1]
        assert isinstance(other, nn.Module)
        return other

    def call(module: nn.Module, inputs: Tensors) -> Tensors:
        model_.eval()
        return {"terms": torch.stack(list(module.losses(model_, batch, generator("a"), phase).values()))}  # type: ignore[operator]

    modules.round_trip(Harness(build, {"image": batch.identity.image}, call))


def network_checks(subject: Subject) -> list[Check]:
    """Map and embedding have the promised shapes, and the contract of a module holds."""

    def call(network: nn.Module, inputs: Tensors) -> Tensors:
        output: NetworkOutput = network(inputs["image"])
        named = {"map": output.map, "embedding": output.embedding, "points": output.points, **output.logits}
        return {name: value for name, value in named.items() if value is not None}

    image = faces(ROWS, subject.image_size, "image").image
    harness = Harness(lambda seed: subject.build(subject.image_size, seed=seed), {"image": image}, call)
    harness.build(0)
    return [
        ("shapes in fp32", lambda: network_shapes(harness)),
        ("differentiable in the image", lambda: differentiable(harness)),
        *modules.checks(harness),
    ]


def network_shapes(harness: Harness) -> None:
    """It gives map [B, *map_shape], embedding [B, embedding_width] or None, points [B, 68, 2] or None."""
    network: Any = harness.build(0)
    if not hasattr(network, "map_shape") or not hasattr(network, "embedding_width"):
        raise Unmet("the attributes map_shape and embedding_width", "not both", "set both in __init__")
    outputs = harness.run(network)
    expected: dict[str, tuple[int, ...]] = {"map": (ROWS, *network.map_shape)}
    if network.embedding_width is not None:
        expected["embedding"] = (ROWS, network.embedding_width)
    elif "embedding" in outputs:
        raise Unmet("no embedding, as embedding_width = None says", "one", "set embedding_width to its width")
    if "points" in outputs:
        expected["points"] = (ROWS, 68, 2)
    require_shapes(outputs, expected, "map_shape and embedding_width say")


def differentiable(harness: Harness) -> None:
    """Every output has a gradient in the image, so that identity and landmark losses reach the pixels."""
    network = harness.build(0).eval()
    if not getattr(network, "differentiable", True):
        raise NotChecked("it gives no gradient (differentiable = False): only for conditions and judges")
    image = harness.inputs["image"].clone().requires_grad_()
    outputs = harness.call(network, {"image": image})
    for name, value in outputs.items():
        if not value.requires_grad or _no_slope(value, image):
            raise Unmet(f"{name} differentiable in the image", "no gradient", "drop no_grad, detach and rounding")


def _no_slope(value: Tensor, image: Tensor) -> bool:
    """Whether ``value`` does not depend on ``image``."""
    (slope,) = torch.autograd.grad(value.sum(), image, retain_graph=True, allow_unused=True)
    return slope is None
