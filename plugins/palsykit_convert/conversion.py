"""``palsykit convert weights``: a checkpoint in a public layout becomes a safetensors file that a recipe can name."""

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
"""Image size in px for building a network that takes any size."""


@dataclass(frozen=True)
class Converted:
    """The written file.

    Attributes:
        network: the recipe's block that loads it, without ``weights``.
        image_size: the recipe's ``image_size`` that it needs, px; None for any.
        tensors: number of tensors.
        dropped: keys of the file that the layout leaves out.
        card: the Markdown file beside the weights.
        layout: the layout.
    """

    network: PartBlock
    image_size: int | None
    tensors: int
    dropped: list[str]
    card: Path
    layout: Layout

    def recipe(self, weights: str) -> str:
        """The lines of a recipe that load the file ``weights``, written as the recipe will."""
        block = {"use": self.network.use, **self.network.parameters, "weights": weights}
        size = {} if self.image_size is None else {"image_size": self.image_size}
        return dump({**size, "networks": {"NAME": block}})


def layouts() -> dict[str, tuple[str, Layout]]:
    """Every layout that a network offers: name -> (network, layout); networks that cannot be loaded are left out."""
    found: dict[str, tuple[str, Layout]] = {}
    for network in registry().names("networks"):
        try:
            factory: Any = registry().get("networks", network).load()
        except PalsykitError:
            continue  # `palsykit plugins` says why
        for layout in getattr(factory, "layouts", ()):
            if layout.name in found:
                raise PalsykitError(
                    f"layout {layout.name!r}: offered by networks {found[layout.name][0]} and {network}"
                )
            found[layout.name] = (network, layout)
    return dict(sorted(found.items()))


def convert_weights(source: Path, target: Path, layout_name: str) -> Converted:
    """Reads the tensors, checks every key and shape, and writes ``target`` and its card.

    Raises:
        PalsykitError: an unknown layout, an unreadable file, or keys and shapes that do not fit the layout.
    """
    # Find the layout and its network.
    known = layouts()
    if layout_name not in known:
        raise PalsykitError(
            f"--layout {layout_name}: unknown; expected one of {', '.join(known) or 'none (no network)'}"
        )
    network, layout = known[layout_name]
    # Read the tensors and check them against the network that they configure.
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
    made = Converted(
        PartBlock(use=network, parameters=keys), image_size, len(state), dropped, target.with_suffix(".md"), layout
    )
    write_text(made.card, _card(made, source, target, digest))
    return made


def _without_prefix(state: State, layout: Layout) -> tuple[dict[str, Tensor], list[str]]:
    """The network's tensors, their prefix gone, and the keys that were left out.

    A key without the prefix that the others have keeps its name, so that it is found unexpected where it is.
    """
    kept = {name: value for name, value in state.items() if name not in layout.dropped}
    left = [name for name in state if name in layout.dropped]
    for prefix in layout.prefixes:
        if any(name.startswith(prefix) for name in kept):
            kept = {name.removeprefix(prefix): value for name, value in kept.items()}
    return kept, left


def _settings(source: Path, state: dict[str, Tensor], layout: Layout) -> tuple[int | None, dict[str, Any]]:
    try:
        return layout.settings(state)
    except (KeyError, ValueError, IndexError) as error:
        found = ", ".join(list(state)[:4]) or "none"
        what = f"no key {error.args[0]}" if isinstance(error, KeyError) else str(error)
        raise PalsykitError(
            f"{source}: {what}, which weights in the layout {layout.name} have ({layout.source}); its first keys are "
            f"{found}; name another --layout, or other weights"
        ) from error


def _fitting(
    source: Path, state: dict[str, Tensor], layout: Layout, network: str, image_size: int | None, keys: dict[str, Any]
) -> dict[str, Tensor]:
    """The state dict with exactly the network's own keys."""
    with torch.device("meta"):  # shapes alone
        module: nn.Module = build_part("networks", PartBlock(use=network, parameters=keys), image_size or ANY_SIZE)
    try:
        rewritten = layout.rewrite(state)
    except KeyError as error:
        raise PalsykitError(f"{source}: incomplete in the layout {layout.name}: missing: {error.args[0]}") from error
    if problems := weights.misfits(module.state_dict(), rewritten):
        described = dump({"use": network, **keys}).strip().replace("\n", ", ")
        raise PalsykitError(
            f"{source}: not in the layout {layout.name} of {network} ({described}): {'; '.join(problems)}. "
            "Expected the whole state dict of this architecture; variants with squeeze-and-excitation are another"
        )
    return rewritten


def _single(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value


def _card(made: Converted, source: Path, target: Path, digest: str) -> str:
    layout = made.layout
    return "\n".join(
        [
            f"# {target.stem}",
            "",
            f"- converted by: `palsykit convert weights {source.name} {target.name} --layout {layout.name}`, "
            f"palsykit {__version__}; {made.tensors} tensors, read without running code from the file",
            f"- source: {source.name}, SHA-256 {digest}",
            f"- layout: {layout.name}; {layout.source}",
            f"- left out: {', '.join(made.dropped) or 'nothing'}",
            f"- pictures: {layout.images}",
            f"- SHA-256 {sha256(target)}",
            f"- licence: {layout.licence}",
            "",
            "In a recipe (`NAME` is the network's there, `weights` a path from the recipe's folder):",
            "",
            "```yaml",
            made.recipe(target.name).rstrip(),
            "```",
            "",
        ]
    )
