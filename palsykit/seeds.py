"""Where every random number comes from: a name, hashed; so nothing depends on the order of what was done before."""

import hashlib

import torch


def derive(*parts: object) -> int:
    """A 63-bit seed from any parts whose ``str`` is stable; the same parts give the same seed on every machine."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(*parts: object) -> torch.Generator:
    """A CPU generator seeded by ``derive(*parts)``."""
    return torch.Generator().manual_seed(derive(*parts))


def spawn(parent: torch.Generator, name: str) -> torch.Generator:
    """A generator independent of what ``parent`` has drawn or will draw, the same for the same parent seed and name."""
    return generator(parent.initial_seed(), name)
