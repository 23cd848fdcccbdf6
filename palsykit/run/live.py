"""Write live.html, the page about a training, from the files that its looks left."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np

from palsykit.faces.pairing import Pair
from palsykit.faces.records import FaceDataset
from palsykit.files.atomic import write_text
from palsykit.files.pictures import Picture, read_png
from palsykit.report.contents import Alarm, Cell, Curve, FigureRow, LiveContents
from palsykit.run import best
from palsykit.run.folder import RunFolder
from palsykit.run.parts import Parts
from palsykit.training import checkpoint

REFRESH = 30
"""Seconds after which the page of a running training loads itself again."""
SHOWN = 8
"""Most looks in the figure over the steps."""
FIGURES = {
    "validation_loss": "sum of the losses on validation people",
    "picture_error": "difference of the pictures from the true photographs",
}

SUM = ""
"""Stands for the sum of a loss's terms."""

Lines = Sequence[Mapping[str, Any]]


def write_page(
    run: RunFolder,
    parts: Parts,
    dataset: FaceDataset,
    pairs: Sequence[Pair],
    lines: Lines,
    alarms: list[Alarm],
    state: str,
    reason: str,
) -> None:
    """Write live.html, completely or not at all.

    Args:
        run: has the looks' pictures and the log.
        parts: of the run.
        dataset: of the pairs.
        pairs: what each look makes a picture of.
        lines: the looks' figures.
        alarms: those after the last look.
        state: "running", "stopped" or "ended".
        reason: why it stopped.
    """
    from palsykit.report.live import AVERAGED, RAW, render_live, spread  # imports matplotlib: half a second

    settings, steps, watch = parts.settings, parts.settings.train.steps, parts.settings.watch
    assert watch is not None
    log = [line for line in run.logged() if line["job"] == "train"]
    step = max([0, *(line["step"] for line in (*log, *lines))])
    there = [line for line in lines if _picture(run, line).exists()]
    shown = [(line["step"], _cut(run, line, len(pairs))) for line in (there[i] for i in spread(len(there), SHOWN))]
    looks = [(step, pictures) for step, pictures in shown if pictures]
    people = _people(dataset, pairs, looks[-1][1] if looks else None)
    firsts = [subject.record.labels.subject for subject in pairs]
    places = [firsts.index(row.subject) for row in people]
    contents = LiveContents(
        title=parts.recipe.name,
        state=state,
        said=_said(state, reason, lines, step, steps, watch.every, run),
        refresh=REFRESH if state == "running" else None,
        step=step,
        steps=steps,
        alarms=alarms if watch.alarms else None,
        notes=_notes(parts, lines, settings.train.steps),
        best=_best(run),
        people=people,
        raw=_by_person([p.record.labels.subject for p in pairs], looks[-1][1][1]) if looks else [],
        over_steps=[FigureRow(row.subject, row.identity, row.cells[:1]) for row in people],
        looks=[(at, [pictures[0][place] for place in places]) for at, pictures in looks],
        plots=_plots(lines, log, {"ema": AVERAGED, "raw": RAW}),
        facts=_facts(run, parts, lines, pairs),
    )
    write_text(run.live, render_live(contents))


def _picture(run: RunFolder, line: Mapping[str, Any]) -> Any:
    return run.watch / f"step-{line['step']:06d}.png"


def _cut(run: RunFolder, line: Mapping[str, Any], count: int) -> list[list[Picture]]:
    """The pictures of a look: [averaged weights, weights as they are], each with one per pair; [] if it is damaged."""
    try:
        sheet = read_png(_picture(run, line))
    except ValueError:
        return []
    side = sheet.shape[0] // 2
    if sheet.shape[1] != count * side:
        return []
    rows = (sheet[:side], sheet[side:])
    return [[np.ascontiguousarray(row[:, i * side : (i + 1) * side]) for i in range(count)] for row in rows]


def _people(dataset: FaceDataset, pairs: Sequence[Pair], pictures: list[list[Picture]] | None) -> list[FigureRow]:
    if pictures is None:
        return []
    rows: dict[str, FigureRow] = {}
    for pair, made in zip(pairs, pictures[0], strict=True):
        labels, subject = pair.record.labels, str(pair.record.labels.subject)
        row = rows.setdefault(subject, FigureRow(subject, dataset.image(pair.identity), []))
        truth = dataset.image(pair.record)
        row.cells.append(Cell(labels.expression or "unknown", labels.side, labels.severity, truth, made))
    return list(rows.values())


def _by_person(subjects: Sequence[str | None], pictures: list[Picture]) -> list[list[Picture]]:
    rows: dict[str | None, list[Picture]] = {}
    for subject, picture in zip(subjects, pictures, strict=True):
        rows.setdefault(subject, []).append(picture)
    return list(rows.values())


def _said(state: str, reason: str, lines: Lines, step: int, steps: int, every: int, run: RunFolder) -> str:
    now = f"{datetime.now():%Y-%m-%d %H:%M}"
    if state == "ended":
        return f"The training ended on {now}. When the whole run has ended, its report is {run.report.name}."
    if state == "stopped":
        return (
            f"The training stopped on {now} ({reason}). Start the same command again: it goes on from its last "
            "checkpoint."
        )
    words = f"Last look: {now}. This page loads itself again every {REFRESH} s."
    following = min(steps, (step // every + 1) * every)
    if len(lines) < 2 or step >= steps:
        return f"{words} The next look is after step {following}."
    (first, second) = lines[-2:]
    rate = (second["time"] - first["time"]) / max(1, second["step"] - first["step"])
    due = datetime.fromtimestamp(time.time() + rate * (following - step))
    end = datetime.fromtimestamp(time.time() + rate * (steps - step))
    return (
        f"{words} The next look, after step {following}, is due at {due:%H:%M}; the end at about {end:%Y-%m-%d %H:%M}. "
        "If that time is long past, the training was killed: start the same command again."
    )


def _notes(parts: Parts, lines: Lines, steps: int) -> list[str]:
    watch, notes = parts.settings.watch, []
    assert watch is not None
    nearest = lines[-1].get("nearest") if lines else None
    if nearest is not None:
        notes.append(
            f"Copies: the pictures' distance (1 - cosine) to the nearest of {nearest['compared']} training photographs "
            f"is {np.median(nearest['distances']):.3f} in the median; that of true photographs of validation people is "
            f"{nearest['held_out']:.3f}, and 5 % of these are below {nearest['limit']:.3f}."
        )
    elif watch.alarms and lines:
        notes.append("Copies are not looked for: the recipe has no network called recognition with an embedding.")
    if watch.alarms and lines and not lines[-1].get("shares"):
        notes.append("Ignored conditions are not looked for: the model is no diffusion model with conditions.")
    return notes


def _best(run: RunFolder) -> str:
    path = best.best(run.best)
    if path is None:
        return ""
    facts = checkpoint.facts(path)
    return (
        f"Best weights so far: those after step {facts['step']} ({FIGURES[facts['figure']]}: {facts['value']:.4g}), "
        f"kept in {path.relative_to(run.path)}."
    )


def _plots(lines: Lines, log: Lines, weights: Mapping[str, str]) -> dict[str, dict[str, Curve]]:
    plots: dict[str, dict[str, Curve]] = {}
    # Losses: the sum and each term, on validation people and in training.
    looked = [line["losses"][key] for line in lines for key in weights if line.get("losses")]
    terms = list(dict.fromkeys(name for found in (*looked, *(line.get("terms", {}) for line in log)) for name in found))
    for name in [SUM, *terms] if len(terms) > 1 else terms:
        plots[f"loss {name}" if name != SUM else "loss, the sum of its terms"] = {
            **{label: _curve(label, lines, partial(_loss, key, name)) for key, label in weights.items()},
            "training": _curve("training", log, partial(_logged, name)),
        }
    # Pictures, conditions and distances.
    plots["difference of the pictures from the true photographs (levels of 255)"] = {
        label: _curve(label, lines, partial(_error, key)) for key, label in weights.items()
    }
    conditions = list(dict.fromkeys(name for line in lines for name in line.get("shares", {})))
    plots["conditions: share of the gradient"] = {
        name: _curve(name, lines, partial(_share, name)) for name in conditions
    }
    near = [line["nearest"] | {"step": line["step"]} for line in lines if "nearest" in line]
    plots["distance to the nearest training photograph"] = {
        "pictures": _curve("pictures", near, lambda line: float(np.median(line["distances"]))),
        "held-out people": _curve("held-out people", near, lambda line: line["held_out"]),
        "5 % of these are below": _curve("limit", near, lambda line: line["limit"]),
    }
    shown = {name: {label: c for label, c in curves.items() if c.steps} for name, curves in plots.items()}
    return {name: curves for name, curves in shown.items() if curves}


def _loss(weights: str, name: str, line: Mapping[str, Any]) -> float | None:
    terms: Mapping[str, float | None] = line.get("losses", {}).get(weights, {})
    if name != SUM:
        return terms.get(name)
    known = [value for value in terms.values() if value is not None]
    return sum(known) if known and len(known) == len(terms) else None


def _logged(name: str, line: Mapping[str, Any]) -> float | None:
    value: float | None = line["loss"] if name == SUM else line.get("terms", {}).get(name)
    return value


def _error(weights: str, line: Mapping[str, Any]) -> float | None:
    value: float | None = line["picture_error"][weights]
    return value


def _share(name: str, line: Mapping[str, Any]) -> float | None:
    value: float | None = line.get("shares", {}).get(name)
    return value


def _curve(name: str, lines: Lines, value: Callable[[Mapping[str, Any]], float | None]) -> Curve:
    found = [(line["step"], value(line)) for line in lines]
    return Curve(name, [step for step, v in found if v is not None], [float(v) for _, v in found if v is not None])


def _facts(run: RunFolder, parts: Parts, lines: Lines, pairs: Sequence[Pair]) -> dict[str, str]:
    seconds = [line["seconds"] for line in lines if "seconds" in line]
    facts = {
        "folder": str(run.path),
        "recipe hash": parts.recipe.hash,
        "seed": str(parts.settings.seed),
        "people looked at": ", ".join(dict.fromkeys(str(pair.record.labels.subject) for pair in pairs)),
        "looks": f"{len(lines)}, one every {parts.settings.watch.every if parts.settings.watch else 0} steps",
    }
    if seconds:
        facts["a look takes"] = f"{np.mean(seconds):.1f} s"
    return facts
