"""Mutated metadata and pictures: each folder is read, or refused with one message that names the table."""

import csv
import io
import json
import random
import re
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from palsykit.errors import PalsykitError
from palsykit.faces.splits import split_records
from palsykit_datasets.imagefolder import imagefolder

BAD: list[Any] = [
    None, True, -1, 0, 10**30, 1e308, float("nan"), float("inf"), "", " ", "x", "ß漢字\U0001f600", "\0", "\ud800",
    "../../etc/passwd", "/etc/passwd", "..", ".", "a/../../b", "C:\\x", "~", "a\nb", [], {}, [[]], [[1, 2]] * 5,
    [[0, 0]] * 5, [[1e30, 1e30]] * 5, [[float("nan")] * 2] * 5, [["a", "b"]] * 5, [[1, 2, 3]] * 5, [[1, 2]] * 68,
    [[-5, -5]] * 68, {"a": 1}, "[[1,2]]", "[" * 5000, "none", "bilateral", "HB IV", "4", "4,5", "=cmd()", "unknown",
    "given", "train", "a" * 300, "a" * 20_000, 3.7, 7, 2**63, "<script>", "link.png",
]  # fmt: skip
COLUMNS = ["File_Name", "split", "landmarks", "landmarks_source", "eface", "points5", "zz", "", "side "]
SIGNS = ('"', "'", "\0", "\r", "\n", ",", "{", "}", "[", "]", "\\", "\u2028", "\ufeff", "\ud800")


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, Any]]:
    """Nine photographs of three people in ``photos``, and their rows; beside them a secret and a link to it."""
    made = np.random.default_rng(0)
    root = tmp_path / "photos"
    root.mkdir()
    found = []
    for person in range(3):
        for expression in ("rest", "smile_full", "lip_pucker"):
            name = f"p{person}-{expression}.png"
            Image.fromarray(made.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(root / name)
            points = [[25, 25], [39, 25], [32, 35], [26, 42], [38, 42]]
            found.append({"file_name": name, "subject": f"p{person}", "expression": expression, "side": "left",
                          "severity": 4, "group": "flaccid", "sunnybrook": 50, "points5": points})  # fmt: skip
    Image.fromarray(made.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "secret.png")
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    return found


def _mutated(rows: list[dict[str, Any]], rng: random.Random) -> list[dict[str, Any]]:
    rows = [dict(row) for row in rows]
    for _ in range(rng.choice([1, 1, 2, 5])):
        row, kind = rng.choice(rows), rng.randrange(6)
        key = rng.choice(list(row) or ["file_name"])
        if kind == 0:
            row.pop(key, None)
        elif kind < 4:
            row[key] = rng.choice(BAD)
        elif kind == 4:
            row[rng.choice(COLUMNS)] = rng.choice(BAD)
        else:
            rows.insert(rng.randrange(len(rows)), dict(row))
    return rows


def _text(rows: list[dict[str, Any]], form: str) -> str:
    if form == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    table = io.StringIO()
    writer = csv.DictWriter(table, sorted({key for row in rows for key in row}))
    writer.writeheader()
    writer.writerows({k: json.dumps(v) if isinstance(v, list) else v for k, v in row.items()} for row in rows)
    return table.getvalue()


def _mutated_text(text: str, rng: random.Random) -> str:
    place, kind = rng.randrange(len(text)), rng.randrange(6)
    if kind == 0:
        return text[:place]
    if kind == 1:
        return text[:place] + rng.choice(SIGNS) + text[place:]
    if kind == 2:
        return text[:place] + text[place + rng.randrange(1, 40) :]
    if kind == 3:
        return text[:place] + "[" * 100_000 + text[place:]
    return text[:place] + text[max(0, place - 60) : place] + text[place:] if kind == 4 else ""


def _damaged(content: bytes, rng: random.Random) -> bytes:
    kind = rng.randrange(5)
    if kind == 0:
        return content[: rng.randrange(len(content))]
    if kind == 1:
        changed = bytearray(content)
        for _ in range(20):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        return bytes(changed)
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>"
    return {2: svg, 3: b"", 4: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"}[kind]


def _read(root: Path, cache: Path) -> str:
    """What is said when a folder is refused; empty if it is read."""
    try:
        data = imagefolder(64, cache, root=root)
        split_records(data.records, 0)
        for record in data.records:
            data.image(record)
    except (ValueError, PalsykitError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("seed", "count"), [(0, 60), pytest.param(1, 1000, marks=pytest.mark.slow)])
def test_mutated_metadata(tmp_path: Path, rows: list[dict[str, Any]], seed: int, count: int) -> None:
    rng, root, faults = random.Random(seed), tmp_path / "photos", []
    tally = {"read": 0, "refused": 0}
    for number in range(count):
        form = rng.choice(["jsonl", "csv"])
        text = _text(_mutated(rows, rng), form) if rng.random() < 0.7 else _mutated_text(_text(rows, form), rng)
        for old in root.glob("metadata.*"):
            old.unlink()
        (root / f"metadata.{form}").write_bytes(text.encode("utf-8", "surrogatepass"))
        victim = root / rng.choice(rows)["file_name"]
        whole = victim.read_bytes()
        if rng.random() < 0.3:
            victim.write_bytes(_damaged(whole, rng))
        began = time.process_time()
        try:
            said = _read(root, tmp_path / "cache")
            tally["refused" if said else "read"] += 1
            if said and not re.search(r"metadata\.(jsonl|csv)|photos", said):
                faults.append(f"{number}: names no file: {said[:300]}")
        except Exception:
            faults.append(f"{number}: {' | '.join(traceback.format_exc().splitlines()[-3:])[:600]}")
        finally:
            victim.write_bytes(whole)
        if time.process_time() - began > 2:
            faults.append(f"{number}: {time.process_time() - began:.1f} s")
    print(tally)
    assert not faults, "\n".join(faults)
    assert min(tally.values()) > count / 20, tally
