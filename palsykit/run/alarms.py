"""Alarms of a training: copies of training photographs, losses that are flat or dominate, conditions that are ignored.

Each is a function of what the looks and the log recorded, so a resumed training has those of one that was not stopped.
They say where to look, not what is true: the thresholds are choices, stated here.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from palsykit.report.contents import Alarm
from palsykit.report.words import number

COPIES, FEWEST = 0.25, 3
"""Alarm if this share of the pictures is close to a training photograph, and at least so many (or all)."""
FALLEN = 0.98
"""A loss is flat if its last looks are above this share of its first."""
FLAT_LOOKS = 5
"""Looks after the first before a loss is called flat."""
DOMINATES = 0.95
"""A term dominates if it is more than this share of the sum of all terms' sizes."""
IGNORED = 0.02
"""A condition is ignored if its share of the gradient is below this share of an equal one."""
LAST = 3
"""Looks that an alarm rests on, so that one of them alone raises none."""

Looks = Sequence[Mapping[str, Any]]


def alarms(looks: Looks, log: Looks) -> list[Alarm]:
    """The alarms after the last look.

    Args:
        looks: the lines of watch/figures.jsonl, in the order of the steps.
        log: the lines of log.jsonl of the main training.
    """
    if not looks:
        return []
    return [*_copies(looks[-1]), *_flat(looks), *_dominates(looks, log), *_ignored(looks)]


def _copies(look: Mapping[str, Any]) -> list[Alarm]:
    nearest = look.get("nearest")
    if nearest is None or look["step"] == 0:  # before the first step there is no face
        return []
    count, close = len(nearest["distances"]), nearest["close"]
    if close < min(count, max(FEWEST, COPIES * count)):
        return []
    return [
        Alarm(
            "copies",
            "The pictures may be copies of training photographs",
            f"{close} of {count} pictures of validation people are nearer to a training photograph than "
            f"{number(nearest['limit'])}, a distance below which only 5 % of true photographs of these people come. "
            f"The nearest training photograph of all is {nearest['closest']}.",
            "Look at that photograph beside the pictures. If they show the same person, train on more people, for "
            "fewer steps or with a smaller model, and check whether faces of the finished run resemble those "
            "of training people. If the pictures are still blurred, wait: a blurred face is close to many faces.",
        )
    ]


def _flat(looks: Looks) -> list[Alarm]:
    measured = [look["losses"]["raw"] for look in looks if look.get("losses")]
    if looks[0]["step"] != 0 or len(measured) <= FLAT_LOOKS:
        return []
    found = []
    for name, first in measured[0].items():
        values = [terms.get(name) for terms in measured[-LAST:]]
        if not first or first < 0 or any(value is None for value in values):
            continue
        last = fmean(value for value in values if value is not None)
        if last > FALLEN * first:
            found.append(
                Alarm(
                    "flat",
                    f"The loss {name} has not fallen",
                    f"On validation photographs it was {number(first)} before the first step and is {number(last)} in "
                    f"the last {LAST} looks.",
                    "If the training started from random weights: raise lr, shorten warmup, and check that the "
                    "condition or network that this term reads has weights. If it started from trained weights, or "
                    "the term is one of an adversary, it may stay as it is. If the same term falls in training only, "
                    "the model learns its training people by heart: use more people or the best weights.",
                )
            )
    return found


def _dominates(looks: Looks, log: Looks) -> list[Alarm]:
    since = looks[-1 - LAST]["step"] if len(looks) > LAST else None
    lines = [line["terms"] for line in log if since is not None and line["step"] > since and line.get("terms")]
    if not lines or len(lines[-1]) < 2:
        return []
    sizes = {name: fmean(abs(terms.get(name, 0.0)) for terms in lines) for name in lines[-1]}
    total = sum(sizes.values())
    name = max(sizes, key=lambda term: sizes[term])
    if total == 0 or sizes[name] / total <= DOMINATES:
        return []
    others = ", ".join(f"{other} {number(size)}" for other, size in sizes.items() if other != name)
    return [
        Alarm(
            "dominates",
            f"The loss {name} dominates",
            f"In the last {LAST} looks it was {100 * sizes[name] / total:.0f} % of the sum: {name} "
            f"{number(sizes[name])}; {others}.",
            f"The other terms hardly count. If they should, raise their weights in the trainer's block or lower that "
            f"of {name}; if not, leave them out, which saves time.",
        )
    ]


def _ignored(looks: Looks) -> list[Alarm]:
    shares = [look["shares"] for look in looks if look.get("shares") and look["step"] > 0][-LAST:]
    if len(shares) < LAST:
        return []
    names = list(shares[-1])
    low = {name: max(share.get(name, 1.0) for share in shares) for name in names}
    return [
        Alarm(
            "ignored",
            f"The condition {name} is ignored",
            f"Its share of the loss's gradient was at most {100 * share:.2g} % in the last {LAST} looks; equal shares "
            f"would be {100 / len(names):.0f} %.",
            "The model draws nearly the same picture whatever this condition says. In the first hundreds of steps this "
            "is usual: the clearest condition is learnt first. Later, check that its network has weights and reads the "
            "right view, that a map does not say the same, and that drop is not near 1. A larger width, "
            "or a fusion that gives it a stream of its own, lets it reach the picture.",
        )
        for name, share in low.items()
        if share * len(names) < IGNORED
    ]
