"""Seeds for all random numbers. A seed is the hash of a name, so it does not depend on what ran before."""

import hashlib

import torch


def derive(*parts: object) -> int:
    """A 63-bit seed from parts whose ``str`` is stable; the same parts give the same seed on every machine."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(*parts: object) -> torch.Generator:
    """A CPU generator, seeded with ``derive(*parts)``."""
    return torch.Generator().manual_seed(derive(*parts))


def spawn(parent: torch.Generator, name: str) -> torch.Generator:
    """A generator that depends on ``parent``'s seed and ``name`` only, not on how much ``parent`` has drawn."""
    return generator(parent.initial_seed(), name)
