"""Checkpoints as torch.save writes them: every tensor to the last bit, and nothing of the file is run."""

import argparse
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from palsykit.conversion.checkpoint import read_tensors
from palsykit.files import weights

KINDS = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8, torch.bool]


class Evil:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.path), "w"))


def saved(value: Any, path: Path, old: bool) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=not old)
    return path


@pytest.fixture(params=[False, True], ids=["zip", "before 1.6"])
def old(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_every_kind_of_number_is_read_to_the_last_bit(tmp_path: Path, old: bool) -> None:
    state = {str(kind): (torch.randn(3, 4) * 50).abs().to(kind) for kind in KINDS}
    found = read_tensors(saved(state, tmp_path / "w.pth", old))
    assert list(found) == list(state)
    for name, value in state.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value), name


def test_views_parameters_scalars_and_empty_tensors(tmp_path: Path, old: bool) -> None:
    shared = torch.arange(24.0).view(4, 6)
    state = OrderedDict(
        all=shared, turned=shared.t(), part=shared[1:3, ::2], parameter=nn.Parameter(shared), one=torch.tensor(7),
        none=torch.empty(0, 3),
    )  # fmt: skip
    found = read_tensors(saved(state, tmp_path / "w.pth", old))
    for name, value in state.items():
        assert torch.equal(found[name], value), name
        assert found[name].is_contiguous()


def test_a_modules_state_dict_beside_a_trainers_things(tmp_path: Path, old: bool) -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    optimiser = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
    net(torch.randn(4, 2)).sum().backward()
    optimiser.step()
    checkpoint = {
        "epoch": 3,
        "best": torch.tensor(0.5),
        "hyper_parameters": argparse.Namespace(arch="ir_50", path=Path("data")),
        "optimizer_states": [optimiser.state_dict()],
        "callbacks": {"ModelCheckpoint": {"score": torch.tensor(1.0)}},
        "state_dict": net.state_dict(),
    }
    found = read_tensors(saved(checkpoint, tmp_path / "w.ckpt", old))
    assert list(found) == list(net.state_dict())
    assert all(torch.equal(found[name], value) for name, value in net.state_dict().items())


def test_nothing_of_the_file_is_run(tmp_path: Path, old: bool) -> None:
    target = tmp_path / "made by the checkpoint"
    path = saved({"state_dict": {"w": torch.ones(2)}, "callbacks": Evil(target)}, tmp_path / "w.ckpt", old)
    target.unlink(missing_ok=True)
    assert torch.equal(read_tensors(path)["w"], torch.ones(2))
    assert not target.exists()
    inside = saved({"w": torch.ones(2), "x": Evil(target)}, tmp_path / "v.ckpt", old)
    assert list(read_tensors(inside)) == ["w"]
    assert not target.exists()


def test_safetensors_are_read_as_well(tmp_path: Path) -> None:
    weights.save({"a": torch.ones(2)}, tmp_path / "w.safetensors")
    assert torch.equal(read_tensors(tmp_path / "w.safetensors")["a"], torch.ones(2))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([torch.ones(2)], r"list where a mapping is expected"),
        ({"epoch": 3, "options": argparse.Namespace()}, r"no tensors by name.*found epoch \(int\), options \(argparse"),
        (nn.Linear(2, 2), r"Linear.* where a mapping is expected"),
    ],
    ids=["list", "none", "module"],
)
def test_a_file_without_a_state_dict_is_refused(tmp_path: Path, old: bool, value: Any, message: str) -> None:
    path = saved(value, tmp_path / "w.pth", old)
    with pytest.raises(ValueError, match=message) as caught:
        read_tensors(path)
    assert "w.pth: " in str(caught.value)
    assert "expected a whole checkpoint" in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_file_cut_short_is_refused(tmp_path: Path, old: bool, share: float) -> None:
    path = saved({"w": torch.randn(500)}, tmp_path / "w.pth", old)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"w\.pth: .*expected a whole checkpoint"):
        read_tensors(path)


def test_a_tensor_beyond_its_storage_is_refused(tmp_path: Path) -> None:
    path = saved({"w": torch.randn(4, 4)}, tmp_path / "w.pth", False)
    changed = tmp_path / "changed.pth"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(changed, "w") as copy:
        for name in archive.namelist():
            data = archive.read(name)
            # the pickle's sizes 4, 4 become 4, 5: K\x04K\x04\x86
            copy.writestr(name, data.replace(b"K\x04K\x04\x86", b"K\x04K\x05\x86", 1))
    with pytest.raises(ValueError, match=r"a tensor of size \(4, 5\) in a storage of 16 numbers"):
        read_tensors(changed)


def test_another_zip_file_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(ValueError, match=r"a zip file with 0 records data\.pkl"):
        read_tensors(tmp_path / "w.pth")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.ckpt: no such file"):
        read_tensors(tmp_path / "nothing.ckpt")
