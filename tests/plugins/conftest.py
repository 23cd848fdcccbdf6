"""Pretrained models in the layouts that are published, of a few thousand weights, made here by save_pretrained."""

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DDPMScheduler, UNet2DConditionModel

TINY_VAE = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (8, 8, 8, 8),
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 4,
    "sample_size": 64,
}
TINY_UNET = {
    "sample_size": 8,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (8, 8, 16, 16),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "cross_attention_dim": 24,
}
"""Four levels, of which three attend, as Stable Diffusion has them."""


def seeded(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


@pytest.fixture(scope="session")
def stable_diffusion(tmp_path_factory) -> Path:
    """A pipeline's folder in the layout of Stable Diffusion 1.5."""
    folder = tmp_path_factory.mktemp("pretrained") / "sd15"
    seeded(lambda: AutoencoderKL(**TINY_VAE, scaling_factor=0.5)).save_pretrained(folder / "vae")
    seeded(lambda: UNet2DConditionModel(**TINY_UNET, attention_head_dim=2)).save_pretrained(folder / "unet")
    DDPMScheduler(beta_schedule="scaled_linear", clip_sample=False).save_pretrained(folder / "scheduler")
    (folder / "README.md").write_text("---\nlicense: creativeml-openrail-m\n---\n")
    return folder


@pytest.fixture(scope="session")
def pixart(tmp_path_factory) -> Path:
    """A transformer in the layout of PixArt-alpha: learnt variances, captions of another width, patches of 2."""
    from diffusers import PixArtTransformer2DModel

    folder = tmp_path_factory.mktemp("pretrained") / "pixart"
    keys = {"num_attention_heads": 2, "attention_head_dim": 6, "cross_attention_dim": 12, "caption_channels": 20}
    layout = {"in_channels": 4, "out_channels": 8, "num_layers": 2, "sample_size": 8, "attention_bias": True}
    seeded(lambda: PixArtTransformer2DModel(**keys, **layout)).save_pretrained(folder / "transformer")
    return folder


@pytest.fixture(scope="session")
def tiny_autoencoder(tmp_path_factory) -> Path:
    """An AutoencoderTiny in the layout of TAESD."""
    folder = tmp_path_factory.mktemp("pretrained") / "taesd"
    keys = {"encoder_block_out_channels": (8, 8, 8, 8), "decoder_block_out_channels": (8, 8, 8, 8)}
    blocks = {"num_encoder_blocks": (1, 1, 1, 1), "num_decoder_blocks": (1, 1, 1, 1)}
    seeded(lambda: AutoencoderTiny(**keys, **blocks)).save_pretrained(folder)
    return folder
