"""Weights on disk: exact or refused, whole or absent."""

import pytest
import torch
from torch import nn

from palsykit.files import weights


def net(width: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width))


def test_round_trip_keeps_parameters_buffers_and_metadata(tmp_path):
    source, target = net(), net()
    source[1].running_var.fill_(7.0)
    source[1].num_batches_tracked.fill_(12345)
    path = tmp_path / "deep" / "net.safetensors"
    weights.save(source.state_dict(), path, {"made by": "a test"})
    assert weights.load_exact(target, path) == {"made by": "a test"}
    for name, value in source.state_dict().items():
        assert torch.equal(value, target.state_dict()[name]), name
    assert [file.name for file in path.parent.iterdir()] == ["net.safetensors"]


@pytest.mark.parametrize(("dtype", "bits"), [(torch.bfloat16, 8), (torch.float16, 11)])
def test_half_precision_is_read_back_as_float32(tmp_path, dtype, bits):
    source, target = net(), net()
    source[1].num_batches_tracked.fill_(12345)
    weights.save(source.state_dict(), tmp_path / "w.safetensors", dtype=dtype)
    weights.load_exact(target, tmp_path / "w.safetensors")
    assert target[0].weight.dtype == torch.float32
    assert torch.allclose(target[0].weight, source[0].weight, rtol=2.0**-bits, atol=1e-7)
    assert target[1].num_batches_tracked == 12345  # an integer, not rounded


def test_tied_tensors_and_views_are_saved_each_on_its_own(tmp_path):
    shared = torch.arange(6.0)
    weights.save({"a": shared, "b": shared, "c": shared.view(2, 3).T}, tmp_path / "w.safetensors")
    state, _ = weights.load(tmp_path / "w.safetensors")
    assert torch.equal(state["a"], state["b"])
    assert torch.equal(state["c"], shared.view(2, 3).T)


def test_keys_and_shapes_that_differ_are_named_and_nothing_is_loaded(tmp_path):
    path, target = tmp_path / "w.safetensors", net()
    state = net().state_dict()
    state["1.weight"] = torch.zeros(4)
    state["stray"] = state.pop("0.bias")
    weights.save(state, path)
    before = {name: value.clone() for name, value in target.state_dict().items()}
    with pytest.raises(ValueError, match="not the weights of this Sequential") as caught:
        weights.load_exact(target, path)
    message = str(caught.value)
    assert str(path) in message
    assert "missing: 0.bias" in message
    assert "unexpected: stray" in message
    assert "1.weight [4], expected [3]" in message
    assert all(torch.equal(before[name], value) for name, value in target.state_dict().items())


def test_a_missing_file_and_a_pickle_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.safetensors: no such file"):
        weights.load_exact(net(), tmp_path / "nowhere.safetensors")
    torch.save(net().state_dict(), tmp_path / "net.pt")
    with pytest.raises(ValueError, match=r"net\.pt: not a complete safetensors file .* convert"):
        weights.load_exact(net(), tmp_path / "net.pt")


def test_a_file_cut_short_is_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    weights.save(net().state_dict(), path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match="not a complete safetensors file"):
        weights.load_exact(net(), path)


def test_a_failed_save_leaves_the_old_file_and_no_remains(tmp_path):
    path = tmp_path / "w.safetensors"
    weights.save({"a": torch.ones(2)}, path)
    with pytest.raises(TypeError):
        weights.save({"a": torch.zeros(2)}, path, {"steps": 3})  # type: ignore[dict-item]
    assert torch.equal(weights.load(path)[0]["a"], torch.ones(2))
    assert [file.name for file in tmp_path.iterdir()] == ["w.safetensors"]


def test_matrices_in_eight_bits_are_a_quarter_as_large_and_near(tmp_path):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(32, 64, 3), nn.BatchNorm2d(64), nn.Linear(256, 256))
    module[0].weight.data[5] *= 1000  # a channel's own step
    module[0].weight.data[6] = 0
    weights.save(module.state_dict(), tmp_path / "large.safetensors")
    weights.save(module.state_dict(), tmp_path / "small.safetensors", {"a": "b"}, torch.int8)
    assert (tmp_path / "small.safetensors").stat().st_size < 0.28 * (tmp_path / "large.safetensors").stat().st_size
    state, metadata = weights.load(tmp_path / "small.safetensors")
    assert metadata == {"a": "b"}
    assert set(state) == set(module.state_dict())
    for name, value in module.state_dict().items():
        if value.ndim < 2:
            torch.testing.assert_close(state[name], value, rtol=2.0**-11, atol=1e-7)
            continue
        most = value.abs().flatten(1).amax(1)
        assert ((state[name] - value).abs().flatten(1).amax(1) <= most / 253).all(), name
    again = nn.Sequential(nn.Conv2d(32, 64, 3), nn.BatchNorm2d(64), nn.Linear(256, 256))
    weights.load_exact(again, tmp_path / "small.safetensors")
    assert torch.equal(again[0].weight, state["0.weight"])
