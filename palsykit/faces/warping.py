"""Warps pictures so that landmarks move to given places: batched, differentiable in picture and landmarks."""

import torch
import torch.nn.functional as F
from torch import Tensor

from palsykit.faces.landmarks import COUNT, JAW, NOSE_BASE, NOSE_BRIDGE
from palsykit.faces.lids import open_lids, under_lids

RIGID = (*NOSE_BRIDGE, *NOSE_BASE, 36, 39, 42, 45)
"""Nose and corners of the eyes, which hardly move with an expression."""
_EDGE = (0.0, 0.25, 0.5, 0.75, 1.0)
BORDER = tuple((x, y) for x in _EDGE for y in _EDGE if x in (0, 1) or y in (0, 1))
"""16 fixed control points (x, y) around the picture, in image sides."""
HEAD_HEIGHT, HEAD_POINTS = 0.75, 7
"""Fixed control points on an arc over the head, from ear to ear, and its height in depths of the jaw below the ears.

Without them a lifted brow pulls the hairline and the edge of the head along. With them the guess of a rendered palsy is
nearer to the truth by 2.6 dB, that of lifted brows by 6.8 dB; with heights of 0.6 and 0.9 by 2.3 and 2.4 dB."""
SMOOTHING = 1e-4
"""Of the spline, in squared image sides."""
CELLS = 128
"""Cells per side on which ``warp`` computes the spline; linear between them. At 256 px the place from which a pixel is
read is then wrong by 0.002 px in the mean and 0.25 px at most (grade VI), in a fifth of the time."""


def retarget(driver: Tensor, identity: Tensor, rest: Tensor | None = None) -> Tensor:
    """Target positions of the identity people's landmarks [B, 68, 2]; the jaw stays.

    The driver's are laid on the identity's by the least-squares similarity transform between nose and corners of the
    eyes (Umeyama 1991). This takes over the driver's proportions as well, because one photograph does not separate them
    from its expression. With ``rest``, the driver's person at rest, it does not: the identity's landmarks move as the
    driver's moved from rest. An asymmetry at rest, such as a drooping corner, is then not a movement and not copied.
    """
    laid = _lay(driver, identity)
    return laid if rest is None else identity.double() + laid - _lay(rest, identity)


def _lay(driver: Tensor, identity: Tensor) -> Tensor:
    driver, identity = driver.double(), identity.double()
    centre, there = (points[:, list(RIGID)].mean(1, keepdim=True) for points in (driver, identity))
    a, b = ((points - middle)[:, list(RIGID)] for points, middle in ((driver, centre), (identity, there)))
    # as complex numbers z -> m z + c: m is the sum of conj(a) b over that of |a|^2
    size = a.square().sum((1, 2)).clamp(min=1e-12)
    real = (a * b).sum((1, 2)) / size
    turn = (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]).sum(1) / size
    x, y = (driver - centre).unbind(-1)
    real, turn = real[:, None], turn[:, None]
    laid = torch.stack([real * x - turn * y, turn * x + real * y], -1) + there
    return torch.cat([identity[:, : len(JAW)], laid[:, len(JAW) :]], 1)


def warp(image: Tensor, source: Tensor, target: Tensor, smoothing: float = SMOOTHING) -> Tensor:
    """Pictures [B, 3, H, W] whose content at ``source`` [B, 68, 2] px is moved to ``target`` [B, 68, 2] px.

    Bilinear, the edge repeated; ``places`` says from where each pixel is read.

    Raises:
        ValueError: for landmarks of another shape.
    """
    expected = (len(image), COUNT, 2)
    if source.shape != expected or target.shape != expected:
        raise ValueError(f"found landmarks of shapes {[*source.shape]} and {[*target.shape]}, expected {[*expected]}")
    height, width = image.shape[-2:]
    return read_at(image, coarse_bend(source, target, height, width, smoothing), source, target)


def coarse_bend(source: Tensor, target: Tensor, height: int, width: int, smoothing: float = SMOOTHING) -> Tensor:
    """``bend`` for landmarks in px of a picture of ``height`` x ``width`` px, on at most CELLS x CELLS cells."""
    with torch.autocast(source.device.type, enabled=False):
        return bend(*_in_sides(source, target, height, width), min(height, CELLS), min(width, CELLS), smoothing)


def read_at(image: Tensor, field: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Pictures [B, 3, H, W] bent by the field [B, h, w, 2] of ``coarse_bend``, with lids over the eyes that close.

    source, target [B, 68, 2] px, as for ``warp``. The edge is repeated.
    """
    with torch.autocast(image.device.type, enabled=False):
        height, width = image.shape[-2:]
        source, target = _in_sides(source, target, height, width)
        grid = 2 * read_field(field, under_lids(open_lids(source, target), target, height, width).float()) - 1
        return F.grid_sample(
            image.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
        ).to(image.dtype)  # fmt: skip


def _in_sides(source: Tensor, target: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    sides = torch.tensor([width, height], device=source.device, dtype=torch.float64)
    return source.double() / sides, target.double() / sides


def places(source: Tensor, target: Tensor, height: int, width: int, smoothing: float = SMOOTHING) -> Tensor:
    """From where each pixel of a bent picture is read, with lids over the eyes that close: [B, height, width, 2].

    All in image sides; arguments as of ``bend``, which has the eyes open.
    """
    field = bend(source, target, height, width, smoothing)
    return read_field(field, under_lids(open_lids(source, target), target, height, width).to(field.dtype))


def bend(source: Tensor, target: Tensor, height: int, width: int, smoothing: float = SMOOTHING) -> Tensor:
    """From where each pixel of a picture bent with open eyes is read: [B, height, width, 2], in image sides.

    A smoothed thin-plate spline (Bookstein, IEEE PAMI 1989; Wahba 1990) from target to source, so that every pixel has
    a place to read from. The picture's border and the top of the head are fixed, and eyes stay open (``open_lids``).
    Coordinates are computed in double precision, and for one row at a time, so that a picture does not depend on others
    in its batch.

    Args:
        source: [B, 68, 2], where the landmarks are, in image sides.
        target: [B, 68, 2], where they go, in image sides.
        height: of the grid.
        width: of the grid.
        smoothing: in squared image sides; 0 interpolates every landmark exactly, which may fold closed lids over.
    """
    still = fixed_points(source.double())
    here = torch.cat([open_lids(source.double(), target.double()), still], 1)
    there = torch.cat([source.double(), still], 1)
    # one at a time: the batched solver of some CPU builds fails after the number of threads was set
    spline = torch.stack([_spline(*row, smoothing) for row in zip(here, there, strict=True)])
    return _evaluate(spline.float(), here.float(), height, width)


def fixed_points(source: Tensor) -> Tensor:
    """Control points of landmarks [B, 68, 2], in image sides, that no landmark moves: [B, 16 + HEAD_POINTS, 2].

    Those around the picture, and those over the head, on half an ellipse about the middle of the jaw's two ends.
    """
    border = torch.tensor(BORDER, device=source.device, dtype=source.dtype).expand(len(source), -1, -1)
    ear, other, chin = source[:, JAW[0]], source[:, JAW[-1]], source[:, JAW[len(JAW) // 2]]
    middle, half = (ear + other) / 2, (other - ear) / 2
    down = torch.stack([-half[:, 1], half[:, 0]], -1)
    depth = ((chin - middle) * down).sum(-1, keepdim=True) / down.square().sum(-1, keepdim=True).clamp(min=1e-12)
    angle = torch.linspace(torch.pi, 2 * torch.pi, HEAD_POINTS + 2, device=source.device, dtype=source.dtype)[1:-1]
    across, up = half[:, None] * angle.cos()[:, None], (HEAD_HEIGHT * depth * down)[:, None] * angle.sin()[:, None]
    return torch.cat([border, middle[:, None] + across + up], 1)


def read_field(field: Tensor, at: Tensor) -> Tensor:
    """Values of a field [B, h, w, 2], given at the centres of cells, at places [B, H, W, 2] in image sides.

    Linear between the centres, and beyond the outermost ones too.
    """
    padded = torch.cat([2 * field[:, :1] - field[:, 1:2], field, 2 * field[:, -1:] - field[:, -2:-1]], 1)
    padded = torch.cat(
        [2 * padded[:, :, :1] - padded[:, :, 1:2], padded, 2 * padded[:, :, -1:] - padded[:, :, -2:-1]], 2
    )
    cells = torch.tensor([field.shape[2], field.shape[1]], device=field.device, dtype=field.dtype)
    there = 2 * (at * cells + 1) / (cells + 2) - 1  # in the padded field, from -1 to 1 over its side
    read: Tensor = F.grid_sample(padded.permute(0, 3, 1, 2), there, mode="bilinear", align_corners=False)
    return read.permute(0, 2, 3, 1)


def _spline(here: Tensor, there: Tensor, smoothing: float) -> Tensor:
    """Coefficients [N + 3, 2] of the spline through N values ``there`` [N, 2] at ``here`` [N, 2]."""
    apart = (here[:, None] - here[None]).square().sum(-1)
    kernel = _kernel(apart) + smoothing * torch.eye(len(here), device=here.device, dtype=here.dtype)
    affine = torch.cat([torch.ones_like(here[:, :1]), here], 1)
    zeros = here.new_zeros(3, 3)
    system = torch.cat([torch.cat([kernel, affine], 1), torch.cat([affine.T, zeros], 1)])
    coefficients: Tensor = torch.linalg.solve(system, torch.cat([there, here.new_zeros(3, 2)]))
    return coefficients


def _evaluate(spline: Tensor, here: Tensor, height: int, width: int) -> Tensor:
    """Splines [B, N + 3, 2] at every pixel's centre: [B, H, W, 2], in image sides."""
    y = (torch.arange(height, device=here.device, dtype=here.dtype) + 0.5) / height
    x = (torch.arange(width, device=here.device, dtype=here.dtype) + 0.5) / width
    across, down = (x - here[..., :1]).square(), (y - here[..., 1:]).square()  # [B, N, W], [B, N, H]
    weight, (constant, of_x, of_y) = spline[:, :-3], spline[:, -3:].unbind(1)
    bent = torch.einsum("bnhw,bnc->bhwc", _kernel(down[..., :, None] + across[..., None, :]), weight)
    plane = (
        constant[:, None, None]
        + x[None, None, :, None] * of_x[:, None, None]
        + y[None, :, None, None] * of_y[:, None, None]
    )
    return bent + plane


def _kernel(squared: Tensor) -> Tensor:
    """r^2 log r of squared distances; 0 at 0, and so is its slope."""
    return 0.5 * squared * squared.clamp(min=1e-12).log()
