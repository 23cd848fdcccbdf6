"""The landmark network that measures: named by a recipe, or by a run that fitted it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from palsykit.errors import PalsykitError
from palsykit.faces.landmarks import COUNT
from palsykit.faces.views import to_tensor
from palsykit.files.resources import PACKAGED, locate
from palsykit.networks import SharedNetwork
from palsykit.recipe import load_recipe
from palsykit.recipe.build import build_part
from palsykit.run.folder import RunFolder
from palsykit.run.runner import NOT_FOR_SYNTHESIS

DEFAULT = "palsykit:recipes/networks-256.yaml:points_256=palsykit_weights:points_256.safetensors"
"""RECIPE:NAME=WEIGHTS of the network that measures if none is named: of those that ship, it errs least."""

BATCH = 16


@dataclass(frozen=True, eq=False)
class PointsNetwork:
    """A frozen landmark network.

    Attributes:
        spec: how it was named.
        network: what finds the points.
        size: side in px of the face frame that it reads.
    """

    spec: str
    network: SharedNetwork
    size: int

    @property
    def facts(self) -> dict[str, Any]:
        """What a result says of the network."""
        return {"network": self.spec, "image_size": self.size, "weights": self.network.fingerprint()}

    def find(self, frames: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Face frames [B, size, size, 3] -> iBUG 68 landmarks [B, 68, 2], in sides of the frame.

        Points that the network gives beyond the 68 are left out.
        """
        with torch.inference_mode():
            outputs = [self.network(to_tensor(frames[i : i + BATCH])) for i in range(0, len(frames), BATCH)]
        found = [cast(torch.Tensor, output.points)[:, :COUNT].double().cpu() for output in outputs]
        return np.asarray(torch.cat(found).numpy() / self.size)


def load_network(spec: str = DEFAULT) -> PointsNetwork:
    """The network that ``RECIPE:NAME``, ``RUN:NAME`` or ``RECIPE:NAME=WEIGHTS`` names.

    Args:
        spec: a recipe's file (also ``palsykit:recipes/FILE``) or a run's folder, the network's name in it, and, if not
            the recipe's own weights are to be used, a safetensors file (also ``PACKAGE:FILE``).

    Raises:
        PalsykitError: there is no such recipe or network, it has no weights, or it finds no points.
    """
    head, _, weights = spec.partition("=")
    where, colon, name = head.rpartition(":")
    if not colon or not where or not name:
        raise PalsykitError(f"--network {spec}: expected RECIPE:NAME, as in recipes/judged.yaml:judge_points")
    within = None
    if PACKAGED.fullmatch(where):
        path = _located(spec, where)
    elif (path := Path(where)).is_dir():
        run = RunFolder(path)
        within = run.bound()
        fitted = run.networks / f"{name}.safetensors"
        path, weights = run.recipe, weights or (str(fitted) if fitted.is_file() else "")
    if weights and not PACKAGED.fullmatch(weights):
        weights = str(Path(weights).absolute())
    changes = [f"networks.{name}.weights={weights}"] if weights else []
    recipe = load_recipe(path, changes, unchecked=NOT_FOR_SYNTHESIS, within=within)
    networks = recipe.settings.networks
    if name not in networks:
        known = ", ".join(networks) or "none"
        raise PalsykitError(f"--network {spec}: {path} has no network {name}; it has {known}")
    block = networks[name]
    if block.parameters.get("weights", "") is None:
        raise PalsykitError(
            f"--network {spec}: the recipe has no weights for it; write {head}=FILE.safetensors, or name a run"
        )
    module = cast(nn.Module, build_part("networks", block, recipe.settings.image_size))
    network = SharedNetwork(name, module)
    network.freeze()
    size = int(getattr(module, "image_size", recipe.settings.image_size))
    with torch.inference_mode():
        points = network.module(torch.zeros(1, 3, size, size)).points
    if points is None or points.shape[1] < COUNT:
        found = "no points" if points is None else f"{points.shape[1]} points"
        raise PalsykitError(f"--network {spec}: it finds {found}, expected {COUNT} landmarks; name another network")
    return PointsNetwork(spec, network, size)


def _located(spec: str, where: str) -> Path:
    try:
        return locate(where, Path())
    except FileNotFoundError as error:
        raise PalsykitError(f"--network {spec}: {error}; expected a recipe of an installed package") from error
