"""Reads the data in a pickle and runs nothing of it: an interpreter of its instructions that imports and calls no name.

A pickle is a program that names classes and functions and calls them. Here a name stays a name. Of calls, only those
that describe a tensor, an OrderedDict or a size are answered, by our own code, with plain data; every other call gives
an ``Inert`` stand-in, which remembers what was named and takes whatever the program then does to it.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any


@dataclass(frozen=True)
class Name:
    """What the pickle calls ``module.name``; never imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class Inert:
    """In the place of an object of a class that is not ours to make."""

    what: str


@dataclass(frozen=True)
class Storage:
    """A block of numbers in the file: its key, torch's name of its kind ("FloatStorage"), and how many numbers."""

    key: str
    kind: str
    count: int


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor's numbers are: offset, size and stride in elements of its storage."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class _Mark:
    """Where a group of items begins on the stack."""


MARK = _Mark()
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
# fmt: off
_LITERALS = frozenset([
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "UNICODE", "BINUNICODE",
    "SHORT_BINUNICODE", "BINUNICODE8",
])
# fmt: on
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def read_data(file: IO[bytes], storages: dict[str, Storage] | None = None) -> Any:
    """One pickle's data from ``file``, which is left behind the pickle's end.

    Args:
        file: open at the pickle's beginning.
        storages: filled with every storage that the pickle names, those inside of stand-ins included.

    Returns:
        Plain containers, numbers and text; ``StoredTensor`` for tensors, ``Inert`` and ``Name`` for what is neither.

    Raises:
        ValueError: it is no pickle, cut short, or has instructions that data does not need.
    """
    machine = _Machine({} if storages is None else storages)
    try:
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name == "STOP":
                return machine.stack.pop()
            machine.step(opcode.name, argument)
    except (IndexError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"damaged pickle ({type(error).__name__}: {error})") from error
    raise ValueError("damaged pickle (no end)")


class _Machine:
    """Stack and memo of a pickle being read."""

    def __init__(self, storages: dict[str, Storage]) -> None:
        self.storages = storages
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """One instruction."""
        if name in _LITERALS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _TUPLES:
            self.stack.append(tuple(self._take(_TUPLES[name])))
        elif name in ("BINPUT", "PUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name in ("BINGET", "GET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        elif name not in ("PROTO", "FRAME"):
            raise ValueError(f"the pickle instruction {name}, which data does not need")

    def _take(self, count: int) -> list[Any]:
        if count == 0:
            return []
        if len(self.stack) < count:
            raise IndexError("the stack is empty")
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def _group(self) -> list[Any]:
        """The items above the last mark, which go with it."""
        start = max((i for i, item in enumerate(self.stack) if item is MARK), default=None)
        if start is None:
            raise IndexError("no mark on the stack")
        items = self.stack[start + 1 :]
        del self.stack[start:]
        return items

    def append(self, items: list[Any]) -> None:
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(items)

    def assign(self, items: list[Any]) -> None:
        if isinstance(self.stack[-1], dict):
            self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def add(self, items: list[Any]) -> None:
        if isinstance(self.stack[-1], set):
            self.stack[-1].update(items)

    def reduce(self) -> None:
        function, arguments = self._take(2)
        self.stack.append(_answer(function, arguments))

    def make(self, count: int) -> None:
        """An object of a class, from the class and ``count`` more items."""
        self.stack.append(_stand_in(self._take(count + 1)[0]))

    def make_from_group(self, argument: Any) -> None:
        items = self._group()
        self.stack.append(_stand_in(_name(argument) if argument is not None else items[0]))

    def persistent(self, reference: Any) -> None:
        storage = _storage(reference)
        if isinstance(storage, Storage):
            self.storages[storage.key] = storage
        self.stack.append(storage)


def _name(text: str) -> Name:
    module, name = text.split(" ", 1)
    return Name(module, name)


def _stacked_name(machine: _Machine) -> None:
    module, name = machine._take(2)
    machine.stack.append(Name(str(module), str(name)))


_ACTIONS: dict[str, Callable[[_Machine, Any], object]] = {
    "MARK": lambda m, _: m.stack.append(MARK),
    "POP": lambda m, _: m.stack.pop(),
    "POP_MARK": lambda m, _: m._group(),
    "DUP": lambda m, _: m.stack.append(m.stack[-1]),
    "MEMOIZE": lambda m, _: m.memo.__setitem__(len(m.memo), m.stack[-1]),
    "EMPTY_LIST": lambda m, _: m.stack.append([]),
    "EMPTY_DICT": lambda m, _: m.stack.append({}),
    "EMPTY_SET": lambda m, _: m.stack.append(set()),
    "LIST": lambda m, _: m.stack.append(m._group()),
    "TUPLE": lambda m, _: m.stack.append(tuple(m._group())),
    "FROZENSET": lambda m, _: m.stack.append(frozenset(m._group())),
    "DICT": lambda m, _: m.stack.append(_mapping(m._group())),
    "APPEND": lambda m, _: m.append(m._take(1)),
    "APPENDS": lambda m, _: m.append(m._group()),
    "SETITEM": lambda m, _: m.assign(m._take(2)),
    "SETITEMS": lambda m, _: m.assign(m._group()),
    "ADDITEMS": lambda m, _: m.add(m._group()),
    "GLOBAL": lambda m, argument: m.stack.append(_name(argument)),
    "STACK_GLOBAL": lambda m, _: _stacked_name(m),
    "REDUCE": lambda m, _: m.reduce(),
    "NEWOBJ": lambda m, _: m.make(1),
    "NEWOBJ_EX": lambda m, _: m.make(2),
    "INST": lambda m, argument: m.make_from_group(argument),
    "OBJ": lambda m, _: m.make_from_group(None),
    "BUILD": lambda m, _: m.stack.pop(),  # an object's state: no object of ours has one
    "PERSID": lambda m, argument: m.persistent(argument),
    "BINPERSID": lambda m, _: m.persistent(m.stack.pop()),
}


def _mapping(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


def _stand_in(what: Any) -> Inert:
    if isinstance(what, Inert):
        return what
    return Inert(str(what) if isinstance(what, Name) else type(what).__name__)


def _storage(reference: Any) -> Storage | Inert:
    """The storage that torch's reference names: ("storage", kind, key, device, count), older files with one more."""
    if not isinstance(reference, tuple) or not reference or reference[0] != "storage":
        kept = reference[1] if isinstance(reference, tuple) and reference[1:] else None  # ("module", class, its source)
        return _stand_in(kept) if isinstance(kept, Name) else Inert("object kept by reference")
    _, kind, key, _, count, *view = reference
    if not isinstance(kind, Name) or not isinstance(count, int) or any(item is not None for item in view):
        raise ValueError(f"a storage of a form that is not read: {reference!r}")
    return Storage(str(key), kind.name, count)


def _answer(function: Any, arguments: Any) -> Any:
    """What a call gives: our own data for the few that we know, else a stand-in."""
    known = _KNOWN.get((function.module, function.name)) if isinstance(function, Name) else None
    return _stand_in(function) if known is None else known(*arguments)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> StoredTensor:
    numbers = (offset, *size, *stride)
    if not isinstance(storage, Storage) or not all(isinstance(n, int) and n >= 0 for n in numbers):
        raise ValueError("a tensor that names no storage, or has a negative size")
    if len(size) != len(stride):
        raise ValueError(f"a tensor of size {size} and stride {stride}")
    return StoredTensor(storage, offset, tuple(size), tuple(stride))


def _ordered(*pairs: Any) -> dict[Any, Any]:
    return dict(*pairs) if all(isinstance(item, list | tuple) for item in pairs) else {}


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
    ("torch._utils", "_rebuild_parameter_with_state"): lambda data, *_: data,
    ("torch._tensor", "_rebuild_from_type_v2"): lambda function, kind, arguments, *_: _answer(function, arguments),
    ("collections", "OrderedDict"): _ordered,
    ("torch", "Size"): lambda *sizes: tuple(*sizes),
}
