"""Checks for the contract of every interface. A plugin's author calls them in one line:

    from palsykit.testing import check
    check("fusion", AcmeFusion, width=24)

This builds the part as a recipe would, with stand-ins for the other parts that it needs. It raises AssertionError with
all failed checks: what was expected, what was seen, how to fix it. ``palsykit plugins check NAME`` prints the same for
installed parts. The checks use the given keys, ``image_size`` px, the CPU and, if there is one, a GPU.
"""

from collections.abc import Callable
from typing import Any

from palsykit.errors import PalsykitError
from palsykit.hookspecs import COMMANDS, INTERFACES
from palsykit.recipe.problems import nearest
from palsykit.recipe.signature import keys_of
from palsykit.registry import GROUPS, SINGULAR, Entry, registry
from palsykit.testing import commands, conditioning, declared, processes, results, training
from palsykit.testing.result import Check, NotChecked, Result, outcome, report
from palsykit.testing.subject import IMAGE_SIZE, Subject

CHECKS: dict[str, Callable[[Subject], list[Check]]] = {
    "datasets": results.dataset_checks,
    "detectors": results.detector_checks,
    "posers": results.poser_checks,
    "networks": training.network_checks,
    "encoders": conditioning.encoder_checks,
    "maps": conditioning.map_checks,
    "fusions": conditioning.fusion_checks,
    "codecs": processes.codec_checks,
    "denoisers": conditioning.denoiser_checks,
    "attention": processes.attention_checks,
    "schedulers": processes.scheduler_checks,
    "samplers": processes.sampler_checks,
    "trainers": training.trainer_checks,
    "synthesisers": results.synthesiser_checks,
    "metrics": results.metric_checks,
}


def checks_of(interface: str) -> Callable[[Subject], list[Check]]:
    """The checks of an interface. An interface without its own checks has one: that its part can be built."""
    return CHECKS.get(interface, is_built)


def is_built(subject: Subject) -> list[Check]:
    """Build a part of any interface whose factories take only ``image_size`` from core."""
    given = {"image_size": subject.image_size}
    positional = INTERFACES[subject.entry.interface].positional
    if lacking := [name for name in positional if name not in given]:
        raise NotChecked(f"palsykit.testing has no {' and no '.join(lacking)} to build it with")
    subject.build(*[given[name] for name in positional])
    return []


def interface_named(word: str) -> str:
    """The registry's name of an interface: "fusions" for "fusion" or "fusions".

    Raises:
        PalsykitError: there is no such interface; the message gives the nearest name.
    """
    if word not in GROUPS:
        known = ", ".join(noun.split()[0] for noun in SINGULAR.values())
        raise PalsykitError(f"interface {word!r}: expected one of {known}; {nearest(word, GROUPS)}".rstrip("; "))
    return GROUPS[word]


def examine(entry: Entry, keys: dict[str, Any] | None = None, image_size: int = IMAGE_SIZE) -> list[Result]:
    """Run all checks for a part, or for a command."""
    if entry.interface == COMMANDS:
        return [outcome(check) for check in commands.command_checks(entry)]
    subject = Subject(entry, keys or {}, image_size)
    first = outcome(("signature", lambda: keys_of(entry)))
    if first.state == "failed":
        return [first]
    checks: list[Check] = []
    # Building the list also builds the part: if that fails, all checks would fail for the same reason.
    built = outcome(("is built", lambda: checks.extend(checks_of(entry.interface)(subject))))
    return [first, built, *map(outcome, [*checks, *declared.checks(subject)])]


def check(interface: str, part: str | Callable[..., Any], *, image_size: int = IMAGE_SIZE, **keys: Any) -> list[Result]:
    """Check a part against the contract of its interface.

    Args:
        interface: "fusion", "encoder", ..., or "command"; plurals are accepted.
        part: a factory, or the name of a registered part.
        image_size: side in px of the test pictures.
        keys: the recipe's keys for the part; small values make the checks fast.

    Returns:
        All results; some may be "not checked", with the reason.

    Raises:
        AssertionError: a check failed; the message gives what was expected, what was seen and how to fix it.
        PalsykitError: an unknown interface or part.
    """
    group = interface_named(interface)
    if isinstance(part, str):
        entry = registry().get(group, part)
    else:
        entry = Entry(group, getattr(part, "__name__", "part"), "under test", "-", "-", part)
    results = examine(entry, keys, image_size)
    if any(result.state == "failed" for result in results):
        raise AssertionError(report(f"{SINGULAR[group]} {entry.name!r}", results))
    return results


__all__ = ["IMAGE_SIZE", "Result", "check", "examine", "interface_named", "report"]
