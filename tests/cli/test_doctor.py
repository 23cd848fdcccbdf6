"""`palsykit doctor` names what is broken and the cure, whatever a library does."""

import importlib.metadata
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from palsykit import health
from palsykit.cli.app import app
from palsykit.health import Finding, examine
from palsykit.plugins import BrokenPlugin
from palsykit.registry import registry


def test_it_looks_at_everything_and_finds_the_shipped_models() -> None:
    findings = {each.name: each for each in examine()}
    assert {"Python", "torch", "device", "precision", "memory", "cache", "plugins", "model cfcpalsy"} <= set(findings)
    assert not findings["torch"].cure
    assert int(findings["model cfcpalsy"].found.split()[0]) >= 4


def test_a_broken_plugin_is_named_with_its_cure_and_the_exit_code_is_1(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = BrokenPlugin("acme", "acme_film", "acme 1.0", "no module named film", "uninstall it")
    known = replace(registry(), broken=(broken,))
    monkeypatch.setattr("palsykit.registry.registry", lambda: known)
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "plugin acme: no module named film (acme_film, acme 1.0)\n  cure: uninstall it" in result.output


def test_a_library_that_is_too_old_and_one_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str, known: object = importlib.metadata.version) -> str:
        if name == "diffusers":
            return "0.1"
        if name == "rich":
            raise importlib.metadata.PackageNotFoundError(name)
        return str(known(name))  # type: ignore[operator]

    monkeypatch.setattr(importlib.metadata, "version", version)
    findings = {each.name: each for each in health._libraries()}
    assert findings["diffusers"].found.startswith("0.1, expected >=")
    assert findings["diffusers"].cure.startswith("pip install 'diffusers>=")
    assert findings["rich"].found == "is not installed"
    assert not findings["typer"].cure


def test_a_look_that_fails_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing() -> Iterator[Finding]:
        raise RuntimeError("operator torchvision::nms does not exist")
        yield

    monkeypatch.setitem(health.CURES, failing, "install it again")
    monkeypatch.setattr(health, "_diffusers", failing)
    findings = list(examine())
    (fault,) = [each for each in findings if each.name == "failing"]
    assert fault.found == "RuntimeError: operator torchvision::nms does not exist"
    assert fault.cure == "install it again"
    assert "model cfcpalsy" in {each.name for each in findings}


def test_json_for_programs() -> None:
    result = CliRunner().invoke(app, ["doctor", "--json"])
    page = json.loads(result.output)
    assert page["ok"] == (result.exit_code == 0)
    assert {"name", "found", "cure"} == set(page["findings"][0])


def test_a_cache_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALSYKIT_CACHE", "/proc/no/such/folder")
    (finding,) = health._cache()
    assert "PALSYKIT_CACHE=FOLDER" in finding.cure
