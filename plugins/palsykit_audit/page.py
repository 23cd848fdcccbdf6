"""The contents of an audit's page: which pairs, plots and figures it shows."""

import math
from collections.abc import Sequence

import numpy as np

from palsykit.report.figures import as_row, with_card
from palsykit_audit.audit import Audit
from palsykit_audit.faces import Face
from palsykit_audit.html import AttackFacts, AuditPage, Method, Strip, Tile
from palsykit_audit.measures import Membership, Resemblance
from palsykit_audit.membership import ALARMS
from palsykit_audit.plots import Distribution
from palsykit_audit.resemblance import Likeness
from palsykit_audit.yardstick import RealPair

SHOWN, MOST = 16, 48
"""Number of pairs on the page, and its limit if more are flagged."""
BY_PIXELS = 6

_WHY = {
    "resembles": "HELD BACK: resembles a training person",
    "copy": "HELD BACK: copies a training photograph",
    "asked": "likeness asked for",
    "": "",
}


def contents(audit: Audit) -> AuditPage:
    """Everything that the page shows; the template holds the words around it."""
    result, attacked, yard = audit.resemblance, audit.membership, audit.resemblance.yardstick
    figures = list(result.figures.values())
    if attacked is not None:
        figures += [f for a in (attacked.attack, attacked.blind) for f in (a.auc, a.people, a.caught)]
    twins = [_people_strip(pair, "left out of the threshold: they look like one person") for pair in yard.twins[:SHOWN]]
    nearest = [
        _people_strip(pair, "sets the threshold" if rank == 0 and yard.quantile == 1 else "")
        for rank, pair in enumerate(yard.nearest)
    ]
    return AuditPage(
        title=audit.title,
        findings=audit.findings,
        pairs=[_likeness_strip(one, yard.threshold) for one in closest(result.likenesses)],
        copies=[_copy_strip(one) for one in nearest_by_pixels(result.likenesses)],
        people=[*twins, *nearest],
        plots=_plots(result, attacked),
        metrics=[as_row(figure.card.name, with_card(figure)) for figure in figures],
        method=Method(
            yard.threshold,
            yard.quantile,
            yard.separation,
            result.copy_limit,
            None if attacked is None else _attack_facts(attacked),
        ),
        facts=audit.facts,
        attribution=audit.attribution,
    )


def closest(likenesses: Sequence[Likeness]) -> list[Likeness]:
    """The flagged pictures, then for each other person the picture nearest to a training person."""
    shown = sorted((one for one in likenesses if one.flagged), key=lambda one: -one.suspicion)[:MOST]
    people = {one.synthesis.person for one in shown}
    for one in sorted(likenesses, key=lambda one: -one.to_training):
        if len(shown) >= SHOWN:
            break
        if one.synthesis.person not in people:
            people.add(one.synthesis.person)
            shown.append(one)
    return shown


def nearest_by_pixels(likenesses: Sequence[Likeness]) -> list[Likeness]:
    """For each person asked for, the picture with the lowest pixel ratio; the lowest first."""
    best: dict[str, Likeness] = {}
    for one in sorted(likenesses, key=lambda one: one.ratio):
        best.setdefault(one.synthesis.person, one)
    return list(best.values())[:BY_PIXELS]


def _likeness_strip(one: Likeness, threshold: float) -> Strip:
    tiles = []
    if one.synthesis.identity is not None:
        tiles.append(_tile(one.synthesis.identity, "asked for", f"cosine {one.to_own:.3f} with the synthesis"))
    tiles.append(Tile(one.synthesis.read(), "synthesis", one.synthesis.file))
    if one.suspect is not None and one.suspect is not one.trained:
        tiles.append(_tile(one.suspect, "training person", f"cosine {one.suspicion:.3f}, not asked for"))
    own = "" if math.isnan(one.own_to_training) else f"; {one.own_to_training:.3f} for the person asked for"
    tiles.append(_tile(one.trained, "nearest training person", f"cosine {one.to_training:.3f}{own}"))
    tiles.append(_tile(one.held, "nearest held-out person", f"cosine {one.to_held_out:.3f}"))
    above = "above" if one.to_training > threshold else "below"
    why = _WHY[one.flag] or f"{above} the threshold of {threshold:.3f}"
    return Strip(f"{one.synthesis.person} · {why}", tiles, one.flagged)


def _copy_strip(one: Likeness) -> Strip:
    tiles = [
        Tile(one.synthesis.read(), "synthesis", one.synthesis.file),
        _tile(one.by_pixels, "nearest training photograph", f"distance {one.distance:.1f}, ratio {one.ratio:.2f}"),
    ]
    return Strip(f"{one.synthesis.person} · ratio {one.ratio:.2f}", tiles, one.flag == "copy")


def _people_strip(pair: RealPair, note: str) -> Strip:
    other = "trained on" if pair.trained_on else "held out"
    tiles = [_tile(pair.held_out, "held out", ""), _tile(pair.other, other, "")]
    return Strip(f"cosine {pair.cosine:.3f}{f' · {note}' if note else ''}", tiles)


def _tile(face: Face, name: str, note: str) -> Tile:
    return Tile(face.read(), name, f"{face.person}{f': {note}' if note else ''}")


def _plots(result: Resemblance, attacked: Membership | None) -> list[Distribution]:
    yard = result.yardstick
    plots = [
        Distribution(
            "Likeness",
            "cosine with the nearest",
            {
                "generated, training people": np.array([one.to_training for one in result.likenesses]),
                "generated, held-out people": np.array([one.to_held_out for one in result.likenesses]),
                "held-out photographs, training people": yard.to_training,
                "held-out photographs, each other": yard.to_held_out,
                "generated, person asked for": np.array([one.to_own for one in result.likenesses]),
            },
            yard.threshold,
        )
    ]
    if attacked is not None:
        members, others = attacked.attack.scores
        groups = {"training photographs": members, "held-out photographs": others}
        plots.append(Distribution("Membership attack", "score (higher: taken for a training photograph)", groups))
    return plots


def _attack_facts(result: Membership) -> AttackFacts:
    members, others = len(result.groups.members), len(result.groups.others)
    return AttackFacts(result.attack.name, members, others, result.groups.split, ALARMS, result.attack.by_step)
