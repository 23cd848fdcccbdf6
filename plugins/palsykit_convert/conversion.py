"""``palsykit convert weights``: convert a checkpoint in a public layout to a safetensors file for recipes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from palsykit import __version__
from palsykit.errors import PalsykitError
from palsykit.files import weights
from palsykit.files.atomic import write_text
from palsykit.files.hashes import sha256
from palsykit.foreign.checkpoint import read_tensors
from palsykit.foreign.layout import Layout, State
from palsykit.recipe.build import build_part
from palsykit.recipe.schema import PartBlock
from palsykit.recipe.yaml_rules import dump
from palsykit.registry import registry

ANY_SIZE = 64
"""Image size in px with which to build a network that accepts any size."""


@dataclass(frozen=True)
class Converted:
    """A converted file.

    Attributes:
        network: the recipe's block that loads it, without ``weights``.
        image_size: the network's own size in px; None for any.
        tensors: number of tensors.
        dropped: keys of the checkpoint that the layout leaves out.
        card: the Markdown file next to the weights.
        layout: layout of the checkpoint.
    """

    network: PartBlock
    image_size: int | None
    tensors: int
    dropped: list[str]
    card: Path
    layout: Layout

    def recipe(self, weights: str) -> str:
        """The lines of a recipe that load the file ``weights``; the path is used as given."""
        size = {} if self.image_size is None else {"image_size": self.image_size}
        block = {"use": self.network.use, **size, **self.network.parameters, "weights": weights}
        return dump({"networks": {"NAME": block}})


def layouts() -> dict[str, tuple[str, Layout]]:
    """Every layout that a network offers: name -> (network, layout); networks that cannot be loaded are left out.

    Raises:
        PalsykitError: two networks offer a layout of the same name.
    """
    offers: dict[str, tuple[str, Layout]] = {}
    for network in registry().names("networks"):
        try:
            factory: Any = registry().get("networks", network).load()
        except PalsykitError:
            continue  # `palsykit plugins` shows the reason
        for layout in getattr(factory, "layouts", ()):
            if layout.name in offers:
                raise PalsykitError(
                    f"layout {layout.name!r}: offered by networks {offers[layout.name][0]} and {network}"
                )
            offers[layout.name] = (network, layout)
    return dict(sorted(offers.items()))


def convert_weights(source: Path, target: Path, layout_name: str) -> Converted:
    """Read the tensors, check every key and shape, and write ``target`` and its card.

    Raises:
        PalsykitError: the layout is unknown, the file cannot be read, or keys or shapes do not fit the layout.
    """
    # Find the layout and its network.
    known = layouts()
    if layout_name not in known:
        raise PalsykitError(
            f"--layout {layout_name}: unknown; expected one of {', '.join(known) or 'none (no network)'}"
        )
    network, layout = known[layout_name]
    # Read the tensors, and check that they fit the network.
    try:
        state, dropped = _without_prefix(read_tensors(source), layout)
    except (OSError, ValueError) as error:
        raise PalsykitError(f"convert: {error}") from error
    image_size, keys = _settings(source, state, layout)
    state = _fitting(source, state, layout, network, image_size, keys)
    # Write the weights and their card.
    digest = sha256(source)
    facts = {"layout": layout.name, "source": source.name, "source_sha256": digest, "palsykit": __version__}
    weights.save({name: _single(value) for name, value in state.items()}, target, facts)
    converted = Converted(
        PartBlock(use=network, parameters=keys), image_size, len(state), dropped, target.with_suffix(".md"), layout
    )
    write_text(converted.card, _card(converted, source, target, digest))
    return converted


def _without_prefix(state: State, layout: Layout) -> tuple[dict[str, Tensor], list[str]]:
    """The network's tensors, without prefix, and the keys that the layout drops.

    If only some keys have the prefix, the others keep their names; the check of the keys reports them later.
    """
    tensors = {name: value for name, value in state.items() if name not in layout.dropped}
    dropped = [name for name in state if name in layout.dropped]
    for prefix in layout.prefixes:
        if any(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors, dropped


def _settings(source: Path, state: dict[str, Tensor], layout: Layout) -> tuple[int | None, dict[str, Any]]:
    """(image size, keys of the network's block), from the tensors."""
    try:
        return layout.settings(state)
    except (KeyError, ValueError, IndexError) as error:
        first = ", ".join(list(state)[:4]) or "none"
        what = f"no key {error.args[0]}" if isinstance(error, KeyError) else str(error)
        raise PalsykitError(
            f"{source}: not weights in the layout {layout.name} ({layout.source}): {what}; its first keys are {first}; "
            "name another --layout, or other weights"
        ) from error


def _fitting(
    source: Path, state: dict[str, Tensor], layout: Layout, network: str, image_size: int | None, keys: dict[str, Any]
) -> dict[str, Tensor]:
    """The state dict with exactly the network's keys."""
    with torch.device("meta"):  # without memory: only the shapes are needed
        module: nn.Module = build_part("networks", PartBlock(use=network, parameters=keys), image_size or ANY_SIZE)
    try:
        rewritten = layout.rewrite(state)
    except KeyError as error:
        raise PalsykitError(f"{source}: incomplete for the layout {layout.name}: missing: {error.args[0]}") from error
    if problems := weights.misfits(module.state_dict(), rewritten):
        described = dump({"use": network, **keys}).strip().replace("\n", ", ")
        raise PalsykitError(
            f"{source}: not in the layout {layout.name} of {network} ({described}): {'; '.join(problems)}. "
            "Expected the whole state dict of this architecture; variants with squeeze-and-excitation are not supported"
        )
    return rewritten


def _single(value: Tensor) -> Tensor:
    """Convert floating-point tensors to single precision."""
    return value.float() if value.is_floating_point() else value


def _card(converted: Converted, source: Path, target: Path, digest: str) -> str:
    layout = converted.layout
    return "\n".join(
        [
            f"# {target.stem}",
            "",
            f"- converted by: `palsykit convert weights {source.name} {target.name} --layout {layout.name}`, "
            f"palsykit {__version__}; {converted.tensors} tensors, read without running code from the file",
            f"- source: {source.name}, SHA-256 {digest}",
            f"- layout: {layout.name}; {layout.source}",
            f"- left out: {', '.join(converted.dropped) or 'nothing'}",
            f"- pictures: {layout.images}",
            f"- SHA-256 {sha256(target)}",
            f"- licence: {layout.licence}",
            "",
            "In a recipe (`NAME` is the network's name there; `weights` is a path from the recipe's folder):",
            "",
            "```yaml",
            converted.recipe(target.name).rstrip(),
            "```",
            "",
        ]
    )
