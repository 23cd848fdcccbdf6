"""Contracts of metrics, synthesisers, posers, detectors and data sets."""

import tempfile
from collections.abc import Mapping
from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from palsykit.data.faults import faults_of
from palsykit.faces.dials import Dial, Dials, Length
from palsykit.faces.interfaces import Detection
from palsykit.faces.records import Rejected
from palsykit.faces.views import to_pictures
from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit.interfaces import Conditioning, ConditioningSpec, FaceBatch, FaceView, Images, MetricCard
from palsykit.measure.statistics import gather, statistics
from palsykit.metrics import needs
from palsykit.testing import shared
from palsykit.testing.result import Check, Unmet, require
from palsykit.testing.shared import Harness, Shapes, Tensors
from palsykit.testing.stand_ins import face_batch, faces, landmarks
from palsykit.testing.subject import ROWS, Subject

SHOWN = 8
"""How many records of a data set are checked with their pictures."""


def metric_checks(subject: Subject) -> list[Check]:
    """A complete card, and figures that depend on the pictures only."""
    size, rows = subject.image_size, 2 * ROWS
    batch = face_batch(rows, size)
    images = Images(*(faces(rows, size, name).image for name in ("generated", "regenerated", "swapped_back")))
    subject.build()
    return [
        ("the card is complete", lambda: card(subject)),
        ("one entry per row, and figures of any rows", lambda: figures_of_rows(subject, batch, images)),
        ("unknown values are no error", lambda: unknown_rows(subject, batch, images)),
        ("does not depend on the batch size", lambda: batches_do_not_count(subject, batch, images)),
    ]


def measure(metric: Any, batch: FaceBatch, images: Images, step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
    """A metric's columns {column: [N, ...]} of all rows, read ``step`` at a time, and its figures."""
    with torch.inference_mode():
        rows = gather(metric, batch, images, step)
        found = statistics(metric, rows, len(batch))
        return rows, {name: figure.of(np.arange(len(batch))) for name, figure in found.items()}


def card(subject: Subject) -> None:
    """The card has all fields, and ``needs``, if present, names known passes."""
    metric = subject.build()
    about = getattr(metric, "card", None)
    directed = isinstance(about, MetricCard) and about.better.startswith(("higher", "lower"))
    expected = "a MetricCard whose `better` begins with higher or lower"
    require(directed, expected, repr(about)[:80], "set card, a palsykit.MetricCard")
    empty = ", ".join(name for name in ("name", "definition", "unit", "source") if not getattr(about, name).strip())
    require(not empty, "a card with all fields", f"nothing in {empty}", "fill it in; the report prints it")
    passes = needs(metric)
    known = isinstance(passes, frozenset) and passes <= {f.name for f in fields(Images)}
    require(known, "needs, a frozenset of passes of Images, or no needs", repr(passes), "set needs, or leave it out")


def figures_of_rows(subject: Subject, batch: FaceBatch, images: Images) -> None:
    """Columns have one entry per row. Figures work for all rows, and for some rows with one of them twice."""
    metric, count = subject.build(), len(batch)
    with torch.inference_mode():
        read = metric.read(batch, images)
        require(
            read and all(column.shape[:1] == (count,) for column in read.values()),
            f"{{column: [B, ...]}}, here [{count}, ...]",
            {name: list(column.shape) for name, column in read.items()} or "no column",
            "let read() return one entry per row in each column",
        )
        found = statistics(metric, gather(metric, batch, images, count), count)
        values = [figure.of(rows) for figure in found.values() for rows in (np.arange(count), np.array([0, 0, 2]))]
    floats = found and all(isinstance(value, float) for value in values)
    require(floats, "{figure: float}", repr(values)[:80], "let figures() return one number per name")


def unknown_rows(subject: Subject, batch: FaceBatch, images: Images) -> None:
    """Without a target, and without landmarks: NaN or a figure, with the same names, and no exception."""
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
                "return torch.nan for undefined values",
            ) from None
        expected = f"the figures {sorted(names)} also without {what}"
        require(found == names, expected, sorted(found), "return NaN for those")


def batches_do_not_count(subject: Subject, batch: FaceBatch, images: Images) -> None:
    """All rows at once and three rows at a time give the same figures; the metric has no state from the first pass."""
    metric = subject.build()
    (rows, once), (again, parts) = (measure(metric, batch, images, step) for step in (len(batch), 3))
    pairs = [(name, column, again[name]) for name, column in rows.items()]
    pairs += [(name, torch.tensor(value), torch.tensor(parts[name])) for name, value in once.items()]
    for name, one, other in pairs:
        require(
            torch.allclose(one.double(), other.double(), rtol=1e-3, atol=1e-4, equal_nan=True),
            "figures that do not depend on the batch size",
            f"{name} differs",
            "keep no state in read(), and let each row depend on itself only; figures() sees all rows",
        )


def synthesiser_checks(subject: Subject) -> list[Check]:
    """Pictures depend on row and seed only; for a trainable one also the contract of a module."""
    size, batch, build = subject.image_size, face_batch(ROWS, subject.image_size), subject.maker(subject.image_size)

    def generate(synthesiser: Any, inputs: Mapping[str, Any]) -> Tensors:
        views = FaceBatch(inputs["identity"], inputs["driver"], inputs["driver"])
        return {"picture": synthesiser.generate(views, inputs["seed"].tolist())}

    inputs = {"identity": batch.identity, "driver": batch.driver, "seed": torch.arange(ROWS)}
    harness = Harness(build, inputs, generate, lambda *_: {"picture": (ROWS, 3, size, size)}, "the batch is")
    synthesiser = build(0)
    checks: list[Check] = [*shared.by_row(harness), ("stays in [-1, 1]", lambda: shared.in_range(harness))]
    if not isinstance(synthesiser, nn.Module) or not any(p.requires_grad for p in synthesiser.parameters()):
        return checks
    trained = trained_harness(subject)
    checks += [("its conditioning matches its spec", lambda: shared.shapes(trained))]
    return [*checks, *shared.trainable(trained)]


def trained_harness(subject: Subject) -> Harness:
    """Calls encode and forward as a trainer does."""
    size, batch = subject.image_size, face_batch(ROWS, subject.image_size)

    def call(module: Any, inputs: Mapping[str, Tensor]) -> Tensors:
        if inputs["identity"].device.type != "meta":  # on meta the shared stand-ins would lose their weights
            for network in subject.networks.values():
                network.module.to(inputs["identity"].device)
        pair = FaceBatch(FaceView.of_images(inputs["identity"]), FaceView.of_images(inputs["driver"]))
        found: Conditioning = module.encode(pair)
        named = {"picture": module(inputs["identity"], found), "pooled": found.pooled, "spatial": found.spatial}
        return {name: value for name, value in named.items() if value is not None}

    def shapes(module: Any, outputs: Tensors) -> Shapes:
        spec = getattr(module, "spec", None)
        if not isinstance(spec, ConditioningSpec):
            expected = "spec, a ConditioningSpec, because it has trainable weights"
            mend = "add what palsykit.interfaces.TrainedSynthesiser requires, or freeze it: requires_grad_(False)"
            raise Unmet(expected, type(spec).__name__, mend)
        pooled = None if spec.pooled_width is None else (ROWS, spec.pooled_width)
        spatial = (ROWS, spec.spatial, size, size) if spec.spatial else None
        return {"picture": (ROWS, 3, size, size), "pooled": pooled, "spatial": spatial}

    inputs = {"identity": batch.identity.image, "driver": batch.driver.image}
    return Harness(subject.maker(size), inputs, call, shapes, "spec says")


def poser_checks(subject: Subject) -> list[Check]:
    """The poser gives a picture and its landmarks, or raises ValueError."""
    poser = subject.build()
    size = max(subject.image_size, 64)
    checks: list[Check] = [("poses a photograph", lambda: poses(poser, size))]
    return [*checks, ("its finer dials", lambda: dialed(poser, size))] if has_dials(poser) else checks


def poses(poser: Any, size: int) -> None:
    """pose() gives [H, H, 3] uint8 and [68, 2] px, the same every time, and refuses a severity without a side."""
    photograph, points = to_pictures(faces(1, size, "photograph").image)[0], landmarks(size, 0.0, 0)
    request = FaceLabels("s", "smile_full", Side.LEFT, 4.0)
    picture, moved = poser.pose(photograph, points, request)
    require(
        picture.shape == photograph.shape and picture.dtype == np.uint8 and moved.shape == (68, 2),
        "a uint8 picture of the photograph's shape and landmarks [68, 2]",
        f"{picture.dtype} {picture.shape}, {moved.shape}",
        "keep both shapes",
    )
    same = np.array_equal(picture, poser.pose(photograph, points, request)[0])
    require(same, "the same picture for the same request", "another", "draw nothing, or use a fixed seed")
    try:
        poser.pose(photograph, points, FaceLabels("s", "smile_full", Side.NONE, 5.0))
    except ValueError:
        return
    raise Unmet("ValueError for grade 5 and no side", "a picture", "check side and severity before drawing")


def has_dials(poser: Any) -> bool:
    """Whether a poser is a FinePoser."""
    return "dials" in signature(poser.pose).parameters


def dialed(poser: Any, size: int) -> None:
    """No dial changes nothing, a share and a length of the mouth do what they say, and a side is needed."""
    photograph, points = to_pictures(faces(1, size, "photograph").image)[0], landmarks(size, 0.0, 0)
    right, left = (points[eye].mean(0) for eye in (slice(36, 42), slice(42, 48)))
    mm = float(np.linalg.norm(left - right)) / 61  # the eyes' middles, if the pupils are 63 mm apart

    request = FaceLabels("s", "smile_full", Side.LEFT, 4.0)

    def marks(mouth: Dial | None = None) -> NDArray[np.float64]:
        found = poser.pose(photograph, points, request, 1.0, dials=Dials(mouth=mouth))[1]
        return np.asarray(found, np.float64) / mm

    plain, still, lower = marks(), marks(0.0), marks(Length(-4.0))
    usual = np.allclose(plain, poser.pose(photograph, points, request)[1] / mm)
    require(usual, "the grade's face if no dial is set", "another", "let dials override the grade's values only")
    stays = float(np.linalg.norm(still[54] - points[54] / mm))
    require(stays < 1.0, "mouth 0: the affected corner does not smile", f"{stays:.1f} mm", "scale the movement by it")
    below = float(lower[54, 1] - lower[48, 1])
    expected = "mouth -4mm: the affected corner is 4 mm lower than the other"
    require(abs(below - 4) < 1.0, expected, f"{below:.1f} mm", "read palsykit.faces.dials.Dials")
    try:
        poser.pose(photograph, points, FaceLabels("s", "smile_full", Side.NONE, 1.0), 1.0, dials=Dials(mouth=0.5))
    except ValueError:
        return
    raise Unmet("ValueError for a dial and no side", "a picture", "check dials before drawing")


def detector_checks(subject: Subject) -> list[Check]:
    """The detector gives detections of a photograph, and a version for caches."""
    detector = subject.build()
    return [("detects", lambda: detects(detector))]


def detects(detector: Any) -> None:
    """version is a text, and detect() gives a sequence of Detection, empty if there is no face."""
    version = getattr(detector, "version", None)
    text = "version, a text with the hashes of model files"
    require(isinstance(version, str) and version, text, "none", "set it; caches are named after it")
    found = detector.detect(np.full((96, 96, 3), 127, np.uint8))
    right = all(isinstance(face, Detection) and face.five.shape == (5, 2) for face in found)
    mend = "return palsykit.faces.interfaces.Detection"
    require(right, "Detection records with five points [5, 2]", repr(found)[:80], mend)


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
        ("the same in every run", lambda: same_again(dataset, again())),
    ]


def usable(dataset: Any) -> None:
    """Keys are unique, and subjects, splits and attribution are as ``palsykit data check`` requires."""
    unique = len({record.key for record in dataset.records}) == len(dataset.records)
    require(unique, "a different key for every record", "two records with the same key", "name the file in the key")
    faults = "; ".join(faults_of(dataset.records))
    require(not faults, "records that a recipe can train on", faults, "correct the records' labels and splits")
    said = isinstance(dataset.attribution, str) and all(isinstance(item, Rejected) for item in dataset.rejected)
    require(said, "attribution (text) and rejected (Rejected records)", repr(dataset.attribution)[:60], "set both")


def pictures(dataset: Any, size: int) -> None:
    """Pictures are [size, size, 3] uint8; landmarks are [68, 2] float32 in px of the picture, with their source."""
    kept = dataset.image_size
    require(kept == size, f"image_size {size}, as requested", kept, "keep the factory's image_size")
    for record in dataset.records[:SHOWN]:
        picture = dataset.image(record)
        right, seen = picture.shape == (size, size, 3) and picture.dtype == np.uint8, list(picture.shape)
        require(right, f"uint8 [{size}, {size}, 3] RGB", f"{picture.dtype} {seen}", "resize and convert")
        points, source = record.landmarks, record.landmarks_source
        if points is None:
            continue
        require(
            points.shape == (68, 2) and points.dtype == np.float32 and source in ("given", "predicted"),
            'landmarks float32 [68, 2] and landmarks_source "given" or "predicted"',
            f"{points.dtype} {list(points.shape)}, {source!r}",
            "convert them, and set landmarks_source",
        )
        near, most = not np.nanmax(np.abs(points - size / 2)) > size, f"up to {np.nanmax(points):.0f}"
        require(near, f"landmarks in px of the {size} px picture", most, "scale them too")


def same_again(dataset: Any, other: Any) -> None:
    """Built again with an empty cache, it gives the same keys, labels and pictures."""
    keys = [record.key for record in other.records] == [record.key for record in dataset.records]
    require(keys, "the same keys in the same order", "others", "sort the file system's listing")
    for mine, theirs in zip(dataset.records[:SHOWN], other.records[:SHOWN], strict=True):
        same = mine.labels == theirs.labels and np.array_equal(dataset.image(mine), other.image(theirs))
        require(same, "the same picture and labels for a key", f"others for {mine.key}", "draw with a fixed seed")
