"""Build one part from its block: core gives the positional parameters, the recipe the keys."""

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from palsykit.errors import PalsykitError, of_the_system
from palsykit.files.resources import OutsideFile, locate
from palsykit.hookspecs import INTERFACES
from palsykit.memory import bounded
from palsykit.recipe.annotations import is_special
from palsykit.recipe.problems import INSIDE, TRUST, Complaint, complaints, describe, dotted, nearest, refused
from palsykit.recipe.schema import PartBlock
from palsykit.recipe.signature import Key, Missing, keys_of, model_of
from palsykit.recipe.values import plain
from palsykit.registry import SINGULAR, Entry, one, registry

if TYPE_CHECKING:
    from palsykit.networks import SharedNetwork


def build_part(
    interface: str,
    block: PartBlock,
    *positional: Any,
    networks: "Mapping[str, SharedNetwork] | None" = None,
    within: Path | None = None,
) -> Any:
    """Call the factory of ``block.use``; returns the part.

    Args:
        interface: a name of ``palsykit.hookspecs.INTERFACES``.
        block: the part's name and keys; omitted keys take the factory's defaults.
        positional: parameters from core, as listed in ``palsykit.hookspecs``.
        networks: the shared networks, which keys annotated ``Network`` name.
        within: the folder that files must not leave, of a recipe that a stranger wrote; None: no bound.

    Raises:
        PalsykitError: there is no such part, a key is unknown, a value is wrong, or the factory refuses its parameters.
    """
    return build_entry(registry().get(interface, block.use), block, *positional, networks=networks, within=within)


def build_entry(
    entry: Entry,
    block: PartBlock,
    *positional: Any,
    networks: "Mapping[str, SharedNetwork] | None" = None,
    within: Path | None = None,
) -> Any:
    """``build_part`` for an entry that need not be registered.

    Raises:
        PalsykitError: a key is unknown, a value is wrong, or the factory refuses its parameters.
    """
    from_core = dict(zip(INTERFACES[entry.interface].positional, positional, strict=False))
    values = _values(entry, block, Building(networks or {}, from_core, within))
    factory = entry.load()
    try:
        with bounded():
            return factory(*positional, **values)
    except PalsykitError as error:
        raise PalsykitError(f"{entry} cannot be built: {error.message}", error.problems) from error
    except Exception as error:  # a plugin's code, with values of a recipe: it may raise anything
        if isinstance(error, OSError) and of_the_system(error):
            raise
        keys = ", ".join(f"{key}={describe(value)}" for key, value in block.parameters.items())
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        raise PalsykitError(
            f"{entry} cannot be built with ({keys}): {error} [{type(error).__name__} at {place}]"
        ) from error


def _values(entry: Entry, block: PartBlock, reading: "Building") -> dict[str, Any]:
    """The factory's keyword arguments. Omitted keys are left out, except defaults that are a file, network or part."""
    keys = keys_of(entry)
    defaults = {
        name: plain(key.default)
        for name, key in keys.items()
        if key.default is not Missing and is_special(key.annotation)
    }
    try:
        return model_of(PartBlock, entry).validate_python(defaults | block.parameters, context=reading)
    except ValidationError as error:
        problems = [_line(complaint, keys) for complaint in complaints(error)]
        raise PalsykitError(f"{entry} cannot be built:", problems) from None


def _line(complaint: Complaint, keys: Mapping[str, Key]) -> str:
    name = dotted(complaint.path)
    if complaint.kind == "extra_forbidden":
        line = f"{name}: unknown key, expected one of {', '.join(keys) or 'none'}; {nearest(name, keys)}"
        return line.rstrip("; ")
    if complaint.kind == "missing" and name in keys:
        return f"{name}: missing, and it has no default"
    hint = f"; {complaint.hint}" if complaint.hint else ""
    return f"{name}: found {complaint.found}, expected {complaint.expected}{hint}"


class Building:
    """Context of validation that turns special values into objects: an existing path, a network, a built part."""

    def __init__(self, networks: "Mapping[str, SharedNetwork]", from_core: dict[str, Any], within: Path | None = None):
        self.networks, self.from_core, self.within = networks, from_core, within

    def file(self, text: str) -> Path:
        try:
            return locate(text, Path.cwd(), self.within)
        except OutsideFile as error:
            raise refused(f'"{text}"', INSIDE, TRUST.format(self.within)) from error
        except FileNotFoundError as error:
            raise ValueError(f"an existing file ({error})") from error

    def network(self, written: Any) -> "SharedNetwork":
        if not isinstance(written, str) or written not in self.networks:
            raise ValueError(f"the name of one of the networks: {', '.join(self.networks) or 'there are none'}")
        return self.networks[written]

    def part(self, interface: str, written: Any, kind: type[PartBlock]) -> Any:
        block = block_of(written)
        if block is None:
            raise ValueError(f"{one(interface)}: {{use: ...}}")
        positional = INTERFACES[interface].positional
        if lacking := [name for name in positional if name not in self.from_core]:
            raise ValueError(f"no {SINGULAR[interface]} here: building it needs {' and '.join(lacking)}")
        given = [self.from_core[name] for name in positional]
        return build_part(interface, block, *given, networks=self.networks, within=self.within)


def block_of(written: Any) -> PartBlock | None:
    """Turn ``name`` or ``{use: name, key: value}`` into a block; None if it is neither."""
    if isinstance(written, str):
        return PartBlock(use=str(written))
    if isinstance(written, dict) and isinstance(written.get("use"), str):
        keys = {key: value for key, value in written.items() if key != "use"}
        return PartBlock(use=str(written["use"]), parameters=keys)
    return None
