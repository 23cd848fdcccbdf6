"""What a hub and ``datasets.load_dataset`` read of an imagefolder: the head of its README.md, and a table per split."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from palsykit.data.imagefolder import METADATA

README = "README.md"
TAGS = ("palsykit", "facial-palsy", "face")


def dataset_header(pictures: str, tables: Mapping[str, str], synthetic: bool) -> str:
    """The YAML block at the top of README.md.

    It names every split with its table. Without it, ``datasets`` takes a split for what words in file names say.

    Args:
        pictures: a pattern of the pictures' paths.
        tables: split -> path of its table; a table's ``file_name`` starts at the table's folder.
        synthetic: whether the pictures are.
    """
    names = sorted({table.rpartition("/")[2] for table in tables.values()})
    config: dict[str, Any] = {"config_name": "default"}
    if names != [METADATA]:
        config["metadata_filenames"] = names
    config["data_files"] = [{"split": split, "path": [table, pictures]} for split, table in tables.items()]
    tags = [*TAGS, "synthetic"] if synthetic else [*TAGS]
    head = {"task_categories": ["image-to-image"], "tags": tags, "configs": [config]}
    return f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n"


def split_tables(rows: Sequence[Mapping[str, Any]]) -> tuple[dict[str, str], list[str]]:
    """The rows of each split as the text of a table of its own, and the columns that are left out of all of them.

    ``datasets`` infers a column's type in each table, and refuses tables that differ. So a column stays only if it has
    a value, and values of one type, in every table or in none.

    Args:
        rows: of metadata.jsonl, with a column ``split``.
    """
    by_split: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        by_split[str(row["split"])].append(row)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    kinds = {
        name: {frozenset(_kind(row.get(name)) for row in part) - {""} for part in by_split.values()} for name in columns
    }
    left_out = [name for name in columns if len(kinds[name]) > 1]
    texts = {
        split: "".join(
            json.dumps({name: row.get(name) for name in columns if name not in left_out}, allow_nan=False) + "\n"
            for row in part
        )
        for split, part in by_split.items()
    }
    return texts, left_out


def table_of(split: str) -> str:
    """The name of a split's table, beside metadata.jsonl."""
    return f"metadata-{split}.jsonl"


def _kind(value: Any) -> str:
    """The type that a column with this value has; "" for an unknown one."""
    if value is None:
        return ""
    if isinstance(value, list):
        inner = sorted({_kind(item) for item in value} - {""})
        return f"list of {' and '.join(inner)}"
    return type(value).__name__
