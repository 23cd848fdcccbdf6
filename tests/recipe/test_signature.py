"""A factory's signature says what a recipe may write, or why the factory cannot serve."""

import functools
from collections.abc import Callable
from typing import Any

import pytest

from palsykit.errors import PalsykitError
from palsykit.hookspecs import HOOKS, INTERFACES, PREFIX
from palsykit.hookspecs import __dict__ as hooks
from palsykit.recipe.signature import Missing, keys_of
from palsykit.registry import Registry


def test_positional_parameters_are_those_of_the_hooks() -> None:
    assert tuple(INTERFACES) == tuple(name.removeprefix(PREFIX) for name in HOOKS[:-1])
    for name, interface in INTERFACES.items():
        written = ", ".join([*interface.positional, "*", "..."])
        assert f"factory({written})" in hooks[f"palsykit_register_{name}"].__doc__


def test_keys_in_order_with_defaults(parts: Callable[..., Registry]) -> None:
    known = parts()
    keys = keys_of(known.get("fusions", "cross"))
    assert [(key.name, key.default) for key in keys.values()] == [("ring", None), ("heads", Missing)]
    assert list(keys_of(known.get("samplers", "ddim"))) == ["rate"]


def test_wrapped_factories_and_text_annotations(parts: Callable[..., Registry]) -> None:
    def inner(data: Any, *, rate: "float" = 0.5, free=3) -> None: ...  # type: ignore[no-untyped-def]

    @functools.wraps(inner)
    def outer(*args: Any, **keywords: Any) -> None: ...

    keys = keys_of(parts(trainers__wrapped=outer).get("trainers", "wrapped"))
    assert (keys["rate"].annotation, keys["free"].annotation) == (float, Any)


def without_star(image_size: int, width: int = 5) -> None: ...
def too_few() -> None: ...
def unknown_name(image_size: int, *, a: "NotThere" = None) -> None: ...  # type: ignore[name-defined,assignment] # noqa: F821


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (without_star, r"its factory takes \(image_size, width\), core gives \(image_size\); .* after `\*`"),
        (too_few, r"its factory takes \(\), core gives \(image_size\)"),
        (unknown_name, "name 'NotThere' is not defined.*not under TYPE_CHECKING"),
    ],
)
def test_factories_that_cannot_serve(parts: Callable[..., Registry], factory: Any, message: str) -> None:
    with pytest.raises(PalsykitError, match=f"network 'odd' of plugin fake .*{message}"):
        keys_of(parts(networks__odd=factory).get("networks", "odd"))
