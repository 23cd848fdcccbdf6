"""Files: atomic writing, hashes, claimed folders, provenance, pictures and weights."""
