"""The faster ways on a CPU give what torch's own give."""

import contextlib
import copy
import gc

import pytest
import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from palsykit.interfaces import NetworkOutput, TrainingData
from palsykit.networks import SharedNetwork
from palsykit.training import kernels, loop
from palsykit.training.kernels import faster, frozen_weights, recomputed
from palsykit.training.precision import has_channels_last, keeping_order, multiplies_bf16
from palsykit_trainers.diffusion import DiffusionTrainer

CPU = torch.device("cpu")
LAST = torch.channels_last


def gradients(function, x, gradient):
    x = x.detach().requires_grad_()
    y = function(x)
    y.backward(gradient)
    return y.detach(), x.grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("order", [torch.contiguous_format, LAST])
def test_prelu_of_a_frozen_network_is_the_same_to_the_bit(dtype, order):
    torch.manual_seed(0)
    layer = nn.PReLU(6)
    layer.weight.data = torch.tensor([0.25, 1.7, -0.4, 0.0, 1.0, -3.0])
    layer.requires_grad_(False)
    layer.to(dtype)
    x = torch.randn(2, 6, 5, 7).to(dtype).contiguous(memory_format=order)
    x[0, :, 0, :3] = torch.tensor([0.0, -0.0, 1e-30]).to(dtype)
    gradient = torch.randn_like(x)
    usual = gradients(layer, x, gradient)
    with faster(CPU):
        found = gradients(layer, x, gradient)
    assert torch.equal(found[0], usual[0])
    assert torch.equal(found[1], usual[1])


def test_prelu_of_vectors_and_with_one_slope():
    for shape, slopes in (((4, 3), 3), ((2, 5, 4, 4), 1)):
        layer = nn.PReLU(slopes, init=0.3).requires_grad_(False)
        x, gradient = torch.randn(shape), torch.randn(shape)
        usual = gradients(layer, x, gradient)
        with faster(CPU):
            found = gradients(layer, x, gradient)
        assert torch.equal(found[1], usual[1])


def test_functions_may_be_called_by_the_names_of_their_inputs():
    x, frozen = torch.randn(1, 3, 4, 4, requires_grad=True), torch.randn(2, 3, 1, 1)
    with torch.autocast("cpu", torch.bfloat16):
        usual = F.conv2d(input=x, weight=frozen), F.prelu(input=x, weight=torch.ones(3))
        with faster(CPU), frozen_weights():
            found = F.conv2d(input=x, weight=frozen), F.prelu(input=x, weight=torch.ones(3))
            assert torch.equal(F.group_norm(input=x, num_groups=3), F.group_norm(x, 3))
    assert all(map(torch.equal, found, usual))


def test_slopes_that_learn_have_their_gradient():
    layer, x = nn.PReLU(3), torch.randn(2, 3, 4, 4, requires_grad=True)
    with faster(CPU):
        layer(x).sum().backward()
    assert layer.weight.grad is not None
    assert torch.allclose(layer.weight.grad, x.detach().clamp_max(0).sum((0, 2, 3)))


def test_group_norm_in_bf16_is_as_near_to_the_exact_gradient_as_torch_is():
    torch.manual_seed(0)
    layer = nn.GroupNorm(4, 16)
    layer.weight.data, layer.bias.data = torch.rand(16) + 0.5, torch.randn(16)
    x = (torch.randn(2, 16, 9, 8) * 3 + 1).bfloat16().contiguous(memory_format=LAST)
    gradient = torch.randn_like(x)

    def all_gradients(layer, x, gradient):
        layer = copy.deepcopy(layer)
        y, of_x = gradients(layer, x, gradient)
        return [y, of_x, layer.weight.grad, layer.bias.grad]

    exact = all_gradients(copy.deepcopy(layer).double(), x.double(), gradient.double())
    usual = all_gradients(layer, x, gradient)
    with faster(CPU):
        found = all_gradients(layer, x, gradient)
    assert torch.equal(found[0], usual[0])
    assert has_channels_last(found[1])
    for name, mine, theirs, truth in zip(["y", "x", "weight", "bias"], found, usual, exact, strict=True):
        assert mine.dtype is theirs.dtype, name
        assert (mine.double() - truth).norm() <= (theirs.double() - truth).norm() * 1.05 + 1e-6, name


def test_group_norm_can_be_differentiated_twice():
    torch.manual_seed(0)
    layer = nn.GroupNorm(2, 4)
    x = torch.randn(2, 4, 3, 3).bfloat16().contiguous(memory_format=LAST)

    def penalty(layer, x):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad((layer(x) ** 3).sum(), x, create_graph=True)
        slope.square().sum().backward()
        return layer.weight.grad, x.grad

    exact = penalty(copy.deepcopy(layer).double(), x.double())
    with faster(CPU):
        found = penalty(layer, x)
    for mine, truth in zip(found, exact, strict=True):
        assert torch.allclose(mine.double(), truth, rtol=0.1, atol=0.03 * truth.abs().max())


@pytest.mark.parametrize("tokens", [20, 200])
def test_attention_in_bf16_is_as_near_to_the_exact_one_as_torch_is(tokens):
    torch.manual_seed(0)
    inputs = [torch.randn(2, 2, count, 8).bfloat16() for count in (tokens, tokens, tokens)]
    gradient = torch.randn(2, 2, tokens, 8).bfloat16()

    def attend(dtype):
        leaves = [value.to(dtype).requires_grad_() for value in inputs]
        y = F.scaled_dot_product_attention(*leaves, dropout_p=0.0)
        y.backward(gradient.to(dtype))
        return [y.detach(), *(leaf.grad for leaf in leaves)]

    exact, usual = attend(torch.float64), attend(torch.bfloat16)
    with faster(CPU):
        found = attend(torch.bfloat16)
    for mine, theirs, truth in zip(found, usual, exact, strict=True):
        assert (mine.double() - truth).norm() <= (theirs.double() - truth).norm() * 1.1
    if tokens == 200:  # too many pairs
        assert all(map(torch.equal, found, usual))


class Casts(TorchDispatchMode):
    """Counts the conversions of weights."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if "to_copy" in str(function) and args[0].numel() == 5 * 3 * 9:
            self.count += 1
        return function(*args, **(kwargs or {}))


def read(layer, x, frozen=frozen_weights):
    x = x.detach().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16), faster(CPU), frozen(), Casts() as casts:
        y = layer(x)
        again = layer(x)
    assert torch.equal(y, again)
    y.sum().backward()
    return y.detach(), x.grad, casts.count


def test_a_frozen_weight_is_cast_once_and_again_when_it_changes():
    torch.manual_seed(0)
    layer, x = nn.Conv2d(3, 5, 3).requires_grad_(False), torch.randn(2, 3, 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        usual = gradients(layer, x, torch.ones(2, 5, 4, 4).bfloat16())
    y, slope, casts = read(layer, x)
    assert casts == 1
    assert torch.equal(y, usual[0])
    assert torch.equal(slope, usual[1])
    assert read(layer, x)[2] == 0
    layer.load_state_dict({name: value * 2 for name, value in layer.state_dict().items()})
    doubled, _, casts = read(layer, x)
    assert casts == 1
    assert torch.equal(doubled, usual[0] * 2)


def test_a_weight_without_gradient_that_may_change_is_cast_in_every_call():
    layer, x = nn.Conv2d(3, 5, 3).requires_grad_(False), torch.randn(2, 3, 6, 6)
    before, _, casts = read(layer, x, contextlib.nullcontext)
    assert casts == 2
    layer.weight.data.mul_(2)  # torch counts no change
    layer.bias.data.mul_(2)
    assert torch.equal(read(layer, x, contextlib.nullcontext)[0], before * 2)


def test_a_frozen_network_says_that_its_weights_stay():
    network = SharedNetwork("judge", Reader())
    picture = torch.randn(1, 3, 6, 6, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16), faster(CPU), Casts() as casts:
        network(picture)
        network(picture)
        assert casts.count <= 2  # autocast's own
        network.freeze()
        casts.count = 0
        for _ in range(3):
            network(picture)
    assert casts.count == 1


class Reader(nn.Module):
    """A network of one convolution."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 5, 3)

    def forward(self, image):
        return NetworkOutput(self.layer(image))


@pytest.mark.parametrize(("keys", "expected"), [({"precision": "bf16"}, True), ({"precision": "fp32"}, False)])
def test_a_training_takes_the_faster_ways_in_bf16(job, keys, expected):
    seen = []

    class Trainer(DiffusionTrainer):
        def losses(self, *inputs):
            seen.append(kernels._active.get())
            return super().losses(*inputs)

    loop.train(job(trainer=Trainer(TrainingData(16, (), ())), steps=1, **keys))
    assert seen == [expected]


def test_a_weight_that_learns_has_its_gradient_under_autocast():
    layer, x = nn.Conv2d(3, 5, 3), torch.randn(2, 3, 6, 6)
    read(layer, x)
    assert layer.weight.grad is not None


def test_without_autocast_nothing_is_cast():
    layer, x = nn.Linear(3, 5).requires_grad_(False), torch.randn(2, 3)
    with faster(CPU), frozen_weights():
        assert layer(x).dtype is torch.float32
        with torch.autocast("cpu", torch.bfloat16):
            assert layer(x).dtype is torch.bfloat16
            with torch.autocast("cpu", enabled=False):
                assert layer(x).dtype is torch.float32


def test_a_cast_is_forgotten_with_its_weight():
    gc.collect()  # what earlier tests left
    before = len(kernels._casts)
    layer = nn.Conv2d(3, 5, 3).requires_grad_(False)
    read(layer, torch.randn(1, 3, 6, 6))
    assert len(kernels._casts) == before + 1
    del layer
    gc.collect()
    assert len(kernels._casts) == before


def test_elsewhere_than_on_a_cpu_functions_are_torchs_own():
    with faster(torch.device("meta")):
        assert not torch.overrides._get_current_function_mode_stack()


class Orders(TorchDispatchMode):
    """Collects in which order convolutions get pictures."""

    def __init__(self):
        super().__init__()
        self.last = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if "convolution" in str(function):
            pictures = args[:2] if "backward" in str(function) else args[:1]
            self.last += [p.is_contiguous(memory_format=LAST) or p.stride(1) == 1 for p in pictures]
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("keep", [True, False])
def test_all_layers_of_a_u_net_keep_the_order_of_the_picture(keep):
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=18,
        block_out_channels=(8, 16, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4,
        cross_attention_dim=6,
        attention_head_dim=2,
    )
    x, t, tokens = torch.randn(2, 4, 18, 18), torch.tensor([3, 700]), torch.randn(2, 3, 6)
    usual = unet(x, t, tokens).sample
    last = x.contiguous(memory_format=LAST)
    with Orders() as orders:
        with keeping_order(last if keep else x):
            found = unet(last, t, tokens).sample
        found.square().sum().backward()
    assert torch.allclose(found, usual, atol=1e-5)
    assert all(orders.last) == keep  # without it, the first shortcut and the attention lose the order
    assert has_channels_last(found) == keep


@pytest.mark.parametrize("fast", [True, False])
def test_activations_that_are_computed_again_are_the_same_to_the_bit(fast):
    torch.manual_seed(0)
    layers = [nn.Conv2d(4, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.PReLU(8).requires_grad_(False), Contiguous()]
    block = nn.Sequential(*layers, nn.Conv2d(8, 4, 1).requires_grad_(False))
    x = torch.randn(2, 4, 9, 9).contiguous(memory_format=LAST)

    def learn(call):
        copied, leaf = copy.deepcopy(block), x.clone(memory_format=torch.preserve_format).requires_grad_()
        ways = faster(CPU) if fast else contextlib.nullcontext()
        with Orders() as orders:
            with torch.autocast("cpu", torch.bfloat16), ways, keeping_order(leaf):
                y = call(copied, leaf)
            y.float().square().sum().backward()  # outside of the contexts, as in a training
        return y, leaf.grad, [p.grad for p in copied.parameters() if p.requires_grad], all(orders.last)

    usual = learn(lambda module, leaf: module(leaf))
    found = learn(recomputed)
    assert torch.equal(found[0], usual[0])
    assert torch.equal(found[1], usual[1])
    assert all(map(torch.equal, found[2], usual[2]))
    assert found[3] or not multiplies_bf16(CPU)  # without it, convolutions in bf16 have no order of their own


class Contiguous(nn.Module):
    """What diffusers' blocks do before a shortcut."""

    def forward(self, x):
        return x.contiguous()
