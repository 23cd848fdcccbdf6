"""Plain scalars mean what YAML 1.2 says, both ways."""

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from palsykit.recipe.read import read_text
from palsykit.recipe.yaml_rules import dump


def value(text: str) -> Any:
    return read_text(f"key: {text}", "r.yaml", Path()).value["key"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        ("2.", 2.0),
        (".5", 0.5),
        ("-3", -3),
        ("010", 10),
        ("0x1F", 31),
        ("0o17", 15),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("2024-01-01", "2024-01-01"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("null", None),
        ("~", None),
        ("", None),
        ('"4"', "4"),
        ("!!str 4", "4"),
        ("!!float 4", 4.0),
        ("-.inf", -math.inf),
        ("1.2.3", "1.2.3"),
        ("<<", "<<"),
    ],
)
def test_scalars(text: str, expected: object) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


def test_not_a_number() -> None:
    assert math.isnan(value(".nan"))


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), PLAIN, max_size=4))
def test_what_is_dumped_reads_back(tree: dict[str, Any]) -> None:
    found = read_text(dump(tree), "r.yaml", Path()).value
    assert found == tree
    assert repr(found) == repr(tree), "types as well: 1, 1.0 and true are equal to Python"


@given(st.text(alphabet="0123456789.-+e_:xnoyTrue~", max_size=6))
def test_every_reader_sees_text_as_text(text: str) -> None:
    assert yaml.safe_load(dump({"key": text})) == {"key": text}


def test_text_with_line_breaks_stays_in_one_line() -> None:
    assert dump({"about": "one\n\ntwo # three"}).count("\n") == 1
