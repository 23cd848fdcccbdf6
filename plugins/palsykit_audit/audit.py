"""From a run, or a data set that it synthesised, to a whole audit."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palsykit.errors import PalsykitError
from palsykit.files.provenance import as_facts, provenance
from palsykit.run.folder import RunFolder
from palsykit.synthesis.bulk import MARKER, model_digest, pictures_of
from palsykit.synthesis.front import Model
from palsykit.synthesis.people import People, held_out, in_folder
from palsykit_audit.faces import Populations, Synthesis, of_folder, of_run, populations
from palsykit_audit.findings import findings
from palsykit_audit.measures import Membership, Reader, Resemblance, membership, reader, resemblance
from palsykit_audit.writing import Audit


@dataclass(frozen=True)
class Options:
    """How an audit looks.

    Attributes:
        network: the recognition network; None takes ``judge_recognition``, else ``recognition``.
        judges: a recipe that has it; None takes the run's.
        trained_on: further recipes whose training people count as trained on.
        quantile: of held-out photographs' nearest strangers that is the threshold; 1 is the nearest.
        photographs: of each group that a membership attack looks at; 0 attacks nothing.
    """

    network: str | None = None
    judges: Path | None = None
    trained_on: tuple[Path, ...] = ()
    quantile: float = 1.0
    photographs: int = 256


def audit_run(model: Model, run: Path, options: Options) -> Audit:
    """Audits the pictures that a run generated.

    Raises:
        PalsykitError: for a run without pictures or without people to compare with, and for a network it has not.
    """
    made = of_run(RunFolder(run), model.parts)
    return _audit(model, run, made, options, f"Audit of the run {run.name}", {})


def audit_folder(model: Model, run: Path, folder: Path, people: People | None, options: Options) -> Audit:
    """Audits a data set that ``palsykit synthesize`` wrote.

    Args:
        model: the run that made it, loaded.
        run: its folder.
        folder: of the data set.
        people: whom it was asked for; None where that is not known.
        options: how.

    Raises:
        PalsykitError: the folder is no synthesis of this run, and as ``audit_run``.
    """
    settings = _synthesis(folder)
    digest = model_digest(model)
    if settings["recipe_hash"] != model.parts.recipe.hash or settings["model_sha256"] != digest:
        raise PalsykitError(
            f"{folder}: made by another model (recipe {settings['recipe_hash'][:12]}, weights "
            f"{settings['model_sha256'][:12]}) than {run} holds (recipe {model.parts.recipe.hash[:12]}, weights "
            f"{digest[:12]}); name the run that made it, whose training people it might show"
        )
    made = of_folder(pictures_of(folder), model.parts, people)
    facts = {"data set": folder.name, "identities": people.source if people else "not known"}
    return _audit(model, run, made, options, f"Audit of the data set {folder.name}", facts)


def asked_for(model: Model, folder: Path, identities: Path | None, changes: Sequence[str]) -> People | None:
    """Whom a synthesised data set was asked for: the folder that is named, else people held out from the run's data.

    None where neither is whom it was made of and no folder was named.

    Raises:
        PalsykitError: the folder that is named holds other people than the data set was made of.
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
            f"{folder}: was made of other people than {people.source}; give --identities and --data as they were given "
            "to palsykit synthesize"
        )
    return None


def _synthesis(folder: Path) -> dict[str, Any]:
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
            f"{folder}: no synthesis (its {MARKER} cannot be read: {what}); expected a folder of palsykit synthesize"
        ) from error
    return settings


def _audit(
    model: Model, run: Path, made: Sequence[Synthesis], options: Options, title: str, facts: dict[str, str]
) -> Audit:
    parts = model.parts
    read = reader(parts, options.network, options.judges)
    people = populations(parts, options.trained_on)
    found = resemblance(parts, read, people, made, options.quantile)
    attacked = membership(parts, read, model.model, options.photographs) if options.photographs else None
    said = findings(found, attacked, [*read.cautions, *people.cautions])
    facts = {**facts, **_facts(model, run, read, people, found, attacked)}
    return Audit(title, people, found, attacked, said, facts, parts.data().dataset.attribution)


def _facts(
    model: Model, run: Path, read: Reader, people: Populations, found: Resemblance, attacked: Membership | None
) -> dict[str, str]:
    def counted(faces: Sequence[Any]) -> str:
        return f"{len({face.person for face in faces})} people, {len(faces)} photographs"

    return {
        "run": run.name,
        "recipe hash": model.parts.recipe.hash,
        "model, SHA-256": model_digest(model),
        "generated pictures": f"{len(found.made)} of {len({one.synthesis.person for one in found.made})} people",
        "training people": counted(people.training),
        "held-out people": counted(people.held_out),
        "recognition network": f"{read.network.name}, SHA-256 {read.digest[:12]}",
        "attacked": "no" if attacked is None else attacked.attack.name,
        **as_facts(provenance(model.parts.recipe.resolved, model.parts.device, command="audit")),
    }
