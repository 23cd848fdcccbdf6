"""Names of the pictures in a prepared folder."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from palsykit.errors import PalsykitError

PICTURES = "images"
"""The pictures' folder."""

_SPLIT_WORD = re.compile("(?<![a-z])(train|training|validation|valid|val|dev|test|testing|eval|evaluation)(?![a-z])")
"""Words in a file name that Hugging Face's datasets takes for a split; it then reads only such files, unlabelled."""


def picture_names(keys: Sequence[str]) -> dict[str, str]:
    """Key of a record -> ``images/NAME.png``; the same key always gives the same name.

    A key of lower-case letters, digits and dashes is the name itself. Any other key is reduced to these and gets a part
    of its hash, because keys that differ only in case or punctuation would collide on some file systems.

    Raises:
        PalsykitError: two records have one name.
    """
    names: dict[str, str] = {}
    taken: dict[str, str] = {}
    for key in keys:
        name = f"{PICTURES}/{_slug(key)}.png"
        if name in taken:
            raise PalsykitError(f"records {taken[name]!r} and {key!r} of the data set would both be {name}; rename one")
        names[key], taken[name] = name, key
    return names


def _slug(key: str) -> str:
    if re.fullmatch("[a-z0-9][a-z0-9-]{0,79}", key) and not _SPLIT_WORD.search(key):
        return key
    path = PurePosixPath(key)
    words = re.sub("[^a-z0-9]+", "-", str(path.with_suffix("")).lower() if path.name else "").strip("-")[-64:]
    words = _SPLIT_WORD.sub(r"\1x", words)
    return f"{words.strip('-') or 'picture'}-{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"
