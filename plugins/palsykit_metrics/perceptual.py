"""LPIPS: how different two pictures look to a network trained on ImageNet."""

import warnings
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from palsykit.errors import PalsykitError
from palsykit.files.hashes import sha256
from palsykit.files.weights import misfits
from palsykit.foreign.checkpoint import read_tensors
from palsykit.interfaces import FaceBatch, Images, MetricCard
from palsykit.metrics import to_8_bit

TRUNKS = {"alex": "alexnet", "vgg": "vgg16"}
"""LPIPS' name for a trunk -> torchvision's."""


class Lpips:
    """Learned perceptual image patch similarity to the target (Zhang et al., arXiv:1801.03924, eq. 1).

    The sum over layers of the mean over positions of w_l . (y_l - y0_l)^2, where y are the channel-normalised
    activations of a trunk trained on ImageNet and w_l the linear heads of version 0.1. torchmetrics has the heads. The
    user provides the trunk's weights, because nothing is downloaded: torchvision publishes them
    (alexnet-owt-7be5be79.pth, vgg16-397923af.pth).

    Args:
        weights: the trunk's file as torchvision publishes it, or its tensors as safetensors; no code in it is run.
        trunk: the network; the released code recommends "alex" for a metric.

    Raises:
        PalsykitError: torchvision is not installed, or the file has other weights.
    """

    def __init__(self, *, weights: Path, trunk: Literal["alex", "vgg"] = "alex"):
        self._model = _model(trunk, weights)
        digest = sha256(weights)[:12]
        self.card = MetricCard(
            name="LPIPS",
            definition="sum over layers of the mean over positions of w_l . (y_l - y0_l)^2, y and y0 the "
            "channel-normalised activations of generated and target picture",
            unit="0 and more",
            better="lower",
            source=f"Zhang et al., arXiv:1801.03924, eq. 1, version 0.1; torchmetrics, trunk {trunk} "
            f"({weights.name}, SHA-256 {digest})",
            note="8-bit RGB as saved, at the pictures' own size; one value per picture, then the mean",
        )

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"lpips": [B]}; NaN without a target."""
        if batch.target is None:
            return {"lpips": torch.full((len(batch),), torch.nan)}
        generated, target = (to_8_bit(image) * 2 - 1 for image in (images.generated, batch.target.image))
        self._model.to(generated.device)
        with torch.no_grad():
            return {"lpips": self._model(generated, target).flatten()}


def _model(trunk: Literal["alex", "vgg"], weights: Path) -> Any:
    """Build torchmetrics' network with the trunk's weights from the file.

    torchmetrics' public classes download the trunk when they are built; this is the module inside them.
    """
    from torchmetrics.functional.image.lpips import _LPIPS

    # Build the network without weights. torchmetrics uses old keys of torchvision, which warn.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = _LPIPS(net=trunk, pnet_rand=True)
        except ModuleNotFoundError as error:
            raise PalsykitError(f"lpips: {error}; install torchvision: pip install torchvision") from error
    # Load the trunk's weights: torchvision's name -> torchmetrics' name.
    names = {".".join(["features", *name.split(".")[1:]]): name for name in model.net.state_dict()}
    try:
        state = {name: value for name, value in read_tensors(weights).items() if name.startswith("features.")}
    except ValueError as error:
        raise PalsykitError(f"lpips: {error}") from error
    if problems := misfits({name: model.net.state_dict()[own] for name, own in names.items()}, state):
        raise PalsykitError(
            f"lpips: {weights}: not the weights of torchvision's {TRUNKS[trunk]}: {'; '.join(problems)}; expected the "
            "file that torchvision publishes, or the key trunk that matches the file"
        )
    model.net.load_state_dict({own: state[name] for name, own in names.items()}, strict=True)
    return model
