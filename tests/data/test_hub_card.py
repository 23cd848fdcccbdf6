"""The head of an imagefolder's README.md and its tables by split."""

import json
from typing import Any

import yaml

from palsykit.data.hub_card import dataset_header, split_tables, table_of


def rows(**columns: list[Any]) -> list[dict[str, Any]]:
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def test_the_head_names_every_split_and_its_table() -> None:
    head = dataset_header("images/*.png", {split: table_of(split) for split in ("train", "test")}, synthetic=True)
    assert head.startswith("---\n")
    assert head.endswith("\n---\n")
    found = yaml.safe_load(head.strip("-\n"))
    assert "synthetic" in found["tags"]
    (config,) = found["configs"]
    assert config["metadata_filenames"] == ["metadata-test.jsonl", "metadata-train.jsonl"]
    assert config["data_files"] == [
        {"split": "train", "path": ["metadata-train.jsonl", "images/*.png"]},
        {"split": "test", "path": ["metadata-test.jsonl", "images/*.png"]},
    ]


def test_one_table_of_the_usual_name_needs_no_names() -> None:
    head = dataset_header("images/*/*.png", {"train": "images/metadata.jsonl"}, synthetic=False)
    (config,) = yaml.safe_load(head.strip("-\n"))["configs"]
    assert "metadata_filenames" not in config
    assert "synthetic" not in head


def test_columns_that_would_have_two_types_are_left_out() -> None:
    table = rows(
        split=["train", "train", "test"],
        side=["left", None, "right"],
        severity=[None, 3.0, None],
        eface=[1, 2, 2.5],
        group=[None, None, None],
        landmarks=[None, [[1.0, 2.0]], [[3.0, 4.0]]],
    )
    texts, left_out = split_tables(table)
    assert left_out == ["severity", "eface"]
    assert list(texts) == ["train", "test"]
    assert [json.loads(line) for line in texts["train"].splitlines()] == [
        {"split": "train", "side": "left", "group": None, "landmarks": None},
        {"split": "train", "side": None, "group": None, "landmarks": [[1.0, 2.0]]},
    ]
