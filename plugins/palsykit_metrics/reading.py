"""How metrics look at pictures: as they are saved, and through a shared network."""

import torch
from torch import Tensor

from palsykit.interfaces import Network


def as_saved(image: Tensor) -> Tensor:
    """[-1, 1] -> the 8-bit picture that is saved, as float32 in [0, 1], so that the PNG files give the same figures."""
    return ((image.float() + 1) * 127.5).round().clamp(0, 255) / 255


@torch.no_grad()
def embeddings(network: Network | str, image: Tensor) -> Tensor:
    """image [B, 3, H, W] in [-1, 1] -> embeddings [B, D], not normalised.

    Raises:
        ValueError: where the network gives none.
    """
    embedding = _shared(network)(image).embedding
    if embedding is None:
        raise ValueError(f"network {_name(network)} gives no embedding; name a recognition network by the key network")
    return embedding.float()


@torch.no_grad()
def points(network: Network | str, image: Tensor) -> Tensor:
    """image [B, 3, H, W] in [-1, 1] -> landmarks [B, 68, 2] px.

    Raises:
        ValueError: where the network gives none.
    """
    found = _shared(network)(image).points
    if found is None:
        raise ValueError(f"network {_name(network)} finds no points; name a landmark network by the key network")
    return found.float()


def _shared(network: Network | str) -> Network:
    if isinstance(network, str):
        raise TypeError(f"found the name {network!r}, expected the network that the recipe's networks has under it")
    return network


def _name(network: Network | str) -> str:
    return repr(getattr(network, "name", type(network).__name__))
