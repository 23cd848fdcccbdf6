"""What only a GPU shows of a training: the host need not wait, steps repeat, small types and the compiler learn alike.

Skipped without CUDA: ``python -m pytest tests/training/test_gpu.py`` on a machine that has it.
"""

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from palsykit.interfaces import ConditioningSpec
from palsykit.networks import SharedNetwork
from palsykit.run.parts import Parts
from palsykit.run.runner import be_deterministic
from palsykit.training import loop
from palsykit_unet.denoiser import UNet

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
EIGHT_BITS = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")
TINY = Path(__file__).parents[1] / "run" / "tiny.yaml"


@pytest.fixture(autouse=True)
def repeatable():
    be_deterministic()


@pytest.fixture
def unet(model_of):
    """The tiny model with diffusers' U-Net as its denoiser."""

    def make():
        model = model_of(drop=0.2)
        for encoder in model.encoders.values():
            for network in vars(encoder).values():
                if isinstance(network, SharedNetwork):
                    network.module.cuda()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            spec = ConditioningSpec(model.fusion.token_width, getattr(model.fusion, "pooled_width", None))
            model.denoiser = UNet(spec, 16, channels=(32, 32), attention_at=(8,), head_channels=32, attention="sdpa")
        return model

    return make


def losses(lines):
    return [line["loss"] for line in lines if "loss" in line]


def state(module):
    return {name: value.cpu() for name, value in module.state_dict().items()}


def same(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_host_does_not_wait_in_a_step(script, precision):
    module = script("benchmarks/training_step.py")
    parts = Parts(module.at_random(TINY, ["train.log_every=1000", "train.workers=1"]))
    take = module.stepper(parts, parts.settings.trainer, precision, 4)
    take(3)  # caches are full, and the fastest attention is chosen
    torch.cuda.set_sync_debug_mode("error")
    try:
        take(2)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_the_same_steps_give_the_same_weights_and_go_on_from_a_checkpoint(job, unet, monkeypatch):
    whole = state(loop.train(job("whole", model=unet())))
    assert same(whole, state(loop.train(job("again", model=unet()))))
    step = loop.Training.step

    def dies(self, number, batches):
        if number == 3:
            raise KeyboardInterrupt
        return step(self, number, batches)

    monkeypatch.setattr(loop.Training, "step", dies)
    with pytest.raises(KeyboardInterrupt):
        loop.train(job("parts", model=unet()))
    monkeypatch.setattr(loop.Training, "step", step)
    assert same(whole, state(loop.train(job("parts", model=unet()))))


@pytest.mark.parametrize(
    ("changes", "tolerance"),
    [
        ({"precision": "fp16"}, 0.02),
        pytest.param({"optimiser": "adamw8bit"}, 0.05, marks=EIGHT_BITS),
        ({"compile": True}, 1e-3),
    ],
    ids=["fp16", "8-bit moments", "compiled"],
)
def test_it_learns_about_the_same(job, unet, changes, tolerance):
    plain, other = job("plain", model=unet(), log_every=1), job("other", model=unet(), log_every=1, **changes)
    loop.train(plain)
    loop.train(other)
    assert losses(other.lines) == pytest.approx(losses(plain.lines), rel=tolerance)


def test_the_gpu_leaves_out_a_step_that_is_not_finite(job, unet):
    made = job("hurt", model=unet(), log_every=1, skip_not_finite=1, steps=3)
    training = loop.Training(made)
    batches = training.batches(0)
    rows = [[next(batches).to(training.device)] for _ in range(2)]
    training.step(0, rows[0])
    training.log(1)
    before = state(made.model)
    rows[1][0].target.image.fill_(torch.nan)
    training.step(1, rows[1])
    training.log(2)
    assert same(before, state(made.model))
    assert training.finite.skipped == 1


def test_a_batch_that_is_too_large_is_computed_in_parts(job, unet, capsys):
    plain = job("plain", model=unet(), steps=2, log_every=1, batch_size=1024)
    loop.train(plain)
    peak = torch.cuda.max_memory_allocated()
    whole = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.7 * peak / whole)
    try:
        tight = job("tight", model=unet(), steps=2, log_every=1, batch_size=1024)
        loop.train(tight)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "the memory of the GPU is too small" in capsys.readouterr().err
    assert losses(tight.lines) == pytest.approx(losses(plain.lines), rel=1e-3)
