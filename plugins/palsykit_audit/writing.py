"""An audit on disk: audit.json, audit.csv (one line per picture) and the page audit.html."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from palsykit import __version__
from palsykit.files.atomic import write_text
from palsykit.files.csv_text import csv_text
from palsykit.measure.statistics import Figure
from palsykit.report.figures import as_json, finite
from palsykit_audit.audit import Audit
from palsykit_audit.html import render_audit
from palsykit_audit.measures import Membership
from palsykit_audit.membership import ALARMS, DRAWS, STEPS
from palsykit_audit.page import contents
from palsykit_audit.resemblance import Likeness
from palsykit_audit.yardstick import RealPair


def write(audit: Audit, folder: Path) -> Path:
    """Write all three files; returns the page's path."""
    page = folder / "audit.html"
    write_text(folder / "audit.json", json.dumps(_as_json(audit), indent=1, allow_nan=False) + "\n")
    write_text(folder / "audit.csv", _as_csv(audit.resemblance.likenesses))
    write_text(page, render_audit(contents(audit)))
    return page


def _as_json(audit: Audit) -> dict[str, Any]:
    result, yard = audit.resemblance, audit.resemblance.yardstick
    return {
        "palsykit": __version__,
        **audit.facts,
        "pictures": len(result.likenesses),
        "training_people": len({face.person for face in audit.people.training}),
        "held_out_people": len({face.person for face in audit.people.held_out}),
        "threshold": {
            "cosine": yard.threshold,
            "quantile": yard.quantile,
            "is": "quantile of the cosine of held-out photographs with the nearest different person",
            "separation_auc": finite(yard.separation),
            "nearest": [_pair(pair) for pair in yard.nearest],
            "left_out_as_one_person": [_pair(pair) for pair in yard.twins],
        },
        "copy_limit": result.copy_limit,
        "figures": {name: _figure(figure) for name, figure in result.figures.items()},
        "flagged": [
            {"file": one.synthesis.file, "why": one.flag, "cosine": finite(one.suspicion), "ratio": finite(one.ratio)}
            for one in result.flagged
        ],
        "distributions": {
            "generated_to_training": _quantiles([one.to_training for one in result.likenesses]),
            "generated_to_held_out": _quantiles([one.to_held_out for one in result.likenesses]),
            "generated_to_own": _quantiles([one.to_own for one in result.likenesses]),
            "held_out_to_training": _quantiles(yard.to_training),
            "held_out_to_held_out": _quantiles(yard.to_held_out),
            "same_person": _quantiles(yard.same),
            "generated_pixel_ratio": _quantiles([one.ratio for one in result.likenesses]),
        },
        "membership": None if audit.membership is None else _membership(audit.membership),
        "findings": [asdict(one) for one in audit.findings],
    }


def _membership(result: Membership) -> dict[str, Any]:
    return {
        "attack": result.attack.name,
        "training_photographs": len(result.groups.members),
        "held_out_photographs": len(result.groups.others),
        "held_out_split": result.groups.split,
        "steps": list(STEPS) if result.attack.name == "loss" else None,
        "draws": DRAWS,
        "false_alarms": ALARMS,
        **{
            attack.name: {
                "auc": _figure(attack.auc),
                "auc_people": _figure(attack.people),
                "caught": _figure(attack.caught),
                "auc_by_step": attack.by_step,
            }
            for attack in (result.attack, result.blind)
        },
    }


def _figure(figure: Figure) -> dict[str, Any]:
    return {**as_json(figure), "definition": figure.card.definition, "source": figure.card.source}


def _pair(pair: RealPair) -> dict[str, Any]:
    other = "training" if pair.trained_on else "held_out"
    return {"held_out": pair.held_out.key, "other": pair.other.key, "other_is": other, "cosine": pair.cosine}


def _quantiles(values: Sequence[float] | np.ndarray[Any, Any]) -> dict[str, Any]:
    known = np.array([value for value in values if math.isfinite(value)])
    if not len(known):
        return {"count": 0}
    shares = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)
    return {"count": len(known), **{f"{share:g}": float(np.quantile(known, share)) for share in shares}}


def _as_csv(likenesses: Sequence[Likeness]) -> str:
    columns = [
        "file", "subject", "flag", "training_person", "training_photograph", "cosine_training", "held_out_person",
        "cosine_held_out", "cosine_asked_for", "cosine_asked_for_with_training_person", "pixel_photograph",
        "pixel_distance", "pixel_ratio",
    ]  # fmt: skip
    rows = []
    for one in likenesses:
        numbers = [one.to_held_out, one.to_own, one.own_to_training]
        rows.append(
            [one.synthesis.file, one.synthesis.person, one.flag, one.trained.person, one.trained.key,
             f"{one.to_training:.4f}", one.held.person, *(f"{n:.4f}" for n in numbers), one.by_pixels.key,
             f"{one.distance:.2f}", f"{one.ratio:.4f}"]
        )  # fmt: skip
    return csv_text(columns, rows)
