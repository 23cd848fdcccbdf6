"""Maps over the picture: side by side in the recipe's order, dropped with a condition, one of them the guess."""

import pytest
import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn

from palsykit.diffusion.codec import Pixels
from palsykit.diffusion.model import Condition, ConditionalDiffusion, Overlay
from palsykit.errors import PalsykitError
from palsykit.faces.pairing import pair
from palsykit.faces.views import batch
from palsykit.interfaces import Conditioning, ConditioningSpec, Encoded, FaceBatch, FaceView, TokenSpec


class Silent(nn.Module):
    """One token of zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.spec = TokenSpec(1, 4, 2)

    def extract(self, view: FaceView) -> dict[str, Tensor]:
        return {"tokens": torch.zeros(len(view), 1, 4)}

    def forward(self, features: dict[str, Tensor]) -> Encoded:
        return Encoded(features["tokens"], features["tokens"].new_ones(len(features["tokens"]), 2))


class Scaled:
    """A view's first channels times a gain."""

    def __init__(self, channels: int, gain: float, view: str) -> None:
        self.channels, self.gain, self.views = channels, gain, (view,)

    def __call__(self, view: FaceView) -> Tensor:
        return self.gain * view.image[:, : self.channels]


class First(nn.Module):
    token_width = 4

    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        return Conditioning({"first": next(iter(conditions.values())).tokens})


def model(drop: float = 0.0, error: float | None = None, maps: dict[str, Overlay] | None = None):
    conditions = {name: Condition(Silent(), name, drop) for name in ("identity", "driver")}
    maps = maps or {
        "picture": Overlay(Scaled(3, 1.0, "identity"), error, drops_with="identity"),
        "light": Overlay(Scaled(1, 2.0, "driver"), drops_with="driver"),
        "always": Overlay(Scaled(1, 3.0, "driver")),
    }
    return ConditionalDiffusion(conditions, First(), nn.Identity(), DDPMScheduler(), maps, "identity")


@pytest.fixture
def rows(faces) -> FaceBatch:
    return batch(faces, pair(faces.records, 0)[:4])


def test_maps_stand_side_by_side_in_the_recipes_order(rows):
    built = model()
    encoded = built.encode(rows)
    light = rows.driver.image[:, :1]
    assert torch.equal(built.fuse(encoded).spatial, torch.cat([rows.identity.image, 2 * light, 3 * light], dim=1))
    assert built.fuse(encoded).guess is None
    none = ConditionalDiffusion({"who": Condition(Silent(), "identity")}, First(), nn.Identity(), DDPMScheduler())
    assert none.fuse(none.encode(rows)).spatial is None


def test_a_map_is_encoded_again_only_where_it_reads_the_view(rows):
    built = model(error=0.1)
    again = built.encode(FaceBatch(rows.identity, rows.identity), reading="driver")
    assert (set(again.conditions), set(again.maps), again.guess) == ({"driver"}, {"light", "always"}, None)
    joined = built.encode(rows) | again
    assert torch.equal(joined.maps["light"], 2 * rows.identity.image[:, :1])
    assert torch.equal(joined.guess.image, rows.identity.image)


def test_a_dropped_condition_loses_its_maps_and_no_other(rows):
    built = model(drop=0.5)
    encoded = built.encode(rows)
    keep = torch.tensor([True, False, True, False])
    chosen = built._select(encoded, {"identity": keep})
    null = built.null_spatial["identity"]
    assert torch.equal(chosen.maps["picture"][keep], encoded.maps["picture"][keep])
    assert torch.equal(chosen.maps["picture"][~keep], null[:, None, None].expand_as(chosen.maps["picture"][~keep]))
    assert torch.equal(chosen.conditions["identity"].tokens[1], built.null_tokens["identity"])
    assert all(torch.equal(chosen.maps[name], encoded.maps[name]) for name in ("light", "always"))
    built.fuse(chosen).spatial.sum().backward()
    assert null.grad is not None
    assert {name: len(value) for name, value in built.null_spatial.items()} == {"identity": 3, "driver": 1}


def test_the_coin_of_a_condition_is_the_coin_of_its_maps(rows):
    built = model(drop=0.5)
    encoded = built.encode(rows)
    dropped = built.drop(encoded, torch.Generator().manual_seed(3))
    again = torch.Generator().manual_seed(3)
    for condition, name in (("identity", "picture"), ("driver", "light")):
        keep = torch.rand(4, generator=again) >= 0.5
        same = (dropped.maps[name] == encoded.maps[name]).flatten(1).all(1)
        assert same.tolist() == keep.tolist(), condition


def test_a_dropped_guess_is_a_grey_picture_that_little_is_known_of(rows):
    built = model(drop=0.5, error=0.1)
    encoded = built.encode(rows)
    keep = torch.tensor([True, False, True, False])
    guess = built._select(encoded, {"identity": keep}).guess
    torch.testing.assert_close(guess.error, torch.tensor([0.1, Pixels.spread, 0.1, Pixels.spread]))
    assert torch.equal(guess.image[keep], rows.identity.image[keep])
    assert guess.image[~keep].abs().max() == 0
    assert torch.equal(built.without(encoded).guess.error, torch.full((4,), Pixels.spread))


def test_two_guesses_and_a_guess_that_is_no_picture_are_refused():
    two = {name: Overlay(Scaled(3, 1.0, "identity"), 0.1) for name in ("one", "other")}
    with pytest.raises(PalsykitError, match="maps one, other have an error; expected at most one"):
        model(maps=two)
    with pytest.raises(PalsykitError, match="map grey has an error and 1 channels; expected 3"):
        model(maps={"grey": Overlay(Scaled(1, 1.0, "identity"), 0.1)})


def test_core_passes_a_pooled_vector_on_where_the_fusion_makes_none(rows):
    built = model()
    encoded = built.encode(rows)
    assert torch.equal(built.fuse(encoded).pooled, encoded.conditions["identity"].pooled)
    built.pooled_from = None
    assert built.fuse(encoded).pooled is None
    own = torch.zeros(4, 5)
    built.fusion.forward = lambda conditions: Conditioning({}, own)
    built.pooled_from = "identity"
    assert built.fuse(encoded).pooled is own


def test_the_denoiser_is_told_how_many_channels_there_are():
    from palsykit_unet.denoiser import UNet

    spec = ConditioningSpec(4, None, spatial=4)
    keys = {"channels": (8, 16), "attention_at": (8,), "head_channels": 8}
    assert UNet(spec, 16, **keys).unet.config.in_channels == 7
