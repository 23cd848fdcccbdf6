"""Figures of landmark_bias.py: errors of points and lengths in mm, by side and size of the truth, and in the mirror."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from bias_samples import Points, Sample, rest_of
from landmarks import table_rows
from numpy.typing import NDArray

from palsykit.cli.table import table
from palsykit.faces.landmarks import COMMISSURES, LEFT_BROW, RIGHT_BROW
from palsykit.faces.vocabulary import Side
from palsykit.report.tables import markdown
from palsykit_measure.intervals import KINDS
from palsykit_measure.lengths import Face, has_direction, measure_face

Values = NDArray[np.float64]

POINTS = {
    "brow": ([*RIGHT_BROW], [*LEFT_BROW]),
    "lids": ([37, 38, 40, 41], [43, 44, 46, 47]),
    "corner": ([COMMISSURES[0]], [COMMISSURES[1]]),
}
"""Points of the (right, left) half."""
ASYMMETRY = {"mouth corners' height": "corner_depth", "brows' height": "brow_height", "lids' opening": "fissure"}
STEPS = (0.0, 1.0, 3.0, 6.0, 9.0, 12.0, 15.0, math.inf)
"""mm of true asymmetry or opening, from which to which faces are counted together."""
LOOK_AT, WITHIN = 12.0, 1.5
MIRRORED = ("brow_height", "fissure", "corner_depth", "corner_lateral", "lower_lip_depth")
SHARE = 0.95
UNKNOWN = {"right": math.nan, "left": math.nan}

AIMS = {
    "points": "median error of corner, lid and brow points at most 1.0 mm, up to grade VI",
    "corners": "mouth corners' height: the asymmetry found is within 1.5 mm of the truth where that is 12 mm",
    "mirror": "a mirrored picture gives the same lengths within 0.3 mm, sides exchanged",
    "neutral": "real neutral photographs: mean error of the points at most 2 % of the inter-ocular distance",
}


def figures_of(samples: Sequence[Sample], points: Points, mirrored: Points, real: bool) -> dict[str, Any]:
    """All figures of one finder on one set; pictures in which it finds no face are counted and left out.

    Args:
        samples: N pictures.
        points: [N, 68, 2] px, found in the pictures.
        mirrored: [N, 68, 2] px, found in the mirror images and flipped back; NaN where nobody looked.
        real: whether the neutral pictures are photographs of real people.
    """
    seen = ~np.isnan(points).any((1, 2))
    chosen = [sample for sample, there in zip(samples, seen, strict=True) if there]
    figures: dict[str, Any] = {"missed": int((~seen).sum())}
    if not chosen:
        return figures
    found, turned = points[seen], mirrored[seen]
    here, there = (lengths_of(chosen, found), lengths_of(chosen, turned))
    truth = lengths_of(chosen, np.stack([sample.truth for sample in chosen]))
    figures |= {
        "points": point_errors(chosen, found),
        "asymmetry": {name: by_size(truth[key], here[key]) for name, key in ASYMMETRY.items()},
        "sides": {name: by_side(chosen, truth[key], here[key]) for name, key in ASYMMETRY.items()},
        "lid gap": lid_gaps(truth["fissure"], here["fissure"]),
        "mirror": mirror(here, there),
    }
    if real:
        figures["neutral"] = neutral(chosen, found)
    return figures


def lengths_of(samples: Sequence[Sample], points: Points) -> dict[str, Values]:
    """{length: [N, 2] mm, right and left}; the scale is the true one."""
    faces = [measure_face(Face(p, s.px_per_mm)) for s, p in zip(samples, points, strict=True)]
    found = {
        name: np.array([[face.get(key, UNKNOWN)[side] for side in ("right", "left")] for face in faces])
        for name, key in (("fissure", "palpebral_fissure"), *((key, key) for key in MIRRORED if key != "fissure"))
    }
    return found


def point_errors(samples: Sequence[Sample], points: Points) -> dict[str, Any]:
    """Median distance from the true points, mm: of all faces, of the affected and the other side, by grade."""
    truth, mm = np.stack([s.truth for s in samples]), np.array([s.px_per_mm for s in samples])
    error = np.linalg.norm(points - truth, axis=-1) / mm[:, None]
    grades = np.array([sample.labels.severity or 1.0 for sample in samples])
    sides = [sample.labels.side for sample in samples]
    rows: dict[str, Any] = {}
    for name, indices in POINTS.items():
        right, left = (error[:, half] for half in indices)
        both = {Side.RIGHT: (right, left), Side.LEFT: (left, right)}
        palsied = [(number, both[side]) for number, side in enumerate(sides) if side in both]
        affected, other = ([halves[k][number] for number, halves in palsied] for k in (0, 1))
        rows[name] = {
            "median": float(np.median(np.concatenate([right, left], 1))),
            "right": float(np.median(right)),
            "left": float(np.median(left)),
            "affected": _median(affected),
            "other": _median(other),
            "grades": {
                f"{grade:g}": float(np.median(np.concatenate([right[grades == grade], left[grades == grade]], 1)))
                for grade in sorted(set(grades.tolist()))
            },
        }
    return rows


def _median(parts: Sequence[Values]) -> float | None:
    return float(np.median(np.concatenate(parts))) if parts else None


def by_size(truth: Values, found: Values) -> list[dict[str, Any]]:
    """True and found difference between the sides, by the size of the true one; and about 12 mm."""
    true, seen = (values[:, 1] - values[:, 0] for values in (truth, found))
    sign = np.where(true < 0, -1.0, 1.0)
    true, seen = true * sign, seen * sign
    rows = [_row(f"{low:g} to {high:g}", true, seen, (true >= low) & (true < high)) for low, high in pairwise(STEPS)]
    near = np.abs(true - LOOK_AT) <= WITHIN
    return [row for row in rows if row["n"]] + [_row(f"about {LOOK_AT:g}", true, seen, near)]


def _row(name: str, true: Values, seen: Values, chosen: NDArray[np.bool_]) -> dict[str, Any]:
    row: dict[str, Any] = {"true mm": name, "n": int(chosen.sum())}
    if not row["n"]:
        return row
    error = seen[chosen] - true[chosen]
    return row | {
        "true": float(true[chosen].mean()),
        "found": float(seen[chosen].mean()),
        "error": float(np.median(np.abs(error))),
        "low": float(np.quantile(error, 0.05)),
        "high": float(np.quantile(error, 0.95)),
    }


def by_side(samples: Sequence[Sample], truth: Values, found: Values) -> dict[str, Any]:
    """Median error of left minus right, signed, by affected side; they mirror each other in a fair finder."""
    error = (found[:, 1] - found[:, 0]) - (truth[:, 1] - truth[:, 0])
    sides = {side: np.array([sample.labels.side is side for sample in samples]) for side in (Side.RIGHT, Side.LEFT)}
    return {side.value: float(np.median(error[chosen])) if chosen.any() else None for side, chosen in sides.items()}


def lid_gaps(truth: Values, found: Values) -> list[dict[str, Any]]:
    """True and found opening of each eye by the size of the true one."""
    true, seen = truth.ravel(), found.ravel()
    rows = [_row("shut", true, seen, true < 0.25)]
    for low, high in pairwise((0.25, 1.0, 3.0, 6.0, 9.0, 12.0, math.inf)):
        rows.append(_row(f"{low:g} to {high:g}", true, seen, (true >= low) & (true < high)))
    return [row for row in rows if row["n"]]


def mirror(here: dict[str, Values], there: dict[str, Values]) -> dict[str, float]:
    """Difference of lengths between a picture and its mirror image, mm; the largest of a picture's lengths counts."""
    apart = np.max([np.abs(here[name] - there[name]).max(1) for name in MIRRORED], axis=0)
    apart = apart[~np.isnan(apart)]
    if not len(apart):
        return {"n": 0, "median": math.nan, "of 95 %": math.nan, "most": math.nan}
    return {
        "n": len(apart),
        "median": float(np.median(apart)),
        "of 95 %": float(np.quantile(apart, 0.95)),
        "most": float(apart.max()),
    }


def neutral(samples: Sequence[Sample], points: Points) -> dict[str, float]:
    """Mean error on the real neutral photographs, % of the inter-ocular distance, by region."""
    rows = [number for number, sample in enumerate(samples) if sample.neutral]
    true = np.stack([samples[number].truth for number in rows])
    found = table_rows(points[rows], true, [samples[number].person for number in rows])
    return {region: float(row["error"]) for region, row in found.items()}


def error_table(samples: Sequence[Sample], points: Points) -> dict[str, Any]:
    """For each length of palsykit measure: the bounds of 95 % of the errors (found less true), mm.

    Movements are against the same person's photograph at rest, with the palsy. Each face counts with its mirror image,
    so that no interval favours a side.
    """
    rest = rest_of(samples)
    errors: dict[str, dict[str, list[float]]] = {}
    used = 0
    for number, sample in enumerate(samples):
        still = rest.get(sample.person)
        if np.isnan(points[number]).any() or still is None or np.isnan(points[still]).any():
            continue
        used += 1
        moving = not sample.neutral and still != number
        both = [_face(samples, given, number, still if moving else None) for given in (None, points)]
        true, found = map(measure_face, both)
        for name, parts in found.items():
            for part, value in parts.items():
                error = value - true[name][part]
                both_ways = [error, -error] if has_direction(name, part) else [error]
                errors.setdefault(name, {}).setdefault(KINDS[part], []).extend(both_ways)
    tails = (1 - SHARE) / 2
    bounds = {
        name: {kind: [round(float(np.quantile(of, q)), 2) for q in (tails, 1 - tails)] for kind, of in kinds.items()}
        for name, kinds in errors.items()
    }
    return {"pictures": used, "people": len({sample.person for sample in samples}), "share": SHARE, "measures": bounds}


def _face(samples: Sequence[Sample], points: Points | None, number: int, still: int | None) -> Face:
    """A face as found, or, without ``points``, as it truly is."""
    sample = samples[number]
    landmarks = sample.truth if points is None else points[number]
    before = None if still is None else _face(samples, points, still, None)
    return Face(landmarks, sample.px_per_mm, sample.labels.expression, before)


def reached(figures: dict[str, Any]) -> dict[str, str]:
    """Each aim with what was measured and whether that reaches it."""
    if "points" not in figures:
        return {}
    worst = max(row["median"] for row in figures["points"].values())
    verdicts = {"points": _verdict(worst, 1.0, "mm in the worst of the three")}
    near = figures["asymmetry"]["mouth corners' height"][-1]
    if near["n"]:
        verdicts["corners"] = _verdict(near["error"], WITHIN, f"mm off in the median of {near['n']}")
        verdicts["corners"] += f"; {near['found']:.1f} mm are found where {near['true']:.1f} are true (means)"
    else:
        verdicts["corners"] = "not measured: no face of this set has such an asymmetry"
    turned = figures["mirror"]
    words = f"mm or less in 95 % of the pictures, {turned['most']:.2f} in the worst"
    verdicts["mirror"] = _verdict(turned["of 95 %"], 0.3, words) if turned["n"] else "not measured"
    if "neutral" in figures:
        verdicts["neutral"] = _verdict(figures["neutral"]["all"], 2.0, "%")
    return verdicts


def _verdict(value: float, most: float, words: str) -> str:
    return f"{'reached' if value <= most else 'missed'}: {value:.2f} {words}"


def text_of(found: dict[str, Any], markdown: bool) -> str:
    """All tables, for the screen or a page."""
    blocks = []
    for kind, of in found["sets"].items():
        title = f"{kind}: {of['pictures']} pictures of {of['people']} people at {found['image_size']} px"
        blocks.append(f"### {title}" if markdown else f"== {title} ==")
        finders = {name: figures for name, figures in of["finders"].items() if "points" in figures}
        blocks += [
            _points_table(of["finders"], markdown),
            _size_table(finders, markdown),
            _lid_table(finders, markdown),
        ]
        if kind == "real":
            blocks.append(_neutral_table(finders, markdown))
        for name, figures in finders.items():
            lines = [f"- {AIMS[aim]}: {verdict}" for aim, verdict in reached(figures).items()]
            blocks.append("\n".join([f"Aims, {name}:", *([""] if markdown else []), *lines]))
    return "\n\n".join(blocks)


def _drawn(head: Sequence[str], rows: Sequence[Sequence[str]], as_markdown: bool) -> str:
    return markdown(head, rows) if as_markdown else table(head, rows)


def _points_table(finders: dict[str, Any], as_markdown: bool) -> str:
    head = ["median error of points, mm", "missed", *(f"{name}: affected / other" for name in POINTS)]
    head += [*(f"{name}, all" for name in POINTS), "mirror, median", "95 %", "most"]
    rows = []
    for name, figures in finders.items():
        if "points" not in figures:
            rows.append([name, str(figures["missed"]), *[""] * (len(head) - 2)])
            continue
        of = figures["points"]
        sides = [f"{_plain(of[key]['affected'])} / {_plain(of[key]['other'])}" for key in POINTS]
        turned = [f"{figures['mirror'][key]:.2f}" for key in ("median", "of 95 %", "most")]
        rows.append([name, str(figures["missed"]), *sides, *(f"{of[key]['median']:.2f}" for key in POINTS), *turned])
    return _drawn(head, rows, as_markdown)


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _size_table(finders: dict[str, Any], as_markdown: bool) -> str:
    """What is found of asymmetries, a line per size of the truth."""
    rows = []
    for part in ASYMMETRY:
        for number, row in enumerate(next(iter(finders.values()))["asymmetry"][part]) if finders else ():
            cells = [_found(figures["asymmetry"][part], row["true mm"]) for figures in finders.values()]
            rows.append([part if number == 0 else "", row["true mm"], str(row["n"]), _plain(row.get("true")), *cells])
    head = ["difference between the sides", "true mm", "n", "mean", *(f"found, {name}" for name in finders)]
    return _drawn(head, rows, as_markdown)


def _lid_table(finders: dict[str, Any], as_markdown: bool) -> str:
    rows = []
    for row in next(iter(finders.values()))["lid gap"] if finders else ():
        cells = [_found(figures["lid gap"], row["true mm"]) for figures in finders.values()]
        rows.append([row["true mm"], str(row["n"]), _plain(row.get("true")), *cells])
    head = ["opening of an eye, true mm", "n", "mean", *(f"found, {name}" for name in finders)]
    return _drawn(head, rows, as_markdown)


def _found(rows: Sequence[dict[str, Any]], size: str) -> str:
    """Mean of what is found, and the median of the error's size."""
    row = next((row for row in rows if row["true mm"] == size and row["n"]), None)
    return "-" if row is None else f"{row['found']:.1f} ({row['error']:.1f} off)"


def _neutral_table(finders: dict[str, Any], as_markdown: bool) -> str:
    regions = list(next(iter(finders.values()))["neutral"]) if finders else []
    rows = [[name, *(f"{figures['neutral'][region]:.2f}" for region in regions)] for name, figures in finders.items()]
    return _drawn(["neutral photographs, error in % of the inter-ocular distance", *regions], rows, as_markdown)
