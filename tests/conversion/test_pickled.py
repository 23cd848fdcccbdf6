"""Pickles as data: what they hold is read, what they would do is not done."""

import argparse
import collections
import contextlib
import copy
import io
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palsykit.conversion.pickled import Inert, read_data

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=15,
)


class Opens:
    """A pickle that creates a file when it is loaded as pickles are."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.path), "w"))


class Runs(Opens):
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.path}",))


class Evaluates(Opens):
    def __reduce__(self) -> tuple[Any, ...]:
        return (eval, (f"open({str(self.path)!r}, 'w')",))


class Stateful:
    """Its state, items and members are set after it is made."""

    def __init__(self) -> None:
        self.inner = {"a": 1}

    def __reduce__(self) -> tuple[Any, ...]:
        return (Stateful, (), self.__dict__, iter([1, 2]), iter({"x": 1}.items()))


def read(value: Any, protocol: int = 2) -> Any:
    return read_data(io.BytesIO(pickle.dumps(value, protocol)))


@given(st.binary())
def test_bytes_are_read_as_they_were(value: bytes) -> None:
    assert read(value, protocol=4) == value


@given(value=PLAIN, protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
@settings(max_examples=150, deadline=None)
def test_plain_data_is_read_as_it_was(value: Any, protocol: int) -> None:
    assert read({"value": value}, protocol) == {"value": value}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_ordered_dict_is_a_mapping_and_a_class_is_a_stand_in(protocol: int) -> None:
    options = argparse.Namespace(lr=0.1)
    found = read({"state": collections.OrderedDict(a=1, b=2), "options": options, "again": options}, protocol)
    assert found["state"] == {"a": 1, "b": 2}
    assert isinstance(found["options"], Inert)
    assert found["again"] is found["options"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", [Opens, Runs, Evaluates])
def test_no_code_runs(kind: type[Opens], protocol: int, tmp_path: Path) -> None:
    target = tmp_path / "made"
    bad = pickle.dumps({"state_dict": {"w": 1}, "bad": [kind(target)]}, protocol)
    found = read_data(io.BytesIO(bad))
    assert isinstance(found["bad"][0], Inert)
    assert found["state_dict"] == {"w": 1}
    assert not target.exists()
    copy.copy(kind(target))  # runs what the pickle names, to see that it would have made the file
    assert target.exists()


def test_what_is_done_to_a_stand_in_changes_nothing_else() -> None:
    found = read([Stateful(), {"kept": 1}])
    assert found == [Inert(f"{Stateful.__module__}.Stateful"), {"kept": 1}]


def test_the_attributes_of_a_mapping_are_not_set() -> None:
    state = collections.OrderedDict(w=1)
    state._metadata = {"": {"version": 1}}  # type: ignore[attr-defined]
    found = read(state)
    assert found == {"w": 1}
    assert type(found) is dict


def test_the_file_is_left_behind_the_end() -> None:
    file = io.BytesIO(pickle.dumps([1]) + pickle.dumps({"a": 2}) + b"rest")
    assert [read_data(file), read_data(file), file.read()] == [[1], {"a": 2}, b"rest"]


@pytest.mark.parametrize(
    "data",
    [b"", b"no pickle", pickle.dumps({"a": [1, 2]})[:-3], b"\x80\x02a.", b"\x80\x02h\x05.", b"\x80\x02}K\x01s.", b"t."],
    ids=["empty", "text", "cut", "append to nothing", "unknown memo", "half a pair", "no mark"],
)
def test_what_is_no_pickle_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"pickle|opcode|unpack"):
        read_data(io.BytesIO(data))


@pytest.mark.parametrize("code", [b"\x80\x02\x82\x01.", b"\x80\x05\x97."], ids=["extension registry", "buffers"])
def test_instructions_that_data_does_not_need_are_refused(code: bytes) -> None:
    with pytest.raises(ValueError, match="which data does not need"):
        read_data(io.BytesIO(code))


@given(st.binary(max_size=40))
@settings(max_examples=300, deadline=None)
def test_noise_is_data_or_an_error(noise: bytes) -> None:
    with contextlib.suppress(ValueError):
        read_data(io.BytesIO(b"\x80\x02" + noise))
