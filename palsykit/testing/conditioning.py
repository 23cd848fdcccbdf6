"""Contracts of fusions, encoders, maps and denoisers: what conditions the model."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from palsykit.errors import PalsykitError
from palsykit.interfaces import Conditioning, ConditioningSpec, Encoded, FaceView, TokenSpec
from palsykit.seeds import generator
from palsykit.testing import modules
from palsykit.testing.modules import Harness, Tensors, require_shapes
from palsykit.testing.result import Check, Unmet
from palsykit.testing.stand_ins import CONDITIONS, faces
from palsykit.testing.subject import ROWS, Subject

TOKENS, WIDTH, POOLED = 16, 24, 12
REFERENCE = {name: TokenSpec(TOKENS, WIDTH, POOLED if name == "identity" else None) for name in CONDITIONS}
"""Conditions as in the reference recipe: equal token counts and widths, a pooled vector from identity only."""


def draw(name: str, *shape: int) -> Tensor:
    """Standard normal numbers; the same name gives the same numbers."""
    return torch.randn(shape, generator=generator("input", name))


# fusions


def conditions_of(specs: Mapping[str, TokenSpec], inputs: Tensors) -> dict[str, Encoded]:
    """A fusion's argument from the flat ``inputs`` of a harness."""
    return {name: Encoded(inputs[name], inputs.get(f"{name} pooled")) for name in specs}


def fusion_inputs(specs: Mapping[str, TokenSpec]) -> Tensors:
    """Random tokens [B, T, W] per condition, and pooled vectors [B, P] where the spec has one."""
    inputs = {name: draw(name, ROWS, spec.tokens, spec.width) for name, spec in specs.items()}
    pooled = {f"{n} pooled": draw(f"{n} pooled", ROWS, s.pooled) for n, s in specs.items() if s.pooled is not None}
    return inputs | pooled


def outputs_of(conditioning: Conditioning) -> Tensors:
    """A fusion's result as flat tensors by name."""
    pooled = {} if conditioning.pooled is None else {"pooled": conditioning.pooled}
    return {f"stream {name}": value for name, value in conditioning.tokens.items()} | pooled


def fusion_checks(subject: Subject) -> list[Check]:
    """Output widths match the attributes, every condition is read, and the contract of a module holds."""
    harness = Harness(
        lambda seed: subject.build(REFERENCE, seed=seed),
        fusion_inputs(REFERENCE),
        lambda fusion, inputs: outputs_of(fusion(conditions_of(REFERENCE, inputs))),
    )
    harness.build(0)
    return [
        ("shapes in fp32", lambda: fusion_shapes(harness.build(0), REFERENCE)),
        ("other conditions work or are refused", lambda: other_conditions(subject)),
        ("every condition is read", lambda: every_condition_counts(harness)),
        *modules.checks(harness),
    ]


def fusion_shapes(fusion: nn.Module, specs: Mapping[str, TokenSpec]) -> None:
    """The fusion gives streams [B, T, token_width]; pooled [B, pooled_width] of a fusion that makes one, else None."""
    width, pooled = getattr(fusion, "token_width", None), getattr(fusion, "pooled_width", None)
    if not isinstance(width, int) or not (pooled is None or isinstance(pooled, int)):
        raise Unmet(
            "token_width (a number) after __init__, and pooled_width (a number) of a fusion that makes a pooled vector",
            f"{width!r} and {pooled!r}",
            "set self.token_width, which the denoiser is built for; palsykit passes on a condition's pooled vector",
        )
    result = fusion.eval()(conditions_of(specs, fusion_inputs(specs)))
    if not isinstance(result, Conditioning) or not result.tokens:
        raise Unmet("a Conditioning with a stream or more", repr(result)[:80], "return Conditioning({'name': tokens})")
    streams: dict[str, tuple[int, ...]] = {
        f"stream {name}": (ROWS, value.shape[1], width) for name, value in result.tokens.items()
    }
    require_shapes(outputs_of(result), streams, "token_width says")
    if (result.pooled is None) != (pooled is None):
        raise Unmet(f"pooled as pooled_width = {pooled} says", "the opposite", "set both, or leave both None")
    if isinstance(pooled, int):
        require_shapes(outputs_of(result), {"pooled": (ROWS, pooled)}, "pooled_width says")


def other_conditions(subject: Subject) -> None:
    """With uneven token counts and widths, and without a pooled vector, it works or refuses when it is built."""
    uneven = {name: TokenSpec(9 + 7 * i, 8 * (i + 1), 6 if i == 0 else None) for i, name in enumerate(CONDITIONS)}
    plain = {name: TokenSpec(TOKENS, WIDTH) for name in CONDITIONS}
    for what, specs in (("uneven tokens and widths", uneven), ("no pooled vector", plain)):
        try:
            fusion = subject.build(specs)
        except PalsykitError:
            continue
        try:
            fusion_shapes(fusion, specs)
        except Unmet as unmet:
            raise Unmet(f"{unmet.expected}, with {what}", unmet.seen, unmet.mend) from None
        except (RuntimeError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise Unmet(
                f"conditions with {what} to work, or to be refused by __init__",
                f"{type(error).__name__} in forward: {str(error).splitlines()[0]}",
                "raise ValueError in __init__ and name the condition; a recipe then fails before training, not in it",
            ) from None


def every_condition_counts(harness: Harness) -> None:
    """The outputs have a gradient with respect to every condition's tokens or pooled vector."""
    fusion = harness.build(0).eval()
    inputs = {name: value.clone().requires_grad_() for name, value in harness.inputs.items()}
    outputs = harness.call(fusion, inputs)
    torch.stack([(v * draw(n, *v.shape)).sum() for n, v in outputs.items()]).sum().backward()  # type: ignore[no-untyped-call]
    reached = {name for name, value in inputs.items() if value.grad is not None and bool((value.grad != 0).any())}
    if ignored := [name for name in CONDITIONS if not {name, f"{name} pooled"} & reached]:
        raise Unmet(
            "every condition to change the result",
            f"{', '.join(ignored)} without effect",
            "read it, or refuse it in __init__: a condition in a recipe that has no effect misleads its reader",
        )


# encoders


def encoder_checks(subject: Subject) -> list[Check]:
    """Tokens match ``spec``, features depend on no trainable weight, and the contract of a module holds."""
    view = faces(ROWS, subject.image_size, "view")
    with torch.no_grad():
        features = subject.build(subject.image_size).eval().extract(view)

    def call(encoder: nn.Module, inputs: Tensors) -> Tensors:
        encoded: Encoded = encoder(inputs)
        return {"tokens": encoded.tokens} | ({} if encoded.pooled is None else {"pooled": encoded.pooled})

    harness = Harness(lambda seed: subject.build(subject.image_size, seed=seed), features, call)
    return [
        ("shapes in fp32", lambda: encoder_shapes(harness)),
        ("features are frozen and follow the pixels", lambda: frozen_features(subject)),
        ("shared networks stay outside", lambda: owns_no_network(subject, harness)),
        *modules.checks(harness),
    ]


def encoder_shapes(harness: Harness) -> None:
    """Tokens [B, tokens, width], pooled [B, pooled] or none, as ``spec`` says."""
    encoder = harness.build(0)
    spec = getattr(encoder, "spec", None)
    if not isinstance(spec, TokenSpec):
        raise Unmet("self.spec, a TokenSpec", repr(spec), "set it in __init__")
    expected: dict[str, tuple[int, ...]] = {"tokens": (ROWS, spec.tokens, spec.width)}
    outputs = harness.run(encoder)
    if spec.pooled is not None:
        expected["pooled"] = (ROWS, spec.pooled)
    elif "pooled" in outputs:
        raise Unmet("no pooled vector, as spec.pooled = None says", "one", "give spec its width")
    require_shapes(outputs, expected, "spec says")


def frozen_features(subject: Subject) -> None:
    """extract() gives [B, ...] tensors, rows independent, without trainable weights, differentiable in the pixels."""
    encoder = subject.build(subject.image_size).eval()
    view, other = faces(ROWS, subject.image_size, "view"), faces(ROWS, subject.image_size, "other")
    features = encoder.extract(view)
    for name, value in features.items():
        if len(value) != ROWS:
            raise Unmet(f"feature {name} [B, ...]", f"{list(value.shape)}", "keep rows first: every row is a picture's")
        if value.requires_grad:
            raise Unmet(
                "features that depend on no trainable weight, because they are extracted without a graph",
                f"{name} requires a gradient",
                "move the trainable layers from extract to forward",
            )
        alone = encoder.extract(view.rows(1, 2))[name][0]
        if modules.distance(alone, value[1]) > modules.ROWS_APART:
            raise Unmet("the same features for a row alone", f"{name} differs", "use no statistics over rows")
    other.landmarks, other.labels = view.landmarks, view.labels
    changed = [n for n, v in encoder.extract(other).items() if modules.distance(v, features[n]) > modules.ROWS_APART]
    view.image.requires_grad_()
    cut_off = [name for name in changed if not encoder.extract(view)[name].requires_grad]
    if cut_off:
        raise Unmet(
            "features that are differentiable in view.image (a trainer may pass pictures that it has just made)",
            f"{', '.join(cut_off)} follows the pixels without a gradient",
            "drop no_grad, detach and numpy from extract; core turns gradients off where it needs none",
        )


def owns_no_network(subject: Subject, harness: Harness) -> None:
    """The encoder's state contains no weights of a shared network."""
    owned = {id(p) for p in harness.build(0).parameters()}
    for name, network in subject.networks.items():
        if any(id(p) in owned for p in network.module.parameters()):
            raise Unmet(
                f"the shared network {name} to stay outside the encoder's weights",
                "its parameters are the encoder's",
                "store the handle itself (self.network = network), not network.module",
            )


# maps

VIEWS = ("identity", "driver", "rest")


def map_checks(subject: Subject) -> list[Check]:
    """Channels over the picture from the views that it names, without trainable weights, row by row."""
    made = subject.build(subject.image_size)
    return [
        ("shapes in fp32", lambda: map_shapes(made, subject.image_size)),
        ("no trainable weights", lambda: map_has_no_weights(made)),
        ("rows do not depend on their neighbours", lambda: map_rows(made, subject.image_size)),
        ("it works without the driver's person at rest", lambda: map_without_rest(made, subject.image_size)),
        ("gradients reach the pixels that it follows", lambda: map_gradients(made, subject.image_size)),
    ]


def views_of(made: Any, size: int, stop: int = ROWS, **others: FaceView) -> list[FaceView]:
    """The first rows of what a map is called with; ``others`` stand in for views by name."""
    return [others.get(name) or faces(ROWS, size, name).rows(0, stop) for name in made.views]


def map_shapes(made: Any, size: int) -> None:
    """[B, channels, H, W]; ``views`` names one view or more of a FaceBatch."""
    channels, views = getattr(made, "channels", None), getattr(made, "views", None)
    if not isinstance(channels, int) or not isinstance(views, tuple) or not views or not set(views) <= set(VIEWS):
        raise Unmet(
            f"channels (a number) and views (a tuple of {', '.join(VIEWS)}) after __init__",
            f"{channels!r} and {views!r}",
            "set self.channels and self.views, by which core calls it",
        )
    require_shapes({"map": made(*views_of(made, size))}, {"map": (ROWS, channels, size, size)}, "channels says")


def map_has_no_weights(made: Any) -> None:
    """A map is no module of the model: what it would learn is neither trained nor saved."""
    if isinstance(made, nn.Module) and any(p.requires_grad for p in made.parameters()):
        raise Unmet("no trainable weights", "some", "move what is learnt to an encoder or to the denoiser")


def map_rows(made: Any, size: int) -> None:
    """A row alone is as in its batch."""
    together, alone = made(*views_of(made, size)), made(*views_of(made, size, 1))
    if modules.distance(alone[0], together[0]) > modules.ROWS_APART:
        raise Unmet("the map of a row alone as in its batch", "it differs", "take no statistics over rows")


def map_without_rest(made: Any, size: int) -> None:
    """A batch may have no view of the driver's person at rest: that view is None then."""
    if "rest" in made.views:
        views = [None if n == "rest" else v for n, v in zip(made.views, views_of(made, size), strict=True)]
        require_shapes({"map": made(*views)}, {"map": (ROWS, made.channels, size, size)}, "channels says")


def map_gradients(made: Any, size: int) -> None:
    """Where the driver's pixels change the map, a gradient comes back to them."""
    if "driver" not in made.views:
        return
    driver, other = faces(ROWS, size, "driver"), faces(ROWS, size, "other")
    other.landmarks, other.labels = driver.landmarks, driver.labels
    changed, before = made(*views_of(made, size, driver=other)), made(*views_of(made, size))
    driver.image.requires_grad_()
    if modules.distance(changed, before) > 0 and not made(*views_of(made, size, driver=driver)).requires_grad:
        raise Unmet(
            "a map that is differentiable in the driver's pixels (a trainer may pass pictures that it has just made)",
            "it follows them without a gradient",
            "drop no_grad, detach and numpy; core turns gradients off where it needs none",
        )


# denoisers

STREAMS = {"identity": 4, "expression": 6}


def denoiser_checks(subject: Subject) -> list[Check]:
    """The prediction is a picture, every input has an effect, and the contract of a module holds."""
    size = subject.image_size

    def harness(pooled: int | None, streams: tuple[str, ...] = (), spatial: int = 0) -> Harness:
        spec = ConditioningSpec(WIDTH, pooled, streams, spatial)
        inputs = {"x_t": draw("x_t", ROWS, 3, size, size), "t": torch.tensor([0, 250, 500, 999][:ROWS])}
        inputs |= {name: draw(name, ROWS, tokens, WIDTH) for name, tokens in STREAMS.items()}
        inputs |= {} if pooled is None else {"pooled": draw("pooled", ROWS, pooled)}
        inputs |= {"spatial": draw("spatial", ROWS, spatial, size, size)} if spatial else {}
        return Harness(lambda seed: subject.build(spec, size, seed=seed), inputs, predict)

    def predict(denoiser: nn.Module, inputs: Tensors) -> Tensors:
        streams = {name: inputs[name] for name in STREAMS}
        conditioning = Conditioning(streams, inputs.get("pooled"), inputs.get("spatial"))
        return {"prediction": denoiser(inputs["x_t"], inputs["t"], conditioning)}

    def shapes(harness: Harness) -> None:
        require_shapes(harness.run(harness.build(0)), {"prediction": (ROWS, 3, size, size)}, "x_t is")

    main = harness(POOLED)
    main.build(0)
    return [
        ("shapes in fp32", lambda: shapes(main)),
        ("shapes without a pooled vector", lambda: shapes(harness(None))),
        ("shapes with streams of their own", lambda: shapes(harness(POOLED, tuple(STREAMS)))),
        ("every input is felt", lambda: every_input_is_felt(main)),
        ("maps are felt or refused", lambda: maps_are_felt(harness(POOLED, (), 2))),
        *modules.checks(main),
    ]


def maps_are_felt(harness: Harness) -> None:
    """A denoiser built for maps [B, C, H, W] reads them; one that cannot read maps refuses to be built."""
    try:
        harness.build(0)
    except PalsykitError:
        return
    every_input_is_felt(harness, only=("spatial",))


def every_input_is_felt(harness: Harness, only: Sequence[str] | None = None) -> None:
    """The picture, the time, each stream and the pooled vector change the prediction."""
    # A few steps first: layers may be zero initially.
    denoiser = harness.build(0).train()
    optimiser = torch.optim.Adam(denoiser.parameters(), lr=modules.RATE)
    for step in range(modules.STEPS):
        optimiser.zero_grad()
        prediction = harness.call(denoiser, harness.inputs)["prediction"]
        loss = (prediction - draw(f"target {step}", *prediction.shape)).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    # Change one input at a time.
    base = harness.run(denoiser)["prediction"]
    for name in harness.inputs if only is None else only:
        value = harness.inputs[name]
        other = (value + 371) % 1000 if name == "t" else draw(f"other {name}", *value.shape)
        if torch.equal(harness.run(denoiser, {**harness.inputs, name: other})["prediction"], base):
            raise Unmet(
                "the prediction to change with every input",
                f"{name} without effect",
                "use it in forward: tokens by attention, t and the pooled vector with the time embedding, maps as "
                "channels beside x_t; refuse in __init__ what the denoiser cannot use",
            )
