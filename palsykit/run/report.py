"""Last stage: write the report and the model card from the files of the other stages."""

from typing import Any

from palsykit.faces.vocabulary import EXPRESSIONS
from palsykit.files.atomic import write_text
from palsykit.files.hashes import sha256
from palsykit.files.provenance import as_facts, provenance, recorded, same
from palsykit.report.card import render_card
from palsykit.report.contents import CardContents, Cell, Curve, FigureRow, MetricRow, ReportContents
from palsykit.report.figures import as_row
from palsykit.report.html import render_html
from palsykit.run.folder import RunFolder
from palsykit.run.generate import generated
from palsykit.run.parts import Parts

INTERVALS = "Intervals: 95 %, bootstrap over subjects (1,000 resamples, percentiles); whole-set figures have none."
LICENCE = "palsykit is MIT; pictures and weights have the licences of the data and of the networks they come from."
FIGURE_ROWS = 16
"""The most identities that the figure shows; images/ has all pictures."""


def write_report(run: RunFolder, parts: Parts, facts: dict[str, Any]) -> None:
    """Write report.html and, for a recipe with a trainer, MODEL_CARD.md."""
    metrics = metric_rows(run)
    summary = run.made("data.json")
    settings, origin = parts.settings, provenance(parts.recipe.resolved, parts.device)
    report = ReportContents(
        title=parts.recipe.name,
        about=settings.about or f"A run of the recipe {parts.recipe.name}.",
        rows=_figure_rows(run, parts),
        curves=_curves(run),
        metrics=metrics,
        recipe_yaml=parts.recipe.yaml(),
        facts=_facts(run, parts, origin),
        data={name: table for name, table in summary["counts"].items() if name != "severity" or len(table) > 1},
        rejected=[(rejected.path, rejected.reason) for rejected in parts.data().dataset.rejected],
        notes=_notes(parts, summary) + _other_origins(run, origin),
        attribution=summary["attribution"],
        licence=LICENCE,
        intervals=INTERVALS if metrics else "",
    )
    write_text(run.report, render_html(report))
    if settings.trainer is not None:
        write_text(run.path / "MODEL_CARD.md", render_card(card_of(run, parts, metrics, summary, origin)))
    facts["report"] = run.report.name


def _figure_rows(run: RunFolder, parts: Parts) -> list[FigureRow]:
    if not (run.images / "metadata.jsonl").exists():
        return []
    dataset, order = parts.data().dataset, list(EXPRESSIONS)
    rows: dict[str, FigureRow] = {}
    for pair, picture in zip(parts.chosen_pairs, generated(run, parts.chosen_pairs), strict=True):
        labels = pair.record.labels
        subject = str(labels.subject)
        if subject not in rows:
            if len(rows) == FIGURE_ROWS:
                break
            rows[subject] = FigureRow(subject, dataset.image(pair.identity), [])
        truth, expression = dataset.image(pair.record), labels.expression or "unknown"
        rows[subject].cells.append(Cell(expression, labels.side, labels.severity, truth, picture))
    for row in rows.values():
        row.cells.sort(key=lambda cell: order.index(cell.expression) if cell.expression in order else len(order))
    return list(rows.values())


def _curves(run: RunFolder) -> dict[str, list[Curve]]:
    curves: dict[str, dict[str, Curve]] = {}
    for line in run.logged():
        job = curves.setdefault(line["job"].replace("fit-", "fit "), {})
        terms = {"loss": line["loss"], **(terms if len(terms := line.get("terms", {})) > 1 else {})}
        for name, value in terms.items():
            curve = job.setdefault(name, Curve(name, [], []))
            curve.steps.append(line["step"])
            curve.values.append(value)
    return {job: list(named.values()) for job, named in curves.items()}


def metric_rows(run: RunFolder) -> list[MetricRow]:
    """The figures in metrics.json; none before they are measured."""
    if not run.metrics.exists():
        return []
    details = run.made(run.metrics.name)["details"]
    return [as_row(name, detail) for name, detail in details.items()]


def _facts(run: RunFolder, parts: Parts, origin: dict[str, Any]) -> dict[str, str]:
    trained = run.facts("train")
    model = {"trained parameters": f"{trained['parameters']:,}"} if "parameters" in trained else {}
    stages = {f"{name} (seconds)": f"{facts['seconds']:g}" for name, facts in run.state()["stages"].items()}
    return {"recipe hash": parts.recipe.hash, "seed": str(parts.settings.seed), **as_facts(origin), **model, **stages}


def _other_origins(run: RunFolder, origin: dict[str, Any]) -> list[str]:
    """One note per group of stages that ran with another version or on another machine."""
    return [
        f"Stages that ran with other versions or on another machine than named below: {', '.join(entry['stages'])}; "
        "see provenance.json."
        for entry in recorded(run.provenance)
        if not same(entry, origin)
    ]


def _notes(parts: Parts, summary: dict[str, Any]) -> list[str]:
    notes = []
    if alone := summary["single_photograph_subjects"]:
        notes.append(f"{len(alone)} subjects have one photograph, also their identity image: {', '.join(alone[:20])}.")
    if count := summary["without_landmarks"]:
        network = parts.points_network()
        source = f"the network {network.name} predicted them" if network else "no network of this recipe predicts them"
        notes.append(f"{count} photographs came without landmarks; {source}; see images/metadata.jsonl.")
    shipped = [n for n, block in parts.settings.networks.items() if str(block.parameters.get("weights", "")).count(":")]
    if shipped:
        notes.append(f"Networks with weights that ship with palsykit: {', '.join(shipped)}.")
    return notes


def _best(trained: dict[str, Any]) -> list[str]:
    if (best := trained.get("best")) is None:
        return []
    return [f"weights of the step that was best by {best['figure']}: {best['step']}, with {best['value']:.4g}"]


def card_of(
    run: RunFolder, parts: Parts, metrics: list[MetricRow], summary: dict[str, Any], origin: dict[str, Any]
) -> CardContents:
    """What the model card of a trained run says."""
    settings, trained = parts.settings, run.facts("train")
    machine = next((e["machine"] for e in recorded(run.provenance) if "train" in e["stages"]), origin["machine"])
    sections = ("fusion", "denoiser", "scheduler", "synthesiser")
    blocks = {name: getattr(settings, name) for name in sections}
    used = [f"{name}: {block.use}" for name, block in blocks.items() if block is not None]
    conditions = [
        f"condition {name}: {block.use}, from the {block.source}" for name, block in settings.conditions.items()
    ]
    photographs = summary["counts"]["split"]["photographs"]
    subjects = summary["counts"]["split"]["subjects"]
    return CardContents(
        name=parts.recipe.name,
        about=settings.about or f"Made by the recipe {parts.recipe.name}.",
        architecture=conditions + used,
        image_size=settings.image_size,
        parameters=trained["parameters"],
        training=[
            f"{trained['steps']} steps of batch {settings.train.batch_size} with the trainer {settings.trainer.use}"
            if settings.trainer
            else "",
            f"started from {settings.train.start}" if settings.train.start else "started from random weights",
            f"{trained['seconds']:g} s on {machine}",
            *_best(trained),
        ],
        training_data=f"{settings.data.use}: {photographs['train']} photographs of {subjects['train']} people.",
        attribution=summary["attribution"],
        licence=LICENCE,
        evaluation_data=f"{subjects[settings.generate.split]} people of the split '{settings.generate.split}', "
        f"at most {settings.generate.identities} of them synthesised; none of them is in the training data.",
        metrics=metrics,
        limits=[f"{settings.image_size} px; faces in palsykit's face frame only."],
        load=str(run.path),
        recipe_hash=parts.recipe.hash,
        seed=settings.seed,
        provenance=as_facts(origin),
        sha256={str(file.relative_to(run.path)): sha256(file) for file in sorted(run.model.rglob("*.safetensors"))},
    )
