"""A frozen network encodes a picture once for all callers; a network in training is never cached."""

import pytest
import torch
from torch import Tensor, nn

from palsykit.interfaces import NetworkOutput
from palsykit.networks import SharedNetwork, computed_once, once, resized


class Counting(nn.Module):
    """The picture times a weight, and how many pictures it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.gain, self.pictures = nn.Parameter(torch.ones(())), 0

    def forward(self, image: Tensor) -> NetworkOutput:
        self.pictures += len(image)
        values = self.gain * image
        return NetworkOutput(values, values.mean((2, 3)), None, {"side": values.mean((1, 2, 3))[:, None]})


def network() -> SharedNetwork:
    shared = SharedNetwork("counting", Counting())
    shared.freeze()
    return shared


def test_pictures_that_were_seen_are_not_encoded_again() -> None:
    shared, images = network(), torch.randn(4, 3, 8, 8)
    first = shared(images)
    again = shared(images[[2, 0]])
    assert shared.pictures == 4
    for name in ("map", "embedding"):
        assert torch.equal(getattr(again, name), getattr(first, name)[[2, 0]])
    assert torch.equal(again.logits["side"], first.logits["side"][[2, 0]])
    assert again.points is None
    shared(torch.cat([images[:1], torch.randn(1, 3, 8, 8)]))
    assert shared.pictures == 6, "a batch with a new picture is encoded whole"


def test_gradients_reach_pictures_that_have_one() -> None:
    shared, images = network(), torch.randn(2, 3, 8, 8)
    shared(images)
    seen = images.clone().requires_grad_()
    shared(seen).map.sum().backward()
    assert torch.equal(seen.grad, torch.ones_like(seen))


def test_what_was_seen_in_inference_mode_does_not_reach_a_graph() -> None:
    shared, images = network(), torch.randn(2, 3, 8, 8)
    with torch.inference_mode():
        shared(images)
        shared(images.clone())
    assert shared.pictures == 2
    weight = torch.ones((), requires_grad=True)
    (weight * shared(images).map).sum().backward()
    assert weight.grad is not None


def test_half_precision_is_not_remembered() -> None:
    shared, images = network(), torch.randn(2, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        shared(images)
    shared(images)
    assert shared.pictures == 4


def test_a_network_in_training_or_just_trained_is_not_cached() -> None:
    shared, images = network(), torch.randn(2, 3, 8, 8)
    before = shared(images).map
    shared.module.requires_grad_(True)
    shared.module.gain.data.fill_(2.0)
    assert torch.equal(shared(images).map, 2 * before)
    shared.freeze()
    assert torch.equal(shared(images).map, 2 * before)


def test_a_fingerprint_is_of_weights_alone() -> None:
    torch.manual_seed(0)
    module = nn.Linear(2, 2)
    before = SharedNetwork("one", module).fingerprint()
    assert len(before) == 12
    assert before == SharedNetwork("another name", module).fingerprint()
    with torch.no_grad():
        module.bias[0] += 1e-6
    assert before != SharedNetwork("one", module).fingerprint()
    assert SharedNetwork("none", nn.Identity()).fingerprint() == ""


def test_a_frozen_networks_fingerprint_is_that_of_the_weights_it_was_frozen_with() -> None:
    shared = SharedNetwork("one", nn.Linear(2, 2))
    fresh = shared.fingerprint()
    shared.freeze()
    assert shared.fingerprint() == shared.fingerprint() == fresh
    shared.module.requires_grad_(True)
    with torch.no_grad():
        shared.module.bias += 1
    learnt = shared.fingerprint()
    shared.freeze()
    assert fresh != learnt == shared.fingerprint()


def test_what_is_computed_once_is_shared_with_its_graph_and_forgotten_afterwards() -> None:
    shared, images = network(), torch.randn(2, 3, 8, 8, requires_grad=True)
    with computed_once():
        assert shared(images).map is shared(images).map
        assert once(torch.add, images, images) is once(torch.add, images, images)
        assert shared(images.clone()).map is not shared(images).map
    assert shared(images).map is not shared(images).map


def test_a_context_inside_another_shares_what_the_outer_one_remembers() -> None:
    shared, images = network(), torch.randn(2, 3, 8, 8, requires_grad=True)
    with computed_once():
        before = shared(images).map
        with computed_once():
            assert shared(images).map is before
            inside = once(torch.add, images, images)
        assert once(torch.add, images, images) is inside
        assert shared(images).map is before


class Corner(nn.Module):
    """Says the size of the pictures that it gets, and points at their lower right corner."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def forward(self, image: Tensor) -> NetworkOutput:
        self.seen.append(image.shape[-1])
        side = float(image.shape[-1])
        corner = torch.full((len(image), 68, 2), side)
        return NetworkOutput(image.mean(1, keepdim=True), points=corner, further=corner[:, :8] / 2)


@pytest.mark.parametrize("side", [16, 32, 50])
def test_a_network_sees_its_own_size_and_its_points_are_px_of_the_picture_handed_in(side: int) -> None:
    shared = SharedNetwork("corner", Corner(), 32)
    shared.freeze()
    image = torch.rand(2, 3, side, side) * 2 - 1
    for _ in range(2):  # computed, then from the cache
        output = shared(image)
        assert shared.seen == [32]
        assert torch.allclose(output.points, torch.tensor(float(side)))
        assert torch.allclose(output.further, torch.tensor(side / 2))


def test_the_same_picture_at_two_sizes_does_not_share_a_cached_output() -> None:
    shared = SharedNetwork("corner", Corner(), 32)
    shared.freeze()
    assert float(shared(torch.zeros(1, 3, 16, 16)).points.max()) == 16
    assert float(shared(torch.zeros(1, 3, 64, 64)).points.max()) == 64


def test_a_picture_of_the_networks_size_is_handed_on_unchanged() -> None:
    image = torch.randn(2, 3, 8, 8)
    assert torch.equal(SharedNetwork("one", Counting(), 8)(image).map, image)


@pytest.mark.parametrize("side", [4, 16])
def test_resized_pictures_stay_in_range_in_place_and_differentiable(side: int) -> None:
    ramp = torch.linspace(-1, 1, 8).expand(1, 3, 8, 8).clone().requires_grad_()
    small = resized(ramp, side)
    assert small.shape == (1, 3, side, side)
    assert small.min() >= -1
    assert small.max() <= 1
    assert torch.allclose(small.mean(), ramp.mean(), atol=1e-6), "neither half gets wider"
    small.sum().backward()
    assert (ramp.grad > 0).all(), "every pixel counts: a picture is averaged, not sampled"


def test_networks_of_one_size_share_the_resized_picture() -> None:
    one, other = (SharedNetwork(name, Counting(), 4) for name in ("one", "other"))
    image = torch.randn(1, 3, 8, 8, requires_grad=True)
    with computed_once():
        one(image)
        other(image)
        assert once(resized, image, 4) is once(resized, image, 4)
    assert one.pictures == other.pictures == 1


@pytest.mark.parametrize("hardware", [True, False])
@pytest.mark.parametrize("side", [8, 16])
def test_convolutions_have_the_channels_last_where_a_cpu_multiplies_bf16(
    side: int, hardware: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("palsykit.training.precision._processor_multiplies_bf16", lambda: hardware)
    torch.manual_seed(0)
    layer, seen = nn.Conv2d(3, 8, 3, padding=1), []
    layer.register_forward_hook(lambda _, given, made: seen.extend([*given, made]))

    class Convolution(nn.Module):
        def forward(self, image: Tensor) -> NetworkOutput:
            return NetworkOutput(layer(image))

    shared, image = SharedNetwork("one", Convolution(), 8), torch.randn(2, 3, side, side)
    plain = shared(image).map
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = shared(image).map
    last = [value.is_contiguous(memory_format=torch.channels_last) for value in seen]
    assert last[:3] == [False, False, hardware]
    assert last[3] or not hardware
    torch.testing.assert_close(half.float(), plain, rtol=0.05, atol=0.05)
