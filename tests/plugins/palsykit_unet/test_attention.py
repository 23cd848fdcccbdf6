"""Choosing an attention backend."""

import logging

import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0

from palsykit.interfaces import ConditioningSpec
from palsykit.registry import Entry, Registry
from palsykit_unet import attention
from palsykit_unet.denoiser import UNet


class Fake:
    """A backend that remembers being applied."""

    def __init__(self, reason=None, failure=None):
        self.reason, self.failure, self.on = reason, failure, False

    def available(self):
        return self.reason

    def apply(self, module):
        module.backend = self


def entry(name, factory):
    return Entry("attention", name, "plugin", "distribution", "1", factory)


@pytest.fixture
def backends(monkeypatch):
    fakes = {"slow": Fake(), "fast": Fake(), "absent": Fake("there is no GPU"), "fussy": Fake(failure="head size 7")}
    entries = {("attention", name): entry(name, lambda fake=fake: fake) for name, fake in fakes.items()}
    entries["attention", "torn"] = entry("torn", "no_such_module:Backend")
    monkeypatch.setattr(attention, "registry", lambda: Registry(entries))
    times = {fakes["slow"]: 2.0, fakes["fast"]: 1.0}

    def clock(run):
        run()
        return times[run.__self__.backend]

    monkeypatch.setattr(attention, "seconds_per_run", clock)
    return fakes


class Module(torch.nn.Module):
    def run(self):
        if self.backend.failure:
            raise RuntimeError(self.backend.failure)


def test_the_fastest_backend_is_chosen_and_printed_once(backends, caplog, capsys):
    attention._say_once.cache_clear()
    backends["fast"].kernels = lambda: "kernel 7"
    module = Module()
    with caplog.at_level(logging.WARNING, logger="palsykit"):
        assert attention.fastest(module, module.run) == "fast"
        attention.fastest(module, module.run)
    assert module.backend is backends["fast"]
    assert capsys.readouterr().err == ("attention: auto chose fast (kernel 7) of fast 1000.00 ms, slow 2000.00 ms\n")
    assert "'fussy' failed on these shapes: head size 7" in caplog.text
    assert "'torn' of plugin plugin (distribution 1) cannot be loaded" in caplog.text


def test_a_name_forces_or_says_why_not(backends, monkeypatch, capsys):
    attention._say_once.cache_clear()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert attention.named("slow") is backends["slow"]
    assert capsys.readouterr().err == "attention: slow, as the recipe says\n"
    with pytest.raises(ValueError, match="'absent' cannot run here: there is no GPU; use attention: auto"):
        attention.named("absent")


def test_without_cuda_a_forced_gpu_backend_gives_way_with_a_note(backends, monkeypatch, capsys):
    attention._say_once.cache_clear()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert isinstance(attention.named("absent"), attention.Sdpa)
    assert isinstance(attention.named("absent"), attention.Sdpa)
    said = capsys.readouterr().err
    assert said == "attention: absent cannot run here: there is no GPU; using sdpa instead\n"


def test_sdpa_replaces_every_processor():
    unet = UNet(ConditioningSpec(8), 16, channels=(8, 16), attention_at=(8,), head_channels=8).unet
    unet.set_attn_processor(AttnProcessor())
    attention.Sdpa().apply(unet)
    assert unet.attn_processors
    assert all(isinstance(processor, AttnProcessor2_0) for processor in unet.attn_processors.values())


def test_sdpa_is_registered_and_can_be_named():
    assert isinstance(attention.named("sdpa"), attention.Sdpa)
