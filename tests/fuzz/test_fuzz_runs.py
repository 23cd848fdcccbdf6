"""Mutated run folders of strangers: each opens, or is refused with one message that names the folder or a file."""

import json
import os
import random
import shutil
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import palsykit as package
from palsykit.errors import PalsykitError
from palsykit.run import manifest
from palsykit.run.folder import RunFolder

KEPT = ("state.json", "recipe.yaml", "manifest.json", "data.json", "metrics.json", "provenance.json", "log.jsonl")


def _mutate(run: Path, rng: random.Random, mutations: ModuleType) -> str:
    """Change one file of a run; says what was done."""
    files = [path for path in sorted(run.rglob("*")) if path.is_file() and "checkpoints" not in path.parts]
    file = rng.choice([run / name for name in KEPT] if rng.random() < 0.7 else files)
    kind = rng.choice(["tree", "tree", "tree", "text", "bytes", "cut", "gone", "link", "folder", "pipe"])
    content = file.read_bytes()
    if kind in ("tree", "text") and file.suffix not in (".json", ".yaml"):
        kind = "bytes"
    if kind == "tree":
        load, dump = (yaml.safe_load, yaml.safe_dump) if file.suffix == ".yaml" else (json.loads, json.dumps)
        file.write_text(dump(mutations.mutated(load(content), rng)), errors="surrogatepass")
    elif kind == "text":
        file.write_text(mutations.mutated_text(content.decode(), rng), errors="surrogatepass")
    elif kind == "bytes":
        changed = bytearray(content or b"\0")
        for _ in range(rng.choice([1, 20])):
            changed[rng.randrange(min(len(changed), rng.choice([64, 10**9])))] = rng.randrange(256)
        file.write_bytes(changed)
    elif kind == "cut":
        file.write_bytes(content[: rng.randrange(len(content) + 1)])
    else:
        file.unlink()
        if kind == "link":
            file.symlink_to(rng.choice(["/etc/passwd", "/dev/zero", "../../..", file.name, "nowhere"]))
        elif kind == "folder":
            file.mkdir()
        elif kind == "pipe":
            os.mkfifo(file)
    return f"{kind} of {file.relative_to(run)}"


def _remove(path: Path) -> None:
    """Remove a file, or the folder that a mutation put in its place."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


@pytest.mark.parametrize(("seed", "count"), [(0, 24), pytest.param(1, 500, marks=pytest.mark.slow)])
def test_mutated_run_folders(
    finished: RunFolder, script: Callable[[str], ModuleType], tmp_path: Path, seed: int, count: int
) -> None:
    rng, mutations, faults = random.Random(seed), script("tests/fuzz/mutations.py"), []
    tally = {"opened": 0, "refused": 0}
    for number in range(count):
        run = tmp_path / f"run-{number}"
        shutil.copytree(finished.path, run, ignore=shutil.ignore_patterns("checkpoints"))
        done = _mutate(run, rng, mutations)
        if rng.random() < 0.5:
            _remove(run / "manifest.json")  # as an earlier version had none
        for name, use in (
            ("load", package.load),
            ("verify", manifest.changed),
            ("log", lambda path: RunFolder(path).logged()),
            ("data", lambda path: RunFolder(path).made("data.json")),
        ):
            try:
                use(run)
                tally["opened"] += name == "load"
            except PalsykitError as error:
                tally["refused"] += name == "load"
                if run.name not in str(error) and "recipe" not in str(error):
                    faults.append(f"{number}, {name}, {done}: names no file: {error}"[:600])
            except Exception:
                end = [line for line in traceback.format_exc().splitlines() if line.strip()][-3:]
                faults.append(f"{number}, {name}, {done}: {' | '.join(end)}"[:600])
        shutil.rmtree(run, ignore_errors=True)
    print(tally)
    assert not faults, "\n".join(faults)
    assert min(tally.values()) > count / 20, tally
