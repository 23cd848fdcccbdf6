"""Another path for narrow strided 1 x 1 convolutions, whose usual one corrupts memory on some CPUs.

oneDNN 3.13.3 (torch 2.15), limited to AVX2 and run by one thread, writes past its buffers in the backward pass of a
1 x 1 convolution that has a stride, fewer than 8 input channels and pictures in channels_last order (pictures decoded
from files are in it). The process dies later, wherever memory is next used. torchrun gives each process one thread.
"""

from typing import Any

from torch import Tensor, nn

SAFE_CHANNELS = 8
"""Input channels from which on the usual path was never seen to fail; docs/lab-notes.md has the scan."""


def subsample_first(module: nn.Module) -> None:
    """Make every such convolution drop the pixels that its stride skips first, then convolve without a stride.

    The result is the same sum; keys and shapes of the state dict stay. A second call changes nothing.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d) and _is_at_risk(layer):
            layer.register_forward_pre_hook(_Subsample(*_pair(layer.stride)))
            layer.stride = (1, 1)


def _is_at_risk(layer: nn.Conv2d) -> bool:
    pointwise = _pair(layer.kernel_size) == (1, 1) and _pair(layer.padding) == (0, 0) and layer.groups == 1
    return pointwise and max(_pair(layer.stride)) > 1 and layer.in_channels < SAFE_CHANNELS


def _pair(value: Any) -> tuple[Any, Any]:
    return value if isinstance(value, tuple) else (value, value)


class _Subsample:
    """A forward pre-hook: [B, C, H, W] -> [B, C, ceil(H / rows), ceil(W / columns)]."""

    def __init__(self, rows: int, columns: int):
        self.rows, self.columns = rows, columns

    def __call__(self, layer: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        return (inputs[0][:, :, :: self.rows, :: self.columns],)
