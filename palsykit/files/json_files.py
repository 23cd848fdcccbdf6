"""Read JSON files that may come from a stranger: bounded in size and depth, an object at the top."""

import json
import stat
from pathlib import Path
from typing import Any

SIZE_LIMIT = 64 << 20
"""Most bytes in one file; the manifest of a run with 100,000 pictures has a quarter of it."""


def read_object(path: Path) -> dict[str, Any]:
    """Read a file that holds a JSON object.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not a regular file, too large, not UTF-8, not JSON, or no object; the text does not name it.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # a pipe or a device may never end
        raise ValueError("not a regular file")
    if status.st_size > SIZE_LIMIT:
        raise ValueError(f"found {status.st_size:,} bytes, expected at most {SIZE_LIMIT:,}")
    value = parse(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError(f"found {type(value).__name__}, expected an object")
    return value


def parse(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is not JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("values nested too deeply") from None
