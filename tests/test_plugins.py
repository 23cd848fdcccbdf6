"""Discovery: a broken plugin is reported with the next step, and the other plugins work."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from palsykit.cli.plugins import listing
from palsykit.hookspecs import API_VERSION
from palsykit.plugins import BrokenPlugin, Discovery, Registration, discover
from palsykit.registry import collect

GOOD = """
from palsykit import hookimpl

@hookimpl
def palsykit_register_fusions(register):
    register("film", "acme_model:Film")
"""
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a distribution with a module and an entry point on sys.path, as pip would."""
    monkeypatch.syspath_prepend(tmp_path)
    modules = set(sys.modules)

    def put(
        name: str, source: str, point: str = "", module: str = "", entry_points: str = "", version: str = "1.2"
    ) -> None:
        module = module or f"{name}_module"
        (tmp_path / f"{module}.py").write_text(source, encoding="utf-8")
        info = tmp_path / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
        text = entry_points or f"[palsykit]\n{point or name} = {module}\n"
        (info / "entry_points.txt").write_text(text, encoding="utf-8")

    yield put
    for name in set(sys.modules) - modules:
        if name.startswith(("acme", "other")):
            del sys.modules[name]


def broken(found: Discovery, name: str) -> BrokenPlugin:
    (plugin,) = [plugin for plugin in found.broken if plugin.name == name]
    assert name not in [plugin.name for plugin in found.plugins]
    assert "face_space" in [plugin.name for plugin in found.plugins], "the others go on"
    return plugin


def test_a_plugin_is_found_with_what_it_registers(install: Install) -> None:
    install("acme", GOOD)
    (plugin,) = [plugin for plugin in discover().plugins if plugin.name == "acme"]
    assert (plugin.distribution, plugin.version, plugin.module) == ("acme", "1.2", "acme_module")
    assert plugin.registrations == (Registration("fusions", "film", "acme_model:Film"),)


def test_first_party_plugins_are_whole() -> None:
    found = discover()
    assert found.broken == []
    assert {"face_space", "cross_fusion", "unet"} <= {plugin.name for plugin in found.plugins}
    assert {plugin.distribution for plugin in found.plugins if plugin.module.startswith("palsykit_")} == {"palsykit"}


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import a_library_that_is_not_there", "ModuleNotFoundError: No module named 'a_library_that_is_not_there'"),
        ("raise SystemExit('bye')", "SystemExit: bye"),
        ("def f(:", "SyntaxError"),
        (GOOD.replace("fusions(", "fusion("), "did you mean palsykit_register_fusions?"),
        (
            GOOD.replace("palsykit_register_fusions", "palsykit_whatever"),
            "unknown hook palsykit_whatever; the hooks are",
        ),
        (GOOD.replace("@hookimpl\n", ""), "lacks the decorator @palsykit.hookimpl"),
        (GOOD.replace("(register)", "(register, registry)"), "takes (register, registry), expected (register)"),
        (GOOD.replace("(register)", "()"), "hook palsykit_register_fusions takes (), expected (register)"),
        (GOOD.replace("palsykit_register_fusions", "register_fusions"), "unknown hook 'register_fusions'"),
        (GOOD + "PALSYKIT_API = 3", "written for API 3 of palsykit, and this palsykit has API 2: update palsykit"),
        (GOOD + "PALSYKIT_API = 1", "written for API 1 of palsykit, and this palsykit has API 2: update the plugin"),
        (GOOD + "PALSYKIT_API = '2'", "PALSYKIT_API is '2', expected a whole number such as 2"),
        (GOOD.replace('"acme_model:Film"', '"acme_model"'), 'expected a callable or "module:attribute"'),
        (GOOD.replace('"film"', "3"), "registers 3, expected a name"),
        (GOOD + '    register("film", "acme_model:Film")\n', "registers fusions 'film' twice"),
        (GOOD + "    raise RuntimeError('half way')\n", "RuntimeError: half way"),
    ],
)
def test_a_broken_plugin_is_blamed(install: Install, source: str, reason: str) -> None:
    install("acme", source)
    plugin = broken(discover(), "acme")
    assert reason in plugin.reason
    assert plugin.distribution == "acme"
    assert str(plugin).startswith("plugin acme (acme_module, from acme): "), "entry point and distribution"
    assert "PALSYKIT_DISABLE=acme" in plugin.cure
    assert "\n" not in str(plugin)


def test_a_plugin_may_state_its_api(install: Install) -> None:
    install("acme", GOOD + f"PALSYKIT_API = {API_VERSION}")
    assert "acme" in [plugin.name for plugin in discover().plugins]


def test_palsykit_works_with_many_broken_plugins(
    install: Install, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line per fault, with entry point, distribution and next step; working plugins stay usable."""
    faults = {
        "acme_import": "import a_library_that_is_not_there",
        "acme_hook": GOOD.replace("fusions(", "fusion("),
        "acme_signature": GOOD.replace("(register)", "(registry)"),
        "acme_version": GOOD + "PALSYKIT_API = 7",
        "acme_one": GOOD,
        "acme_two": GOOD,
        "other_good": GOOD.replace('"film"', '"other_film"'),
    }
    for name, source in faults.items():
        install(name, source)
    known = collect(discover())
    monkeypatch.setattr("palsykit.registry.registry", lambda: known)
    listing()
    said = capsys.readouterr().out
    for name in faults:
        if name == "other_good":
            continue
        (plugin,) = [broken for broken in known.broken if name in broken.name.split(", ")]
        assert "\n" not in str(plugin)
        assert f"PALSYKIT_DISABLE={name}" in plugin.cure
        assert name.replace("_", "-") in plugin.distribution or name in plugin.distribution
        assert plugin.reason in said
    assert ("fusions", "film") not in known.entries, "two gave the name, so neither has it"
    assert {("fusions", "other_film"), ("fusions", "cross"), ("denoisers", "unet")} <= set(known.entries)


def test_an_entry_point_to_nowhere(install: Install) -> None:
    install("acme", GOOD, entry_points="[palsykit]\nacme = acme_module:plugin\n")
    assert "AttributeError" in broken(discover(), "acme").reason


def test_unreadable_entry_points_of_one_distribution(install: Install) -> None:
    install("acme", GOOD, entry_points="[palsykit]\nnonsense without a sign\n")
    found = discover()
    (plugin,) = found.broken
    assert "entry_points.txt cannot be read" in plugin.reason
    assert plugin.distribution == "acme"
    assert "face_space" in [plugin.name for plugin in found.plugins]


def test_two_distributions_with_one_entry_point_name(install: Install) -> None:
    install("acme", GOOD, point="film")
    install("other", GOOD.replace('"film"', '"other"'), point="film")
    found = discover()
    (plugin,) = found.broken
    assert (plugin.distribution, plugin.name) == ("other", "film")
    assert plugin.reason == "acme already has an entry point of this name"
    assert [plugin.distribution for plugin in found.plugins if plugin.name == "film"] == ["acme"]


def test_the_cure_works(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("acme", "raise RuntimeError")
    install("other", GOOD)
    monkeypatch.setenv("PALSYKIT_DISABLE", "acme, other")
    found = discover()
    assert found.disabled == ["acme", "other"]
    assert found.broken == []
    assert "acme_module" not in sys.modules


def test_a_misspelt_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALSYKIT_DISABLE", "face_spce")
    (plugin,) = discover().broken
    assert plugin.name == "face_spce"
    assert plugin.cure == "did you mean face_space?"


def test_a_plugin_may_be_an_object(install: Install) -> None:
    source = """
from palsykit import hookimpl

class Acme:
    @hookimpl
    def palsykit_register_metrics(self, register):
        register("smile", len)

plugin = Acme()
"""
    install("acme", source, entry_points="[palsykit]\nacme = acme_module:plugin\n")
    found = discover()
    (plugin,) = [plugin for plugin in found.plugins if plugin.name == "acme"]
    assert plugin.registrations == (Registration("metrics", "smile", len),)
