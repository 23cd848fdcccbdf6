"""A file in which a user explains a data set's own words for expressions: YAML or CSV."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import yaml

from palsykit_datasets.expressions import meanings_of
from palsykit_datasets.files import read_text


def read_vocabulary(path: Path) -> dict[str, str]:
    """{word: expression} of a YAML or CSV file, words without regard to blanks and case.

    Raises:
        ValueError: for another form, a word with two meanings, or a meaning that is no expression, with the file.
    """
    pairs = _csv_pairs(path) if path.suffix.lower() == ".csv" else _yaml_pairs(path)
    meanings: dict[str, str] = {}
    for where, word, meaning in pairs:
        for plain, expression in meanings_of(where, {word.strip(): meaning.strip()}).items():
            if meanings.setdefault(plain, expression) != expression:
                raise ValueError(f"{where}: found {word!r} again, expected one meaning for it; remove one")
    return meanings


def _yaml_pairs(path: Path) -> Iterator[tuple[str, str, str]]:
    """Scalars as they are written, so that ``no: rest`` is the word "no"."""
    expected = "expected a line 'word: expression' for each"
    try:
        node = yaml.compose(read_text(path), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{path}: found no YAML ({' '.join(str(error).split())}), {expected}") from None
    if not isinstance(node, yaml.MappingNode):
        raise ValueError(f"{path}: found no mapping, {expected}")
    for key, value in node.value:
        where = f"{path}:{key.start_mark.line + 1}"
        if not (isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode) and value.value):
            raise ValueError(f"{where}: found a word without one meaning, {expected}")
        yield where, key.value, value.value


def _csv_pairs(path: Path) -> Iterator[tuple[str, str, str]]:
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
    if not {"word", "expression"} <= set(reader.fieldnames or ()):
        raise ValueError(f"{path}:1: found columns {reader.fieldnames}, expected word and expression")
    for row in reader:
        where = f"{path}:{reader.line_num}"
        if not row["word"] or not row["expression"]:
            raise ValueError(f"{where}: found a word without a meaning, expected both; write 'WORD,WORD' to keep it")
        yield where, row["word"], row["expression"]
