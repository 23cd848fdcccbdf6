"""What an audit found, in sentences for people who decide what goes out."""

from collections.abc import Sequence

from palsykit.report.tables import cell
from palsykit.report.words import names
from palsykit_audit.html import Finding
from palsykit_audit.measures import Membership, Resemblance
from palsykit_audit.yardstick import TELLS_APART, Yardstick

WEAK = 0.6
"""An attack whose interval ends below this AUC is said to fail."""
TWINS = 5
"""Pairs of people that are named."""


def findings(found: Resemblance, attacked: Membership | None, cautions: Sequence[str]) -> list[Finding]:
    """Everything that was found, the worst first."""
    said = [*_likeness(found), *_asked(found), *_people(found.yardstick), *(_attack(attacked) if attacked else [])]
    said += [Finding("look", f"{text[0].upper()}{text[1:]}.") for text in cautions]
    order = {"bad": 0, "look": 1, "good": 2}
    return sorted(said, key=lambda one: order[one.level])


def _likeness(found: Resemblance) -> list[Finding]:
    count, flagged, limit = len(found.made), found.flagged, found.yardstick.threshold
    said = []
    copies = [one for one in flagged if one.flag == "copy"]
    alike = [one for one in flagged if one.flag == "resembles"]
    if copies:
        said.append(
            Finding(
                "bad",
                f"{len(copies)} of {count} generated pictures copy a training photograph, pixel by pixel: "
                f"{names([one.synthesis.file for one in copies])}.",
            )
        )
    if alike:
        said.append(
            Finding(
                "bad",
                f"{len(alike)} of {count} generated faces are nearer to a training person than held-out people are to "
                f"others (cosine above {limit:.3f}), and the photograph they were made from is not: "
                f"{names([one.synthesis.file for one in alike])}.",
            )
        )
    if not flagged:
        said.append(
            Finding(
                "good",
                f"None of {count} generated faces is nearer to a training person than held-out people are to others "
                f"(cosine above {limit:.3f}), but for those that were asked to be, and none copies a training "
                "photograph.",
            )
        )
    drawn = found.figures["nearest is a training person"]
    if drawn.low is not None and drawn.low > 0.5:
        said.append(
            Finding(
                "look",
                "Faces lean towards the training people: among equally many training and held-out people the nearest "
                f"is a training person with a chance of {drawn.value:.2f} ({drawn.low:.2f} to {drawn.high:.2f}), "
                "where 0.5 is chance.",
            )
        )
    return said


def _asked(found: Resemblance) -> list[Finding]:
    count = len(found.made)
    said = []
    if asked := [one for one in found.made if one.flag == "asked"]:
        people = names(list(dict.fromkeys(one.synthesis.person for one in asked)))
        said.append(
            Finding(
                "look",
                f"{len(asked)} of {count} generated faces look like a training person because the photograph they were "
                f"made from does ({people}): it shows that person, or somebody alike. They were asked for and are not "
                "held back; whether they may go out is for those people's consent to say.",
            )
        )
    if unknown := {one.synthesis.person for one in found.made if one.synthesis.asked is None}:
        said.append(
            Finding(
                "look",
                f"The identity photographs of {len(unknown)} people are not known ({names(sorted(unknown))}), so every "
                "likeness counts as the model's; name the identities as they were named to palsykit synthesize.",
            )
        )
    return said


def _people(found: Yardstick) -> list[Finding]:
    said = []
    if not found.tells_apart:
        said.append(
            Finding(
                "look",
                f"The recognition network tells held-out people apart with an AUC of {found.separation:.2f} only "
                f"(expected {TELLS_APART:g} or more): its cosines say little about likeness; use another with "
                "--network or --judges.",
            )
        )
    for pair in found.twins[:TWINS]:
        where = "training" if pair.trained_on else "held-out"
        said.append(
            Finding(
                "look",
                f"Held-out person {pair.held_out.person} and {where} person {pair.other.person} look like one "
                f"(cosine {pair.cosine:.3f}): see that nobody stands under two names; the pair does not count in the "
                "threshold.",
            )
        )
    return said


def _attack(found: Membership) -> list[Finding]:
    auc, blind = found.attack.auc, found.blind.auc
    said = []
    how = "the model's loss" if found.attack.name == "loss" else "the distance to a synthesis"
    sure = auc.low is not None and auc.low > 0.5
    text = f"a training photograph is told from a held-out one by {how} with an AUC of {cell(auc, 2)}"
    if sure:
        said.append(Finding("bad", f"The model gives away who it was trained on: {text}; 0.5 is chance."))
    elif auc.high is not None and auc.high <= WEAK:
        said.append(Finding("good", f"This attack does not tell who was trained on: {text}; 0.5 is chance."))
    else:
        said.append(
            Finding(
                "look",
                f"Undecided whether the model gives away who it was trained on: {text}; 0.5 is chance, and "
                f"{len(set(found.groups.people[1]))} held-out people are too few to rule out more than {WEAK:g}.",
            )
        )
    if blind.low is not None and blind.low > 0.5:
        said.append(
            Finding(
                "look",
                "Training and held-out photographs differ in themselves: somebody who never asks the model tells them "
                f"apart with an AUC of {cell(blind, 2)}, so the attack's figure is not the model's alone.",
            )
        )
    return said
