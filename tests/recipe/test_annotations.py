"""What a recipe may write for an annotation, and what it becomes."""

from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import pytest
from pydantic import Field, ValidationError

from palsykit.interfaces import AttentionBackend, Network
from palsykit.networks import SharedNetwork
from palsykit.recipe.annotations import is_special, takes_null
from palsykit.recipe.problems import complaints
from palsykit.recipe.schema import PartBlock
from palsykit.recipe.signature import Key, Missing, model
from palsykit.recipe.values import placed, plain


class Colour(Enum):
    RED = "red"


class Echo:
    """Marks what it was asked for."""

    def file(self, text: str) -> Any:
        if text == "missing":
            raise ValueError("an existing file")
        return ("file", str(text))

    def network(self, written: Any) -> Any:
        if not isinstance(written, str):
            raise ValueError("a network's name")
        return ("network", str(written))

    def part(self, interface: str, written: Any, kind: type[PartBlock]) -> Any:
        return (interface, written)


def read(annotation: Any, written: Any) -> Any:
    return model([Key("key", annotation, Missing)]).validate_python({"key": written}, context=Echo())["key"]


@pytest.mark.parametrize(
    ("annotation", "written", "expected"),
    [
        (int, 4, 4),
        (float, 4, 4.0),
        (bool, True, True),
        (str, "a", "a"),
        (Any, [1, "a"], [1, "a"]),
        (int | None, None, None),
        (Optional[int], 3, 3),  # noqa: UP045 (plugins may write it so)
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple[int, str], [1, "a"], (1, "a")),
        (tuple[int, int] | None, [1, 2], (1, 2)),
        (list[float], [1, 2.5], [1.0, 2.5]),
        (set[str], ["a"], {"a"}),
        (dict[str, tuple[int, int]], {"a": [1, 2]}, {"a": (1, 2)}),
        (Literal["a", 3], 3, 3),
        (Colour, "red", Colour.RED),
        (Annotated[int, Field(ge=2)], 2, 2),
        (int | Literal["auto"], "auto", "auto"),
        (Path, "x", ("file", "x")),
        (Path | None, "x", ("file", "x")),
        (Path | None, None, None),
        (dict[str, Path], {"a": "x"}, {"a": ("file", "x")}),
        (list[Path], ["x"], [("file", "x")]),
        (Network | str, "n", ("network", "n")),
        (SharedNetwork, "n", ("network", "n")),
        (Network | str | None, None, None),
        (list[Network], ["n"], [("network", "n")]),
        (AttentionBackend, {"use": "sdpa"}, ("attention", {"use": "sdpa"})),
    ],
)
def test_what_serves(annotation: Any, written: Any, expected: Any) -> None:
    found = read(annotation, written)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "written", "expected"),
    [
        (int, "4", [((), "a whole number")]),
        (int, True, [((), "a whole number")]),
        (int, 4.0, [((), "a whole number")]),
        (float, "4", [((), "a number")]),
        (float, True, [((), "a number")]),
        (bool, 1, [((), "true or false")]),
        (bool, "true", [((), "true or false")]),
        (str, 4, [((), "text")]),
        (str, None, [((), "text")]),
        (int | None, "a", [((), "a whole number")]),
        (int | str, 1.5, [((), "a whole number or text")]),
        (Literal["a", "b"] | list[Literal["a", "b"]] | list[int], 3, [((), "'a' or 'b' or a list")]),
        (int | list[int], [1, "a"], [((1,), "a whole number")]),
        (dict[str, list[int]], {"a": [1], "b": [1, "x"], "c": 3}, [(("b", 1), "a whole number"), (("c",), "a list")]),
        (tuple[int, int], "ab", [((), "a list")]),
        (tuple[int, int], [1], [((), "field required")]),
        (Literal["a", "b"], "c", [((), "'a' or 'b'")]),
        (Literal[1], True, [((), "1")]),
        (Colour, "blue", [((), "'red'")]),
        (Annotated[int, Field(ge=2)], 1, [((), "at least 2")]),
        (Path, 3, [((), "a file's path")]),
        (Path | None, "missing", [((), "an existing file")]),
        (Network | str, 3, [((), "a network's name")]),
        (list[Network], ["n", 3], [((1,), "a network's name")]),
    ],
)
def test_what_does_not(annotation: Any, written: Any, expected: list[tuple[Any, str]]) -> None:
    with pytest.raises(ValidationError) as caught:
        read(annotation, written)
    assert [(found.path[1:], found.expected) for found in complaints(caught.value)] == expected


def test_placed_values_know_their_place_and_leave_no_trace() -> None:
    value = placed({"a": ["x", {"b": "y"}]}, ("top",))
    assert value.path == ("top",)
    assert value["a"][0].path == ("top", "a", 0)
    assert value["a"][1]["b"].path == ("top", "a", 1, "b")
    assert [type(item) for item in (plain(value), plain(value)["a"][0], plain(value)["a"][1])] == [dict, str, dict]


def test_plain() -> None:
    value = {"a": (1, Colour.RED), "b": Path("x"), "c": {"z", "y"}, "d": True, "e": None}
    assert plain(value) == {"a": [1, "red"], "b": "x", "c": ["y", "z"], "d": True, "e": None}
    for strange in (object(), {1: 2}, len):
        with pytest.raises(TypeError, match="cannot be written in a recipe"):
            plain(strange)


def test_which_annotations_are_special() -> None:
    special = (Path, Path | None, dict[str, Path], Network | str, list[Network], AttentionBackend | None)
    assert all(is_special(annotation) for annotation in special)
    assert not any(is_special(annotation) for annotation in (int, str | None, list[str], Any, Literal["a"], Colour))


def test_a_key_may_be_called_like_a_member_of_a_union_or_an_attribute_of_a_model() -> None:
    keys = [Key("copy", dict[str, int | list[int]], Missing), Key("model_config", int, 3)]
    with pytest.raises(ValidationError) as caught:
        model(keys).validate_python({"copy": {"int": ["a"]}, "model_config": "b"})
    assert [found.path for found in complaints(caught.value)] == [("copy", "int", 0), ("model_config",)]


def test_which_annotations_take_null() -> None:
    assert all(takes_null(annotation) for annotation in (Any, None, int | None, Annotated[int | None, 1], Path | None))
    assert not any(takes_null(annotation) for annotation in (int, list[int | None], int | str, Annotated[int, 1]))
