"""The U-Net: shapes, conditioning, refusals, saving."""

import pytest
import torch
from diffusers import UNet2DConditionModel

from palsykit.errors import PalsykitError
from palsykit.interfaces import Conditioning, ConditioningSpec
from palsykit_unet.denoiser import UNet, level_sides

TINY = {"channels": (8, 16), "attention_at": (8,), "head_channels": 8}


def tiny(pooled=6, **keys):
    torch.manual_seed(0)
    return UNet(ConditioningSpec(token_width=12, pooled_width=pooled), 16, **{**TINY, **keys})


def batch(rows=2, pooled=6):
    g = torch.Generator().manual_seed(1)
    tokens = {"b": torch.randn(rows, 3, 12, generator=g), "a": torch.randn(rows, 2, 12, generator=g)}
    vector = None if pooled is None else torch.randn(rows, pooled, generator=g)
    return torch.randn(rows, 3, 16, 16, generator=g), torch.tensor([5, 900][:rows]), Conditioning(tokens, vector)


@pytest.mark.parametrize("pooled", [6, None])
def test_predicts_a_picture_and_every_weight_learns(pooled):
    denoiser = tiny(pooled)
    prediction = denoiser(*batch(pooled=pooled))
    assert prediction.shape == (2, 3, 16, 16)
    prediction.square().mean().backward()
    assert [name for name, weight in denoiser.named_parameters() if weight.grad is None] == []


def test_every_part_of_the_conditioning_reaches_the_prediction():
    denoiser = tiny().eval()
    x_t, t, conditioning = batch()
    base = denoiser(x_t, t, conditioning)
    for name in ("a", "b"):
        other = Conditioning({**conditioning.tokens, name: conditioning.tokens[name] + 1}, conditioning.pooled)
        assert not torch.allclose(denoiser(x_t, t, other), base, atol=1e-5)
    assert not torch.allclose(denoiser(x_t, t, Conditioning(conditioning.tokens, conditioning.pooled + 1)), base)
    assert not torch.allclose(denoiser(x_t, t + 50, conditioning), base)


def test_streams_are_concatenated_by_name():
    denoiser = tiny().eval()
    x_t, t, conditioning = batch()
    joined = torch.cat([conditioning.tokens["a"], conditioning.tokens["b"]], dim=1)
    one_stream = denoiser(x_t, t, Conditioning({"all": joined}, conditioning.pooled))
    assert torch.equal(one_stream, denoiser(x_t, t, conditioning))


def test_a_missing_pooled_vector_is_named():
    x_t, t, conditioning = batch(pooled=None)
    with pytest.raises(ValueError, match="pooled vector of width 6"):
        tiny()(x_t, t, conditioning)


def test_odd_sides_run():
    assert level_sides(112, 6) == (112, 56, 28, 14, 7, 4)
    denoiser = UNet(ConditioningSpec(12), 28, channels=(8, 8, 16, 16), attention_at=(7,), head_channels=8)
    x_t = torch.randn(1, 3, 28, 28)
    conditioning = Conditioning({"a": torch.randn(1, 2, 12)})
    assert denoiser(x_t, torch.tensor([3]), conditioning).shape == x_t.shape


def test_attention_is_at_the_given_sizes():
    def attends(denoiser):
        return [hasattr(block, "attentions") for block in denoiser.unet.down_blocks]

    assert attends(tiny(attention_at=(8,))) == [False, True]
    assert attends(tiny(attention_at=(16, 8))) == [True, True]
    attention = tiny(channels=(8, 32)).unet.mid_block.attentions[0].transformer_blocks[0].attn2
    assert attention.heads == 4


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"attention_at": (9,)}, r"attention_at \[9\]: no level has this side; the levels' sides are \[16, 8\]"),
        ({"head_channels": 5}, "multiple of head_channels = 5"),
    ],
)
def test_refusals_say_why(keys, message):
    with pytest.raises(ValueError, match=message):
        tiny(**keys)


def test_saved_as_diffusers_saves(tmp_path):
    denoiser = tiny().eval()
    denoiser.unet.save_pretrained(tmp_path)
    again = tiny().eval()
    again.unet = UNet2DConditionModel.from_pretrained(tmp_path)
    assert torch.equal(again(*batch()), denoiser(*batch()))


def test_an_unknown_backend_is_answered_with_the_known():
    with pytest.raises(PalsykitError, match=r"unknown attention backend 'sdap': did you mean sdpa\?"):
        tiny(attention="sdap")


def test_patches_are_the_u_nets_pixels():
    denoiser = tiny(patch=2, attention_at=(4,))
    assert (denoiser.unet.config.sample_size, denoiser.unet.config.in_channels) == (8, 12)
    prediction = denoiser(*batch())
    assert prediction.shape == (2, 3, 16, 16)
    prediction.square().mean().backward()
    assert all(weight.grad is not None for weight in denoiser.parameters())
    with pytest.raises(ValueError, match="patches of 3 px do not tile 16 px"):
        tiny(patch=3)


@pytest.mark.parametrize("patch", [1, 2])
def test_maps_are_channels_of_the_input(patch):
    torch.manual_seed(0)
    spec = ConditioningSpec(token_width=12, pooled_width=6, spatial=3)
    denoiser = UNet(spec, 16, **{**TINY, "patch": patch, "attention_at": (8 // patch,)}).eval()
    x_t, t, conditioning = batch()
    here, there = (
        denoiser(x_t, t, Conditioning(conditioning.tokens, conditioning.pooled, torch.full((2, 3, 16, 16), value)))
        for value in (0.0, 1.0)
    )
    assert here.shape == (2, 3, 16, 16)
    assert not torch.allclose(here, there)
    with pytest.raises(ValueError, match=r"maps of 3 channels; the conditioning's have 0"):
        denoiser(x_t, t, conditioning)
    with pytest.raises(ValueError, match=r"maps of 0 channels; the conditioning's have 3"):
        tiny()(x_t, t, Conditioning(conditioning.tokens, conditioning.pooled, torch.zeros(2, 3, 16, 16)))
