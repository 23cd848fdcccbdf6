"""Pretrained denoisers: layouts, new inputs that are zero at first, what is trained, adapters that diffusers loads."""

import copy
import json
import shutil

import pytest
import torch
from diffusers import PixArtTransformer2DModel, UNet2DConditionModel

from palsykit.errors import PalsykitError
from palsykit.files.weights import load_exact, save
from palsykit.interfaces import Conditioning, ConditioningSpec
from palsykit.testing import check
from palsykit.training.speed import recompute
from palsykit_pretrained.denoisers import pretrained_dit, pretrained_unet

LORA = {"lora": {"rank": 4}}
SPEC = ConditioningSpec(24, 6, (), 5, 4)
MAKERS = {"unet": pretrained_unet, "transformer": pretrained_dit}


@pytest.fixture(scope="module", autouse=True)
def _quick(one_thread):
    """Small tensors are slower with several threads."""


@pytest.fixture(params=["unet", "transformer"])
def kind(request, stable_diffusion, pixart):
    """(factory, the model's folder, diffusers' class)."""
    folder = stable_diffusion if request.param == "unet" else pixart
    classes = {"unet": UNet2DConditionModel, "transformer": PixArtTransformer2DModel}
    return MAKERS[request.param], folder / request.param, classes[request.param]


def draws(rows=2, spec=SPEC):
    torch.manual_seed(1)
    tokens = {"b": torch.randn(rows, 3, spec.token_width), "a": torch.randn(rows, 2, spec.token_width)}
    maps = torch.randn(rows, spec.spatial, 8, 8)
    return torch.randn(rows, 4, 8, 8), torch.tensor([5, 900]), Conditioning(tokens, torch.randn(rows, 6), maps)


def seeded(make, **keys):
    torch.manual_seed(0)
    return make(SPEC, 8, **keys)


def moved(denoiser, steps=3):
    """The denoiser after a few steps towards zero."""
    optimiser = torch.optim.SGD([p for p in denoiser.parameters() if p.requires_grad], lr=0.05)
    for _ in range(steps):
        optimiser.zero_grad()
        denoiser(*draws()).square().mean().backward()
        optimiser.step()
    return denoiser


@torch.no_grad()
def test_it_starts_from_the_pretrained_prediction(kind):
    make, folder, library = kind
    spec = ConditioningSpec(24 if make is pretrained_unet else 20, 6, (), 5, 4)
    x_t, t, conditioning = draws(spec=spec)
    tokens = torch.cat([conditioning.tokens["a"], conditioning.tokens["b"]], 1)
    theirs = library.from_pretrained(folder).eval()
    named = {"unet": {}, "transformer": {"added_cond_kwargs": {"resolution": None, "aspect_ratio": None}}}[folder.name]
    expected = theirs(x_t, timestep=t, encoder_hidden_states=tokens, **named).sample[:, :4]
    for train in ("all", LORA):
        found = make(spec, 8, weights=folder, train=train).eval()(x_t, t, conditioning)
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("train", ["all", "attention", LORA], ids=str)
def test_the_part_that_is_named_is_trained_and_the_inputs_always(kind, train):
    make, folder, _ = kind
    denoiser = seeded(make, weights=folder, train=train)
    start = {name: p.detach().clone() for name, p in denoiser.named_parameters()}
    learns = {name for name, p in denoiser.named_parameters() if p.requires_grad}
    inside = {name for name in learns if name.startswith(("unet.", "transformer."))}
    expected = {
        "all": lambda name: True,
        "attention": lambda name: ".attn1." in name or ".attn2." in name,
    }.get(str(train), lambda name: ".lora_A." in name or ".lora_B." in name)
    assert inside == {name for name in start if name.startswith(("unet.", "transformer.")) and expected(name)}
    assert {name.split(".")[0] for name in learns - inside} >= {"pooled", "maps"}
    moved(denoiser)
    changed = {name for name, p in denoiser.named_parameters() if not torch.equal(p.detach(), start[name])}
    assert changed <= learns
    assert len(changed) > len(learns) / 2  # a key's bias changes no attention, and so has no gradient


def test_it_keeps_the_contract(stable_diffusion, tmp_path):
    """As for any denoiser, on pictures of 3 channels."""
    config = json.loads((stable_diffusion / "unet/config.json").read_text()) | {"in_channels": 3, "out_channels": 3}
    torch.manual_seed(0)
    UNet2DConditionModel.from_config(config).save_pretrained(tmp_path / "unet")
    for train in ("all", LORA):
        results = check(
            "denoiser", "pretrained_unet", image_size=16, weights=str(tmp_path), train=train, attention="sdpa"
        )
        assert all(result.state in ("passed", "not checked") for result in results), results


def test_the_transformer_keeps_the_contract(pixart, tmp_path):
    config = json.loads((pixart / "transformer/config.json").read_text()) | {"in_channels": 3, "out_channels": 6}
    torch.manual_seed(0)
    PixArtTransformer2DModel.from_config(config).save_pretrained(tmp_path)
    results = check("denoiser", "pretrained_dit", image_size=8, weights=str(tmp_path), train=LORA)
    assert all(result.state in ("passed", "not checked") for result in results), results


@torch.no_grad()
def test_the_layout_of_stable_diffusion_2(stable_diffusion, tmp_path):
    """Heads of each level by their number, and linear maps around the transformers."""
    config = json.loads((stable_diffusion / "unet/config.json").read_text())
    config |= {"attention_head_dim": [1, 2, 2, 4], "use_linear_projection": True, "cross_attention_dim": 32}
    UNet2DConditionModel.from_config(config).save_pretrained(tmp_path / "unet")
    denoiser = seeded(pretrained_unet, weights=tmp_path, train=LORA).eval()
    assert denoiser.tokens.weight.shape == (32, 24)
    assert denoiser(*draws()).shape == (2, 4, 8, 8)


@torch.no_grad()
def test_the_layout_of_arc2face(stable_diffusion, tmp_path):
    """The U-Net in a folder of its own name, beside a text encoder."""
    shutil.copytree(stable_diffusion / "unet", tmp_path / "arc2face")
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder/config.json").write_text('{"architectures": ["CLIPTextModelWrapper"]}')
    assert seeded(pretrained_unet, weights=tmp_path).eval()(*draws()).shape == (2, 4, 8, 8)


@torch.no_grad()
def test_a_checkpoint_in_one_file_is_converted(tmp_path):
    """The keys of the first release (``model.diffusion_model.``), converted by diffusers with a local configuration."""
    keys = {"block_out_channels": (32, 64, 64, 64), "layers_per_block": 2, "cross_attention_dim": 24, "sample_size": 8}
    torch.manual_seed(0)
    theirs = UNet2DConditionModel(**keys, attention_head_dim=8)
    theirs.save_pretrained(tmp_path / "unet")
    file = tmp_path / "v1-5.safetensors"
    save(released(theirs.state_dict()), file)
    denoiser = seeded(pretrained_unet, weights=file, config=tmp_path).eval()
    for name, value in theirs.state_dict().items():
        assert torch.equal(denoiser.unet.state_dict()[name], value), name


def released(state):
    """The keys that the original code of Stable Diffusion gives a U-Net of four levels of two blocks."""
    inner = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0"}
    inner |= {"conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
    ends = {"conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2"}
    ends |= {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2"}
    result = {}
    for name, value in state.items():
        *module, kind = name.split(".")
        if (end := ends.get(".".join(module))) is not None:
            result[f"model.diffusion_model.{end}.{kind}"] = value
            continue
        if module[0] == "mid_block":
            block = f"middle_block.{1 if module[1] == 'attentions' else 2 * int(module[2])}"
            rest = module[3:]
        else:
            level, what, number, rest = int(module[1]), module[2], int(module[3]), module[4:]
            if module[0] == "down_blocks":
                start = f"input_blocks.{1 + 3 * level + number}"
                block = {"resnets": f"{start}.0", "attentions": f"{start}.1"}.get(
                    what, f"input_blocks.{3 + 3 * level}.0"
                )
            else:
                start = f"output_blocks.{3 * level + number}"
                last = f"output_blocks.{3 * level + 2}.{1 if level == 0 else 2}"
                block = {"resnets": f"{start}.0", "attentions": f"{start}.1"}.get(what, last)
            if what == "downsamplers":
                rest = ["op"]
        resnet = rest and rest[0] in inner
        path = ".".join([block, inner[rest[0]]] if resnet else [block, *rest])
        result[f"model.diffusion_model.{path}.{kind}"] = value
    return result


def test_an_adapter_is_what_diffusers_loads(stable_diffusion, tmp_path):
    """The file is loaded into the plain pretrained U-Net, which then predicts as the trained one without new inputs."""
    denoiser = moved(seeded(pretrained_unet, weights=stable_diffusion, train=LORA))
    denoiser.save_adapter(tmp_path)
    x_t, t, conditioning = draws()
    tokens = torch.cat([conditioning.tokens["a"], conditioning.tokens["b"]], 1)
    theirs = UNet2DConditionModel.from_pretrained(stable_diffusion / "unet")
    with torch.no_grad():
        before = theirs(x_t, t, tokens).sample
        theirs.load_lora_adapter(str(tmp_path), prefix="unet", use_safetensors=True, local_files_only=True)
        after = theirs(x_t, t, tokens).sample
        torch.testing.assert_close(after, denoiser.unet(x_t, t, tokens).sample)
    assert float((after - before).abs().max()) > 1e-4
    assert [file.name for file in tmp_path.iterdir()] == ["pytorch_lora_weights.safetensors"]


def test_a_pipeline_loads_the_adapter(stable_diffusion, tmp_path):
    from diffusers import AutoencoderKL, DDPMScheduler, StableDiffusionPipeline

    moved(seeded(pretrained_unet, weights=stable_diffusion, train=LORA)).save_adapter(tmp_path)
    parts = {"text_encoder": None, "tokenizer": None, "safety_checker": None, "feature_extractor": None}
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(stable_diffusion / "vae"),
        unet=UNet2DConditionModel.from_pretrained(stable_diffusion / "unet"),
        scheduler=DDPMScheduler.from_pretrained(stable_diffusion / "scheduler"),
        requires_safety_checker=False,
        **parts,
    )
    pipeline.load_lora_weights(str(tmp_path))
    assert pipeline.get_active_adapters() == ["default_0"]


def test_with_an_adapter_frozen_weights_are_in_no_state_and_in_memory_once(kind):
    make, folder, _ = kind
    denoiser = seeded(make, weights=folder, train=LORA)
    assert not [name for name in denoiser.state_dict() if "base_layer" in name or "norm" in name]
    assert len(denoiser.state_dict()) == sum(p.requires_grad for p in denoiser.parameters())
    twin = copy.deepcopy(denoiser)
    for (name, own), (_, copied) in zip(denoiser.named_parameters(), twin.named_parameters(), strict=True):
        assert (own is copied) == (not own.requires_grad), name
    x_t, t, conditioning = draws()
    moved(denoiser)
    with torch.no_grad():
        assert not torch.equal(twin(x_t, t, conditioning), denoiser(x_t, t, conditioning))
        twin.load_state_dict(denoiser.state_dict())
        assert torch.equal(twin(x_t, t, conditioning), denoiser(x_t, t, conditioning))


def test_an_adapters_state_is_complete_or_refused(stable_diffusion, tmp_path):
    denoiser = seeded(pretrained_unet, weights=stable_diffusion, train=LORA)
    state = denoiser.state_dict()
    lacking = next(name for name in state if "lora_A" in name)
    save({name: value for name, value in state.items() if name != lacking}, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="missing: unet"):
        load_exact(denoiser, tmp_path / "w.safetensors")
    state.pop(lacking)
    with pytest.raises(RuntimeError, match="Missing key"):
        denoiser.load_state_dict(state)


def test_checkpointing_changes_no_gradient(kind):
    make, folder, _ = kind
    slopes = []
    for checkpointing in (False, True):
        denoiser = seeded(make, weights=folder).train()
        if checkpointing:
            recompute("train", denoiser)
        assert denoiser.model.is_gradient_checkpointing == checkpointing
        denoiser(*draws()).square().mean().backward()
        slopes.append(torch.cat([p.grad.flatten() for p in denoiser.parameters() if p.grad is not None]))
    torch.testing.assert_close(*slopes)


def test_models_that_need_other_inputs_are_refused(stable_diffusion, tmp_path):
    with pytest.raises(ValueError, match="reads 4 channels, and x_t has 3; name the codec"):
        pretrained_unet(ConditioningSpec(24), 8, weights=stable_diffusion)
    config = json.loads((stable_diffusion / "unet/config.json").read_text())
    config |= {"addition_embed_type": "text_time", "addition_time_embed_dim": 4}
    config |= {"projection_class_embeddings_input_dim": 12}
    UNet2DConditionModel.from_config(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="addition_embed_type: text_time, which asks for inputs"):
        pretrained_unet(SPEC, 8, weights=tmp_path)
    with pytest.raises(PalsykitError, match=r"expected the config.json of PixArtTransformer2DModel .* found unet"):
        pretrained_dit(SPEC, 8, weights=stable_diffusion)
    x_t, t, conditioning = draws()
    denoiser = seeded(pretrained_unet, weights=stable_diffusion)
    with pytest.raises(ValueError, match="maps of 5 channels; the conditioning's have 0"):
        denoiser(x_t, t, Conditioning(conditioning.tokens, conditioning.pooled))
