"""The tensors in a checkpoint: files of ``torch.save``, of any PyTorch, and safetensors."""

import pickletools
import zipfile
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from palsykit.files import weights
from palsykit.memory import size

STATE_DICTS = ("state_dict", "model_state_dict", "model", "net")
"""Where checkpoints keep the weights, beside what else they hold; the first that is there."""

MOST_INSTRUCTIONS = 3_000_000
"""Of the pickle of a checkpoint, about thirty a tensor: two seconds of reading."""

MOST_TIMES, AT_LEAST = 10, 2**24
"""A checkpoint's tensors may take this many times the bytes of its file, or this many bytes."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The state dict of a checkpoint, on the CPU. Nothing in the file is executed.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a checkpoint that can be read, is damaged, or holds no state dict.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected a checkpoint (.ckpt, .pth, .pt, .safetensors)")
    if path.suffix == ".safetensors":
        return weights.load(path)[0]
    try:
        with torch.serialization.safe_globals(_stand_ins(path)):
            data = torch.load(path, map_location="cpu", weights_only=True)
        _refuse_more_than_it_holds(path, sum(value.numel() * value.element_size() for _, value in _state(data)))
        return {name: value.detach().clone(memory_format=torch.contiguous_format) for name, value in _state(data)}
    except Exception as error:  # a damaged file may raise anything
        raise ValueError(
            f"{path}: {_reason(error)}; expected a whole checkpoint with a state dict, as torch.save writes it"
        ) from error


def _stand_ins(path: Path) -> list[Callable[..., Any] | tuple[Callable[..., Any], str]]:
    """Harmless classes for every name in the file's pickle, so that PyTorch's safe reader reads past them.

    A checkpoint may name any class beside the weights (``argparse.Namespace``, Lightning's ``AttributeDict``), or any
    function. PyTorch's own names come first; every other name gets a stand-in, and none of them is imported. Not read
    are files that name the modules os and sys, that were written with pickle protocol 4 or 5, or that hold objects
    whose state is a tuple (``functools.partial``, ``__slots__``) or that are lists of a class of their own, and whole
    modules in files before PyTorch 1.6.
    """
    names = set()
    for number, (code, argument, _) in enumerate(_instructions(path)):
        if number == MOST_INSTRUCTIONS:
            raise ValueError(f"its pickle has more than {number} instructions")
        if code.name == "GLOBAL":
            names.add(str(argument))
    stand_ins: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = []
    for module, name in (tuple(text.split(" ", 1)) for text in sorted(names)):
        # PyTorch writes a pickle protocol of Python 2, and so Python 2's names of modules and functions
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        make = _opaque if module.startswith("numpy") else _mapping
        stand_ins.append((make(), f"{module}.{name}"))
    return stand_ins


def _refuse_more_than_it_holds(path: Path, claimed: int) -> None:
    """Refuse tensors that repeat one number, and records that are packed, until they fill the memory.

    Raises:
        ValueError: the file claims far more bytes than it has.
    """
    held = path.stat().st_size
    if claimed > max(MOST_TIMES * held, AT_LEAST):
        raise ValueError(f"claims {size(claimed)}, and the file has {size(held)}")


def _instructions(path: Path) -> Iterator[tuple[pickletools.OpcodeInfo, Any, int | None]]:
    """The pickle that describes the data: data.pkl of a zip file; the first four pickles in files before PyTorch 1.6.

    Raises:
        ValueError: it is neither, or the zip file claims far more than it holds.
    """
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:  # magic number, protocol, system, data
            for _ in range(4):
                yield from pickletools.genops(file)
        return
    with zipfile.ZipFile(path) as archive:
        records = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(records) != 1:
            raise ValueError(f"a zip file with {len(records)} records data.pkl")
        _refuse_more_than_it_holds(path, sum(record.file_size for record in archive.infolist()))
        yield from pickletools.genops(archive.read(records[0]))


def _mapping() -> type:
    """A class whose objects are plain mappings: these take items, as well as attributes."""
    return type("StandIn", (), {"__new__": lambda cls, *args, **kwargs: OrderedDict()})


def _opaque() -> type:
    """A class whose objects take any state and forget it, as numpy's numbers need, whose state is a tuple."""
    return type("StandIn", (), {"__init__": lambda self, *args: None, "__setstate__": lambda self, state: None})


def _state(data: Any) -> list[tuple[str, Tensor]]:
    """The tensors by name in a checkpoint's data: of the mapping that it keeps under a usual name, or of itself.

    Raises:
        ValueError: there is none.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"{type(data).__name__} where a mapping is expected")
    for found in (*(data[name] for name in STATE_DICTS if name in data), data):
        items = found.items() if isinstance(found, Mapping) else ()
        if tensors := [(name, value) for name, value in items if isinstance(name, str) and isinstance(value, Tensor)]:
            return tensors
    keys = ", ".join(f"{key} ({type(value).__name__})" for key, value in list(data.items())[:8]) or "nothing"
    raise ValueError(f"no tensors by name, neither under {', '.join(STATE_DICTS)} nor at the top; found {keys}")


def _reason(error: Exception) -> str:
    """What PyTorch found, without its advice to load the file unsafely."""
    found = str(error).partition("\n\nCheck the documentation")[0].rpartition("WeightsUnpickler error:")[2]
    line = found.strip().rpartition("\n\n")[2].strip().partition("\n")[0].partition(" Please use")[0]
    return line.rstrip(".") or type(error).__name__
