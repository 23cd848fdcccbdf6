"""How metrics look at pictures through a shared network."""

import torch
from torch import Tensor

from palsykit.interfaces import Network
from palsykit.networks import SharedNetwork

INCEPTION = "inception-v3-compat"
"""torch-fidelity's name for FID's own Inception; a network that is it says so by its attribute ``extractor``."""


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


@torch.no_grad()
def logits(network: Network | str, image: Tensor, head: str) -> Tensor:
    """image [B, 3, H, W] in [-1, 1] -> the outputs [B, K] of a supervised head.

    Raises:
        ValueError: where the network has no such head.
    """
    found = _shared(network)(image).logits
    if head not in found:
        has = ", ".join(found) or "none"
        raise ValueError(f"network {_name(network)} has no head {head!r} (it has {has}); name one by the key network")
    return found[head].float()


def called(network: Network | str) -> str:
    """A network on a card: its name in the recipe and a hash of its weights, without which no figure is comparable."""
    fingerprint = network.fingerprint() if isinstance(network, SharedNetwork) else ""
    return f"network {_name(network)}" + (f" (weights {fingerprint})" if fingerprint else "")


def comparability(network: Network | str) -> str:
    """Whether distances between sets of a network's features compare with published ones."""
    known = getattr(network, "extractor", None) == INCEPTION
    return INCEPTION if known else "NOT comparable with Inception"


def _shared(network: Network | str) -> Network:
    if isinstance(network, str):
        raise TypeError(f"found the name {network!r}, expected the network that the recipe's networks has under it")
    return network


def _name(network: Network | str) -> str:
    return repr(network if isinstance(network, str) else getattr(network, "name", type(network).__name__))
