"""Seeded mutations of a table: it is read, or refused with its file and line, and never anything else."""

import csv
import io
import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

from palsykit_datasets.expressions import words_of
from palsykit_datasets.imagefolder import read_layout

MUTATIONS = 1000
FIVE = [[25, 25], [39, 25], [32, 35], [26, 42], [38, 42]]
ROWS = [
    {"file_name": f"p{s}-{e}.png", "subject": f"p{s}", "expression": e, "side": "left", "severity": 4, "points5": FIVE}
    for s in range(3)
    for e in ("rest", "smile_full", "lip_pucker")
]
VALUES: list[Any] = [
    *(None, True, -1, 0, 10**30, 1e308, float("nan"), float("inf"), "", " ", "x", "ß漢字\U0001f600", "\0", "\ud800"),
    *("../../etc/passwd", "/etc/passwd", "..", "a/../../b", "C:\\x", "~", "a\nb", [], {}, [[]], [[0, 0]] * 5),
    *([[1e30, 1e30]] * 5, [[float("nan")] * 2] * 5, [["a", "b"]] * 5, [[1, 2, 3]] * 5, [[-1, -1]] * 68, "[[1,2]]"),
    *("[" * 5000, "none", "bilateral", "HB IV", "4,5", "=cmd()", "given", "train", "a" * 300, 3.7, 2**63),
]
COLUMNS = ("File_Name", "split", "landmarks", "landmarks_source", "eface", "points5", "point5", "zz", "", "side ")


def table(rows: list[dict[str, Any]], form: str) -> str:
    if form == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in rows)
    stream = io.StringIO()
    writer = csv.DictWriter(stream, sorted({column for row in rows for column in row}))
    writer.writeheader()
    for row in rows:
        writer.writerow({column: json.dumps(v) if isinstance(v, list) else v for column, v in row.items()})
    return stream.getvalue()


def mutated(random: random.Random, form: str) -> str:
    """A table with other values, columns or rows, or with a damaged text."""
    rows = [dict(row) for row in ROWS]
    for _ in range(random.choice([0, 1, 1, 2, 5])):
        row = random.choice(rows)
        what = random.randrange(6)
        if what == 0:
            row.pop(random.choice(list(row) or ["none"]), None)
        elif what <= 3:
            row[random.choice(list(row) or ["subject"])] = random.choice(VALUES)
        elif what == 4:
            row[random.choice(COLUMNS)] = random.choice(VALUES)
        else:
            rows.insert(random.randrange(len(rows)), dict(row))
    text = table(rows, form)
    place, kind = random.randrange(len(text)), random.randrange(12)
    damages = {
        0: text[:place],
        1: text[:place] + random.choice("\"'\0\r\n,{}[]\\\u2028\ufeff\ud800") + text[place:],
        2: text[:place] + text[place + random.randrange(1, 40) :],
        3: text[:place] + "[" * 100_000 + text[place:],
        4: text[:place] + text[max(0, place - 60) : place] + text[place:],
        5: "",
    }
    return damages.get(kind, text)


def test_mutated_tables_are_read_or_refused(tmp_path: Path) -> None:
    draws, results, words = random.Random(0), Counter[str](), words_of("imagefolder", None)
    for number in range(MUTATIONS):
        form = draws.choice(["jsonl", "csv"])
        file = tmp_path / f"metadata.{form}"
        file.write_bytes(mutated(draws, form).encode("utf-8", "surrogatepass"))
        try:
            read_layout(tmp_path, words)
            results["read"] += 1
        except ValueError as error:
            placed = re.search(rf"metadata\.{form}(:\d+)?: ", str(error))
            results["refused" if placed else f"refused without a place, number {number}: {error}"] += 1
        finally:
            file.unlink()
    assert results.keys() == {"read", "refused"}
    assert min(results.values()) > MUTATIONS / 10, "mutations of both kinds"
