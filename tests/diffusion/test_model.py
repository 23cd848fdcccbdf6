import copy

import pytest
import torch

from palsykit.faces.pairing import pair
from palsykit.faces.views import batch
from palsykit.interfaces import FaceBatch, FaceView
from palsykit.networks import SharedNetwork
from palsykit.seeds import generator


@pytest.fixture
def rows(faces):
    return batch(faces, pair(faces.records, 0)[:4])


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_a_perfect_prediction_gives_back_x0(model_of, rows, prediction):
    model = model_of(prediction=prediction)
    x_0, noise, t = rows.target.image, torch.randn(rows.target.image.shape), torch.tensor([0, 10, 300, 700])
    x_t = model.add_noise(x_0, noise, t)
    found = model.predict_x0(model.objective(x_0, noise, t), x_t, t)
    torch.testing.assert_close(found, x_0, atol=2e-4, rtol=0)


def test_the_forward_process_is_the_schedulers(model_of, rows):
    model = model_of()
    noise, t = torch.randn(rows.target.image.shape), torch.tensor([0, 1, 500, 999])
    torch.testing.assert_close(
        model.add_noise(rows.target.image, noise, t), model.scheduler.add_noise(rows.target.image, noise, t)
    )
    torch.testing.assert_close(
        model_of(prediction="v_prediction").objective(rows.target.image, noise, t),
        model.scheduler.get_velocity(rows.target.image, noise, t),
    )


def test_each_condition_reads_the_view_of_its_source(model_of, rows):
    model = model_of()
    before = model.encode(rows)
    other = FaceBatch(rows.identity, FaceView.of_images(rows.driver.image.flip(2)), rows.target)
    after = model.encode(other)
    assert torch.equal(before.conditions["identity"].tokens, after.conditions["identity"].tokens)
    assert not torch.allclose(before.conditions["landmark"].tokens, after.conditions["landmark"].tokens)


def test_cached_features_equal_fresh_ones_and_are_extracted_once(model_of, rows):
    model = model_of()
    cached = model.encode(rows)
    fresh = model.encode(rows, grad=True)
    for name in cached.conditions:
        torch.testing.assert_close(cached.conditions[name].tokens, fresh.conditions[name].tokens)
    networks = [encoder.network for encoder in model.encoders.values()]
    misses = [network._cache.misses for network in networks]
    model.encode(rows.rows(1, 3))
    assert [network._cache.misses for network in networks] == misses
    assert min(misses) > 0


def test_a_photograph_is_encoded_once_whatever_the_precision_and_the_mode(model_of, rows):
    model = model_of()
    networks = [encoder.network for encoder in model.encoders.values()]
    with torch.inference_mode():
        first = model.encode(rows)
    misses = [network._cache.misses for network in networks]
    with torch.autocast("cpu", torch.bfloat16):
        second = model.encode(rows)
    assert [network._cache.misses for network in networks] == misses
    assert torch.equal(first.conditions["identity"].pooled, second.conditions["identity"].pooled)
    second.conditions["landmark"].tokens.sum().backward()
    assert model.encoders["landmark"].project.weight.grad is not None


def test_one_encoding_reads_a_picture_once_with_each_network(model_of, rows):
    model = model_of()
    network, seen = model.encoders["landmark"].network, []
    network.module.register_forward_hook(lambda *_: seen.append(1))
    model.encoders["again"] = model.encoders["landmark"]
    model.views["again"] = ("driver",)
    image = rows.driver.image.clone().requires_grad_()
    model.encode(FaceBatch(rows.identity, FaceView.of_images(image)), reading="driver", grad=True)
    assert seen == [1]
    assert isinstance(network, SharedNetwork)


def test_gradients_reach_the_pixels_only_with_grad(model_of, rows):
    model = model_of()
    image = rows.driver.image.clone().requires_grad_()
    seen = FaceBatch(rows.identity, FaceView.of_images(image))
    model.encode(seen, reading="driver", grad=True).conditions["landmark"].tokens.sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    image.grad = None
    model.encode(seen, reading="driver").conditions["landmark"].tokens.sum().backward()
    assert image.grad is None


def test_the_cache_forgets_beyond_its_limit(model_of, rows):
    model = model_of()
    cache = model.encoders["landmark"].network._cache
    cache.limit = 2500  # a row of map and points is 512 + 544 bytes
    model.encode(rows)
    assert 0 < cache.held <= 2500
    again = model.encode(rows)
    fresh = model.encode(rows, grad=True)
    torch.testing.assert_close(again.conditions["landmark"].tokens, fresh.conditions["landmark"].tokens)


def test_dropping_replaces_whole_rows_by_the_null_tokens(model_of, rows):
    model = model_of(drop=0.5)
    encoded = model.encode(rows)
    dropped = model.drop(encoded, generator("test", 3))
    null = model.null_tokens["identity"]
    kinds = [
        "null" if torch.equal(new, null) else "kept" if torch.equal(new, old) else "mixed"
        for old, new in zip(encoded.conditions["identity"].tokens, dropped.conditions["identity"].tokens, strict=True)
    ]
    assert set(kinds) == {"null", "kept"}
    pooled = [torch.equal(row, model.null_pooled["identity"]) for row in dropped.conditions["identity"].pooled]
    assert pooled == [kind == "null" for kind in kinds]


def test_guidance_without_null_tokens_is_refused(model_of, rows):
    model = model_of()
    with pytest.raises(ValueError, match="drop > 0"):
        model.without(model.encode(rows))


def test_frozen_networks_are_no_part_of_the_model(model_of):
    model = model_of()
    assert not any("network" in name for name in model.state_dict())
    twin = copy.deepcopy(model)
    assert twin.encoders["identity"].network is model.encoders["identity"].network


def test_what_denoises_refuses_what_does_not():
    from palsykit.diffusion.objective import one_group
    from palsykit.errors import PalsykitError

    with pytest.raises(PalsykitError, match="the trainer needs a diffusion model, and the model is a Linear; name"):
        one_group(torch.nn.Linear(2, 2))
