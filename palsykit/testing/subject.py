"""The part under test: its factory and keys. It is built exactly as a recipe would build it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from palsykit.recipe.build import build_entry
from palsykit.recipe.schema import PartBlock
from palsykit.recipe.signature import Missing, keys_of
from palsykit.registry import Entry
from palsykit.testing.result import NotChecked
from palsykit.testing.stand_ins import Networks

IMAGE_SIZE, ROWS = 32, 4


@dataclass(frozen=True)
class Subject:
    """One part under test.

    Attributes:
        entry: the part's entry in the registry, or what it would be.
        keys: the recipe's keys for the part; the others have their defaults.
        image_size: side in px of the test pictures.
    """

    entry: Entry
    keys: Mapping[str, Any] = field(default_factory=dict)
    image_size: int = IMAGE_SIZE

    @cached_property
    def factory(self) -> Callable[..., Any]:
        return self.entry.load()

    @cached_property
    def networks(self) -> Networks:
        """The stand-ins for keys that are annotated ``Network``."""
        return Networks(self.image_size)

    def maker(self, *positional: Any) -> Callable[[int], Any]:
        """``build`` with these positional parameters, from a seed."""
        return lambda seed: self.build(*positional, seed=seed)

    def build(self, *positional: Any, seed: int = 0) -> Any:
        """Build a new part; ``seed`` gives its initial weights.

        Raises:
            PalsykitError: the factory refuses its arguments.
            NotChecked: a key has no default and is not given.
        """
        block = PartBlock(use=self.entry.name, parameters=dict(self.keys))
        keys = keys_of(self.entry).items()
        if lacking := [name for name, key in keys if key.default is Missing and name not in self.keys]:
            options = " ".join(f"--set {name}=..." for name in lacking)
            raise NotChecked(f"the keys {', '.join(lacking)} have no default; give them: {options}")
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return build_entry(self.entry, block, *positional, networks=self.networks)
