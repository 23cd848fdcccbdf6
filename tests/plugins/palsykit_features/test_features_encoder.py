"""Any network as a condition: tokens of its map, of its embedding, or of both."""

from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler

from palsykit.diffusion.model import Condition, ConditionalDiffusion
from palsykit.errors import PalsykitError
from palsykit.interfaces import FaceBatch, NetworkOutput
from palsykit.networks import SharedNetwork
from palsykit.recipe.build import build_part
from palsykit.recipe.schema import PartBlock
from palsykit.registry import registry
from palsykit.testing import examine, stand_ins


def encoder(networks: Any, **keys: Any) -> Any:
    return build_part("encoders", PartBlock(use="features", parameters=keys), 32, networks=networks)


@pytest.mark.parametrize(
    ("keys", "tokens", "features"),
    [
        ({}, 16, {"map"}),
        ({"grid": 2}, 4, {"map"}),
        ({"tokens": "embedding"}, 4, {"embedding"}),
        ({"tokens": "both", "grid": 1, "embedding_tokens": 2}, 3, {"map", "embedding"}),
        ({"pooled": 24}, 16, {"map", "embedding"}),
    ],
)
def test_it_keeps_the_contract_of_encoders(keys: dict[str, Any], tokens: int, features: set[str]) -> None:
    results = examine(registry().get("encoders", "features"), {**keys, "width": 8})
    assert [str(result) for result in results if result.state == "failed"] == []
    built = encoder(stand_ins.Networks(32), **keys, width=8)
    assert (built.spec.tokens, built.spec.width, built.spec.pooled) == (tokens, 8, keys.get("pooled"))
    assert set(built.extract(stand_ins.faces(2, 32, "a"))) == features


def test_a_grid_averages_before_features_are_kept() -> None:
    networks = stand_ins.Networks(32)
    view = stand_ins.faces(2, 32, "a")
    whole, small = encoder(networks).extract(view)["map"], encoder(networks, grid=2).extract(view)["map"]
    torch.testing.assert_close(small[:, :, 0, 0], whole[:, :, :2, :2].mean((2, 3)))


class Blind(torch.nn.Module):
    """A network without an embedding that counts the pictures it saw."""

    map_shape, embedding_width = (4, 2, 2), None

    def __init__(self) -> None:
        super().__init__()
        self.saw = 0

    def forward(self, image: torch.Tensor) -> NetworkOutput:
        self.saw += len(image)
        return NetworkOutput(image.mean(1, keepdim=True)[:, :, :2, :2].expand(-1, 4, -1, -1))


def test_what_the_network_does_not_give_is_refused() -> None:
    networks = {"blind": SharedNetwork("blind", Blind())}
    with pytest.raises(PalsykitError, match=r"network 'blind' gives no embedding; set tokens: patches"):
        encoder(networks, network="blind", tokens="embedding")
    with pytest.raises(PalsykitError, match=r"network 'blind' gives no embedding"):
        encoder(networks, network="blind", pooled=8)
    with pytest.raises(PalsykitError, match=r"grid 3, .*2 x 2"):
        encoder(networks, network="blind", grid=3)


def test_a_run_encodes_each_photograph_once() -> None:
    blind = SharedNetwork("blind", Blind())
    blind.freeze()
    built = encoder({"blind": blind}, network="blind", width=stand_ins.WIDTH)
    rest = torch.nn.Identity()
    model = ConditionalDiffusion({"seen": Condition(built, "driver", 0.0)}, rest, rest, DDPMScheduler())
    batch = stand_ins.face_batch(4, 32)
    first = model.encode(batch).conditions["seen"].tokens
    rows = FaceBatch(batch.identity.rows(1, 3), batch.driver.rows(1, 3))
    torch.testing.assert_close(model.encode(rows).conditions["seen"].tokens, first[1:3])
    assert blind.module.saw == 4
