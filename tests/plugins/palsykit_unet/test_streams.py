"""Decoupled cross-attention: one softmax a stream, keys and values of its own, and a model that comes back."""

from pathlib import Path

import pytest
import torch
from diffusers.models.attention_processor import Attention
from torch.nn.functional import softmax

from palsykit.interfaces import Conditioning, ConditioningSpec
from palsykit.recipe import load_recipe
from palsykit.run.model_folder import load_model, save_model
from palsykit.run.parts import Parts
from palsykit_unet.denoiser import UNet
from palsykit_unet.streams import DecoupledAttention

STREAMS = ("who", "how")
TINY = Path(__file__).parents[2] / "run" / "tiny.yaml"


def denoiser(streams: tuple[str, ...] = STREAMS) -> UNet:
    torch.manual_seed(0)
    spec = ConditioningSpec(12, 6, streams)
    return UNet(spec, 16, channels=(8, 16), attention_at=(8,), head_channels=8).eval()


def conditioning(**tokens: torch.Tensor) -> Conditioning:
    g = torch.Generator().manual_seed(1)
    drawn = {"who": torch.randn(2, 3, 12, generator=g), "how": torch.randn(2, 5, 12, generator=g)}
    return Conditioning({**drawn, **tokens}, torch.randn(2, 6, generator=g))


X_T, T = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(2)), torch.tensor([3, 700])


def test_it_is_a_sum_of_softmaxes() -> None:
    torch.manual_seed(0)
    layer = DecoupledAttention(Attention(query_dim=16, cross_attention_dim=12, heads=2, dim_head=8), 12, STREAMS)
    hidden, tokens = torch.randn(2, 7, 16), (torch.randn(2, 3, 12), torch.randn(2, 5, 12))

    def heads(x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (2, 8)).transpose(1, 2)

    mixed = torch.zeros(2, 7, 16)
    for name, stream in zip(STREAMS, tokens, strict=True):
        own = layer.streams[name]
        weights = softmax(heads(layer.to_q(hidden)) @ heads(own.to_k(stream)).transpose(-1, -2) / 8**0.5, dim=-1)
        mixed += (weights @ heads(own.to_v(stream))).transpose(1, 2).flatten(2)
    assert torch.allclose(layer(hidden, tokens), layer.to_out[0](mixed), atol=1e-5)


def test_streams_do_not_compete() -> None:
    """A token that shouts takes all of one softmax, and nothing of another stream's."""
    layer = DecoupledAttention(Attention(query_dim=16, cross_attention_dim=12, heads=2, dim_head=8), 12, STREAMS)
    hidden, who, how = torch.randn(1, 7, 16), torch.randn(1, 3, 12), torch.randn(1, 5, 12)
    quiet, loud = (layer(hidden, (who, scale * how)) for scale in (1, 100))
    apart = layer(hidden, (who, 0 * how))
    both = layer(hidden, (0 * who, how)) + apart - layer(hidden, (0 * who, 0 * how))
    assert torch.allclose(both, quiet, atol=1e-4), "the streams' parts add up"
    assert not torch.allclose(loud, quiet)


def test_every_stream_has_weights_of_its_own_and_every_one_learns() -> None:
    model, plain = denoiser(), denoiser(())
    extra = {name.split(".")[-3] for name in model.state_dict() if ".streams." in name}
    assert extra == set(STREAMS)
    assert not [name for name in plain.state_dict() if ".streams." in name]
    model.train()(X_T, T, conditioning()).square().mean().backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []


def test_each_stream_is_felt_by_its_name_and_not_its_place() -> None:
    model = denoiser()
    given = conditioning()
    base = model(X_T, T, given)
    turned = Conditioning(dict(reversed(given.tokens.items())), given.pooled)
    assert torch.equal(model(X_T, T, turned), base)
    for name in STREAMS:
        assert not torch.allclose(model(X_T, T, conditioning(**{name: given.tokens[name] + 1})), base, atol=1e-5)


def test_a_stream_too_few_is_named() -> None:
    with pytest.raises(ValueError, match=r"built for the streams who, how; found who$"):
        denoiser()(X_T, T, Conditioning({"who": torch.randn(2, 3, 12)}, torch.randn(2, 6)))


def test_a_recipes_fusion_decides_and_the_model_comes_back(tmp_path: Path) -> None:
    networks = ["recognition", "expression", "points"]
    changes = ["fusion={use: decoupled, width: 16}", "data={use: face_space, identities: 1, validation: 0, test: 1}"]
    recipe = load_recipe(TINY, [*changes, *(f"networks.{name}.weights=null" for name in networks)])
    model = Parts(recipe).model()
    assert model.denoiser.streams == ("identity", "expression", "landmark")
    save_model(model, tmp_path)
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    load_model(model, tmp_path)
    before = Parts(recipe).model().state_dict()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
