"""Contracts of metrics, synthesisers, posers, detectors and data sets."""

import tempfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from palsykit.data.inventory import take_inventory
from palsykit.faces.interfaces import Detection
from palsykit.faces.records import Rejected
from palsykit.faces.views import to_pictures
from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit.interfaces import Conditioning, ConditioningSpec, FaceBatch, FaceView, Images, MetricCard
from palsykit.measure.statistics import gather, statistics
from palsykit.metrics import needs
from palsykit.testing import modules
from palsykit.testing.modules import ROWS_APART, SAME, Harness, Tensors, distance
from palsykit.testing.result import Check, Unmet
from palsykit.testing.stand_ins import face_batch, faces, landmarks
from palsykit.testing.subject import ROWS, Subject

SHOWN = 8
"""How many records of a data set are checked with their pictures."""


def metric_checks(subject: Subject) -> list[Check]:
    """A card that a reader can trust, and figures that depend on nothing but the pictures."""
    size, rows = subject.image_size, 2 * ROWS
    batch = face_batch(rows, size)
    images = Images(*(faces(rows, size, name).image for name in ("generated", "regenerated", "swapped_back")))
    subject.build()
    return [
        ("the card is complete", lambda: card(subject)),
        ("an entry for each row, and figures of any rows", lambda: figures_of_rows(subject, batch, images)),
        ("what is unknown is no error", lambda: unknown_rows(subject, batch, images)),
        (
            "the same however it is split into batches",
            lambda: batches_do_not_count(subject, batch, images),
        ),
    ]


def measure(metric: Any, batch: FaceBatch, images: Images, step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
    """What a metric reads of all rows, ``step`` at a time, {column: [N, ...]}, and its figures of them."""
    with torch.inference_mode():
        rows = gather(metric, batch, images, step)
        found = statistics(metric, rows, len(batch))
        return rows, {name: figure.of(np.arange(len(batch))) for name, figure in found.items()}


def card(subject: Subject) -> None:
    """card, every field filled in, and needs where there are any."""
    metric = subject.build()
    about = getattr(metric, "card", None)
    if not isinstance(about, MetricCard) or not about.better.startswith(("higher", "lower")):
        raise Unmet(
            "a MetricCard whose `better` begins with higher or lower",
            repr(about)[:80],
            "set card, a palsykit.MetricCard",
        )
    if empty := [name for name in ("name", "definition", "unit", "source") if not getattr(about, name).strip()]:
        raise Unmet("a card that says all", f"nothing in {', '.join(empty)}", "fill it in; the report prints it")
    passes = needs(metric)
    if not isinstance(passes, frozenset) or passes - {f.name for f in fields(Images)}:
        raise Unmet("needs, a frozenset of passes that Images has, or none", repr(passes), "set needs, or leave it out")


def figures_of_rows(subject: Subject, batch: FaceBatch, images: Images) -> None:
    """Columns with an entry for each row, and figures of all rows and of some, one of which comes twice."""
    metric, count = subject.build(), len(batch)
    with torch.inference_mode():
        read = metric.read(batch, images)
        if not read or any(column.shape[:1] != (count,) for column in read.values()):
            raise Unmet(
                f"{{column: [B, ...]}}, here [{count}, ...]",
                str({name: list(column.shape) for name, column in read.items()}) if read else "no column",
                "let read() return an entry for each row, under a name",
            )
        found = statistics(metric, gather(metric, batch, images, count), count)
        values = [figure.of(rows) for figure in found.values() for rows in (np.arange(count), np.array([0, 0, 2]))]
    if not found or not all(isinstance(value, float) for value in values):
        raise Unmet("{figure: float}", repr(values)[:80], "let figures() return one number under each name")


def unknown_rows(subject: Subject, batch: FaceBatch, images: Images) -> None:
    """No target, and no landmarks: NaN or a figure, under the same names, and no exception."""
    names = set(measure(subject.build(), batch, images, len(batch))[1])
    blank = face_batch(len(batch), subject.image_size)
    for face in (blank.identity, blank.driver):
        face.landmarks = torch.full_like(face.landmarks, torch.nan)
        face.labels = tuple(FaceLabels(label.subject) for label in face.labels)  # splits need the subject at least
    for what, odd in (("target", FaceBatch(batch.identity, batch.driver)), ("landmarks and labels", blank)):
        try:
            found = set(measure(subject.build(), odd, images, len(batch))[1])
        except Exception as error:  # a metric may raise anything
            raise Unmet(
                f"figures, or NaN, of a batch without {what}",
                f"{type(error).__name__}: {error}",
                "return torch.nan where it is not defined",
            ) from None
        if found != names:
            raise Unmet(f"the figures {sorted(names)} without {what} too", f"{sorted(found)}", "return NaN for those")


def batches_do_not_count(subject: Subject, batch: FaceBatch, images: Images) -> None:
    """All at once, or three rows at a time, by the same metric, which remembers nothing of the first time."""
    metric = subject.build()
    (rows, once), (again, parts) = (measure(metric, batch, images, step) for step in (len(batch), 3))
    pairs = [(name, column, again[name]) for name, column in rows.items()]
    pairs += [(name, torch.tensor(value), torch.tensor(parts[name])) for name, value in once.items()]
    for name, one, other in pairs:
        if not torch.allclose(one.double(), other.double(), rtol=1e-3, atol=1e-4, equal_nan=True):
            raise Unmet(
                "figures that do not depend on the batch size",
                f"{name} differs",
                "let read() keep nothing, and let each row depend on itself only; figures() sees all rows",
            )


def synthesiser_checks(subject: Subject) -> list[Check]:
    """Pictures depend on row and seed only; for a trainable one also the contract of a module."""
    synthesiser = subject.build(subject.image_size)
    checks: list[Check] = [("pictures in [-1, 1], by row and seed", lambda: pictures_by_row(subject))]
    if not isinstance(synthesiser, nn.Module) or not any(p.requires_grad for p in synthesiser.parameters()):
        return checks
    checks += [("its conditioning is as its spec says", lambda: as_its_spec_says(subject))]
    return [*checks, *modules.checks(trained_harness(subject))]


def trained_harness(subject: Subject) -> Harness:
    """Calls encode and forward as a trainer does."""
    batch = face_batch(ROWS, subject.image_size)

    def call(module: nn.Module, inputs: Tensors) -> Tensors:
        if inputs["identity"].device.type != "meta":  # on meta the shared stand-ins would lose their weights
            for network in subject.networks.made.values():
                network.module.to(inputs["identity"].device)
        pair = FaceBatch(FaceView.of_images(inputs["identity"]), FaceView.of_images(inputs["driver"]))
        conditioning: Conditioning = module.encode(pair)  # type: ignore[operator]
        return {"picture": module(inputs["identity"], conditioning)}

    inputs = {"identity": batch.identity.image, "driver": batch.driver.image}
    return Harness(lambda seed: subject.build(subject.image_size, seed=seed), inputs, call)


def as_its_spec_says(subject: Subject) -> None:
    """spec is a ConditioningSpec, and encode gives pooled [B, pooled_width] and maps [B, spatial, H, W] to match."""
    model = subject.build(subject.image_size)
    spec = getattr(model, "spec", None)
    if not isinstance(spec, ConditioningSpec) or not hasattr(model, "encode"):
        raise Unmet(
            "spec, a ConditioningSpec, and encode(batch) -> Conditioning, because it has trainable weights",
            f"{type(spec).__name__}",
            "add what palsykit.interfaces.TrainedSynthesiser requires, or freeze it: requires_grad_(False)",
        )
    with torch.no_grad():
        conditioning: Conditioning = model.encode(face_batch(ROWS, subject.image_size))
    size = subject.image_size
    expected = {
        "pooled": None if spec.pooled_width is None else (ROWS, spec.pooled_width),
        "spatial": (ROWS, spec.spatial, size, size) if spec.spatial else None,
    }
    for name, shape in expected.items():
        value: Tensor | None = getattr(conditioning, name)
        seen = None if value is None else tuple(value.shape)
        if seen != shape:
            raise Unmet(f"{name} of shape {shape}, as spec says", f"{seen}", "let spec and encode agree")


def pictures_by_row(subject: Subject) -> None:
    """Pictures are [B, 3, H, W], the same for the same seeds, and a row alone gives the same as in its batch."""
    batch, seeds = face_batch(ROWS, subject.image_size), list(range(ROWS))
    synthesiser = subject.build(subject.image_size)
    first, again = synthesiser.generate(batch, seeds), synthesiser.generate(batch, seeds)
    if first.shape != batch.identity.image.shape or not bool((first.abs() <= 1 + SAME).all()):
        raise Unmet("pictures [B, 3, H, W] in [-1, 1]", f"{list(first.shape)}", "clamp, and keep the batch's size")
    alone = synthesiser.generate(batch.rows(1, 2), seeds[1:2])
    if not torch.equal(first, again) or distance(alone[0], first[1]) > ROWS_APART:
        raise Unmet(
            "row i to depend on row i of the batch and on seeds[i] only",
            "it changes from call to call, or with its neighbours",
            "draw row by row from palsykit.seeds.generator(seeds[i])",
        )


def poser_checks(subject: Subject) -> list[Check]:
    """The poser gives a picture and its landmarks, or raises ValueError."""
    subject.build()
    return [("poses a photograph", lambda: poses(subject))]


def poses(subject: Subject) -> None:
    """pose() gives [H, H, 3] uint8 and [68, 2] px, the same every time, and refuses a severity without a side."""
    size = max(subject.image_size, 64)
    photograph = to_pictures(faces(1, size, "photograph").image)[0]
    points = landmarks(size, 0.0, 0)
    poser = subject.build()
    request = FaceLabels("s", "smile_full", Side.LEFT, 4.0)
    picture, moved = poser.pose(photograph, points, request)
    if picture.shape != photograph.shape or picture.dtype != np.uint8 or moved.shape != (68, 2):
        raise Unmet(
            "a uint8 picture of the photograph's shape and landmarks [68, 2]",
            f"{picture.dtype} {picture.shape}, {moved.shape}",
            "keep both shapes",
        )
    again, _ = poser.pose(photograph, points, request)
    if not np.array_equal(picture, again):
        raise Unmet("the same picture for the same request", "another", "draw nothing, or use a fixed seed")
    try:
        poser.pose(photograph, points, FaceLabels("s", "smile_full", Side.NONE, 5.0))
    except ValueError:
        return
    raise Unmet("ValueError for grade 5 and no side", "a picture", "check side and severity before drawing")


def detector_checks(subject: Subject) -> list[Check]:
    """The detector gives detections of a photograph, and a version for caches."""
    subject.build()
    return [("detects", lambda: detects(subject))]


def detects(subject: Subject) -> None:
    """version is a text, and detect() gives a sequence of Detection, empty if there is no face."""
    detector = subject.build()
    if not isinstance(getattr(detector, "version", None), str) or not detector.version:
        raise Unmet("version, a text with the hashes of model files", "none", "set it; caches are named after it")
    detections = detector.detect(np.full((96, 96, 3), 127, np.uint8))
    if not all(isinstance(face, Detection) and face.five.shape == (5, 2) for face in detections):
        raise Unmet(
            "Detection records with five points [5, 2]",
            repr(detections)[:80],
            "return palsykit.faces.interfaces.Detection",
        )


def dataset_checks(subject: Subject) -> list[Check]:
    """Records can be split and paired, pictures have the right form, and both are the same in every run."""
    cache = tempfile.TemporaryDirectory(prefix="palsykit-check-")
    dataset = subject.build(subject.image_size, Path(cache.name))

    def again() -> Any:
        # The reference to ``cache`` keeps the folder until the last check has run.
        return subject.build(subject.image_size, Path(cache.name) / "again")

    return [
        ("records can be trained on", lambda: usable(dataset)),
        ("pictures and landmarks", lambda: pictures(dataset, subject.image_size)),
        ("the same in every run", lambda: same_again(dataset, again)),
    ]


def usable(dataset: Any) -> None:
    """Keys are unique, and subjects, splits and attribution are as ``palsykit data check`` requires."""
    keys = [record.key for record in dataset.records]
    if len(set(keys)) < len(keys):
        raise Unmet("a different key for every record", "two with one key", "name the file in the key")
    if faults := take_inventory(dataset, 0).faults:
        raise Unmet("records that a recipe can train on", "; ".join(faults), "correct the records' labels and splits")
    if not isinstance(dataset.attribution, str) or not all(isinstance(item, Rejected) for item in dataset.rejected):
        raise Unmet("attribution (text) and rejected (Rejected records)", repr(dataset.attribution)[:60], "set both")


def pictures(dataset: Any, size: int) -> None:
    """Pictures are [size, size, 3] uint8; landmarks are [68, 2] float32 in px of the picture, with their source."""
    if dataset.image_size != size:
        raise Unmet(f"image_size {size}, as asked", str(dataset.image_size), "keep the factory's image_size")
    for record in dataset.records[:SHOWN]:
        picture = dataset.image(record)
        if picture.shape != (size, size, 3) or picture.dtype != np.uint8:
            raise Unmet(
                f"uint8 [{size}, {size}, 3] RGB", f"{picture.dtype} {list(picture.shape)}", "resize and convert"
            )
        points, source = record.landmarks, record.landmarks_source
        if points is None:
            continue
        if points.shape != (68, 2) or points.dtype != np.float32 or source not in ("given", "predicted"):
            raise Unmet(
                'landmarks float32 [68, 2] and landmarks_source "given" or "predicted"',
                f"{points.dtype} {list(points.shape)}, {source!r}",
                "convert them, and set landmarks_source",
            )
        if np.nanmax(np.abs(points - size / 2)) > size:
            raise Unmet(f"landmarks in px of the {size} px picture", f"up to {np.nanmax(points):.0f}", "scale them too")


def same_again(dataset: Any, again: Callable[[], Any]) -> None:
    """Built again with an empty cache, it gives the same keys, labels and pictures."""
    other = again()
    if [r.key for r in other.records] != [r.key for r in dataset.records]:
        raise Unmet("the same keys in the same order", "others", "sort the file system's listing")
    for mine, theirs in zip(dataset.records[:SHOWN], other.records[:SHOWN], strict=True):
        if mine.labels != theirs.labels or not np.array_equal(dataset.image(mine), other.image(theirs)):
            raise Unmet("the same picture and labels for a key", f"others for {mine.key}", "draw with a fixed seed")
