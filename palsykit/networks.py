"""One instance of a named network for every part that reads it."""

from typing import Any

from torch import Tensor, nn

from palsykit.interfaces import NetworkOutput


class SharedNetwork:
    """A network as parts receive it: callable like the module, but no ``nn.Module``, so that no part owns its weights.

    Attributes:
        name: its key in the recipe's ``networks``.
        module: the network itself; the run moves, freezes, fits and saves it.
    """

    def __init__(self, name: str, module: nn.Module):
        self.name, self.module = name, module

    def __call__(self, image: Tensor) -> NetworkOutput:
        output: NetworkOutput = self.module(image)
        return output

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__") or attribute == "module":
            raise AttributeError(attribute)
        return getattr(self.module, attribute)

    def __deepcopy__(self, memo: dict[int, Any]) -> "SharedNetwork":
        return self  # a copy of a model (its EMA) reads the same frozen network

    def freeze(self) -> None:
        """No gradients into the weights, and batch statistics as they were learnt."""
        self.module.eval().requires_grad_(False)
