"""Contracts of fusions, encoders, maps and denoisers: what conditions the model."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from palsykit.errors import PalsykitError
from palsykit.faces.warping import warp
from palsykit.interfaces import Conditioning, ConditioningSpec, Encoded, FaceView, TokenSpec
from palsykit.testing import shared
from palsykit.testing.result import Check, Unmet, require
from palsykit.testing.shared import Harness, Shapes, Tensors, draw
from palsykit.testing.stand_ins import CONDITIONS, WIDTH, faces
from palsykit.testing.subject import ROWS, Subject

TOKENS, POOLED = 16, 12
REFERENCE = {name: TokenSpec(TOKENS, WIDTH, POOLED if name == "identity" else None) for name in CONDITIONS}
"""Conditions as in the reference recipe: equal token counts and widths, a pooled vector from identity only."""
OTHERS = {
    "uneven tokens and widths": {
        name: TokenSpec(9 + 7 * i, 8 * (i + 1), 6 if i == 0 else None) for i, name in enumerate(CONDITIONS)
    },
    "no pooled vector": {name: TokenSpec(TOKENS, WIDTH) for name in CONDITIONS},
}
STILL = 0.01
"""Move in image sides, and error of a picture in [-1, 1], that count as none."""
STREAMS = {"identity": 4, "expression": 6}


def given(**values: Tensor | None) -> Tensors:
    """The values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


# fusions


def fusion_checks(subject: Subject) -> list[Check]:
    """Output widths match the attributes, every condition is read, and the contract of a module holds."""
    harness = fusion_harness(subject, REFERENCE)
    harness.build(0)
    groups = {name: [key for key in harness.inputs if key.split()[0] == name] for name in CONDITIONS}
    return [
        *shared.by_row(harness),
        ("other conditions work or are refused", lambda: other_conditions(subject)),
        ("every input has an effect", lambda: shared.every_input(harness, groups)),
        *shared.trainable(harness),
    ]


def fusion_harness(subject: Subject, specs: Mapping[str, TokenSpec]) -> Harness:
    """Random tokens [B, T, W] per condition, and pooled vectors [B, P] where the spec has one."""
    inputs = {name: draw(name, ROWS, spec.tokens, spec.width) for name, spec in specs.items()}
    inputs |= {f"{n} pooled": draw(f"{n} pooled", ROWS, s.pooled) for n, s in specs.items() if s.pooled is not None}

    def call(fusion: nn.Module, inputs: Mapping[str, Tensor]) -> Tensors:
        result = fusion({name: Encoded(inputs[name], inputs.get(f"{name} pooled")) for name in specs})
        good = isinstance(result, Conditioning) and result.tokens
        require(
            good, "a Conditioning with at least one stream", repr(result)[:80], "return Conditioning({'name': tokens})"
        )
        return {f"stream {name}": value for name, value in result.tokens.items()} | given(pooled=result.pooled)

    return Harness(subject.maker(specs), inputs, call, fusion_shapes, "token_width and pooled_width say")


def fusion_shapes(fusion: nn.Module, outputs: Tensors) -> Shapes:
    """Streams [B, T, token_width]; pooled [B, pooled_width] of a fusion that makes one, else None."""
    width: Any = getattr(fusion, "token_width", None)
    pooled: Any = getattr(fusion, "pooled_width", None)
    require(
        isinstance(width, int) and (pooled is None or isinstance(pooled, int)),
        "token_width (a number) after __init__, and pooled_width (a number) of a fusion that makes a pooled vector",
        f"{width!r} and {pooled!r}",
        "set self.token_width, for which the denoiser is built; palsykit passes on a condition's pooled vector",
    )
    expected: Shapes = {name: (ROWS, value.shape[1], width) for name, value in outputs.items() if name != "pooled"}
    return {**expected, "pooled": None if pooled is None else (ROWS, pooled)}


def other_conditions(subject: Subject) -> None:
    """With uneven token counts and widths, and without a pooled vector, it works or refuses when it is built."""
    for what, specs in OTHERS.items():
        try:
            shared.shapes(fusion_harness(subject, specs))
        except PalsykitError:
            continue
        except Unmet as unmet:
            raise Unmet(f"{unmet.expected}, with {what}", unmet.seen, unmet.mend) from None
        except (RuntimeError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise Unmet(
                f"conditions with {what} to work, or to be refused by __init__",
                f"{type(error).__name__} in forward: {str(error).splitlines()[0]}",
                "raise ValueError in __init__ and name the condition; a recipe then fails before training, not in it",
            ) from None


# encoders


def encoder_checks(subject: Subject) -> list[Check]:
    """Tokens match ``spec``, features depend on no trainable weight, and the contract of a module holds."""
    view, build = faces(ROWS, subject.image_size, "view"), subject.maker(subject.image_size)

    def forward(encoder: Any, features: Mapping[str, Tensor]) -> Tensors:
        encoded: Encoded = encoder(dict(features))
        return given(tokens=encoded.tokens, pooled=encoded.pooled)

    def whole(encoder: Any, views: Mapping[str, FaceView]) -> Tensors:
        features = encoder.extract(views["view"])
        return forward(encoder, features) | {f"feature {name}": value for name, value in features.items()}

    def expected(encoder: Any, outputs: Tensors) -> Shapes:
        spec = getattr(encoder, "spec", None)
        if not isinstance(spec, TokenSpec):
            raise Unmet("self.spec, a TokenSpec", repr(spec), "set it in __init__")
        pooled = None if spec.pooled is None else (ROWS, spec.pooled)
        return {"tokens": (ROWS, spec.tokens, spec.width), "pooled": pooled}

    with torch.no_grad():
        features = build(0).eval().extract(view)
    return [
        *shared.by_row(Harness(build, {"view": view}, whole, expected, "spec says")),
        ("features are frozen", lambda: frozen_features(build(0).eval().extract(view))),
        ("gradients reach the pixels", lambda: shared.pixel_gradients(build(0).eval().extract, view)),
        ("shared networks stay outside", lambda: owns_no_network(subject, build(0))),
        *shared.trainable(Harness(build, features, forward, expected, "spec says")),
    ]


def frozen_features(features: Tensors) -> None:
    """extract() gives tensors without trainable weights."""
    require(
        not (trained := [name for name, value in features.items() if value.requires_grad]),
        "features that depend on no trainable weight, because they are extracted without a graph",
        f"{', '.join(trained)} requires a gradient",
        "move the trainable layers from extract to forward",
    )


def owns_no_network(subject: Subject, encoder: nn.Module) -> None:
    """The encoder's state contains no weights of a shared network."""
    owned = {id(p) for p in encoder.parameters()}
    for name, network in subject.networks.items():
        require(
            not any(id(p) in owned for p in network.module.parameters()),
            f"the shared network {name} to stay outside the encoder's weights",
            "its parameters are the encoder's",
            "store the handle itself (self.network = network), not network.module",
        )


# maps


def map_checks(subject: Subject) -> list[Check]:
    """Channels over the picture from the views that it names, without trainable weights, row by row."""
    size = subject.image_size
    made = subject.build(size)
    views = {name: faces(ROWS, size, name) for name in ("identity", "driver", "rest")}

    def call(part: Any, inputs: Mapping[str, FaceView | None]) -> Tensors:
        channels, names = getattr(part, "channels", None), getattr(part, "views", None)
        require(
            isinstance(channels, int) and isinstance(names, tuple) and names and set(names) <= set(views),
            f"channels (a number) and views (a tuple of {', '.join(views)}) after __init__",
            f"{channels!r} and {names!r}",
            "set self.channels and self.views, by which core calls it",
        )
        return {"map": part(*(inputs[name] for name in part.views))}

    def whole(part: Any, inputs: Mapping[str, FaceView | None]) -> Tensors:
        outputs = call(part, inputs)
        if not hasattr(part, "moves"):
            return outputs
        return outputs | dict(zip(("moves from", "moves to"), moves_of(part, inputs), strict=True))

    def expected(part: Any, outputs: Tensors) -> Shapes:
        points = dict.fromkeys(outputs, (ROWS, 68, 2))
        return {**points, "map": (ROWS, getattr(part, "channels", 0), size, size)}

    def harness(**others: None) -> Harness:
        return Harness(subject.maker(size), views | others, whole, expected, "channels and moves say")

    weights = made.parameters() if isinstance(made, nn.Module) else ()
    learnt, mend = any(p.requires_grad for p in weights), "move what is learnt to an encoder or to the denoiser"
    return [
        *shared.by_row(harness()),
        ("no trainable weights", lambda: require(not learnt, "no trainable weights", "some", mend)),
        ("it works without the driver's person at rest", lambda: shared.shapes(harness(rest=None))),
        (
            "gradients reach the pixels",
            lambda: shared.pixel_gradients(lambda view: call(made, views | {"driver": view}), views["driver"]),
        ),
        *([("its moves are those of its picture", lambda: movement(made, views))] if hasattr(made, "moves") else []),
    ]


def movement(made: Any, views: Mapping[str, FaceView]) -> None:
    """A map that says ``moves`` shows the identity picture, moved so; palsykit.photographs.edit relies on it."""
    require("identity" in made.views, "a map with moves to read the view identity", made.views, "leave moves out")
    picture = views["identity"].image
    # Where the driver is the very picture, as for a face at rest, nothing moves.
    source, target = moves_of(made, dict.fromkeys(views, views["identity"]))
    far, mend = float((target - source).abs().max()), "fit the driver's points to the identity picture's face"
    near = far <= STILL * picture.shape[-1]
    require(near, "no moves where the driver is the identity picture", f"moves of {far:.2g} px", mend)
    # The map is the picture itself, moved.
    with torch.no_grad():
        shown = made(*(views[name] for name in made.views))
    require(
        shown.shape == picture.shape, "3 channels, because moves are a picture's", shown.shape[1], "leave moves out"
    )
    moved = warp(picture, *moves_of(made, views))
    error, unmoved = (float((shown - other).square().mean().sqrt()) for other in (moved, picture))
    require(
        error <= max(unmoved / 2, STILL),
        "the map to show the identity picture with its landmarks moved from the first points to the second",
        f"an error of {error:.2g} ({unmoved:.2g} to the picture that is not moved)",
        "return where the landmarks are and where they go, in px of the picture, x before y",
    )


def moves_of(made: Any, views: Mapping[str, FaceView | None]) -> tuple[Tensor, Tensor]:
    """The two sets of points of a map's ``moves``, on the views' device."""
    with torch.no_grad():
        result = made.moves(*(views[name] for name in made.views))
    both, mend = isinstance(result, tuple) and len(result) == 2, "return two tensors, each [B, 68, 2] px"
    require(both, "moves(*views), with the arguments of __call__, to give two tensors", type(result).__name__, mend)
    device = next(view.image.device for view in views.values() if view is not None)
    for points in result:
        same = points.device == device
        require(same, f"points on {device}, where the views are", points.device, "leave them on the views' device")
    return result[0], result[1]


# denoisers


def denoiser_checks(subject: Subject) -> list[Check]:
    """The prediction is a picture, every input has an effect, and the contract of a module holds."""
    size = subject.image_size

    def harness(pooled: int | None, streams: tuple[str, ...] = (), spatial: int = 0, channels: int = 3) -> Harness:
        spec = ConditioningSpec(WIDTH, pooled, streams, spatial, channels)
        inputs = {"x_t": draw("x_t", ROWS, channels, size, size), "t": torch.tensor([0, 250, 500, 999][:ROWS])}
        inputs |= {name: draw(name, ROWS, tokens, WIDTH) for name, tokens in STREAMS.items()}
        inputs |= {} if pooled is None else {"pooled": draw("pooled", ROWS, pooled)}
        inputs |= {"spatial": draw("spatial", ROWS, spatial, size, size)} if spatial else {}
        shape = (ROWS, channels, size, size)
        return Harness(subject.maker(spec, size), inputs, predict, lambda *_: {"prediction": shape}, "x_t is")

    def predict(denoiser: nn.Module, inputs: Mapping[str, Tensor]) -> Tensors:
        streams = {name: inputs[name] for name in STREAMS}
        conditioning = Conditioning(streams, inputs.get("pooled"), inputs.get("spatial"))
        return {"prediction": denoiser(inputs["x_t"], inputs["t"], conditioning)}

    main = harness(POOLED)
    main.build(0)
    return [
        *shared.by_row(main),
        ("shapes without a pooled vector", lambda: shared.shapes(harness(None))),
        ("shapes with streams of their own", lambda: shared.shapes(harness(POOLED, tuple(STREAMS)))),
        ("latents of a codec work or are refused", lambda: latents_work(harness(POOLED, channels=5))),
        ("every input has an effect", lambda: shared.every_input(main, {name: [name] for name in main.inputs})),
        ("maps have an effect or are refused", lambda: maps_have_effect(harness(POOLED, (), 2))),
        *shared.trainable(main),
    ]


def maps_have_effect(harness: Harness) -> None:
    """A denoiser built for maps [B, C, H, W] reads them; one that cannot read maps refuses to be built."""
    try:
        harness.build(0)
    except PalsykitError:
        return
    shared.every_input(harness, {"spatial": ["spatial"]})


def latents_work(harness: Harness) -> None:
    """A denoiser built for x_t with other channels than a picture predicts as many, or it refuses to be built."""
    try:
        harness.build(0)
    except PalsykitError:
        return
    try:
        shared.shapes(harness)
    except RuntimeError as error:
        raise Unmet(
            "a prediction for x_t with conditioning.channels channels, or a refusal by __init__",
            f"{type(error).__name__} in forward: {str(error).splitlines()[0]}",
            "build for conditioning.channels instead of 3",
        ) from None
