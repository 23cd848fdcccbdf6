"""Autoencoders from the user's disk: layouts, scaling, precision, refusals."""

import json
import shutil

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

from palsykit.errors import PalsykitError
from palsykit.testing import check
from palsykit.testing.stand_ins import faces
from palsykit_latents.autoencoder import Autoencoder

SIZE = 64


def image(rows=2):
    return faces(rows, SIZE, "codec").image


@pytest.mark.parametrize("kind", ["kl", "tiny"])
def test_it_keeps_the_contract(kind, stable_diffusion, tiny_autoencoder):
    folder = stable_diffusion if kind == "kl" else tiny_autoencoder
    results = check("codec", "autoencoder", image_size=SIZE, weights=str(folder))
    assert all(result.state == "passed" for result in results), results


@torch.no_grad()
def test_latents_are_scaled_and_shifted_and_back(stable_diffusion, tmp_path):
    shutil.copytree(stable_diffusion / "vae", tmp_path / "vae")
    config = json.loads((tmp_path / "vae/config.json").read_text())
    (tmp_path / "vae/config.json").write_text(json.dumps({**config, "shift_factor": 0.25}))
    codec, theirs = Autoencoder(SIZE, weights=tmp_path), AutoencoderKL.from_pretrained(stable_diffusion / "vae")
    mode = theirs.encode(image()).latent_dist.mode()
    torch.testing.assert_close(codec.encode(image()), (mode - 0.25) * 0.5)
    torch.testing.assert_close(codec.decode((mode - 0.25) * 0.5), theirs.decode(mode).sample)
    assert (codec.channels, codec.factor) == (4, 8)


@torch.no_grad()
def test_slices_are_the_same_pictures_and_tiles_nearly(stable_diffusion):
    latents = Autoencoder(SIZE, weights=stable_diffusion).encode(image())
    whole, sliced, tiled = (
        Autoencoder(SIZE, weights=stable_diffusion, **keys) for keys in ({}, {"slicing": True}, {"tiling": True})
    )
    torch.testing.assert_close(sliced.decode(latents), whole.decode(latents), atol=1e-5, rtol=0)
    tiled.model.tile_sample_min_size, tiled.model.tile_latent_min_size = 32, 4
    assert tiled.decode(latents).shape == (2, 3, SIZE, SIZE)
    assert not torch.equal(tiled.decode(latents), whole.decode(latents)), "it was not tiled"


@torch.no_grad()
def test_what_overflows_in_half_precision_is_decoded_in_full(stable_diffusion):
    codec = Autoencoder(SIZE, weights=stable_diffusion, precision="bf16")
    exact = Autoencoder(SIZE, weights=stable_diffusion)
    latents = exact.encode(image())
    half = codec.decode(latents)
    assert half.dtype == torch.float32
    assert 0 < float((half - exact.decode(latents)).abs().max()) < 0.2
    codec.decoding = torch.float16
    for made in (codec, exact):
        made.model.decoder.conv_in.weight.mul_(3e5)  # beyond 65504, the largest number of fp16
    full = exact.decode(latents)
    assert torch.isfinite(full).all()
    torch.testing.assert_close(codec.decode(latents), full)


def test_a_single_file_and_its_configuration(stable_diffusion, tiny_autoencoder, tmp_path):
    """diffusers' own weights, in a file elsewhere; the configuration is named, or beside the file."""
    for folder in (stable_diffusion / "vae", tiny_autoencoder):
        file = tmp_path / f"{folder.name}.safetensors"
        shutil.copy(folder / "diffusion_pytorch_model.safetensors", file)
        made, beside = Autoencoder(SIZE, weights=file, config=folder), Autoencoder(SIZE, weights=folder)
        assert torch.equal(made.encode(image()), beside.encode(image()))
        with pytest.raises(PalsykitError, match="give the key config"):
            Autoencoder(SIZE, weights=file)


def test_half_precision_weights_are_found(stable_diffusion, tmp_path):
    shutil.copytree(stable_diffusion / "vae", tmp_path / "vae")
    plain = tmp_path / "vae/diffusion_pytorch_model.safetensors"
    save_file({k: v.half() for k, v in load_file(plain).items()}, plain.with_name(plain.stem + ".fp16.safetensors"))
    plain.unlink()
    codec = Autoencoder(SIZE, weights=tmp_path)
    assert {p.dtype for p in codec.parameters()} == {torch.float32}


def test_what_cannot_be_read_is_refused_with_a_next_step(stable_diffusion, tmp_path):
    shutil.copytree(stable_diffusion / "unet", tmp_path / "only/unet")
    with pytest.raises(PalsykitError, match=r"config.json of AutoencoderKL or AutoencoderTiny .* found unet \(UNet2D"):
        Autoencoder(SIZE, weights=tmp_path / "only")
    shutil.copytree(stable_diffusion / "vae", tmp_path / "vae")
    weights = tmp_path / "vae/diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(PalsykitError, match=r"pickled weights \(.bin, .ckpt\) are not read"):
        Autoencoder(SIZE, weights=tmp_path)
    state = load_file(weights.with_suffix(".bin"))
    save_file({key: value for key, value in state.items() if "conv_out" not in key}, weights)
    with pytest.raises(PalsykitError, match="missing or of another shape"):
        Autoencoder(SIZE, weights=tmp_path)
