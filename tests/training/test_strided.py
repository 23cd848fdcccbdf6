"""Narrow strided 1 x 1 convolutions take another path, and give the same."""

import copy
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from palsykit.networks import SharedNetwork
from palsykit.training.strided import subsample_first

CRASH = """
import torch
from torch import nn
from palsykit.training.strided import subsample_first

torch.set_num_threads(1)
torch.manual_seed(0)
for channels in (1, 4, 7):
    layer = nn.Conv2d(channels, 16, 1, 2, bias=False)
    subsample_first(layer)
    for _ in range(60):
        x = torch.randn(4, channels, 32, 32).to(memory_format=torch.channels_last).requires_grad_()
        layer(x).square().sum().backward()
        others = [torch.randn(size + 1) for size in range(50)]
print("whole")
"""


@pytest.mark.parametrize("stride", [2, (3, 1)])
@pytest.mark.parametrize("bias", [True, False])
def test_the_other_path_gives_the_same_output_and_gradients(stride: int | tuple[int, int], bias: bool) -> None:
    torch.manual_seed(0)
    usual = nn.Sequential(nn.Conv2d(3, 5, 1, stride, bias=bias))
    other = copy.deepcopy(usual)
    subsample_first(other)
    x = torch.randn(2, 3, 9, 8)
    pictures = [x.clone().requires_grad_() for _ in range(2)]
    outputs = [net(picture) for net, picture in zip((usual, other), pictures, strict=True)]
    torch.testing.assert_close(outputs[0], outputs[1])
    for output in outputs:
        output.square().sum().backward()
    torch.testing.assert_close(pictures[0].grad, pictures[1].grad)
    torch.testing.assert_close(usual[0].weight.grad, other[0].weight.grad)


def test_weights_keep_their_keys_and_a_second_call_changes_nothing() -> None:
    net = nn.Sequential(nn.Conv2d(4, 8, 1, 2))
    before = list(net.state_dict())
    subsample_first(net)
    subsample_first(net)
    assert list(net.state_dict()) == before
    assert net(torch.zeros(1, 4, 8, 8)).shape == (1, 8, 4, 4)
    assert copy.deepcopy(net)(torch.zeros(1, 4, 8, 8)).shape == (1, 8, 4, 4)


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(8, 4, 1, 2), nn.Conv2d(4, 4, 3, 2, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1, 2, groups=4)]
)
def test_other_convolutions_stay_as_they_are(layer: nn.Conv2d) -> None:
    stride = layer.stride
    subsample_first(layer)
    assert layer.stride == stride
    assert not layer._forward_pre_hooks


def test_shared_networks_take_the_other_path() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 1, 2))
    SharedNetwork("net", net)
    assert net[0].stride == (1, 1)


def test_one_thread_on_a_cpu_with_avx2_only_leaves_memory_whole() -> None:
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run([sys.executable, "-c", CRASH], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "whole"), done.stderr[-500:]
