"""SHA-256 of files."""

import hashlib
from pathlib import Path


def sha256(*files: Path) -> str:
    """SHA-256 (hexadecimal) of the bytes of one file, or of several files concatenated."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            while piece := content.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()
