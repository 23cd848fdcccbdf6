"""Builds one part from its block: positional parameters from core, keys from the recipe."""

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from palsykit.errors import PalsykitError
from palsykit.files.resources import locate
from palsykit.hookspecs import INTERFACES
from palsykit.recipe.annotations import complaints, is_special, plain, read
from palsykit.recipe.problems import describe, nearest
from palsykit.recipe.schema import PartBlock
from palsykit.recipe.signature import Key, Missing, keys_of
from palsykit.registry import SINGULAR, Entry, one, registry

if TYPE_CHECKING:
    from palsykit.networks import SharedNetwork


def build_part(
    interface: str,
    block: PartBlock,
    *positional: Any,
    networks: "Mapping[str, SharedNetwork] | None" = None,
) -> Any:
    """What the factory of ``block.use`` makes.

    Args:
        interface: a name of ``palsykit.hookspecs.INTERFACES``.
        block: the part's name and keys; omitted keys take the factory's defaults.
        positional: what core gives, as ``palsykit.hookspecs`` says.
        networks: the shared networks that keys annotated ``Network`` name.

    Raises:
        PalsykitError: no such part, an unknown key or a wrong value, or the factory refuses its parameters.
    """
    return build_entry(registry().get(interface, block.use), block, *positional, networks=networks)


def build_entry(
    entry: Entry, block: PartBlock, *positional: Any, networks: "Mapping[str, SharedNetwork] | None" = None
) -> Any:
    """``build_part`` of an entry that need not be registered.

    Raises:
        PalsykitError: an unknown key or a wrong value, or the factory refuses its parameters.
    """
    given = dict(zip(INTERFACES[entry.interface].positional, positional, strict=False))
    values = _values(entry, block, Building(networks or {}, given))
    factory = entry.load()
    try:
        return factory(*positional, **values)
    except PalsykitError as error:
        raise PalsykitError(f"{entry} cannot be built: {error.message}", error.problems) from error
    except (ValueError, TypeError, ImportError, FileNotFoundError) as error:
        keys = ", ".join(f"{key}={describe(value)}" for key, value in block.parameters.items())
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        raise PalsykitError(
            f"{entry} cannot be built with ({keys}): {error} [{type(error).__name__} at {place}]"
        ) from error


def _values(entry: Entry, block: PartBlock, reading: "Building") -> dict[str, Any]:
    keys = keys_of(entry)
    problems = [
        f"{name}: unknown key, expected one of {', '.join(keys) or 'none'}; {nearest(name, keys)}".rstrip("; ")
        for name in block.parameters
        if name not in keys
    ]
    values: dict[str, Any] = {}
    for name, key in keys.items():
        written = block.parameters.get(name, key.default)
        if written is Missing:
            problems.append(f"{name}: missing, it has no default")
            continue
        if name not in block.parameters and not is_special(key.annotation):
            continue  # the factory knows its own default
        try:
            values[name] = read(key.check, plain(written) if name not in block.parameters else written, reading)
        except ValidationError as error:
            problems += _lines(key, written, error)
    if problems:
        raise PalsykitError(f"{entry} cannot be built:", problems)
    return values


def _lines(key: Key, written: Any, error: ValidationError) -> list[str]:
    return [
        f"{'.'.join(map(str, (key.name, *path)))}: found {describe(found)}, expected {expected}"
        for path, found, expected in complaints(error, written)
    ]


class Building:
    """Special kinds as their objects: an existing path, a shared network, a built part.

    A path that was ``checked`` before is not refused again where it is missing.
    """

    def __init__(self, networks: "Mapping[str, SharedNetwork]", given: dict[str, Any], checked: bool = False):
        self.networks, self.given, self.checked = networks, given, checked

    def file(self, text: str) -> Path:
        try:
            return locate(text, Path.cwd())
        except FileNotFoundError as error:
            if self.checked:
                return Path(text)
            raise ValueError(f"an existing file ({error})") from error

    def network(self, written: Any) -> "SharedNetwork":
        if not isinstance(written, str) or written not in self.networks:
            raise ValueError(f"the name of one of the networks: {', '.join(self.networks) or 'there are none'}")
        return self.networks[written]

    def part(self, interface: str, written: Any) -> Any:
        block = block_of(written)
        if block is None:
            raise ValueError(f"{one(interface)}: {{use: ...}}")
        lacking = [name for name in INTERFACES[interface].positional if name not in self.given]
        if lacking:
            raise ValueError(f"no {SINGULAR[interface]} here: there is no {' and no '.join(lacking)} to build it with")
        positional = [self.given[name] for name in INTERFACES[interface].positional]
        return build_part(interface, block, *positional, networks=self.networks)


def block_of(written: Any) -> PartBlock | None:
    """``name`` or ``{use: name, key: value}`` as a block; None where it is neither."""
    if isinstance(written, str):
        return PartBlock(use=str(written))
    if isinstance(written, dict) and isinstance(written.get("use"), str):
        keys = {key: value for key, value in written.items() if key != "use"}
        return PartBlock(use=str(written["use"]), parameters=keys)
    return None
