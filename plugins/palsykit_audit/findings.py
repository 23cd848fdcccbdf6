"""An audit's findings, in sentences for people who decide what to release."""

from collections.abc import Sequence

from palsykit.report.tables import cell
from palsykit.report.words import names
from palsykit_audit.html import Finding
from palsykit_audit.measures import Membership, Resemblance
from palsykit_audit.yardstick import TELLS_APART, Yardstick

WEAK = 0.6
"""An attack whose interval ends below this AUC counts as failed."""
TWINS = 5
"""Number of look-alike pairs to name."""


def findings(result: Resemblance, attacked: Membership | None, cautions: Sequence[str]) -> list[Finding]:
    """Every finding, the worst first."""
    sentences = [*_likeness(result), *_requests(result), *_people(result.yardstick)]
    sentences += _attack(attacked) if attacked else []
    sentences += [Finding("look", f"{text[0].upper()}{text[1:]}.") for text in cautions]
    order = {"bad": 0, "look": 1, "good": 2}
    return sorted(sentences, key=lambda one: order[one.level])


def _likeness(result: Resemblance) -> list[Finding]:
    count, flagged, limit = len(result.likenesses), result.flagged, result.yardstick.threshold
    sentences = []
    copies = [one for one in flagged if one.flag == "copy"]
    alike = [one for one in flagged if one.flag == "resembles"]
    if copies:
        sentences.append(
            Finding(
                "bad",
                f"{len(copies)} of {count} generated pictures copy a training photograph, pixel by pixel: "
                f"{names([one.synthesis.file for one in copies])}.",
            )
        )
    if alike:
        sentences.append(
            Finding(
                "bad",
                f"{len(alike)} of {count} generated faces are nearer to a training person than held-out people are to "
                f"others (cosine above {limit:.3f}), and the photograph they were made from is not: "
                f"{names([one.synthesis.file for one in alike])}.",
            )
        )
    if not flagged:
        sentences.append(
            Finding(
                "good",
                f"None of {count} generated faces is nearer to a training person than held-out people are to others "
                f"(cosine above {limit:.3f}), except where that likeness was asked for; none copies a training "
                "photograph.",
            )
        )
    drawn = result.figures["nearest is a training person"]
    if drawn.low is not None and drawn.low > 0.5:
        sentences.append(
            Finding(
                "look",
                "Faces are drawn towards the training people: among equally many training and held-out people, the "
                f"nearest is a training person with probability {drawn.value:.2f} ({drawn.low:.2f} to "
                f"{drawn.high:.2f}); 0.5 is chance.",
            )
        )
    return sentences


def _requests(result: Resemblance) -> list[Finding]:
    count = len(result.likenesses)
    sentences = []
    if asked := [one for one in result.likenesses if one.flag == "asked"]:
        people = names(list(dict.fromkeys(one.synthesis.person for one in asked)))
        sentences.append(
            Finding(
                "look",
                f"{len(asked)} of {count} generated faces look like a training person because the photograph they were "
                f"made from does ({people}): it shows that person or one alike. They were asked for and are not held "
                "back; release them only with the consent of these people.",
            )
        )
    if unknown := {one.synthesis.person for one in result.likenesses if one.synthesis.identity is None}:
        sentences.append(
            Finding(
                "look",
                f"The identity photographs of {len(unknown)} people are not known ({names(sorted(unknown))}), so every "
                "likeness counts as the model's; give the same --identities and --data as to palsykit synthesize.",
            )
        )
    return sentences


def _people(yard: Yardstick) -> list[Finding]:
    sentences = []
    if not yard.tells_apart:
        sentences.append(
            Finding(
                "look",
                f"The recognition network tells held-out people apart with an AUC of only {yard.separation:.2f} "
                f"(expected {TELLS_APART:g} or more), so its cosines say little about likeness; choose another with "
                "--network or --judges.",
            )
        )
    for pair in yard.twins[:TWINS]:
        where = "training" if pair.trained_on else "held-out"
        sentences.append(
            Finding(
                "look",
                f"Held-out person {pair.held_out.person} and {where} person {pair.other.person} look like one "
                f"(cosine {pair.cosine:.3f}). Check that they are not one person under two names; the pair does not "
                "count for the threshold.",
            )
        )
    return sentences


def _attack(attacks: Membership) -> list[Finding]:
    auc, blind = attacks.attack.auc, attacks.blind.auc
    sentences = []
    how = "the model's loss" if attacks.attack.name == "loss" else "the distance to a synthesis"
    sure = auc.low is not None and auc.low > 0.5
    text = f"{how} tells a training photograph from a held-out one with an AUC of {cell(auc, 2)}"
    if sure:
        sentences.append(Finding("bad", f"The model gives away who it was trained on: {text}; 0.5 is chance."))
    elif auc.high is not None and auc.high <= WEAK:
        sentences.append(Finding("good", f"This attack does not tell who was trained on: {text}; 0.5 is chance."))
    else:
        sentences.append(
            Finding(
                "look",
                f"Undecided whether the model gives away who it was trained on: {text}; 0.5 is chance, and "
                f"{len(set(attacks.groups.people[1]))} held-out people are too few to rule out more than {WEAK:g}.",
            )
        )
    if blind.low is not None and blind.low > 0.5:
        sentences.append(
            Finding(
                "look",
                "Training and held-out photographs differ in themselves: an attack that never queries the model tells "
                f"them apart with an AUC of {cell(blind, 2)}, so the attack's figure is not due to the model alone.",
            )
        )
    return sentences
