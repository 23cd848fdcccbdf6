"""Loader workers, recomputation, 8-bit moments and compilation: what they must not change, where they are refused."""

import gc
import json
import shutil
import sys
import weakref
from types import ModuleType, SimpleNamespace

import pytest
import torch
from accelerate import DistributedType
from torch import nn

from palsykit.diffusion.model import ConditionalDiffusion
from palsykit.errors import PalsykitError
from palsykit.interfaces import ConditioningSpec
from palsykit.recipe.schema import Optimisation
from palsykit.training import checkpoint, ema, groups, loop, processes, sharded, speed
from palsykit_unet.denoiser import UNet


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.fixture
def unet(model_of):
    """The tiny model with diffusers' U-Net as its denoiser."""

    def make() -> ConditionalDiffusion:
        model = model_of(drop=0.2)
        width, pooled = model.fusion.token_width, getattr(model.fusion, "pooled_width", None)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            spec = ConditioningSpec(token_width=width, pooled_width=pooled)
            model.denoiser = UNet(spec, 16, channels=(8, 16), attention_at=(8,), head_channels=8)
        return model

    return make


def test_workers_change_no_bit_and_leave_signals_to_the_training(job):
    alone, helped = job("alone", flip=0.0, accumulate=2), job("helped", workers=2, accumulate=2)
    assert same(loop.train(alone), loop.train(helped))
    assert alone.lines == helped.lines


def test_workers_are_chosen_beside_a_gpu_only(monkeypatch):
    monkeypatch.setattr(speed.parallel, "workers", lambda: 4)
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    assert [speed.workers(None, device) for device in (gpu, cpu)] == [3, 0]
    assert [speed.workers(2, device) for device in (gpu, cpu)] == [2, 2]
    monkeypatch.setattr(speed.parallel, "workers", lambda: 64)
    assert speed.workers(None, gpu) == 8


def test_pictures_are_made_before_the_workers_are(job):
    """A data set that renders at the first reading would render in each of them."""
    made, read = job("helped", workers=2), []
    image = made.faces.dataset.image
    made.faces.dataset.image = lambda record: read.append(record.key) or image(record)
    iterator = loop.Training(made).batches(0)
    assert len(read) == 1
    next(iterator)
    assert len(read) == 1, "the workers read in processes of their own"


def test_a_training_leaves_no_model_behind(job):
    made = job()
    left = weakref.ref(made.model)
    loop.train(made)
    del made
    gc.collect()
    assert left() is None


def test_a_batch_is_copied_once_for_each_view(faces):
    from palsykit.faces.keys import row_keys
    from palsykit.faces.pairing import pair
    from palsykit.faces.views import batch

    one = batch(faces, pair(faces.records, 0)[:2]).hashed()
    moved = one.to("meta", non_blocking=True)
    assert moved.target is moved.driver
    assert moved.rest is moved.identity
    assert moved.identity.image.device.type == "meta"
    assert row_keys(moved.identity.image) == row_keys(one.identity.image), "hashed where the pictures came from"


def test_recomputation_keeps_less_and_learns_the_same(job, unet):
    kept = {}

    def bytes_kept(name, **keys):
        made, seen = job(name, model=unet(), steps=2, **keys), {}

        def pack(tensor):
            seen[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            result = loop.train(made)
        kept[name] = sum(seen.values())
        return result, made.lines

    (one, lines), (other, others) = bytes_kept("whole"), bytes_kept("again", gradient_checkpointing=True)
    assert kept["again"] < 0.9 * kept["whole"]
    assert others == lines
    assert same(one, other)


def test_recomputation_is_refused_where_the_denoiser_cannot(job):
    with pytest.raises(PalsykitError, match=r"gradient_checkpointing: \w+ cannot compute .* remove the key"):
        loop.train(job(gradient_checkpointing=True))


def test_eight_bits_are_refused_without_bitsandbytes_and_without_a_gpu(job, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(PalsykitError, match=r"needs bitsandbytes.*palsykit\[eight-bit\].*optimiser: adamw"):
        loop.train(job(optimiser="adamw8bit"))
    package, optim = ModuleType("bitsandbytes"), ModuleType("bitsandbytes.optim")
    optim.AdamW8bit = Counting
    monkeypatch.setitem(sys.modules, "bitsandbytes", package)
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", optim)
    with pytest.raises(PalsykitError, match="on a GPU with CUDA, and weights are on cpu"):
        loop.train(job(optimiser="adamw8bit"))


class Counting(torch.optim.Optimizer):
    """Keeps its state as bitsandbytes does: the number of steps is a plain int, moments are of any type.

    All parameters share one table, as bitsandbytes' share what the 8 bits stand for.
    """

    def __init__(self, parameters, lr, weight_decay):
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})
        self.table = torch.linspace(-1, 1, 256)

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                state["step"] = state.get("step", 0) + 1
                assert type(state["step"]) is int
                sign = state.get("state1", torch.zeros_like(parameter, dtype=torch.uint8)) + (parameter.grad > 0)
                state["state1"] = sign.to(torch.uint8)
                state.setdefault("qmap1", self.table)
                parameter -= group["lr"] * (parameter.grad + state["state1"] / 100)


def test_an_optimiser_with_other_moments_resumes_exactly(job, monkeypatch):
    monkeypatch.setattr(groups, "_eight_bits", lambda _: Counting)
    whole = loop.train(job("whole", optimiser="adamw8bit"))
    monkeypatch.setattr(loop.Training, "result", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        loop.train(job("killed", optimiser="adamw8bit"))
    monkeypatch.undo()
    monkeypatch.setattr(groups, "_eight_bits", lambda _: Counting)
    assert same(loop.train(job("killed", optimiser="adamw8bit")), whole)


def test_adamw_is_fused_and_differs_by_rounding_only():
    torch.manual_seed(0)
    first = torch.randn(5, 7)
    weights = [nn.Parameter(first.clone()) for _ in range(2)]
    settings = Optimisation(lr=1e-2)
    fused = groups.optimisers({"model": {"w": weights[0]}}, settings)["model"]
    assert fused.defaults["fused"]
    plain = torch.optim.AdamW([weights[1]], lr=settings.lr, weight_decay=settings.weight_decay)
    for _ in range(20):
        for weight, optimiser in zip(weights, (fused, plain), strict=True):
            weight.grad = weight.detach().sin()
            optimiser.step()
    assert not torch.equal(weights[0], first)
    torch.testing.assert_close(*weights, rtol=1e-5, atol=1e-7)


def test_no_optimiser_is_fused_where_torch_has_no_kernel():
    weight = {"w": nn.Parameter(torch.zeros(2, 2, device="meta"))}
    assert not groups.optimisers({"model": weight}, Optimisation())["model"].defaults["fused"]


def test_only_the_denoiser_is_compiled_and_names_stay(job, unet, monkeypatch):
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: compiled.append(type(self).__name__))
    made = job(model=unet(), steps=1, compile=True)
    names = list(made.model.state_dict())
    loop.train(made)
    assert compiled == ["UNet2DConditionModel"]
    assert list(made.model.state_dict()) == names


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler")
def test_a_compiled_denoiser_has_the_losses_of_an_uncompiled_one(job, unet):
    """Not to the bit: fused operations round once where the others round twice."""
    plain, fast = job("plain", model=unet(), log_every=1), job("fast", model=unet(), log_every=1, compile=True)
    loop.train(plain)
    loop.train(fast)
    for one, other in zip(plain.lines, fast.lines, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-4), one["step"]
    state = json.loads((checkpoint.existing(fast.folder)[-1] / "state.json").read_text())
    assert state["step"] == 4


def test_processes_that_take_the_optimiser_over_are_refused(job, monkeypatch):
    monkeypatch.setattr(processes, "accelerator", lambda: SimpleNamespace(distributed_type=DistributedType.DEEPSPEED))
    with pytest.raises(PalsykitError, match=r"asks for DEEPSPEED, expected NO, MULTI_CPU, MULTI_GPU, FSDP"):
        loop.train(job())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"precision": "fp16"}, "found precision: fp16 with"),
        ({"optimiser": "adamw8bit", "compile": True}, "found optimiser: adamw8bit, compile: true with"),
    ],
)
def test_what_processes_cannot_share_out_is_refused(job, monkeypatch, changes, said):
    monkeypatch.setenv("FSDP_VERSION", "2")
    made, plain = job(**changes), job()
    average = ema.Averaged(made.model, 0.9).module
    with pytest.raises(PalsykitError, match=said):
        sharded.require_able("train", made.settings, made.model, average)
    sharded.require_able("train", plain.settings, plain.model, average)
    with pytest.raises(PalsykitError, match="an adapter with"):
        sharded.require_able("train", plain.settings, plain.model, plain.model)
    monkeypatch.setenv("FSDP_VERSION", "1")
    with pytest.raises(PalsykitError, match="has fsdp_version 1, expected 2"):
        sharded.require_able("train", plain.settings, plain.model, average)


def test_what_accelerate_is_configured_for_leaves_the_recipes_settings_alone(monkeypatch):
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    made = processes.accelerator.__wrapped__()
    assert made.gradient_accumulation_steps == 1
