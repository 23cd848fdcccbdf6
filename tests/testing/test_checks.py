"""Every check can fail: for each there is a part that breaks it, and the message for its author."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn

from palsykit import (
    Conditioning,
    ConditioningSpec,
    Encoded,
    FaceBatch,
    FaceView,
    Images,
    MetricCard,
    Network,
    NetworkOutput,
    TokenSpec,
    TrainingData,
)
from palsykit.errors import PalsykitError
from palsykit.faces.records import FaceRecord
from palsykit.faces.vocabulary import FaceLabels
from palsykit.interfaces import Predict
from palsykit.testing import Result, check, examine, interface_named
from palsykit.testing.stand_ins import StandInNetwork


def failed(interface: str, part: Callable[..., Any], **keys: Any) -> dict[str, Result]:
    """The checks that a part fails, by name."""
    with pytest.raises(AssertionError) as caught:
        check(interface, part, **keys)
    assert "expected:" in str(caught.value)
    assert "fix:" in str(caught.value)
    from palsykit.registry import Entry

    entry = Entry(interface_named(interface), part.__name__, "-", "-", "-", part)
    return {result.check: result for result in examine(entry, keys) if result.state == "failed"}


class Good(nn.Module):
    """Tokens side by side, [B, T, W] (our own)."""

    def __init__(self, inputs: Mapping[str, TokenSpec], *, width: int = 8):
        """width: of the tokens."""
        super().__init__()
        if len({spec.width for spec in inputs.values()}) > 1:
            raise ValueError("conditions of one width only")
        self.token_width, self.pooled_width = width, None
        self.map = nn.Linear(next(iter(inputs.values())).width, width)

    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        return Conditioning({"all": self.map(torch.cat([c.tokens for c in conditions.values()], 1))})


def test_a_good_part_passes_and_every_result_is_given() -> None:
    results = check("fusion", Good)
    assert {result.state for result in results} == {"passed"}
    assert len(results) >= 12


class WrongWidth(Good):
    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        return Conditioning({"all": torch.cat([c.tokens for c in conditions.values()], 1) * self.map.weight.mean()})


class Unread(Good):
    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        return Conditioning({"all": self.map(conditions["identity"].tokens)})


class Untrained(Good):
    def __init__(self, inputs: Mapping[str, TokenSpec], *, width: int = 8):
        super().__init__(inputs, width=width)
        self.spare = nn.Linear(2, 2)


class Mixing(Good):
    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        tokens = super().forward(conditions).tokens["all"]
        return Conditioning({"all": tokens - tokens.mean(0)})


class Noisy(Good):
    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        tokens = super().forward(conditions).tokens["all"]
        return Conditioning({"all": tokens + 0.1 * torch.randn(tokens.shape)})


class Forgetful(Good):
    def __init__(self, inputs: Mapping[str, TokenSpec], *, width: int = 8):
        super().__init__(inputs, width=width)
        self.scale = torch.rand(width)  # drawn, and saved nowhere

    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        return Conditioning({"all": super().forward(conditions).tokens["all"] * self.scale})


class Refusing(Good):
    def __init__(self, inputs: Mapping[str, TokenSpec], *, width: int = 8):
        nn.Module.__init__(self)
        self.token_width, self.pooled_width = width, None
        self.map = nn.Linear(24, width)


class Overflowing(Good):
    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        big = super().forward(conditions).tokens["all"] * 1e4
        return Conditioning({"all": big + 1 - big})


def idle(inputs: Mapping[str, TokenSpec], *, width: int = 8, depth: int = 1) -> Good:
    return Good(inputs, width=width)


@pytest.mark.parametrize(
    ("part", "name", "seen"),
    [
        (WrongWidth, "shapes in fp32", "[4, 48, 24]"),
        (Unread, "every input has an effect", "expression, landmark without effect"),
        (Untrained, "gradients reach every parameter", "none for spare.weight, spare.bias (2 of 4)"),
        (Mixing, "rows do not depend on their neighbours", "row 0 of stream all changes"),
        (Noisy, "deterministic under a seed", "stream all differs from call to call"),
        (Forgetful, "weights are restored from safetensors", "stream all differs by"),
        (Forgetful, "moves between devices", "device"),
        (Refusing, "other conditions work or are refused", "uneven"),
        (Overflowing, "runs in bf16", "apart"),
        (idle, "declared keys are used", "depth never read in idle"),
    ],
)
def test_a_fusion_that_breaks_a_rule_is_told_which(part: Callable[..., Any], name: str, seen: str) -> None:
    result = failed("fusion", part)[name]
    assert seen in result.seen or seen in result.expected
    assert result.mend


def positional(inputs: Mapping[str, TokenSpec], width: int) -> None: ...
def unwilling(inputs: Mapping[str, TokenSpec]) -> None:
    raise ValueError("not today")


def test_a_part_that_cannot_be_built_says_so() -> None:
    (only,) = failed("fusions", positional).values()
    assert (only.check, "make the recipe's keys keyword-only" in only.seen) == ("signature", True)
    assert "not today" in failed("fusion", unwilling)["is built"].seen


def required(inputs: Mapping[str, TokenSpec], *, table: str) -> Good:
    """Looks ``table`` up (our own), [B, T, W]."""
    return Good(inputs, width=len(table))


def test_a_key_without_default_is_requested() -> None:
    results = check("fusion", required)
    (unmade,) = [result for result in results if result.state == "not checked"]
    assert "--set table=..." in unmade.expected
    assert {result.state for result in check("fusion", required, table="x")} == {"passed"}


def test_an_unknown_interface_is_answered_with_the_known() -> None:
    with pytest.raises(PalsykitError, match=r"interface 'fusoin': expected one of dataset.*did you mean"):
        check("fusoin", Good)


class Encoder(nn.Module):
    """An encoder that trains in extract, reads in no_grad and contains a shared network."""

    def __init__(self, image_size: int, *, network: Network | str = "recognition", fault: str = ""):
        super().__init__()
        self.network = network.module if fault == "owns" else network
        self.fault, self.spec = fault, TokenSpec(16, 5 if fault == "spec" else 24)
        self.map = nn.Linear(24, 24)

    def extract(self, view: FaceView) -> dict[str, Tensor]:
        with torch.set_grad_enabled(self.fault != "deaf" and torch.is_grad_enabled()):
            tokens = self.network(view.image).map.flatten(2).transpose(1, 2)
        return {"tokens": self.map(tokens) if self.fault == "trains" else tokens}

    def forward(self, features: dict[str, Tensor]) -> Encoded:
        return Encoded(self.map(features["tokens"]))


@pytest.mark.parametrize(
    ("fault", "name", "seen"),
    [
        ("spec", "shapes in fp32", "[4, 16, 24]"),
        ("trains", "features are frozen", "requires a gradient"),
        ("deaf", "gradients reach the pixels", "depends on the pixels, but has no gradient"),
        ("owns", "shared networks stay outside", "its parameters are the encoder's"),
    ],
)
def test_an_encoders_faults(fault: str, name: str, seen: str) -> None:
    assert seen in failed("encoder", Encoder, fault=fault)[name].seen


class Overlay:
    """The driver's picture, with a fault."""

    def __init__(self, image_size: int, *, fault: str = ""):
        self.fault, self.channels = fault, 1 if fault == "channels" else 3
        self.views = ("driver", "mother" if fault == "views" else "rest")

    def __call__(self, driver: FaceView, rest: FaceView | None) -> Tensor:
        image = driver.image.detach() if self.fault == "deaf" else driver.image
        image = image - image.mean(0) if self.fault == "rows" else image
        image = image + torch.rand(1) if self.fault == "drawn" else image
        return image if self.fault != "rest" else image + rest.image


@pytest.mark.parametrize(
    ("fault", "name", "seen"),
    [
        ("channels", "shapes in fp32", "[4, 3, 32, 32]"),
        ("views", "shapes in fp32", "mother"),
        ("rows", "rows do not depend on their neighbours", "row 0 of map changes"),
        ("drawn", "deterministic under a seed", "map differs from call to call"),
        ("deaf", "gradients reach the pixels", "map depends on the pixels, but has no gradient"),
        ("rest", "it works without the driver's person at rest", "AttributeError"),
    ],
)
def test_a_maps_faults(fault: str, name: str, seen: str) -> None:
    assert seen in failed("map", Overlay, fault=fault)[name].seen


class Deaf(nn.Module):
    """A denoiser that ignores time and conditions."""

    def __init__(self, conditioning: ConditioningSpec, image_size: int):
        super().__init__()
        self.look = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x_t: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        return self.look(x_t)


def test_a_denoiser_that_ignores_its_conditions() -> None:
    found = failed("denoiser", Deaf)
    assert found["every input has an effect"].seen == "t, identity, expression, pooled without effect"
    assert found["maps have an effect or are refused"].seen == "spatial without effect"


class Misshapen(StandInNetwork):
    """A stand-in that promises another map."""

    def __init__(self, image_size: int):
        super().__init__("x", image_size)
        self.map_shape = (24, 2, 2)

    def forward(self, image: Tensor) -> NetworkOutput:
        return super().forward(image.detach())


def test_a_network_with_another_map_shape() -> None:
    found = failed("network", Misshapen)
    assert found["shapes in fp32"].seen == "[4, 24, 4, 4]"
    assert found["gradients reach the pixels"].seen.startswith("map, embedding, ")


def clean() -> Any:
    return DDPMScheduler(num_train_timesteps=100, beta_end=1e-3)


def rewritten() -> Any:
    scheduler = DDPMScheduler()
    scheduler.alphas_cumprod = scheduler.alphas_cumprod**1.5
    return scheduler


def test_a_schedulers_faults() -> None:
    assert "above 0.9 at t = 0" in failed("scheduler", clean)["noise grows until no picture is left"].expected
    assert failed("scheduler", rewritten)["is restored from its saved config"].seen == "others"
    assert "object without" in failed("scheduler", lambda_object)["has what the model reads"].seen


def lambda_object() -> Any:
    return object()


class OneNoise:
    """Ignores what is predicted, and draws all rows at once."""

    def __init__(self, training_scheduler: Any):
        self.calls = 0

    def sample(self, predict: Predict, noise: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        self.calls += 1
        return noise * len(noise)


def test_a_samplers_faults() -> None:
    assert set(failed("sampler", OneNoise)) >= {
        "recovers the picture of a perfect denoiser",
        "rows do not depend on their neighbours",
        "stays in [-1, 1]",
    }


class Trainer(nn.Module):
    """Fits a network's embedding to nothing in particular (our own)."""

    def __init__(self, data: TrainingData, *, fault: str = ""):
        super().__init__()
        self.fault = fault
        self.target = nn.Parameter(torch.zeros(16))

    def groups(self, model: nn.Module) -> dict[str, list[nn.Parameter]]:
        own = [] if self.fault == "group" else [self.target]
        return {"network": [*model.parameters(), *own]}

    def losses(self, model: nn.Module, batch: FaceBatch, generator: torch.Generator, phase: str) -> dict[str, Tensor]:
        errors = (model(batch.target.image).embedding - self.target).square().mean(-1)
        if self.fault == "global":
            errors = errors * torch.rand(len(errors))
        if self.fault == "unknown":
            errors = errors + batch.target.landmarks.mean((1, 2))
        if self.fault == "unused":
            errors = model(batch.target.image).embedding.square().mean(-1)
        return {"fit": errors if self.fault == "rows" else errors.mean()}


@pytest.mark.parametrize(
    ("fault", "name", "seen"),
    [
        ("group", "is built", "trainer.target"),
        ("rows", "finite scalar terms", "[8]"),
        ("global", "all random numbers are from the generator", "fit follows torch's global seed"),
        ("unknown", "unknown landmarks and labels are handled", "fit is nan"),
        ("unused", "every parameter is trained", "trainer.target did not"),
    ],
)
def test_a_trainers_faults(fault: str, name: str, seen: str) -> None:
    assert seen in failed("trainer", Trainer, fault=fault)[name].seen


class Metric:
    """Mean brightness, with a fault."""

    def __init__(self, *, fault: str = ""):
        self.fault = fault
        self.card = MetricCard("Brightness", "mean", "0 to 1", "" if fault == "card" else "higher", "our own")
        self.times = 0

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        value = images.generated.mean((1, 2, 3))
        if self.fault == "target":
            value = value + batch.target.image.mean((1, 2, 3))
        if self.fault == "mean":
            value = value - value.mean()
        if self.fault == "state":
            self.times += 1
            value = value + self.times
        if self.fault == "features":
            return {"brightness": value[:, None].expand(-1, 2)}
        return {"brightness": value[:2] if self.fault == "few" else value}


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ("card", "the card is complete"),
        ("target", "unknown values are no error"),
        ("mean", "does not depend on the batch size"),
        ("state", "does not depend on the batch size"),
        ("few", "one entry per row, and figures of any rows"),
        ("features", "one entry per row, and figures of any rows"),
    ],
)
def test_a_metrics_faults(fault: str, name: str) -> None:
    assert name in failed("metric", Metric, fault=fault)


class Dataset:
    """Grey squares, with a fault."""

    def __init__(self, image_size: int, cache: Path, *, fault: str = ""):
        self.image_size, self.attribution, self.rejected, self.fault = image_size, "grey", (), fault
        points = np.full((68, 2), 900 if fault == "far" else 3, np.float32)
        names = ["s0" if fault == "torn" else f"s{n}" for n in range(4)]
        splits = ["train", "test", "train", "train"] if fault == "torn" else [None] * 4
        keys = ["k"] * 4 if fault == "keys" else list("abcd")
        self.records = [
            FaceRecord(k, FaceLabels(n), points, "given", s) for k, n, s in zip(keys, names, splits, strict=True)
        ]

    def image(self, record: FaceRecord) -> Any:
        side = self.image_size + (self.fault == "size")
        grey = np.full((side, side, 3), 7, np.uint8)
        return grey if self.fault != "drawn" else np.random.default_rng().integers(0, 255, grey.shape).astype(np.uint8)


@pytest.mark.parametrize(
    ("fault", "name", "seen"),
    [
        ("keys", "records can be trained on", "two records with the same key"),
        ("torn", "records can be trained on", "subjects in two splits"),
        ("size", "pictures and landmarks", "[33, 33, 3]"),
        ("far", "pictures and landmarks", "up to 900"),
        ("drawn", "the same in every run", "others for a"),
    ],
)
def test_a_data_sets_faults(fault: str, name: str, seen: str) -> None:
    assert seen in failed("dataset", Dataset, fault=fault)[name].seen


class Loud:
    """Pictures beyond white, drawn from one generator for all rows."""

    def __init__(self, image_size: int, *, gain: float = 3.0):
        self.gain = gain

    def generate(self, batch: FaceBatch, seeds: Sequence[int]) -> Tensor:
        return self.gain * torch.rand(batch.identity.image.shape)


def test_a_synthesisers_faults() -> None:
    assert failed("synthesiser", Loud)["stays in [-1, 1]"].expected == "pictures in [-1, 1]"
    found = failed("synthesiser", Loud, gain=0.5)
    assert found["deterministic under a seed"].seen == "picture differs from call to call"
    assert found["rows do not depend on their neighbours"].seen.startswith("row 0 of picture changes")
