"""Run a converted TensorFlow Lite model in torch: a list of operations over numbered values.

``tools/convert_mediapipe.py`` writes the list. The models need nine operations, so a list that is run as it is
is shorter than four hand-written networks, and it cannot differ from the originals by a typing error.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from palsykit.files.hashes import sha256
from palsykit.files.weights import load

WEIGHTS = Path(__file__).with_name("mediapipe.safetensors")

Operation = Mapping[str, Any]
"""``do``: the operation; ``of``: numbers of the values it reads; ``to``: number of its result; its own settings."""


class Graph:
    """One model: picture [B, 3, H, W] -> its outputs, each [B, ...] in TensorFlow's order (channels last).

    Args:
        side: side in px of the pictures that it reads.
        operations: in the order in which they run; value 0 is the picture.
        outputs: numbers of the values that are results.
        weights: an operation numbers the ones that it uses.
    """

    def __init__(self, side: int, operations: Sequence[Operation], outputs: Sequence[int], weights: Sequence[Tensor]):
        self.side, self.operations, self.outputs, self.weights = side, operations, outputs, weights
        # a value is dropped after its last use, so that the memory of a pass stays small
        last = {number: step for step, o in enumerate(operations) for number in o["of"] if number not in outputs}
        self.drops = [[n for n, s in last.items() if s == step] for step in range(len(operations))]

    def __call__(self, picture: Tensor) -> list[Tensor]:
        """picture [B, 3, H, W] in the model's own range of values -> outputs."""
        values = {0: picture}
        for operation, drops in zip(self.operations, self.drops, strict=True):
            values[operation["to"]] = _DO[operation["do"]](self, operation, *[values[n] for n in operation["of"]])
            for number in drops:
                del values[number]
        return [values[number] for number in self.outputs]


def _convolve(graph: Graph, o: Operation, x: Tensor) -> Tensor:
    """Convolution with TensorFlow's padding [left, right, top, bottom], which may differ between two sides."""
    weight, bias = graph.weights[o["weight"]], graph.weights[o["bias"]]
    left, right, top, bottom = o["pad"]
    if (left, top) == (right, bottom):
        return F.conv2d(x, weight, bias, o["stride"], (top, left), groups=o["groups"])
    return F.conv2d(F.pad(x, o["pad"]), weight, bias, o["stride"], groups=o["groups"])


def _rows(graph: Graph, o: Operation, x: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, N, width], row by row of the map and with the channels of a place beside each other."""
    return x.permute(0, 2, 3, 1).reshape(len(x), -1, o["width"])


_DO: dict[str, Callable[..., Tensor]] = {
    "convolve": _convolve,
    "relu": lambda graph, o, x: x.relu_(),  # nothing else reads what a ReLU reads
    "prelu": lambda graph, o, x: F.prelu(x, graph.weights[o["slope"]]),
    "add": lambda graph, o, x, y: x + y,
    "more_channels": lambda graph, o, x: F.pad(x, (0, 0, 0, 0, 0, o["count"])),
    "max_pool": lambda graph, o, x: F.max_pool2d(x, 2),
    "enlarge": lambda graph, o, x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False),
    "rows": _rows,
    "join_rows": lambda graph, o, *parts: torch.cat(parts, 1),
}


def load_models(file: Path = WEIGHTS) -> dict[str, Graph]:
    """The models of a file by name: ``short_range``, ``full_range``, ``mesh`` and ``iris``, in fp32.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no whole safetensors file.
    """
    tensors, metadata = load(file)
    models = {}
    for name, graph in json.loads(metadata["models"]).items():
        count = sum(key.startswith(f"{name}.") for key in tensors)
        weights = [tensors[f"{name}.w{number}"] for number in range(count)]
        models[name] = Graph(graph["side"], graph["operations"], graph["outputs"], weights)
    return models


@cache
def shipped_models() -> dict[str, Graph]:
    """The models of the shipped file; every detector of a process shares them."""
    return load_models()


@cache
def version() -> str:
    """Names the shipped weights by their hash."""
    return f"mediapipe-{sha256(WEIGHTS)[:24]}"
