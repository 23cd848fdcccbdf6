"""Maps over the picture: beside the fusion's answer, dropped like the rest of their condition."""

import torch
from torch import Tensor, nn

from palsykit.diffusion.model import Condition, ConditionalDiffusion
from palsykit.faces.pairing import pair
from palsykit.faces.views import batch
from palsykit.interfaces import Conditioning, ConditioningSpec, Encoded, FaceView, TokenSpec


class WithMap(nn.Module):
    """One token of zeros, and the picture times a gain as the map."""

    def __init__(self, channels: int, gain: float) -> None:
        super().__init__()
        self.spec, self.gain = TokenSpec(1, 4, spatial=channels), gain

    def extract(self, view: FaceView) -> dict[str, Tensor]:
        return {"picture": view.image[:, : self.spec.spatial]}

    def forward(self, features: dict[str, Tensor]) -> Encoded:
        picture = features["picture"]
        return Encoded(picture.new_zeros(len(picture), 1, 4), None, self.gain * picture if self.spec.spatial else None)


class First(nn.Module):
    token_width, pooled_width = 4, None

    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        return Conditioning({"first": next(iter(conditions.values())).tokens})


def model(denoiser: nn.Module, drop: float = 0.0) -> ConditionalDiffusion:
    from diffusers import DDPMScheduler

    conditions = {
        "identity": Condition(WithMap(3, 1.0), "identity", drop),
        "plain": Condition(WithMap(0, 1.0), "driver"),
        "light": Condition(WithMap(1, 2.0), "driver", drop),
    }
    return ConditionalDiffusion(conditions, First(), denoiser, DDPMScheduler())


def test_maps_stand_side_by_side_in_the_conditions_order(faces):
    rows = batch(faces, pair(faces.records, 0).pairs[:3])
    built = model(nn.Identity())
    encoded = built.encode(rows)
    spatial = built.fuse({name: encoded[name] for name in ("light", "plain", "identity")}).spatial
    assert torch.equal(spatial, torch.cat([rows.identity.image, 2 * rows.driver.image[:, :1]], dim=1))
    assert (
        built.fuse({"plain": encoded["plain"]} | {n: Encoded(encoded[n].tokens) for n in ("identity", "light")}).spatial
        is None
    )


def test_a_dropped_condition_loses_its_map(faces):
    rows = batch(faces, pair(faces.records, 0).pairs[:2])
    built = model(nn.Identity(), drop=0.5)
    nobody = built.without(built.encode(rows))
    null = built.null_spatial["identity"]
    assert torch.equal(nobody["identity"].spatial, null[None, :, None, None].expand_as(rows.identity.image))
    built.fuse(nobody).spatial.sum().backward()
    assert null.grad is not None
    assert set(built.null_spatial) == {"identity", "light"}


def test_the_denoiser_is_told_how_many_channels_there_are():
    from palsykit_unet.denoiser import UNet

    spec = ConditioningSpec(4, None, spatial=4)
    keys = {"channels": (8, 16), "attention_at": (8,), "head_channels": 8}
    assert UNet(spec, 16, **keys).unet.config.in_channels == 7
