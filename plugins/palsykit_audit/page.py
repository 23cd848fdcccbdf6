"""What the page of an audit shows, from what was found."""

from collections.abc import Sequence

import numpy as np

from palsykit.report.figures import as_row, with_card
from palsykit.report.plots import Distribution
from palsykit_audit.faces import Face
from palsykit_audit.html import AuditPage, Finding, Strip, Tile
from palsykit_audit.measures import Membership, Resemblance
from palsykit_audit.membership import ALARMS, Attack
from palsykit_audit.resemblance import Likeness
from palsykit_audit.yardstick import RealPair, Yardstick

SHOWN, MOST = 16, 48
"""Pairs that are shown: so many, and more where more are flagged."""
BY_PIXELS = 6

_INTERVALS = (
    "Intervals: 95 %, bootstrap over people (1,000 samples, percentiles), all of a person's pictures together; where "
    "two "
    "groups are compared, people of both are drawn."
)
_WHY = {
    "resembles": "HELD BACK: resembles a training person",
    "copy": "HELD BACK: copies a training photograph",
    "asked": "likeness asked for",
    "": "",
}


def contents(
    title: str,
    findings: list[Finding],
    found: Resemblance,
    attacked: Membership | None,
    facts: dict[str, str],
    attribution: str,
) -> AuditPage:
    """The whole page."""
    yard = found.yardstick
    rows = list(found.figures.values())
    if attacked is not None:
        rows += [f for a in (attacked.attack, attacked.blind) for f in (a.auc, a.people, a.caught)]
    return AuditPage(
        title=title,
        findings=findings,
        pairs=[_strip(one, found.yardstick.threshold) for one in closest(found.made)],
        pairs_are="First what is held back; then each person's face that comes nearest to a training person, the "
        "nearest "
        "first. Compare the synthesis with the training photograph: is it the same person? The photograph asked for is "
        "whom the synthesis should show.",
        copies=[_copied(one) for one in nearest_by_pixels(found.made)],
        copies_are="Distances are root mean squares over the face, in grey levels of 255; the ratio is that distance "
        "to "
        f"half the mean distance to the 50 nearest other training people. Below {found.copy_limit:.2f} is a copy.",
        people=[_real(pair, "left out of the threshold: they look like one person") for pair in yard.twins[:SHOWN]]
        + [
            _real(pair, "sets the threshold" if n == 0 and yard.quantile == 1 else "")
            for n, pair in enumerate(yard.nearest)
        ],
        people_are="A held-out person beside the person who comes nearest, held out or trained on. None of these "
        "pictures is "
        "generated. If two of them show one person, the data's subjects are to be mended and the audit made again.",
        plots=_plots(found, attacked),
        metrics=[as_row(figure.card.name, with_card(figure)) for figure in rows],
        intervals=_INTERVALS,
        method=_method(yard, attacked),
        facts=facts,
        attribution=attribution,
    )


def closest(made: Sequence[Likeness]) -> list[Likeness]:
    """What is flagged; then the nearest to a training person of each person asked for."""
    flagged = sorted((one for one in made if one.flagged), key=lambda one: -one.suspicion)[:MOST]
    shown = {one.synthesis.person for one in flagged}
    for one in sorted(made, key=lambda one: -one.to_training):
        if len(flagged) >= SHOWN:
            break
        if one.synthesis.person not in shown:
            shown.add(one.synthesis.person)
            flagged.append(one)
    return flagged


def nearest_by_pixels(made: Sequence[Likeness]) -> list[Likeness]:
    """Of each person asked for the picture that is relatively nearest to a training photograph, the nearest first."""
    best: dict[str, Likeness] = {}
    for one in sorted(made, key=lambda one: one.ratio):
        best.setdefault(one.synthesis.person, one)
    return list(best.values())[:BY_PIXELS]


def _strip(one: Likeness, threshold: float) -> Strip:
    tiles = []
    if one.synthesis.asked is not None:
        tiles.append(_tile(one.synthesis.asked, "asked for", f"cosine {one.to_own:.3f} with the synthesis"))
    tiles.append(Tile(one.synthesis.read(), "synthesis", one.synthesis.file))
    if one.suspect is not None and one.suspect is not one.trained:
        tiles.append(_tile(one.suspect, "training person", f"cosine {one.suspicion:.3f}, not asked for"))
    asked = "" if one.asked != one.asked else f"; of the one asked for {one.asked:.3f}"
    tiles.append(_tile(one.trained, "nearest training person", f"cosine {one.to_training:.3f}{asked}"))
    tiles.append(_tile(one.held, "nearest held-out person", f"cosine {one.to_held_out:.3f}"))
    above = "above" if one.to_training > threshold else "below"
    why = _WHY[one.flag] or f"{above} the threshold of {threshold:.3f}"
    return Strip(f"{one.synthesis.person} · {why}", tiles, one.flagged)


def _copied(one: Likeness) -> Strip:
    tiles = [
        Tile(one.synthesis.read(), "synthesis", one.synthesis.file),
        _tile(one.by_pixels, "nearest training photograph", f"distance {one.distance:.1f}, ratio {one.ratio:.2f}"),
    ]
    return Strip(f"{one.synthesis.person} · ratio {one.ratio:.2f}", tiles, one.flag == "copy")


def _real(pair: RealPair, said: str) -> Strip:
    other = "trained on" if pair.trained_on else "held out"
    tiles = [_tile(pair.held_out, "held out", ""), _tile(pair.other, other, "")]
    return Strip(f"cosine {pair.cosine:.3f}{f' · {said}' if said else ''}", tiles)


def _tile(face: Face, name: str, said: str) -> Tile:
    return Tile(face.read(), name, f"{face.person}{f': {said}' if said else ''}")


def _plots(found: Resemblance, attacked: Membership | None) -> list[Distribution]:
    yard = found.yardstick
    plots = [
        Distribution(
            "Likeness",
            "cosine with the nearest",
            {
                "generated, training people": np.array([one.to_training for one in found.made]),
                "generated, held-out people": np.array([one.to_held_out for one in found.made]),
                "held-out photographs, training people": yard.to_training,
                "held-out photographs, each other": yard.to_held_out,
                "generated, person asked for": np.array([one.to_own for one in found.made]),
            },
            yard.threshold,
        )
    ]
    if attacked is not None:
        members, others = attacked.attack.scores
        groups = {"training photographs": members, "held-out photographs": others}
        plots.append(Distribution("Membership attack", "score (higher: taken for a training photograph)", groups))
    return plots


def _method(yard: Yardstick, attacked: Membership | None) -> list[str]:
    which = "the highest" if yard.quantile == 1 else f"the {yard.quantile:.0%} quantile"
    said = [
        f"Likeness is the cosine of face embeddings. Every photograph of a held-out person is searched among all other "
        f"held-out people and among the training people (a non-mated search, ISO/IEC 19795-1); the threshold is "
        f"{which} of "
        f"the cosines with the nearest stranger, {yard.threshold:.3f}. Training people belong to the search because "
        f"a face "
        "has as many chances to resemble one of them by accident as there are of them; that generated data must not be "
        "nearer to training data than held-out data are is the rule of Meehan et al. (arXiv:2004.05675).",
        f"The network tells photographs of one held-out person from different held-out people with an AUC of "
        f"{yard.separation:.3f}.",
        "A face is held back where it is nearer than the threshold to a training person and the photograph it was made "
        "from is not: a synthesis of a held-out person must look like that person, and one of a training person like "
        "that one. It is also held back where its pixels are less than half as far from a training photograph as, on "
        "average, from the 50 nearest other training people (Carlini et al., arXiv:2301.13188, section 5.1).",
    ]
    if attacked is not None:
        said.append(_attack_in_words(attacked.attack, attacked))
    return said


def _attack_in_words(attack: Attack, found: Membership) -> str:
    how = {
        "loss": "the denoising loss of a photograph under its own conditions, at fixed time steps and with the same "
        "noise "
        "for all (Carlini et al., arXiv:2301.13188; Matsumoto et al., arXiv:2302.03262)",
        "distance": "the distance of a photograph to the nearest of a few syntheses from its own conditions (Chen et "
        "al., "
        "arXiv:1909.03935)",
    }[attack.name]
    steps = "; AUC by step: " + ", ".join(f"{step} {value:.2f}" for step, value in attack.by_step.items())
    return (
        f"Membership attack: {len(found.groups.members)} training photographs against {len(found.groups.others)} of "
        f"people "
        f"held out ({found.groups.split}), by {how}{steps if attack.by_step else ''}. The attack knows the model and "
        f"all "
        f"conditions, but trains no models of its own; a stronger one may find more. “Caught” allows {ALARMS:.0%} "
        f"false "
        "alarms (Carlini et al., arXiv:2112.03570). The blind attack sees embeddings only (Das et al., "
        "arXiv:2406.16201)."
    )
