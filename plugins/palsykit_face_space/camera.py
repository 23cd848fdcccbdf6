"""Light, framing and sensor of one photograph."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from palsykit.faces.webmorph import to_ibug68
from palsykit_face_space.warp import SIZE


@dataclass(frozen=True)
class Camera:
    """Light, framing and sensor of one photograph.

    Attributes:
        gain: factor of each colour channel.
        gradient: change of light from the middle to the right and to the bottom edge, as a fraction.
        background: grey of the background at the top, and its change to the bottom.
        roll: degrees, clockwise in the picture.
        zoom: scale of the face.
        shift: right and down, as fractions of the side.
        noise: standard deviation of the sensor's noise in mid grey, of 255; it grows with the root of the light.
        noise_seed: seed of the noise.
        jpeg: JPEG quality of the picture, 1 to 95; None for no loss.
    """

    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gradient: tuple[float, float] = (0.0, 0.0)
    background: tuple[float, float] = (0.82, 0.03)
    roll: float = 0.0
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    noise: float = 0.0
    noise_seed: int = 0
    jpeg: int | None = None


def _linear(camera: Camera) -> NDArray[np.float64]:
    turn = np.deg2rad(camera.roll)
    return camera.zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])


def placed(points: NDArray[np.float64], camera: Camera, image_size: int) -> NDArray[np.float32]:
    """Points [N, 2] px of the upright frame, in px of the picture."""
    centred = (points - SIZE / 2) @ _linear(camera).T + np.array(camera.shift) * SIZE + SIZE / 2
    return np.asarray(centred * (image_size / SIZE), dtype=np.float32)


def landmarks(points: NDArray[np.float64], camera: Camera, image_size: int) -> NDArray[np.float32]:
    """iBUG 68 [68, 2] px of the picture, from template points [189, 2] px of the upright frame."""
    return placed(to_ibug68(points), camera, image_size)


def photographed(picture: Tensor, cameras: Sequence[Camera], image_size: int) -> NDArray[np.uint8]:
    """Photograph upright pictures [B, 3, S, S] in [0, 1]: [B, image_size, image_size, 3] RGB."""
    # Light.
    steps = picture.shape[-1]
    at = (torch.arange(steps) + 0.5) / steps * 2 - 1
    gain = torch.tensor([c.gain for c in cameras])[..., None, None]
    right, down = torch.tensor([c.gradient for c in cameras])[..., None, None].unbind(1)
    framed = picture * (1 + right * at[None, None] + down * at[None, :, None])[:, None]
    framed *= gain
    # Framing.
    if any(c.roll or c.zoom != 1 or any(c.shift) for c in cameras):
        inverse = torch.tensor(np.array([np.linalg.inv(_linear(c)) for c in cameras]), dtype=torch.float32)
        shift = torch.tensor([c.shift for c in cameras])[..., None] * 2
        move = torch.cat([inverse, -inverse @ shift], 2)  # from the picture to the frame, both from -1 to 1
        where = F.affine_grid(move, [len(cameras), 3, steps, steps], align_corners=False)
        framed = F.grid_sample(framed, where, mode="bilinear", padding_mode="border", align_corners=False)
    if image_size != steps:
        framed = F.interpolate(framed, size=image_size, mode="bicubic", antialias=True)
    # Sensor.
    pixels = framed.clamp_(0, 1).permute(0, 2, 3, 1).contiguous().numpy()
    return np.stack([_read_out(image, camera) for image, camera in zip(pixels, cameras, strict=True)])


def _read_out(image: NDArray[np.float32], camera: Camera) -> NDArray[np.uint8]:
    """Add the sensor's noise and the JPEG loss: [H, W, 3] in [0, 1] -> 8 bits."""
    if camera.noise:
        rng = np.random.default_rng(camera.noise_seed)
        grain = rng.standard_normal(image.shape, dtype=np.float32)
        spread = np.float32(camera.noise / 255) * np.sqrt(np.maximum(image, np.float32(0.02)) * np.float32(2))
        image = image + spread * grain
    picture = np.asarray(np.clip(image, 0, 1) * 255 + 0.5, dtype=np.uint8)
    if camera.jpeg is None:
        return picture
    file = BytesIO()
    Image.fromarray(picture).save(file, format="JPEG", quality=camera.jpeg, subsampling=0)
    with Image.open(file) as lossy:
        return np.asarray(lossy, dtype=np.uint8)
