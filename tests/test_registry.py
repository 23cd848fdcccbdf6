"""A name gives its factory, or a message that helps."""

import sys
import types

import pytest

from palsykit.errors import PalsykitError
from palsykit.plugins import BrokenPlugin, Discovery, Plugin, Registration
from palsykit.registry import Registry, collect


def plugin(name: str, *parts: tuple[str, str], factory: object = "json:loads") -> Plugin:
    registrations = tuple(Registration(interface, part, factory) for interface, part in parts)  # type: ignore[arg-type]
    return Plugin(name, f"{name}_module", f"{name}-dist", "2.0", registrations)


def of(*plugins: Plugin, broken: tuple[BrokenPlugin, ...] = (), disabled: tuple[str, ...] = ()) -> Registry:
    return collect(Discovery(list(plugins), list(broken), list(disabled)))


def test_a_name_gives_its_factory_and_owner() -> None:
    entry = of(plugin("acme", ("fusions", "film"))).get("fusions", "film")
    assert str(entry) == "fusion 'film' of plugin acme (acme-dist 2.0)"
    import json

    assert entry.load() is json.loads


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    known = of(plugin("acme", ("fusions", "cross"), ("fusions", "film")))
    with pytest.raises(PalsykitError, match=r"^unknown fusion 'corss': did you mean cross\?$"):
        known.get("fusions", "corss")
    with pytest.raises(PalsykitError, match=r"^unknown fusion 'zzz': known are cross, film$"):
        known.get("fusions", "zzz")


def test_the_same_name_elsewhere_is_mentioned() -> None:
    with pytest.raises(PalsykitError, match="'ddim' is a sampler"):
        of(plugin("acme", ("samplers", "ddim"), ("schedulers", "ddpm"))).get("schedulers", "ddim")


def test_broken_and_disabled_plugins_are_mentioned() -> None:
    broken = BrokenPlugin("film", "acme", "acme-dist", "ImportError", "update it")
    with pytest.raises(
        PalsykitError, match="broken plugins: film; disabled plugins: warp; `palsykit plugins` says more"
    ):
        of(broken=(broken,), disabled=("warp",)).get("fusions", "film")


def test_a_name_given_twice_is_refused_and_names_both() -> None:
    known = of(
        plugin("acme", ("fusions", "film"), ("metrics", "smile")), plugin("other", ("fusions", "film")), plugin("third")
    )
    with pytest.raises(PalsykitError, match=r"acme \(acme-dist 2.0\) and other \(other-dist 2.0\) both register it"):
        known.get("fusions", "film")
    assert known.get("metrics", "smile").plugin == "acme"
    (clash,) = known.broken
    assert clash.name == "acme, other"
    assert "PALSYKIT_DISABLE=acme or PALSYKIT_DISABLE=other" in clash.cure


def test_one_name_in_two_interfaces_is_no_clash() -> None:
    known = of(plugin("acme", ("encoders", "identity")), plugin("other", ("metrics", "identity")))
    assert known.broken == ()
    assert known.get("metrics", "identity").plugin == "other"


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("not_there:thing", r"fusion 'film' of plugin acme \(acme-dist 2.0\) cannot be loaded: ModuleNotFoundError"),
        ("json:thing", "AttributeError.*PALSYKIT_DISABLE=acme"),
        ("json:__name__", "is 'json', expected a callable"),
        ("raising:thing", "RuntimeError: boom"),
    ],
)
def test_a_factory_that_cannot_be_loaded(factory: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Raising(types.ModuleType):
        def __getattr__(self, name: str) -> object:
            raise RuntimeError("boom") if name == "thing" else AttributeError(name)

    monkeypatch.setitem(sys.modules, "raising", Raising("raising"))
    with pytest.raises(PalsykitError, match=message):
        of(plugin("acme", ("fusions", "film"), factory=factory)).get("fusions", "film").load()


def test_a_nested_attribute_and_a_callable_are_loaded() -> None:
    import json

    assert of(plugin("a", ("fusions", "f"), factory="json:JSONDecoder.decode")).get("fusions", "f").load() is (
        json.JSONDecoder.decode
    )
    assert of(plugin("a", ("fusions", "f"), factory=len)).get("fusions", "f").load() is len
