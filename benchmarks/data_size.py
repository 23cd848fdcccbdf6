"""Measure how a data set's size changes the first reading, later starts and memory: ``python benchmarks/data_size.py``.

    python benchmarks/data_size.py --counts 5000 20000 --folder /tmp/grown

makes folders of photographs with labels and 68 points (metadata.jsonl): one rendered face of ``--side`` px, followed by
a few bytes that differ, so that each is another file. Each row is a fresh process: the data set as a recipe names it,
then what a run does with it at its start (splits, pairs, hashes of all records, doubts). ``memory`` is what the process
holds more than after its imports. ``--data face_space`` does the same with rendered people; their pictures
are rendered only with ``--render``. ``--unopened`` measures later starts of more photographs than a machine can align
in the time: the first start opens none of them, and its seconds say nothing.
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from palsykit.cli.table import table
from palsykit.parallel import workers

EACH = 8
"""Photographs of a person."""
EXPRESSIONS = ("rest", "smile_full", "lip_pucker", "brow_raise")


def make(folder: Path, count: int, side: int) -> Path:
    """A folder of ``count`` photographs, unless it is there."""
    from PIL import Image

    from palsykit_face_space.dataset import FaceSpace

    root = folder / f"photographs-{count}-{side}"
    if (root / "metadata.jsonl").exists():
        return root
    faces = FaceSpace(side, folder / "one-face", identities=1, validation=0, test=0, renders=1)
    face, data = faces.records[0], BytesIO()
    Image.fromarray(faces.image(face)).save(data, format="JPEG", quality=92)
    assert face.landmarks is not None
    points = [[round(float(x), 2), round(float(y), 2)] for x, y in face.landmarks]
    lines = []
    for number in range(count):
        person, name = number // EACH, f"{number // 1000:03d}/{number:06d}.jpg"
        if number % 1000 == 0:
            (root / f"{number // 1000:03d}").mkdir(parents=True)
        (root / name).write_bytes(data.getvalue() + number.to_bytes(4, "big"))
        labels = {"subject": f"p{person:06d}", "expression": EXPRESSIONS[number % 4], "side": "left", "severity": 3}
        lines.append(json.dumps({"file_name": name, **labels, "landmarks": points}) + "\n")
    (root / "metadata.jsonl").write_text("".join(lines))
    time.sleep(2.1)  # files that were written just now are not believed (palsykit_datasets/stamp.py)
    return root


def _open_nothing(cache: Path, side: int) -> None:
    """From now on a first start opens no photograph: all records have one aligned picture."""
    import numpy as np
    from PIL import Image

    from palsykit.faces.records import FaceRecord
    from palsykit_datasets.entries import Entry
    from palsykit_datasets.reading import Reader, Reading

    Image.fromarray(np.full((side, side, 3), 90, np.uint8)).save(cache / "one-picture.png")

    def read(self: Reader, entry: Entry) -> Reading:
        content = hashlib.sha256(entry.key.encode()).hexdigest()
        points = None if entry.points is None or entry.points.landmarks is None else entry.points.landmarks
        marks = None if points is None else points.astype(np.float32)
        record = FaceRecord(entry.key, entry.labels, marks, "given", entry.split, digest=content)
        return Reading(content, record, "one-picture")

    Reader.read = read  # type: ignore[method-assign]


def start(
    data: str, where: Path, cache: Path, count: int, side: int, render: bool = False, unopened: bool = False
) -> dict[str, float]:
    """Seconds and MB of a start in this process."""
    from palsykit.data.consistency import doubts_of
    from palsykit.faces.pairing import pair
    from palsykit.run.parts import Data
    from palsykit.run.same_data import recorded
    from palsykit_datasets.imagefolder import imagefolder
    from palsykit_face_space.dataset import FaceSpace

    if unopened:
        _open_nothing(cache, side)
    before, began, busy = _memory(), time.perf_counter(), time.process_time()
    faces: Any
    if data == "face_space":
        faces = FaceSpace(side, cache, identities=count // EACH, validation=0, test=0, renders=EACH)
    else:
        faces = imagefolder(side, cache, root=where)
    read, worked = time.perf_counter(), time.process_time() - busy
    whole = Data(faces, 0)
    pairs = [pair(records, 0) for records in whole.splits.values()]
    hashes, doubts = recorded(whole), doubts_of(faces)
    end = time.perf_counter()
    assert sum(map(len, pairs)) == len(hashes) == count, doubts
    if render or data != "face_space":
        record = faces.records[count // 2]
        assert faces.image(record).shape == (side, side, 3)
    found = {
        "seconds to the data": read - began,
        "the processor's": worked,
        "seconds of a run's start": end - read,
        "memory MB": _memory() - before,
    }
    found["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if render:
        found["seconds to the first picture"] = time.perf_counter() - end
    digest = hashlib.sha256()
    for record in faces.records[:: max(1, count // 100)]:
        digest.update(repr((record.key, record.labels, record.digest)).encode())
        digest.update(b"" if record.landmarks is None else record.landmarks.tobytes())
    return found | {"content": int(digest.hexdigest()[:12], 16)}


def _memory() -> float:
    """MB that the process holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, then the same as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--side", type=int, default=64, help="of photographs and pictures, px")
    parser.add_argument("--folder", type=Path, required=True, help="for photographs and cache; what is there is used")
    parser.add_argument("--data", choices=("photographs", "face_space"), default="photographs")
    parser.add_argument("--render", action="store_true")
    parser.add_argument("--unopened", action="store_true")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one is not None:
        where, cache, count, side = options.one
        print(
            json.dumps(
                start(options.data, Path(where), Path(cache), int(count), int(side), options.render, options.unopened)
            )
        )
        return
    rows: list[dict[str, Any]] = []
    for count in options.counts:
        where = make(options.folder, count, options.side) if options.data == "photographs" else options.folder
        kind = f"{options.data}-unopened" if options.unopened else options.data
        cache = options.folder / f"cache-{kind}-{count}-{options.side}"
        cache.mkdir(parents=True, exist_ok=True)
        for what in ("first", "later"):
            more = [f"--{name}" for name in ("render", "unopened") if getattr(options, name)]
            one = [__file__, "--folder", ".", "--data", options.data, *more, "--one", where, cache, count, options.side]
            done = subprocess.run([sys.executable, *map(str, one)], check=True, stdout=subprocess.PIPE, text=True)
            rows.append({"photographs": count, "start": what, **json.loads(done.stdout.splitlines()[-1])})
            print(json.dumps(rows[-1]), file=sys.stderr)  # a later row may take long
        assert rows[-1].pop("content") == rows[-2].pop("content"), "the index gave other records"
    cells = [[f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row.values()] for row in rows]
    print(table(list(rows[0]), cells))
    print(json.dumps({"data": options.data, "side": options.side, "threads": workers(), "rows": rows}))


if __name__ == "__main__":
    main()
