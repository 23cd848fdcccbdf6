"""The generator: in one pass, from a person's picture and a driver's expression to the person with that expression."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from palsykit import Conditioning, ConditioningSpec, FaceBatch
from palsykit.files.weights import load_exact
from palsykit.interfaces import ConditionEncoder, Guess, Map
from palsykit.recipe.ranges import Layers, Width
from palsykit_adversarial.blocks import GROUPS, Modulated, Residual, joined

CONDITIONS: Mapping[str, Any] = {
    "expression": {"use": "expression", "tokens": 1, "width": 128},
    "landmark": {"use": "landmark", "width": 128},
}
"""Default conditions, read from the driver: the expression's deviation and the landmarks."""
MAPS: Mapping[str, Any] = {"outlines": {"use": "outlines", "of": "driver"}}
"""Default map, concatenated with the identity picture: a drawing of the driver's landmarks."""

SMALLEST = 4
"""Side in px of the smallest maps."""


class Generator(nn.Module):
    """Image-to-image translation (pix2pix, Isola et al., arXiv:1611.07004) with a conditional residual generator.

    The identity picture and the maps go through residual blocks down and up again, with skip connections at every size
    as in pix2pix's U-Net. The vector of the conditions, made from the mean of each one's tokens, modulates the way up,
    like the style in StarGAN v2 (arXiv:1912.01865); there a network makes the style from noise or a reference picture,
    here condition encoders read the driver. With ``residual`` the last layer, which starts at zero, paints a difference
    (Shen and Liu, arXiv:1612.05363) to the map ``guess``, or to the identity picture if there is no guess. So parts
    that do not move are copied, not painted again. pix2pix paints the whole picture.

    pix2pix uses dropout as noise and reports that it changes little. We use no noise, so the seeds change nothing.

    Args:
        image_size: H = W of the pictures in px.
        conditions: the condition encoders that read the driver, by name.
        beside: names of conditions that also get the identity view (the second argument of ``extract``).
        maps: the maps, by name.
        guess: name of a map that is a first estimate of the picture; null for none.
        patch: side in px of the squares that are read and painted as one position of the largest feature maps; 1 for
            single pixels, 2 for a quarter of the work.
        channels: of the maps at each size, the largest size first, then half of it, a quarter ...; multiples of 8.
        blocks: residual blocks at the smallest size.
        vector: width of the conditions' vector.
        residual: add the last layer's output to a guess or to the identity picture; false paints the whole picture.
        weights: a safetensors file of a generator with these keys, such as a run's model/synthesiser.safetensors; null
            for random weights, which have to be trained.

    Raises:
        ValueError: there are no conditions, a name in ``beside`` or ``guess`` is unknown, the guess is not a picture,
            or channels or image size cannot be divided.
    """

    def __init__(
        self,
        image_size: int,
        *,
        conditions: dict[str, ConditionEncoder] = cast(dict[str, ConditionEncoder], CONDITIONS),  # noqa: B008 (a cast)
        beside: tuple[str, ...] = (),
        maps: dict[str, Map] = cast(dict[str, Map], MAPS),  # noqa: B008 (a cast)
        guess: str | None = None,
        patch: Literal[1, 2, 4] = 1,
        channels: tuple[Width, ...] = (32, 64, 128, 128),
        blocks: Layers = 2,
        vector: Width = 128,
        residual: bool = True,
        weights: Path | None = None,
    ):
        super().__init__()
        # Check the keys.
        _check(image_size // patch, conditions, beside, channels)
        if guess is not None and (guess not in maps or maps[guess].channels != 3):
            raise ValueError(f"guess: {guess}; expected the name of a map of 3 channels; maps: {', '.join(maps)}")
        # Conditions: encoders, maps and the vector.
        self.encoders = nn.ModuleDict({name: cast(nn.Module, encoder) for name, encoder in conditions.items()})
        self.beside, self.residual, self.patch = beside, residual, patch
        self.maps, self.guess = dict(maps), guess
        specs = [encoder.spec for encoder in conditions.values()]
        self.vector = nn.Linear(sum(spec.width for spec in specs), vector)
        self.spec = ConditioningSpec(0, vector, spatial=sum(map_.channels for map_ in maps.values()))
        # Layers: down, middle and up.
        inputs = (3 + self.spec.spatial) * patch**2
        self.stem = nn.Conv2d(inputs, channels[0], 3, padding=1)
        steps = list(pairwise(channels))
        self.down = nn.ModuleList(Residual(above, below, size="down") for above, below in steps)
        self.middle = nn.ModuleList(Residual(channels[-1], channels[-1], vector) for _ in range(blocks))
        self.up = nn.ModuleList(Residual(2 * below, above, vector, size="up") for above, below in reversed(steps))
        self.last = Modulated(channels[0], vector)
        # The last layer also reads the picture itself, for the colours, which normalisation has removed.
        self.paint = nn.Conv2d(channels[0] + inputs, 3 * patch**2, 3, padding=1)
        if residual:
            nn.init.zeros_(self.paint.weight)
            nn.init.zeros_(cast(Tensor, self.paint.bias))
        if weights is not None:
            load_exact(self, weights)

    def encode(self, batch: FaceBatch) -> Conditioning:
        """Encode the conditions: a pooled vector [B, V], and maps [B, C, H, W] and a guess, if there are any."""
        features, maps = [], {}
        # Full precision and no graph, so that shared networks can reuse cached outputs of the same photograph.
        with torch.no_grad(), torch.autocast(batch.driver.image.device.type, enabled=False):
            for name in self.encoders:
                views = (batch.driver, batch.identity) if name in self.beside else (batch.driver,)
                features.append(cast(ConditionEncoder, self.encoders[name]).extract(*views))
            for name, map_ in self.maps.items():
                maps[name] = map_(*(getattr(batch, view) for view in map_.views))
        encoded = [encoder(own) for encoder, own in zip(self.encoders.values(), features, strict=True)]
        vector = self.vector(torch.cat([condition.tokens.mean(1) for condition in encoded], dim=-1))
        guess = None
        if self.guess is not None:
            guess = Guess(maps[self.guess], torch.zeros(len(batch), device=vector.device))
        return Conditioning({}, vector, joined(*maps.values()) if maps else None, guess)

    def forward(self, image: Tensor, conditioning: Conditioning) -> Tensor:
        """Identity pictures [B, 3, H, W] -> pictures [B, 3, H, W] in [-1, 1]."""
        inputs, vector = F.pixel_unshuffle(joined(image, conditioning.spatial), self.patch), conditioning.pooled
        # Down, with a skip at every size; then up, modulated by the vector.
        x, skips = self.stem(inputs), []
        for block in self.down:
            x = block(x)
            skips.append(x)
        for block in self.middle:
            x = block(x, vector)
        for block in self.up:
            x = block(joined(x, skips.pop()), vector)
        x = F.silu(self.last(x, vector))
        # Paint the picture, or the difference to the guess or to the identity picture.
        painted = F.pixel_shuffle(self.paint(joined(x, inputs)), self.patch).float()
        if not self.residual:
            return torch.tanh(painted)
        start = image if conditioning.guess is None else conditioning.guess.image
        return (start + painted).clamp(-1, 1)

    @torch.inference_mode()
    def generate(self, batch: FaceBatch, seeds: Sequence[int]) -> Tensor:
        """One picture per row, [B, 3, H, W] in [-1, 1]. There is no noise, so the seeds change nothing."""
        pictures: Tensor = self(batch.identity.image, self.encode(batch))
        return pictures.clamp(-1, 1)


def _check(
    side: int, conditions: Mapping[str, ConditionEncoder], beside: Sequence[str], channels: Sequence[int]
) -> None:
    if not conditions:
        raise ValueError("conditions: none, expected one or more, because they describe the driver's expression")
    if unknown := [name for name in beside if name not in conditions]:
        raise ValueError(f"beside: {', '.join(unknown)}; expected names of conditions: {', '.join(conditions)}")
    if len(channels) < 2 or any(count < GROUPS or count % GROUPS for count in channels):
        raise ValueError(f"channels: {list(channels)}; expected two or more, each a multiple of {GROUPS}")
    halved = 2 ** (len(channels) - 1)
    if side % halved or side < SMALLEST * halved:
        raise ValueError(
            f"image_size / patch is {side}, halved {len(channels) - 1} times with {len(channels)} channels; expected a "
            f"multiple of {halved}, {SMALLEST * halved} or more; give another image_size, patch or fewer channels"
        )
