"""A public layout of weights: how its keys become a network's, and how pictures were prepared for it.

A network's factory may carry ``layouts``, a tuple of these; ``palsykit convert weights`` finds them there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Layout:
    """A public layout.

    Attributes:
        name: what ``--layout`` says.
        settings: from the state dict, its prefix gone, to (image_size in px, None for any; the network's recipe keys).
            Raises KeyError for a key that it needs and does not find.
        prefixes: that a trainer put before every key of the network; heads beside it have none.
        dropped: keys, by full name, that the files hold beside the network and that are not converted.
        rewrite: from the public keys to the network's.
        images: how pictures were prepared for these weights.
        source: where the layout is written down.
        licence: known terms of the weights.
    """

    name: str
    settings: Callable[[State], tuple[int | None, dict[str, Any]]]
    prefixes: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    rewrite: Callable[[State], dict[str, Tensor]] = dict
    images: str = ""
    source: str = ""
    licence: str = ""
