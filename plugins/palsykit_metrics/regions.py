"""PSNR, SSIM and sharpness of the regions in which a face moves: eyes, brows and mouth."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from palsykit.faces.landmarks import INNER_LIPS, LEFT_BROW, LEFT_EYE, OUTER_CORNERS, OUTER_LIPS, RIGHT_BROW, RIGHT_EYE
from palsykit.interfaces import FaceBatch, Images, MetricCard
from palsykit.metrics import to_8_bit
from palsykit_metrics.pixels import BORDER, similarity

Region = Literal["eyes", "brows", "mouth"]
REGIONS: dict[Region, tuple[list[int], ...]] = {
    "eyes": ([*RIGHT_EYE], [*LEFT_EYE]),
    "brows": ([*RIGHT_BROW], [*LEFT_BROW]),
    "mouth": ([*OUTER_LIPS, *INNER_LIPS],),
}


FINE = 0.25
"""Cycles per px above which detail is fine: a quarter of the sampling rate."""


class MovingRegions:
    """PSNR, SSIM and sharpness inside boxes around eyes, brows and mouth, where identity picture and truth differ most.

    A box contains the region's landmarks in the target and in the identity picture, with a ``margin`` around them, so
    it covers the mouth where it is and where it was. The boxes do not depend on the generated picture.

    Args:
        regions: regions to measure.
        margin: around the points, in units of the distance between the target's outer eye corners.
    """

    def __init__(self, *, regions: tuple[Region, ...] = get_args(Region), margin: float = 0.1):
        if not regions or margin < 0:
            raise ValueError(f"regions {regions}, margin {margin:g}; expected one or more regions, and a margin >= 0")
        self.regions, self.margin = regions, margin
        where = f"over the pixels of boxes around the landmarks of target and identity picture ({', '.join(regions)})"
        note = f"8-bit RGB as saved; boxes reach {100 * margin:g} % of the outer eye distance beyond the landmarks"
        self.card = MetricCard(
            name="PSNR where the face moves",
            definition=f"10 log10(1 / mean squared difference of generated and target picture in [0, 1]), {where}",
            unit="dB",
            better="higher",
            source="as PSNR of the whole face, but over these pixels",
            note=note,
        )
        self.cards = {
            "moving_ssim": MetricCard(
                name="SSIM where the face moves",
                definition=f"mean structural similarity of generated and target picture {where}",
                unit="-1 to 1",
                better="higher",
                source="Wang et al. 2004, as SSIM of the whole face, but over windows centred in the boxes",
                note=note,
            ),
            "moving_sharpness": MetricCard(
                name="Sharpness where the face moves",
                definition="root mean square of the generated picture's grey values above a quarter of the sampling "
                f"rate, relative to the target picture's, {where}",
                unit="1 is as sharp as the target",
                better="higher",
                source="palsykit; frequencies by the Fourier transform of the whole picture",
                note=f"noise counts as detail, in both pictures; {note}",
            ),
        }

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"moving_psnr": [B], "moving_ssim": [B], "moving_sharpness": [B]}.

        NaN without a target or landmarks; PSNR also for equal pictures.
        """
        if batch.target is None:
            return {name: torch.full((len(batch),), torch.nan) for name in ("moving_psnr", *self.cards)}
        inside = self.inside(batch.target.landmarks, batch.identity.landmarks, batch.target.image.shape[-1])
        generated, target = to_8_bit(images.generated), to_8_bit(batch.target.image)
        error = _mean((generated - target).square().mean(dim=1), inside)
        psnr = -10 * error.log10()
        whole = (slice(None), slice(BORDER, -BORDER), slice(BORDER, -BORDER))
        ssim = _mean(similarity(generated, target).mean(dim=1)[whole], inside[whole])
        fine, true = (_mean(_fine(picture).square(), inside).sqrt() for picture in (generated, target))
        return {
            "moving_psnr": torch.where(psnr.isinf(), torch.nan, psnr),
            "moving_ssim": ssim,
            "moving_sharpness": torch.where(true > 0, fine / true, torch.nan),
        }

    def inside(self, target: Tensor, identity: Tensor, side: int) -> Tensor:
        """Landmarks [B, 68, 2] px of two pictures -> whether each pixel lies in a box: bool [B, side, side]."""
        right, left = OUTER_CORNERS
        margin = self.margin * (target[:, right] - target[:, left]).norm(dim=-1)
        both = torch.stack([target, torch.where(identity.isnan(), target, identity)], dim=1)
        centres = torch.arange(side, device=target.device) + 0.5
        mask = torch.zeros(len(target), side, side, dtype=torch.bool, device=target.device)
        for points in (both[:, :, part].flatten(1, 2) for name in self.regions for part in REGIONS[name]):
            low, high = points.amin(dim=1) - margin[:, None], points.amax(dim=1) + margin[:, None]
            across, down = ((centres >= low[:, [i]]) & (centres <= high[:, [i]]) for i in (0, 1))
            mask |= down[:, :, None] & across[:, None, :]
        return mask


def _fine(pictures: Tensor) -> Tensor:
    """The grey values of pictures [B, 3, H, W] above ``FINE`` cycles per px in either direction: [B, H, W]."""
    spectrum = torch.fft.fft2(pictures.mean(1))
    down, across = (torch.fft.fftfreq(side, device=pictures.device).abs() for side in pictures.shape[-2:])
    return torch.fft.ifft2(spectrum * (torch.maximum(down[:, None], across) > FINE)).real


def _mean(values: Tensor, inside: Tensor) -> Tensor:
    """Mean of values [B, H, W] over the pixels ``inside`` [B, H, W]: [B]; NaN without any."""
    count = inside.sum(dim=(1, 2))
    total = torch.where(inside, values, 0.0).sum(dim=(1, 2))
    return torch.where(count > 0, total / count.clamp(min=1), math.nan)
