"""The tensors in a checkpoint: the zip archives of ``torch.save``, its files before them, safetensors."""

import math
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import torch
from palsykit.conversion.pickled import Storage, StoredTensor, read_data
from torch import Tensor

from palsykit.files import weights

DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
STATE_DICTS = ("state_dict", "model_state_dict", "model", "net")
"""Where checkpoints keep the weights, beside what else they hold; the first that is there."""

_OLD_MAGIC = 0x1950A86A20F9469CFC6C  # first number of torch.save's files before PyTorch 1.6
Read = Callable[[Storage], bytes]


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The state dict of a checkpoint, tensor by tensor; nothing in the file is executed.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no checkpoint that can be read, damaged, or holds no state dict.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected a checkpoint (.ckpt, .pth, .pt, .safetensors)")
    if path.suffix == ".safetensors":
        return weights.load(path)[0]
    try:
        with path.open("rb") as file:
            read = _from_zip if zipfile.is_zipfile(file) else _from_old
            file.seek(0)
            return read(file)
    except (ValueError, KeyError, struct.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise ValueError(
            f"{path}: {error}; expected a whole checkpoint with a state dict, as torch.save writes it"
        ) from error


def _from_zip(file: IO[bytes]) -> dict[str, Tensor]:
    """PyTorch 1.6 and later: ROOT/data.pkl, and a record ROOT/data/KEY for every storage."""
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        roots = [name.removesuffix("/data.pkl") for name in names if name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise ValueError(f"a zip file with {len(roots)} records data.pkl")
        root = roots[0]
        if f"{root}/byteorder" in names and archive.read(f"{root}/byteorder") != b"little":
            raise ValueError("numbers in big-endian order")
        with archive.open(f"{root}/data.pkl") as pickled:
            data = read_data(pickled)
        return _tensors(data, lambda storage: _record(archive, f"{root}/data/{storage.key}", storage))


def _record(archive: zipfile.ZipFile, name: str, storage: Storage) -> bytes:
    wanted = storage.count * _dtype(storage).itemsize
    if archive.getinfo(name).file_size != wanted:
        raise ValueError(f"record {name} of {archive.getinfo(name).file_size} bytes where {wanted} are named")
    return archive.read(name)


def _from_old(file: IO[bytes]) -> dict[str, Tensor]:
    """Before PyTorch 1.6: pickles (magic number, protocol, system, data, keys), then for each key count and numbers."""
    if read_data(file) != _OLD_MAGIC:
        raise ValueError("no file of torch.save's")
    read_data(file)
    system = read_data(file)
    if isinstance(system, dict) and system.get("little_endian") is False:
        raise ValueError("numbers in big-endian order")
    kinds: dict[str, Storage] = {}
    data, keys = read_data(file, kinds), [str(key) for key in read_data(file)]
    where: dict[str, tuple[int, int]] = {}
    for key in keys:
        count = struct.unpack("<q", file.read(8))[0]
        if key not in kinds or count != kinds[key].count:
            raise ValueError(f"storage {key} of {count} numbers, which no tensor names so")
        length = count * _dtype(kinds[key]).itemsize
        where[key] = (file.tell(), length)
        file.seek(length, 1)

    def read(storage: Storage) -> bytes:
        start, length = where[storage.key]
        file.seek(start)
        found = file.read(length)
        if len(found) != storage.count * _dtype(storage).itemsize:
            raise ValueError(f"storage {storage.key} cut short")
        return found

    return _tensors(data, read)


def _tensors(data: Any, read: Read) -> dict[str, Tensor]:
    return {name: _tensor(stored, read) for name, stored in state_dict(data).items()}


def state_dict(data: Any) -> Mapping[str, StoredTensor]:
    """The tensors by name in a checkpoint's data: the mapping that it keeps under a usual name, or itself.

    Raises:
        ValueError: there is none.
    """
    if not isinstance(data, dict):
        raise ValueError(f"{_kind(data)} where a mapping is expected")
    for found in (*(data[name] for name in STATE_DICTS if name in data), data):
        if tensors := _named(found):
            return tensors
    raise ValueError(f"no tensors by name, neither under {', '.join(STATE_DICTS)} nor at the top; found {_keys(data)}")


def _named(found: Any) -> dict[str, StoredTensor]:
    items = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in items if isinstance(name, str) and isinstance(value, StoredTensor)}


def _keys(data: dict[Any, Any]) -> str:
    return ", ".join(f"{key} ({_kind(value)})" for key, value in list(data.items())[:8]) or "nothing"


def _kind(value: Any) -> str:
    return str(getattr(value, "what", type(value).__name__))


def _dtype(storage: Storage) -> torch.dtype:
    if storage.kind not in DTYPES:
        raise ValueError(f"numbers of kind {storage.kind}, expected one of {', '.join(DTYPES)}")
    return DTYPES[storage.kind]


def _tensor(stored: StoredTensor, read: Read) -> Tensor:
    storage = stored.storage
    if math.prod(stored.size) > storage.count:
        raise ValueError(f"a tensor of size {stored.size} in a storage of {storage.count} numbers")
    reach = stored.offset + sum((n - 1) * step for n, step in zip(stored.size, stored.stride, strict=True)) + 1
    if 0 in stored.size:
        return torch.empty(stored.size, dtype=_dtype(storage))
    if reach > storage.count:
        raise ValueError(f"a tensor that reaches to {reach} in a storage of {storage.count} numbers")
    numbers = torch.frombuffer(bytearray(read(storage)), dtype=_dtype(storage))
    return numbers.as_strided(stored.size, stored.stride, stored.offset).clone(memory_format=torch.contiguous_format)
