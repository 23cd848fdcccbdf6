"""Read embeddings, landmarks and logits of pictures with a shared network, for metrics."""

import torch
from torch import Tensor

from palsykit.interfaces import Network
from palsykit.networks import SharedNetwork

INCEPTION = "inception-v3-compat"
"""torch-fidelity's name for FID's own Inception; a network with these features has it as attribute ``extractor``."""


@torch.no_grad()
def embeddings(network: Network | str, image: Tensor) -> Tensor:
    """image [B, 3, H, W] in [-1, 1] -> embeddings [B, D], not normalised.

    Raises:
        ValueError: the network gives none.
    """
    embedding = _shared(network)(image).embedding
    if embedding is None:
        raise ValueError(f"network {_name(network)} gives no embedding; set the key network to a recognition network")
    return embedding.float()


@torch.no_grad()
def points(network: Network | str, image: Tensor) -> Tensor:
    """image [B, 3, H, W] in [-1, 1] -> landmarks [B, 68, 2] px.

    Raises:
        ValueError: the network gives none.
    """
    landmarks = _shared(network)(image).points
    if landmarks is None:
        raise ValueError(f"network {_name(network)} finds no points; set the key network to a landmark network")
    return landmarks.float()


@torch.no_grad()
def logits(network: Network | str, image: Tensor, head: str) -> Tensor:
    """image [B, 3, H, W] in [-1, 1] -> the outputs [B, K] of a supervised head.

    Raises:
        ValueError: the network has no such head.
    """
    heads = _shared(network)(image).logits
    if head not in heads:
        has = ", ".join(heads) or "none"
        raise ValueError(
            f"network {_name(network)} has no head {head!r} (it has {has}); set the key network to one that has it"
        )
    return heads[head].float()


def describe_network(network: Network | str) -> str:
    """Describe a network for a card: its name in the recipe, and the hash of its weights, which figures depend on."""
    fingerprint = network.fingerprint() if isinstance(network, SharedNetwork) else ""
    return f"network {_name(network)}" + (f" (weights {fingerprint})" if fingerprint else "")


def comparability(network: Network | str) -> str:
    """Say for a card whether distances between sets of a network's features can be compared with published ones."""
    is_inception = getattr(network, "extractor", None) == INCEPTION
    return INCEPTION if is_inception else "NOT comparable with Inception"


def _shared(network: Network | str) -> Network:
    if isinstance(network, str):
        raise TypeError(f"found the name {network!r}, expected the network of this name from the recipe's networks")
    return network


def _name(network: Network | str) -> str:
    return repr(network if isinstance(network, str) else getattr(network, "name", type(network).__name__))
