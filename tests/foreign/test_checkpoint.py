"""Checkpoints as torch.save writes them: every tensor to the last bit, and nothing of the file is run."""

import argparse
import copy
import os
import zipfile
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from palsykit.files import weights
from palsykit.foreign.checkpoint import read_tensors

KINDS = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8, torch.bool]


class Opens:
    """Creates a file when it is unpickled as pickles are."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.path), "w"))


class Evaluates(Opens):
    def __reduce__(self) -> tuple[Any, ...]:
        return (eval, (f"open({str(self.path)!r}, 'w')",))


class Runs(Opens):
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch '{self.path}'",))


class AttributeDict(dict[str, Any]):
    """As Lightning's: a mapping with attributes."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.__dict__["frozen"] = True


class Severity(Enum):
    MILD = 1


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


@pytest.mark.parametrize(
    "beside",
    [
        argparse.Namespace(arch="ir_50", path=Path("data"), at=torch.ones(1)),
        AttributeDict({"lr": 0.1, "inner": AttributeDict({"a": 1})}),
        {argparse.Namespace: {"score": torch.tensor(1.0)}},
        defaultdict(list, a=[1]),
        Severity.MILD,
        datetime(2020, 1, 1),
        np.float64(0.5),
        np.arange(3),
        int,
        frozenset([1]),
        nn.functional.relu,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_trainers_keep_beside_the_weights_does_no_harm(tmp_path: Path, old: bool, beside: object) -> None:
    path = saved({"hyper_parameters": beside, "state_dict": {"w": torch.ones(2)}}, tmp_path / "w.ckpt", old)
    assert torch.equal(read_tensors(path)["w"], torch.ones(2))
    left = [one for one in torch.serialization.get_safe_globals() if isinstance(one, tuple)]
    assert left == [], "stand-ins are for this file alone"


@pytest.mark.parametrize("kind", [Opens, Evaluates])
def test_nothing_of_the_file_is_run(tmp_path: Path, old: bool, kind: type[Opens]) -> None:
    target = tmp_path / "made by the checkpoint"
    path = saved({"state_dict": {"w": torch.ones(2)}, "callbacks": kind(target)}, tmp_path / "w.ckpt", old)
    assert torch.equal(read_tensors(path)["w"], torch.ones(2))
    inside = saved({"w": torch.ones(2), "x": kind(target)}, tmp_path / "v.ckpt", old)
    assert list(read_tensors(inside)) == ["w"]
    assert not target.exists()
    copy.copy(kind(target))  # runs what the pickle names, to see that it would have made the file
    assert target.exists()


def test_a_file_that_names_the_system_is_refused(tmp_path: Path, old: bool) -> None:
    path = saved({"w": torch.ones(2), "x": Runs(tmp_path / "made")}, tmp_path / "w.ckpt", old)
    with pytest.raises(ValueError, match=r"w\.ckpt: .* GLOBAL posix\.system .* blocked; expected"):
        read_tensors(path)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("beside", "message"),
    [(partial(int, base=2), "cannot convert dictionary update sequence"), (deque([1]), "Can only append to lists")],
    ids=["state is a tuple", "a list of another class"],
)
def test_what_torchs_reader_does_not_know_is_refused_in_a_line(tmp_path: Path, beside: object, message: str) -> None:
    path = saved({"w": torch.ones(2), "x": beside}, tmp_path / "w.ckpt", False)
    with pytest.raises(ValueError, match=rf"w\.ckpt: {message}.*; expected a whole checkpoint"):
        read_tensors(path)


def test_another_pickle_protocol_is_refused_in_a_line(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2)}, tmp_path / "w.pth", pickle_protocol=4)
    with pytest.raises(ValueError, match=r"w\.pth: Unsupported operand \d+; expected a whole checkpoint"):
        read_tensors(tmp_path / "w.pth")


def test_safetensors_are_read_as_well(tmp_path: Path) -> None:
    weights.save({"a": torch.ones(2)}, tmp_path / "w.safetensors")
    assert torch.equal(read_tensors(tmp_path / "w.safetensors")["a"], torch.ones(2))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([torch.ones(2)], r"list where a mapping is expected"),
        ({"epoch": 3, "options": argparse.Namespace()}, r"no tensors by name.*found epoch \(int\), options \("),
        (nn.Linear(2, 2), ""),
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
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(changed, "w") as other:
        for name in archive.namelist():
            data = archive.read(name)
            # the pickle's sizes 4, 4 become 4, 5: K\x04K\x04\x86
            other.writestr(name, data.replace(b"K\x04K\x04\x86", b"K\x04K\x05\x86", 1))
    with pytest.raises(ValueError, match=r"changed\.pth: .*storage"):
        read_tensors(changed)


def repeated(path: Path) -> None:
    torch.save({"a": torch.zeros(1).expand(2**31)}, path)


def packed(path: Path) -> None:
    torch.save({"a": torch.zeros(2**25)}, path.with_suffix(".whole"))
    with zipfile.ZipFile(path.with_suffix(".whole")) as whole, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in whole.namelist():
            file.writestr(name, whole.read(name))


def long(path: Path) -> None:
    path.write_bytes(b"\x80\x02" + b"(" * 200_000 + b".")


@pytest.mark.parametrize(("make", "message"), [
    (repeated, "claims 8.6 GB, and the file has"),
    (packed, r"claims 134 MB, and the file has 1\d\d .B"),
    (long, "its pickle has more than 30000 instructions"),
])  # fmt: skip
def test_a_small_file_that_claims_much_is_refused(
    tmp_path: Path, make: Callable[[Path], None], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("palsykit.foreign.checkpoint.MOST_INSTRUCTIONS", 30_000)
    make(tmp_path / "w.pth")
    with pytest.raises(ValueError, match=message) as error:
        read_tensors(tmp_path / "w.pth")
    assert "\n" not in str(error.value)


def test_another_zip_file_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(ValueError, match=r"a zip file with 0 records data\.pkl"):
        read_tensors(tmp_path / "w.pth")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.ckpt: no such file"):
        read_tensors(tmp_path / "nothing.ckpt")
