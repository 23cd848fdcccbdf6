"""The audit of a run, or of a data set that the run synthesised."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palsykit.errors import PalsykitError
from palsykit.files.provenance import as_facts, provenance
from palsykit.run.folder import RunFolder
from palsykit.synthesis.front import Model
from palsykit_audit.bulk import MARKER, model_digest, pictures_of
from palsykit_audit.faces import Populations, Synthesis, of_folder, of_run, populations
from palsykit_audit.findings import findings
from palsykit_audit.html import Finding
from palsykit_audit.identities import People, held_out, in_folder
from palsykit_audit.measures import Membership, Reader, Resemblance, membership, reader, resemblance


@dataclass(frozen=True)
class Options:
    """How an audit is done.

    Attributes:
        network: name of the recognition network; None takes ``judge_recognition``, else ``recognition``.
        judges: a recipe that has this network; None takes the run's.
        trained_on: more recipes whose training people count as trained on.
        quantile: the threshold, as a quantile of held-out photographs' cosines with the nearest stranger; 1 is the
            highest cosine.
        photographs: per group, for the membership attack; 0 skips the attack.
    """

    network: str | None = None
    judges: Path | None = None
    trained_on: tuple[Path, ...] = ()
    quantile: float = 1.0
    photographs: int = 256


@dataclass(frozen=True, eq=False)
class Audit:
    """The result of an audit.

    Attributes:
        title: names what was audited.
        facts: provenance, name -> value.
        attribution: of the photographs.
    """

    title: str
    people: Populations
    resemblance: Resemblance
    membership: Membership | None
    findings: list[Finding]
    facts: dict[str, str]
    attribution: str = ""


def audit_run(model: Model, run: Path, options: Options) -> Audit:
    """Audit the pictures that a run generated.

    Raises:
        PalsykitError: the run has no pictures, no people to compare with, or no such network.
    """
    pictures = of_run(RunFolder(run), model.parts)
    return _audit(model, run, pictures, options, f"Audit of the run {run.name}", {})


def audit_folder(model: Model, run: Path, folder: Path, people: People | None, options: Options) -> Audit:
    """Audit a data set that ``palsykit synthesize`` wrote.

    Args:
        model: the run that made the data set, loaded.
        run: the run's folder.
        folder: the data set's folder.
        people: the identities it was made from; None if unknown.
        options: how the audit is done.

    Raises:
        PalsykitError: the folder is not a synthesis of this run; and as ``audit_run``.
    """
    settings = _synthesis(folder)
    digest = model_digest(model)
    if settings["recipe_hash"] != model.parts.recipe.hash or settings["model_sha256"] != digest:
        raise PalsykitError(
            f"{folder}: made by another model (recipe {settings['recipe_hash'][:12]}, weights "
            f"{settings['model_sha256'][:12]}) than that of {run} (recipe {model.parts.recipe.hash[:12]}, weights "
            f"{digest[:12]}); name the run that made the folder"
        )
    pictures = of_folder(pictures_of(folder), model.parts, people)
    facts = {"data set": folder.name, "identities": people.source if people else "not known"}
    return _audit(model, run, pictures, options, f"Audit of the data set {folder.name}", facts)


def identities_of(model: Model, folder: Path, identities: Path | None, changes: Sequence[str]) -> People | None:
    """The identities that a data set was made from: those in ``identities``, else people held out from the run's data.

    Returns:
        None if no folder is named and the data set was not made from the run's held-out people.

    Raises:
        PalsykitError: ``identities`` or ``changes`` give other people than the data set was made from.
    """
    settings = _synthesis(folder)
    if identities is not None:
        people = in_folder(model.parts, identities)
    else:
        try:
            people = held_out(model.parts, settings["identities"]["people"], settings["seed"], changes)
        except PalsykitError:
            return None
    if people.digest == settings["identities"]["photographs_sha256"]:
        return people
    if identities is not None or changes:
        raise PalsykitError(
            f"{folder}: was made from other people than {people.source}; give the same --identities and --data as to "
            "palsykit synthesize"
        )
    return None


def _synthesis(folder: Path) -> dict[str, Any]:
    """The settings in the marker of a synthesised folder.

    Raises:
        PalsykitError: the marker is missing or incomplete.
    """
    try:
        settings: dict[str, Any] = json.loads((folder / MARKER).read_text(encoding="utf-8"))["settings"]
        (
            settings["recipe_hash"],
            settings["model_sha256"],
            settings["seed"],
            settings["identities"]["photographs_sha256"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise PalsykitError(
            f"{folder}: not a folder of palsykit synthesize (its {MARKER} cannot be read: {what}); name one, or leave "
            "DEST out"
        ) from error
    return settings


def _audit(
    model: Model, run: Path, pictures: Sequence[Synthesis], options: Options, title: str, facts: dict[str, str]
) -> Audit:
    # The people to compare, and the network that compares them.
    parts = model.parts
    judge = reader(parts, options.network, options.judges)
    people = populations(parts, options.trained_on)
    # The measurements.
    result = resemblance(parts, judge, people, pictures, options.quantile)
    attacks = membership(parts, judge, model.model, options.photographs) if options.photographs else None
    # The findings, in sentences.
    sentences = findings(result, attacks, [*judge.cautions, *people.cautions])
    facts = {**facts, **_facts(model, run, judge, people, result, attacks)}
    return Audit(title, people, result, attacks, sentences, facts, parts.data().dataset.attribution)


def _facts(
    model: Model, run: Path, judge: Reader, people: Populations, result: Resemblance, attacks: Membership | None
) -> dict[str, str]:
    """Facts for the page: what was compared, by which network, and the provenance."""

    def count(faces: Sequence[Any]) -> str:
        return f"{len({face.person for face in faces})} people, {len(faces)} photographs"

    shown = {one.synthesis.person for one in result.likenesses}
    return {
        "run": run.name,
        "recipe hash": model.parts.recipe.hash,
        "model, SHA-256": model_digest(model),
        "generated pictures": f"{len(result.likenesses)} of {len(shown)} people",
        "training people": count(people.training),
        "held-out people": count(people.held_out),
        "recognition network": f"{judge.network.name}, SHA-256 {judge.digest[:12]}",
        "attacked": "no" if attacks is None else attacks.attack.name,
        **as_facts(provenance(model.parts.recipe.resolved, model.parts.device, command="audit")),
    }
