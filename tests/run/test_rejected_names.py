"""What was rejected is listed whatever it is called: names may hold bytes that are no text, and line breaks."""

import csv
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from palsykit.faces.records import FaceRecord, Rejected
from palsykit.faces.vocabulary import FaceLabels
from palsykit.run.parts import Data
from palsykit.run.prepare import prepare


def test_names_that_are_no_text_can_be_listed(tmp_path: Path) -> None:
    raw = os.fsdecode(b"a\xff.jpg")
    rejected = [Rejected(raw, f"{raw}: cut short"), Rejected("b\n.jpg", "empty"), Rejected("\ud800.jpg", "missing")]
    records = [FaceRecord("1", FaceLabels("A"))]
    dataset: Any = SimpleNamespace(records=records, rejected=rejected, attribution="", image_size=8)
    parts: Any = SimpleNamespace(data=lambda: Data(dataset, 0))
    run: Any = SimpleNamespace(path=tmp_path)
    prepare(run, parts, {})
    with (tmp_path / "rejected.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["path", "reason"],
        ["a\\xff.jpg", "a\\xff.jpg: cut short"],
        ["b\\n.jpg", "empty"],
        ["\\ud800.jpg", "missing"],
    ]
