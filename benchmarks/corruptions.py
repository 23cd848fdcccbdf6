"""Test how the data sets read damaged files: ``python benchmarks/corruptions.py --count 1000``.

The script makes a good folder for each layout and damages files: it cuts, empties or renames them, flips bits, or gives
them another extension, a header of 60,000 x 60,000 px, or a name with line breaks or with bytes that are not text; some
become a link to themselves. It reads a folder with the data set of its layout, as a run does. No reading may end in a
traceback, and every file must be used or listed; only a damaged table may stop the reading, with a message.
"""

import argparse
import json
import os
import random
import struct
import tempfile
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from palsykit.data.rejections import printable
from palsykit.errors import PalsykitError
from palsykit.faces.alignment import FRAME
from palsykit.recipe.build import build_part
from palsykit.recipe.schema import PartBlock

SIZE, SIDE = 32, 64
FORMATS = (".jpg", ".png", ".tif", ".webp", ".bmp")
PEOPLE, PHOTOGRAPHS = 6, 6
EXPRESSIONS = ("rest", "brow_raise", "smile_full", "lip_pucker", "eye_closure_tight", "smile_gentle")


@dataclass
class GoodTree:
    """An undamaged tree: photographs, the files beside them, and the tables that describe many photographs."""

    root: Path
    keys: dict[str, Any] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    tables: list[Path] = field(default_factory=list)


def landmarks() -> np.ndarray:
    """Landmarks [68, 2] px of a face that fills most of a photograph."""
    five = (FRAME - 0.5) * 0.8 * SIDE + SIDE / 2
    points = np.tile(five.mean(0), (68, 1))
    points[36:42], points[42:48], points[30], points[48], points[54] = five
    return points


def photograph(path: Path, seed: int) -> Path:
    """Write a picture of noise, different for each seed, in the format of the extension."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path)
    return path


def template(path: Path) -> Path:
    """Write a webmorph template of 189 points with lids, nose and mouth in their places."""
    points = np.tile([32.0, 40.0], (189, 1))
    for middle, above, below in ((23, range(18, 23), range(28, 31)), (41, range(23, 28), range(31, 34))):
        points[list(above)] = [(middle + x, 28 - y) for x, y in ((-4, 0), (-2, 2), (0, 3), (2, 2), (4, 0))]
        points[list(below)] = [(middle + x, 28 + y) for x, y in ((-2, 2), (0, 3), (2, 2))]
    for side, x in ((range(50, 55), 30), (range(56, 61), 34)):
        points[list(side)] = [(x, y) for y in (28, 31, 34, 36, 38)]
    points[55], points[87], points[93] = (32, 40), (25, 48), (39, 48)
    path.write_text("\n".join(["189", *(f"{x}\t{y}" for x, y in points)]))
    return path


def beside(picture: Path, kind: int) -> Path:
    """Write landmarks beside a photograph, in one of the formats."""
    points = landmarks()
    if kind % 4 == 0:
        return template(picture.with_suffix(".tem"))
    if kind % 4 == 1:
        lines = ["version: 1", "n_points: 68", "{", *(f"{x + 0.5} {y + 0.5}" for x, y in points), "}"]
        path, text = picture.with_suffix(".pts"), "\n".join(lines)
    elif kind % 4 == 2:
        path, text = picture.with_suffix(".csv"), "\n".join(f"{x},{y}" for x, y in points)
    else:
        path, text = picture.with_suffix(".json"), json.dumps(points.tolist())
    path.write_text(text)
    return path


def people() -> Iterator[tuple[int, int, int, str]]:
    """(person, photograph, number, extension) of every photograph of a tree."""
    for person in range(PEOPLE):
        for which in range(PHOTOGRAPHS):
            number = person * PHOTOGRAPHS + which
            yield person, which, number, FORMATS[number % len(FORMATS)]


def imagefolder(root: Path) -> GoodTree:
    tree, rows = GoodTree(root), []
    for person, which, number, suffix in people():
        path = photograph(root / f"p{person}" / f"{number}{suffix}", number)
        tree.files.append(path)
        row = {"file_name": path.relative_to(root).as_posix(), "subject": f"p{person}", "side": "left", "severity": 3}
        rows.append(row | {"expression": EXPRESSIONS[which], "landmarks": landmarks().tolist()})
    (root / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tree.tables = [root / "metadata.jsonl"]
    return tree


def folder(root: Path) -> GoodTree:
    tree, rows = GoodTree(root), ["file_name,expression,side"]
    for person, which, number, suffix in people():
        path = photograph(root / f"p{person}" / f"{number}{suffix}", number)
        tree.files += [path, beside(path, number)]
        if which % 2:
            rows.append(f"{path.relative_to(root).as_posix()},{EXPRESSIONS[which]},right")
    (root / "labels.csv").write_text("\n".join(rows))
    tree.tables = [root / "labels.csv"]
    return tree


def meei(root: Path) -> GoodTree:
    tree, rows = GoodTree(root), ["Patient,Affected,HB"]
    for person, which, number, suffix in people():
        archive = ("flaccid", "synkinetic", "normal")[person % 3]
        path = photograph(root / archive / f"p{person}" / f"{which + 1}{suffix}", number)
        tree.files += [path, beside(path, number)]
        if which == 0 and person > 0:
            rows.append(f"p{person},L,{person}")
    (root / "people.csv").write_text("\n".join(rows))
    tree.tables = [root / "people.csv"]
    tree.keys = {
        "pattern": r"(?P<subject>[^/]+)/(?P<expression>\d+)\.\w+",
        "expressions": {str(i + 1): word for i, word in enumerate(EXPRESSIONS)},
        "metadata": str(root / "people.csv"),
        "columns": {"subject": "Patient", "side": "Affected", "severity": "HB"},
        "values": {"side": {"L": "left"}},
    }
    return tree


def aflfp(root: Path) -> GoodTree:
    tree = GoodTree(root)
    words = ("brow raise", "cheek puff", "smile", "wide  smile", "rest", "nose wrinkle")
    for person, which, number, suffix in people():
        blank = " " * (which % 2)
        path = photograph(root / str(person) / f"s{person}{blank}_{words[which]}_{which}_face{suffix}", number)
        tree.files += [path, beside(path, number)]
    meanings = {"cheek puff": "cheek puff", "smile": "smile_gentle", "wide smile": "smile_full"}
    tree.keys = {"expressions": {**meanings, "nose wrinkle": "nose wrinkle"}}
    return tree


def webmorph(root: Path) -> GoodTree:
    tree, lines = GoodTree(root), ["subject,split"]
    for person, which, number, suffix in people():
        path = photograph(root / EXPRESSIONS[which] / f"{person:03d}_{which}{suffix}", number)
        tree.files += [path, template(path.with_suffix(".tem"))]
        if which == 0:
            lines.append(f"{person:03d},train")
    (root / "splits.csv").write_text("\n".join(lines))
    tree.tables = [root / "splits.csv"]
    tree.keys = {"splits": str(root / "splits.csv"), "subject": r"(\d{3})_"}
    return tree


LAYOUTS: dict[str, Callable[[Path], GoodTree]] = {
    "imagefolder": imagefolder,
    "folder": folder,
    "meei": meei,
    "aflfp": aflfp,
    "webmorph": webmorph,
}


def cut(path: Path, draw: random.Random) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: draw.randrange(1, len(data))])
    return path


def flip_bits(path: Path, draw: random.Random) -> Path:
    data = bytearray(path.read_bytes())
    for _ in range(draw.randint(1, 20)):
        # Half of the flips hit the header: it is short, and its errors do more harm.
        place = draw.randrange(min(len(data), 64) if draw.random() < 0.5 else len(data))
        data[place] ^= 1 << draw.randrange(8)
    path.write_bytes(bytes(data))
    return path


def empty(path: Path, draw: random.Random) -> Path:
    path.write_bytes(b"")
    return path


def rename(path: Path, draw: random.Random) -> Path:
    return _move(path, f"x{draw.randrange(10**9):x}{path.suffix}".encode())


def wrong_extension(path: Path, draw: random.Random) -> Path:
    """Give a file another extension. Not .txt for landmarks: such a text is a document, which is ignored."""
    texts = [".txt"] if path.suffix in FORMATS else []
    suffix = draw.choice([*texts, ".gif", ".heic", "", ".mp4", ".jpg", ".csv", ".pts", ".JPG.bak", ".json"])
    return _move(path, f"{path.stem}{suffix}".encode())


def huge_header(path: Path, draw: random.Random) -> Path:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    bitmap = (
        b"BM" + struct.pack("<IHHI", 10**6, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, 60_000, 60_000, 1, 24, *[0] * 6)
    )
    path.write_bytes(draw.choice([b"\x89PNG\r\n\x1a\n" + chunk, bitmap]) + bytes(100))
    return path


def link_to_itself(path: Path, draw: random.Random) -> Path:
    path.unlink()
    path.symlink_to(path.name if draw.random() < 0.5 else "..")
    return path


def newline_in_name(path: Path, draw: random.Random) -> Path:
    return _move(path, _with(path, b"\n", draw))


def bytes_in_name(path: Path, draw: random.Random) -> Path:
    return _move(path, _with(path, draw.choice([b"\xff", b"\xc3", b"\xed\xa0\x80"]), draw))


DAMAGES = (
    cut, flip_bits, rename, empty, wrong_extension, huge_header, link_to_itself, newline_in_name, bytes_in_name
)  # fmt: skip


def _with(path: Path, extra: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(path.stem) + 1)
    return path.name[:place].encode() + extra + path.name[place:].encode()


def _move(path: Path, name: bytes) -> Path:
    target = path.with_name(os.fsdecode(name))
    while target != path and os.path.lexists(target):  # a file damaged earlier may have this name
        target = target.with_name(f"x{target.name}")
    return path.rename(target)


def unaccounted(tree: GoodTree, dataset: Any, now: dict[Path, Path]) -> list[str]:
    """Photographs that are neither used nor listed, and unlisted files beside them without a photograph.

    Args:
        tree: before the damage.
        dataset: the result of reading it.
        now: where the damaged files are.
    """
    listed = {rejected.path for rejected in dataset.rejected}
    known = listed | {f"{printable(tree.root)}/{record.key}" for record in dataset.records}
    places = {path: printable(now.get(path, path)) for path in tree.files}
    pictures = [place for path, place in places.items() if path.suffix in FORMATS]
    lost = [place for place in pictures if place not in known]
    stems = {os.path.splitext(place)[0] for place in pictures}  # noqa: PTH122 (text, not paths)
    others = [place for path, place in places.items() if path.suffix not in FORMATS and place not in listed]
    return lost + [place for place in others if os.path.splitext(place)[0] not in stems]  # noqa: PTH122


def read(layout: str, tree: GoodTree, cache: Path) -> Any:
    block = PartBlock(use=layout, parameters={"root": str(tree.root), **tree.keys})
    return build_part("datasets", block, SIZE, cache)


def trial(layout: str, folder_: Path, draw: random.Random, damages: int, table: bool) -> tuple[Counter[str], list[str]]:
    """Damage one good tree and read it. Returns counts by outcome, and the errors."""
    tree = LAYOUTS[layout](folder_ / "tree")
    pool = tree.tables if table else tree.files
    counts: Counter[str] = Counter()
    now: dict[Path, Path] = {}
    for path in draw.sample(pool, min(damages, len(pool))):
        damage = draw.choice(DAMAGES)
        now[path] = damage(path, draw)
        counts[damage.__name__] += 1
    try:
        dataset = read(layout, tree, folder_ / "cache")
    except PalsykitError as error:
        counts["stopped with a message"] += 1
        return counts, [] if table else [f"{layout}: {error}"]
    except Exception:
        counts["tracebacks"] += 1
        return counts, [f"{layout}: {traceback.format_exc()}"]
    lost = unaccounted(tree, dataset, now)
    shapes = {dataset.image(record).shape for record in dataset.records}
    counts["used"], counts["listed"], counts["lost"] = len(dataset.records), len(dataset.rejected), len(lost)
    faults = [f"{layout}: neither used nor listed: {name}" for name in lost]
    faults += [] if shapes == {(SIZE, SIZE, 3)} else [f"{layout}: pictures of {shapes}"]
    for rejected in dataset.rejected:
        f"{rejected.path},{rejected.reason}".encode()  # raises UnicodeEncodeError if it could not be written
    return counts, faults


def run(count: int, seed: int, each: int = 30) -> tuple[dict[str, Counter[str]], list[str]]:
    """Apply ``count`` damages over all layouts, a tenth of them to tables. Returns counts by layout, and the errors."""
    draw, done, number = random.Random(seed), 0, 0
    counts: dict[str, Counter[str]] = {layout: Counter() for layout in LAYOUTS}
    faults: list[str] = []
    while done < count:
        layout = list(LAYOUTS)[number % len(LAYOUTS)]
        table = number // len(LAYOUTS) % 4 == 3
        with tempfile.TemporaryDirectory() as folder_:
            damages = min(1 if table else each, count - done)
            found, wrong = trial(layout, Path(folder_), draw, damages, table)
        counts[layout] += found
        faults += wrong
        done += sum(found[damage.__name__] for damage in DAMAGES)
        number += 1
    return counts, faults


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and a JSON line; exit with 1 if there were errors."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=1000, help="damaged files")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    began = time.perf_counter()
    counts, faults = run(options.count, options.seed)
    outcomes = ("used", "listed", "lost", "stopped with a message", "tracebacks")
    print(f"{'layout':<14}{'damaged':>9}" + "".join(f"{outcome:>24}" for outcome in outcomes))
    for layout, found in counts.items():
        damaged = sum(found[damage.__name__] for damage in DAMAGES)
        print(f"{layout:<14}{damaged:>9}" + "".join(f"{found[outcome]:>24}" for outcome in outcomes))
    for fault in faults[:20]:
        print(fault)
    total = sum(counts.values(), Counter())
    summary = {"benchmark": "corruptions", "seed": options.seed, "seconds": round(time.perf_counter() - began, 1)}
    print(json.dumps({**summary, "total": dict(total), "faults": len(faults)}))
    if faults:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
