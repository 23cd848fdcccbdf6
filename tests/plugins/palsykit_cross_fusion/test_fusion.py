"""Cross-fusion: who is queried by whom, against the formula written out; rings that do not close are refused."""

import math

import pytest
import torch
from torch import Tensor

from palsykit.interfaces import Encoded, TokenSpec
from palsykit_cross_fusion.fusion import CrossAttention, CrossFusion

SPECS = {
    "identity": TokenSpec(3, 8, 5),
    "expression": TokenSpec(4, 8),
    "landmark": TokenSpec(2, 6),  # narrower: projected
}


def conditions(batch: int = 2) -> dict[str, Encoded]:
    torch.manual_seed(1)
    return {
        name: Encoded(
            torch.randn(batch, spec.tokens, spec.width),
            None if spec.pooled is None else torch.randn(batch, spec.pooled),
        )
        for name, spec in SPECS.items()
    }


def fusion(**settings) -> CrossFusion:
    torch.manual_seed(0)
    return CrossFusion(settings.pop("inputs", SPECS), **{"heads": 2, "width": 8, "output": 10, **settings})


def attended(layer: CrossAttention, source: Tensor, query: Tensor) -> Tensor:
    """One picture's attention in plain loops: source [S, W], query [T, W] -> [T, W]."""
    keys = source @ layer.key.weight.T + layer.key.bias
    values = source @ layer.value.weight.T + layer.value.bias
    depth = query.shape[1] // layer.heads
    mixed = torch.zeros_like(query)
    for t in range(len(query)):
        for head in range(layer.heads):
            part = slice(head * depth, (head + 1) * depth)
            scores = [float(query[t, part] @ keys[s, part]) / math.sqrt(depth) for s in range(len(source))]
            total = sum(math.exp(score) for score in scores)
            for s, score in enumerate(scores):
                mixed[t, part] += math.exp(score) / total * values[s, part]
    return mixed @ layer.output.weight.T + layer.output.bias


def test_identity_is_queried_by_landmark_expression_by_identity_landmark_by_expression():
    built, given = fusion(), conditions()
    with torch.no_grad():
        fused = built(given).tokens["fused"]
        for row in range(2):
            identity, expression = given["identity"].tokens[row], given["expression"].tokens[row]
            landmark = built.project["landmark"](given["landmark"].tokens[row])
            expected = torch.cat(
                [
                    attended(built.attention["identity"], source=identity, query=landmark),
                    attended(built.attention["expression"], source=expression, query=identity),
                    attended(built.attention["landmark"], source=landmark, query=expression),
                ]
            )
            assert torch.allclose(fused[row], built.output(expected), atol=1e-5)


def test_shapes_and_promises():
    built, given = fusion(), conditions()
    result = built(given)
    assert result.tokens["fused"].shape == (2, 2 + 3 + 4, 10)  # as many tokens as the three queries
    assert built.token_width == 10
    assert result.pooled is None  # core passes one on


def test_the_papers_147_tokens():
    specs = {"identity": TokenSpec(49, 512, 512), "expression": TokenSpec(49, 512), "landmark": TokenSpec(49, 512)}
    given = {name: Encoded(torch.randn(1, 49, 512), torch.randn(1, 512)) for name in specs}
    built = CrossFusion(specs)
    assert built(given).tokens["fused"].shape == (1, 147, 512)
    assert len(built.project) == 0


def test_gradients_reach_every_weight_and_every_condition_and_weights_move():
    built, given = fusion(), conditions()
    for encoded in given.values():
        encoded.tokens.requires_grad_()
    before = {name: p.detach().clone() for name, p in built.named_parameters()}
    tokens = built(given).tokens["fused"]
    (tokens * torch.randn_like(tokens)).sum().backward()
    torch.optim.AdamW(built.parameters(), 1e-2, weight_decay=0).step()
    assert all(encoded.tokens.grad.abs().sum() > 0 for encoded in given.values())
    still = {name for name, p in built.named_parameters() if torch.equal(before[name], p)}
    # a bias of all keys alike shifts every score alike, which softmax cancels; only rounding can move it
    assert still <= {f"attention.{name}.key.bias" for name in SPECS}


def test_a_condition_can_be_dropped():
    inputs = {name: SPECS[name] for name in ("identity", "expression")}
    built = fusion(inputs=inputs, ring={"identity": "expression", "expression": "identity"})
    given = {name: encoded for name, encoded in conditions().items() if name in inputs}
    assert built(given).tokens["fused"].shape == (2, 4 + 3, 10)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"inputs": {"identity": SPECS["identity"]}},
            "ring names expression, landmark, but the conditions are identity",
        ),
        ({"ring": {"identity": "expression"}}, "leaves landmark unread"),
        ({"heads": 3}, "3 heads cannot share a width of 8"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        fusion(**settings)
