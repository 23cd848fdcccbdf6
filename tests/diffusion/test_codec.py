"""The space of diffusion: pictures as they are, latents from a codec, and the cache of latents."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from palsykit.diffusion.codec import CodecSpace
from palsykit.diffusion.model import ConditionalDiffusion, Overlay
from palsykit.diffusion.objective import denoising_pass
from palsykit.diffusion.synthesis import DiffusionSynthesiser
from palsykit.interfaces import FaceBatch, FaceView
from palsykit.testing.stand_ins import Networks, StandInCodec, face_batch, faces, model

SIZE = 32


class Counting(nn.Module, StandInCodec):
    """The stand-in with one weight; it counts the pictures that it encodes."""

    def __init__(self, scale: float = 1.0):
        super().__init__()
        self.scale, self.seen = nn.Parameter(torch.tensor(scale)), 0

    def encode(self, image):
        self.seen += len(image)
        return super().encode(image) * self.scale


class Picture:
    channels, is_picture, views = 3, True, ("driver",)

    def __call__(self, view):
        return view.image


class Lines:
    channels, views = 2, ("driver",)

    def __call__(self, view):
        return view.image[:, :2]


def with_maps(codec: CodecSpace, error: float | None = None) -> ConditionalDiffusion:
    base = model(Networks(SIZE), codec)
    maps = {"picture": Overlay(Picture(), error, "identity"), "lines": Overlay(Lines(), None, "identity")}
    conditions = {name: base_condition(base, name) for name in base.encoders}
    return ConditionalDiffusion(conditions, base.fusion, base.denoiser, base.scheduler, maps, codec=codec)


def base_condition(base, name):
    from palsykit.diffusion.model import Condition

    return Condition(base.encoders[name], base.views[name][0], base.drops[name])


def test_without_a_codec_nothing_is_copied_or_hashed():
    space, image = CodecSpace(), faces(2, SIZE).image
    assert space.encode(image) is image
    assert space.decode(image) is image
    assert space.lay(Picture(), image) is image
    assert space.lay(Lines(), image) is image
    assert (space.channels, space.factor, space.bounded, space.fingerprint) == (3, 1, True, "")


def test_loss_and_guess_are_in_latents_and_pictures_in_pixels():
    space = CodecSpace(StandInCodec())
    made = with_maps(space, error=0.2)
    batch = face_batch(4, SIZE)
    encoded = made.encode(batch)
    assert encoded.maps["picture"].shape == (4, 12, 16, 16)
    assert encoded.maps["lines"].shape == (4, 2 * 4, 16, 16)
    assert torch.equal(encoded.guess.image, space.encode(batch.driver.image))
    x_0 = space.encode(batch.target.image)
    found = denoising_pass(made, x_0, made.fuse(encoded), torch.randn(x_0.shape), torch.tensor([0, 10, 500, 900]))
    assert found.x0_hat.shape == x_0.shape
    assert float(x_0.abs().max()) > 1
    truth = made.predict_x0(
        made.objective(x_0, x_0 * 0, torch.full((4,), 9)),
        made.add_noise(x_0, x_0 * 0, torch.full((4,), 9)),
        torch.full((4,), 9),
    )
    torch.testing.assert_close(truth, x_0, atol=1e-4, rtol=0)  # not clipped to [-1, 1]
    unguessed = made.without(encoded)
    assert unguessed.guess.error.tolist() == [1.0] * 4, "a grey picture's error is the latents' spread"
    assert unguessed.maps["lines"].shape == (4, 8, 16, 16)


class Truth:
    """A sampler that gives latents beyond [-1, 1]."""

    def __init__(self, latents):
        self.latents = latents

    def sample(self, predict, noise, generators):
        assert noise.shape == self.latents.shape
        assert predict(noise, torch.zeros(len(noise), dtype=torch.long)).shape == noise.shape
        return self.latents


def test_synthesis_samples_latents_and_gives_pictures():
    space, batch = CodecSpace(StandInCodec()), face_batch(2, SIZE)
    latents = space.encode(batch.target.image)
    made = DiffusionSynthesiser(model(Networks(SIZE), space).eval(), Truth(latents))
    torch.testing.assert_close(made.generate(batch, [1, 2]), batch.target.image)


def test_a_picture_is_encoded_once_and_the_next_run_reads_its_latents(tmp_path: Path):
    image = faces(3, SIZE).image
    codec = Counting()
    space = CodecSpace(codec, tmp_path)
    first = space.encode(image)
    probe = codec.seen - 3
    assert torch.equal(space.encode(image.flip(0)), first.flip(0))
    assert codec.seen == 3 + probe, "from memory"
    later = Counting()
    assert torch.equal(CodecSpace(later, tmp_path).encode(image), first)
    assert later.seen == probe, "from the disk"
    other = Counting(2.0)
    assert torch.equal(CodecSpace(other, tmp_path).encode(image), 2 * first), "other weights, other latents"
    assert len(list(tmp_path.glob("*"))) == 2
    half = torch.nn.functional.interpolate(image, size=(16, 16))
    assert CodecSpace(Counting(), tmp_path).encode(half).shape == (3, 12, 8, 8)


def test_a_damaged_file_is_written_again(tmp_path: Path):
    image = faces(1, SIZE).image
    first = CodecSpace(Counting(), tmp_path).encode(image)
    (file,) = tmp_path.rglob("*.safetensors")
    whole = file.read_bytes()
    file.write_bytes(whole[:50])
    assert torch.equal(CodecSpace(Counting(), tmp_path).encode(image), first)
    assert file.read_bytes() == whole


def test_a_users_photograph_is_never_written(tmp_path: Path):
    with torch.inference_mode():
        CodecSpace(Counting(), tmp_path).encode(faces(1, SIZE).image)
    assert not list(tmp_path.rglob("*"))


def test_latents_with_a_gradient_are_neither_cached_nor_written(tmp_path: Path):
    space = CodecSpace(Counting(), tmp_path)
    made, batch = with_maps(space), face_batch(2, SIZE)
    image = batch.driver.image.clone().requires_grad_()
    encoded = made.encode(FaceBatch(batch.identity, FaceView.of_images(image)), reading="driver", grad=True)
    encoded.maps["picture"].sum().backward()
    assert float(image.grad.abs().sum()) > 0
    assert not list(tmp_path.rglob("*"))


def test_the_codec_is_frozen_and_no_part_of_the_model():
    made = model(Networks(SIZE), CodecSpace(Counting()))
    assert not any("codec" in name or "scale" in name for name in made.state_dict())
    assert not made.codec.codec.scale.requires_grad
    assert copy.deepcopy(made).codec is made.codec


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_a_fingerprint_is_that_of_the_weights(scale: float):
    assert (CodecSpace(Counting(scale)).fingerprint == CodecSpace(Counting()).fingerprint) == (scale == 1.0)
