"""``palsykit plugins check`` and ``palsykit plugins new`` on the command line."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from palsykit import Conditioning, Encoded
from palsykit.cli import main
from palsykit.plugins import BrokenPlugin, Plugin, Registration, discover
from palsykit.registry import registry


@dataclass
class Done:
    code: int
    out: str
    err: str


class Spare(nn.Module):
    """Means of tokens (our own), [B, 1, W]."""

    def __init__(self, inputs: Any, *, width: int = 24):
        """width: of the tokens."""
        super().__init__()
        self.token_width, self.pooled_width = width, None
        self.map, self.spare = nn.Linear(24, width), nn.Linear(3, 3)

    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        return Conditioning(
            {"a": self.map(torch.cat([c.tokens for c in conditions.values()], 1).mean(1, keepdim=True))}
        )


@pytest.fixture
def palsykit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Done]]:
    """Runs a command line, with a plugin that fails a check and one that is broken beside our own."""
    found = discover()
    parts = (Registration("fusions", "spare", Spare), Registration("schedulers", "spare", lambda: None))
    found.plugins.append(Plugin("acme", "acme_module", "acme-dist", "0.3", parts))
    found.broken.append(BrokenPlugin("acme_torn", "acme_torn", "acme-torn", "ImportError: no acme", "leave it out"))
    monkeypatch.setattr("palsykit.registry.discover", lambda: replace(found))
    registry.cache_clear()

    def run(*arguments: Any) -> Done:
        monkeypatch.setattr(sys, "argv", ["palsykit", *map(str, arguments)])
        code: Any = 0
        try:
            main()
        except SystemExit as error:
            code = error.code or 0
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    yield run
    registry.cache_clear()


def test_a_part_by_its_name_with_keys(palsykit: Callable[..., Done]) -> None:
    done = palsykit("plugins", "check", "cross", "--set", "width=16", "--set", "heads=2")
    assert done.code == 0
    assert done.out.splitlines()[0] == "fusion cross of cross_fusion (palsykit)"
    assert done.out.splitlines()[-1] == "  12 passed, 0 failed, 0 not checked"


def test_a_plugin_by_its_name_means_all_its_parts(palsykit: Callable[..., Done]) -> None:
    done = palsykit("plugins", "check", "schedulers")
    assert done.code == 0
    heads = [line for line in done.out.splitlines() if not line.startswith(" ")]
    assert [head.split()[:2] for head in heads] == [
        ["scheduler", "ddpm"],
        ["sampler", "ddim"],
        ["sampler", "dpm_solver"],
        ["sampler", "ddpm"],
    ]


def test_a_failure_reports_expected_seen_and_fix(palsykit: Callable[..., Done]) -> None:
    done = palsykit("plugins", "check", "spare", "--interface", "fusion")
    assert done.code == 2
    lines = [line.strip() for line in done.out.splitlines()]
    at = lines.index("FAIL gradients reach every parameter")
    assert lines[at + 1] == "expected: a gradient for every trainable parameter within 5 steps"
    assert lines[at + 2] == "seen:     none for spare.weight, spare.bias (2 of 4)"
    assert lines[at + 3].startswith("fix:      use it in forward")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["corss"], "no part and no plugin 'corss'; did you mean cross?"),
        (["cross", "--interface", "encoder"], "no part and no plugin 'cross' among encoders"),
        (["cross", "--interface", "fusoin"], "--interface fusoin: expected one of datasets, "),
        (["spare", "--set", "width=3"], "has several parts (fusions spare, schedulers spare); name one part, and add"),
        (["acme_torn"], "acme_torn is broken\n  plugin acme_torn (acme_torn, from acme-torn): ImportError: no acme"),
    ],
)
def test_what_cannot_be_checked_is_told(palsykit: Callable[..., Done], arguments: list[str], message: str) -> None:
    done = palsykit("plugins", "check", *arguments)
    assert done.code == 2
    assert message in done.err


def test_a_command_by_its_name(palsykit: Callable[..., Done]) -> None:
    done = palsykit("plugins", "check", "audit")
    assert (done.code, done.out.splitlines()[0]) == (0, "command audit of audit (palsykit)")
    assert done.out.splitlines()[-1] == "  4 passed, 0 failed, 0 not checked"
    done = palsykit("plugins", "check", "synthesize", "--set", "a=1")
    assert (done.code, "synthesize is a command, which has no keys" in done.err) == (2, True)


def test_list_is_what_no_command_gives(palsykit: Callable[..., Done]) -> None:
    assert palsykit("plugins", "list").out == palsykit("plugins").out
    assert "schedulers" in palsykit("plugins").out


def test_new_says_what_comes_next(
    palsykit: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = palsykit("plugins", "new", "acme_film", "--interface", "fusion")
    assert done.code == 0
    assert "acme_film/acme_film/fusion.py" in done.out.splitlines()
    assert "pip install -e acme_film && palsykit plugins check acme_film" in done.out.splitlines()[-1]
    assert all(Path(line).is_file() for line in done.out.splitlines()[:-2])
    again = palsykit("plugins", "new", "acme-film", "--interface", "fusion")
    assert (again.code, "not empty" in again.err) == (2, True)
