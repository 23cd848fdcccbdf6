"""The xformers backend where there is no GPU, no package, or a broken build."""

import logging
import os
import subprocess
import sys
from types import ModuleType

import pytest
import torch
from diffusers.models.attention_processor import Attention, XFormersAttnProcessor

from palsykit.registry import registry
from palsykit_xformers import backend
from palsykit_xformers.backend import Xformers


def test_is_registered_and_builds_anywhere():
    assert isinstance(registry().get("attention", "xformers").load()(), Xformers)


def test_says_what_to_install(monkeypatch):
    monkeypatch.setattr(backend, "find_spec", lambda name: None)
    assert 'pip install "palsykit[xformers]"' in Xformers().available()


def test_says_that_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr(backend, "find_spec", lambda name: object())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "needs a CUDA device" in Xformers().available()


def test_a_broken_build_is_a_reason_in_one_line(monkeypatch):
    broken = ModuleType("xformers.ops")

    def memory_efficient_attention(*args):
        raise NotImplementedError("no operator found\nfor these inputs")

    broken.memory_efficient_attention = memory_efficient_attention
    monkeypatch.setattr(backend, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "xformers.ops", broken)
    monkeypatch.setitem(sys.modules, "xformers", ModuleType("xformers"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "zeros", lambda *size, **keys: None)
    assert Xformers().available() == "xformers does not run here: NotImplementedError: no operator found"


FORGED = """import logging
logging.getLogger("xformers").warning("WARNING[XFORMERS]: xFormers can't load C++/CUDA extensions. It was built for:")
"""


@pytest.mark.parametrize(
    "code",
    [
        "import palsykit.synthesis.front, palsykit.registry as r; r.registry().get('denoisers', 'unet').load()",
        "import palsykit.testing; from palsykit.registry import registry; registry().get('attention', 'sdpa').load()",
    ],
    ids=["a model's parts", "the contract kit"],
)
def test_a_build_for_another_torch_prints_no_banner(tmp_path, code):
    (tmp_path / "xformers").mkdir()
    (tmp_path / "xformers" / "__init__.py").write_text(FORGED)
    (tmp_path / "xformers" / "ops.py").touch()
    (tmp_path / "xformers-0.0.99.dist-info").mkdir()
    (tmp_path / "xformers-0.0.99.dist-info" / "METADATA").write_text("Name: xformers\nVersion: 0.0.99\n")
    code += "; import sys, logging; assert 'xformers' in sys.modules; logging.getLogger('xformers').warning('another')"
    search = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=search)
    assert (done.returncode, done.stderr) == (0, "another\n")


@pytest.mark.skipif(backend.find_spec("xformers") is None, reason="xformers is not installed")
def test_its_import_prints_nothing_and_says_its_kernels():
    code = (
        "from palsykit.registry import registry\n"
        "registry()\n"
        "import diffusers.models.attention_processor, logging\n"
        "logging.getLogger('xformers').warning('another warning')\n"
        "from palsykit_xformers.backend import Xformers\n"
        "print(Xformers().kernels())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "another warning\n"
    assert done.stdout.startswith("xformers 0.")
    assert "in half precision" in done.stdout


def test_requested_details_are_passed_on():
    banner = "WARNING[XFORMERS]: xFormers can't load C++/CUDA extensions. xFormers was built for:"
    (ours,) = (f for f in logging.getLogger("xformers").filters if f.__module__ == "palsykit_xformers")
    asked = logging.LogRecord("xformers", logging.WARNING, "", 0, banner, None, (OSError, OSError(), None))
    assert ours(asked)
    assert not ours(logging.LogRecord("xformers", logging.WARNING, "", 0, banner, None, None))


def test_applies_to_every_attention_layer():
    module = torch.nn.ModuleDict({"a": Attention(8, heads=1, dim_head=8), "b": Attention(8, heads=1, dim_head=8)})
    Xformers().apply(module)
    assert all(isinstance(layer.processor, XFormersAttnProcessor) for layer in module.values())


@pytest.mark.skipif(Xformers().available() is not None, reason=f"xformers: {Xformers().available()}")
def test_agrees_with_sdpa():
    torch.manual_seed(0)
    layer = Attention(64, heads=2, dim_head=32).cuda()
    x = torch.randn(2, 49, 64, device="cuda")
    expected = layer(x)
    Xformers().apply(layer)
    torch.testing.assert_close(layer(x), expected, atol=2e-3, rtol=2e-3)
