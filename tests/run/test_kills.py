"""A run that is killed at any moment and started again ends as if nothing had happened, to the last bit."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from palsykit.files.atomic import is_partial

pytestmark = pytest.mark.slow

RECIPE = Path(__file__).with_name("kills.yaml")
DYING = Path(__file__).with_name("dying.py")
SEED, OPERATIONS, TIMES = 0, 50, 20
WATCHED = ("data.identities=4", "data.validation=1", "watch={every: 2, identities: 1}")
WATCHED_OPERATIONS, WATCHED_TIMES = 12, 4
"""Of the same run with a section watch."""
TOOK = re.compile(
    r"(?<=\"run\": \")\w+|(?<=\(seconds\)</th><td class=\"long\">)[\d.]+|[\d.]+(?= s on )|(?<=\"seconds\": )[\d.]+"
)
"""How long a stage took, in the report, in the model card and in state.json; in the last the run's identity, too."""


def shares(count: int, name: str) -> list[float]:
    """``count`` seeded numbers, one from each part of [0, 1)."""
    numbers = random.Random(f"{name} {SEED}")
    return [(part + numbers.random()) / count for part in range(count)]


class Runs:
    """One command line, run and killed in the same folder, and what it made when nobody disturbed it."""

    def __init__(self, base: Path, changes: tuple[str, ...] = ()):
        self.changes = changes
        self.base, self.folder, self.cache = base, base / "run", base / "cache"
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PALSYKIT_CACHE": str(self.cache)}
        environment["GIT_DIR"] = os.devnull  # runs name the commit, and whether files were edited since
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([sys.executable, str(DYING)], env=environment, **pipes)
        assert self._line() == "ready\n"
        self.run()  # imports what the later ones need, which is not to be counted
        first = self.contents()
        self.clear()
        self.whole = self.run()
        self.expected = self.contents()
        assert self.expected == first, "two undisturbed runs differ"

    def run(self, **death: Any) -> dict[str, Any]:
        """Run the command; its status and its number of operations on files."""
        words = [word for change in self.changes for word in ("--set", change)]
        arguments = ["run", str(RECIPE), *words, "--output", str(self.folder)]
        assert self.process.stdin is not None
        job = {"arguments": arguments, "output": str(self.base / "said"), **death}
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        done: dict[str, Any] = json.loads(self._line())
        if not death:
            assert done["status"] == 0, self.said()
        return done

    def said(self) -> str:
        return (self.base / "said").read_text()

    def clear(self) -> None:
        shutil.rmtree(self.folder)
        shutil.rmtree(self.cache)

    def contents(self) -> dict[str, Any]:
        """Every file of the run and of its cache, without times and the run's identity, which is drawn by chance.

        Other processes may write into the cache, so what was being written there stays for a day (test_caches.py).
        """
        files = {str(p.relative_to(self.base)): p for top in (self.folder, self.cache) for p in sorted(top.rglob("*"))}
        return {
            "trusted" if path.parent.name == "trusted" else name: _without_times(path)
            for name, path in files.items()
            if path.is_file() and not (name.startswith("cache/") and is_partial(path))
        }

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


def _without_times(path: Path) -> Any:
    if path.name in ("log.jsonl", "figures.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return [{key: value for key, value in line.items() if key not in ("time", "seconds")} for line in lines]
    if path.name == "manifest.json" and path.parent.name == "run":
        hashes = json.loads(path.read_text())
        hashes["watch"].pop("watch/figures.jsonl", None)
        return {stage: files for stage, files in hashes.items() if stage != "report"}
    if path.name == "live.html":  # of times in many places; test_watch.py reads it
        return "Ended</strong>" in path.read_text()
    if path.name in ("report.html", "MODEL_CARD.md", "state.json"):
        return TOOK.sub("0", path.read_text())
    return path.read_bytes()


def _begun(runs: Runs) -> Iterator[Runs]:
    yield runs
    assert runs.process.stdin is not None
    runs.process.stdin.close()
    runs.process.wait(timeout=60)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    yield from _begun(Runs(tmp_path_factory.mktemp("kills")))


@pytest.fixture(scope="module")
def watched_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    yield from _begun(Runs(tmp_path_factory.mktemp("watched"), WATCHED))


@pytest.fixture
def fresh(runs: Runs) -> Runs:
    runs.clear()
    return runs


@pytest.fixture
def watched(watched_runs: Runs) -> Runs:
    watched_runs.clear()
    return watched_runs


def goes_on(runs: Runs, killed: dict[str, Any]) -> None:
    """Run again what was killed, and compare."""
    where = runs.said().strip().splitlines()[-1:]
    assert killed["status"] == -signal.SIGKILL, where
    runs.run()
    found = runs.contents()
    assert not [path for path in runs.folder.rglob(".*") if is_partial(path)], f"{where}: left behind"
    assert sorted(found) == sorted(runs.expected), where
    assert [name for name in found if found[name] != runs.expected[name]] == [], where


@pytest.mark.parametrize(
    ("which", "before", "share"),
    [
        *(("fresh", "an operation on files", share) for share in shares(OPERATIONS, "operations")),
        *(("watched", "an operation on files", share) for share in shares(WATCHED_OPERATIONS, "watched operations")),
        *(("fresh", "a time", share) for share in shares(TIMES, "times")),
        *(("watched", "a time", share) for share in shares(WATCHED_TIMES, "watched times")),
    ],
)
def test_killed_it_resumes_to_the_same_bits(
    request: pytest.FixtureRequest, which: str, before: str, share: float
) -> None:
    killed: Runs = request.getfixturevalue(which)
    if before == "a time":
        goes_on(killed, killed.run(after=share * 0.9 * killed.whole["seconds"]))
    else:
        goes_on(killed, killed.run(before=1 + int(share * killed.whole["operations"])))
