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


def sha256_of(text: str) -> str:
    """SHA-256 (hexadecimal) of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
