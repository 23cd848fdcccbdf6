"""Contracts of metrics, synthesisers, posers, detectors and data sets: what is seen of people and of pictures."""

import tempfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from palsykit.data.check import examine
from palsykit.faces.interfaces import Detection
from palsykit.faces.records import Rejected
from palsykit.faces.views import to_pictures
from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit.interfaces import Conditioning, ConditioningSpec, FaceBatch, FaceView, Images, MetricCard
from palsykit.metrics import needs
from palsykit.run.measure import gather, statistics
from palsykit.testing import modules
from palsykit.testing.modules import ROWS_APART, SAME, Harness, Tensors, distance
from palsykit.testing.result import Check, Unmet
from palsykit.testing.stand_ins import face_batch, faces, landmarks
from palsykit.testing.subject import ROWS, Subject

SHOWN = 8
"""Records of a data set whose pictures are looked at."""


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
    """Pictures that depend on row and seed alone; where it can be trained, the contract of a module as well."""
    made = subject.build(subject.image_size)
    found: list[Check] = [("pictures in [-1, 1], by row and seed", lambda: pictures_by_row(subject))]
    if not isinstance(made, nn.Module) or not any(p.requires_grad for p in made.parameters()):
        return found
    found += [("what it is asked is as its spec says", lambda: as_its_spec_says(subject))]
    return [*found, *modules.checks(trained_harness(subject))]


def trained_harness(subject: Subject) -> Harness:
    """encode and forward, as a trainer calls them."""
    batch = face_batch(ROWS, subject.image_size)

    def call(module: nn.Module, inputs: Tensors) -> Tensors:
        if inputs["identity"].device.type != "meta":  # where the stand-in networks would lose their weights
            for network in subject.networks.made.values():
                network.module.to(inputs["identity"].device)
        pair = FaceBatch(FaceView.of_images(inputs["identity"]), FaceView.of_images(inputs["driver"]))
        asked: Conditioning = module.encode(pair)  # type: ignore[operator]
        return {"picture": module(inputs["identity"], asked)}

    inputs = {"identity": batch.identity.image, "driver": batch.driver.image}
    return Harness(lambda seed: subject.build(subject.image_size, seed=seed), inputs, call)


def as_its_spec_says(subject: Subject) -> None:
    """spec, a ConditioningSpec; pooled [B, pooled_width] and maps [B, spatial, H, W], or neither."""
    model = subject.build(subject.image_size)
    spec = getattr(model, "spec", None)
    if not isinstance(spec, ConditioningSpec) or not hasattr(model, "encode"):
        raise Unmet(
            "spec, a ConditioningSpec, and encode(batch) -> Conditioning, for it has trainable weights",
            f"{type(spec).__name__}",
            "give it what palsykit.interfaces.TrainedSynthesiser asks, or freeze it: requires_grad_(False)",
        )
    with torch.no_grad():
        asked: Conditioning = model.encode(face_batch(ROWS, subject.image_size))
    size = subject.image_size
    expected = {
        "pooled": None if spec.pooled_width is None else (ROWS, spec.pooled_width),
        "spatial": (ROWS, spec.spatial, size, size) if spec.spatial else None,
    }
    for name, shape in expected.items():
        value: Tensor | None = getattr(asked, name)
        found = None if value is None else tuple(value.shape)
        if found != shape:
            raise Unmet(f"{name} of shape {shape}, as spec says", f"{found}", "let spec and encode agree")


def pictures_by_row(subject: Subject) -> None:
    """[B, 3, H, W]; the same for the same seeds; a row alone as in its batch."""
    batch, seeds = face_batch(ROWS, subject.image_size), list(range(ROWS))
    synthesiser = subject.build(subject.image_size)
    found, again = synthesiser.generate(batch, seeds), synthesiser.generate(batch, seeds)
    if found.shape != batch.identity.image.shape or not bool((found.abs() <= 1 + SAME).all()):
        raise Unmet("pictures [B, 3, H, W] in [-1, 1]", f"{list(found.shape)}", "clamp, and keep the batch's size")
    alone = synthesiser.generate(batch.rows(1, 2), seeds[1:2])
    if not torch.equal(found, again) or distance(alone[0], found[1]) > ROWS_APART:
        raise Unmet(
            "row i to depend on row i of the batch and on seeds[i] alone",
            "it changes from call to call, or with its neighbours",
            "draw row by row from palsykit.seeds.generator(seeds[i])",
        )


def poser_checks(subject: Subject) -> list[Check]:
    """A picture and its landmarks, or ValueError."""
    subject.build()
    return [("poses a photograph", lambda: poses(subject))]


def poses(subject: Subject) -> None:
    """[H, H, 3] uint8 and [68, 2]; the same twice; a severity without a side is refused."""
    size = max(subject.image_size, 64)
    photograph = to_pictures(faces(1, size, "photograph").image)[0]
    points = landmarks(size, 0.0, 0)
    poser = subject.build()
    asked = FaceLabels("s", "smile_full", Side.LEFT, 4.0)
    picture, moved = poser.pose(photograph, points, asked)
    if picture.shape != photograph.shape or picture.dtype != np.uint8 or moved.shape != (68, 2):
        raise Unmet(
            "a picture like the photograph and landmarks [68, 2]", f"{picture.shape}, {moved.shape}", "keep both"
        )
    again, _ = poser.pose(photograph, points, asked)
    if not np.array_equal(picture, again):
        raise Unmet("the same picture for the same request", "another", "draw nothing, or by a fixed seed")
    try:
        poser.pose(photograph, points, FaceLabels("s", "smile_full", Side.NONE, 5.0))
    except ValueError:
        return
    raise Unmet("ValueError for grade 5 and no side", "a picture", "check side and severity before drawing")


def detector_checks(subject: Subject) -> list[Check]:
    """Detections of a photograph, and a version for caches."""
    subject.build()
    return [("detects", lambda: detects(subject))]


def detects(subject: Subject) -> None:
    """A version, and a sequence of Detection, empty where there is no face."""
    detector = subject.build()
    if not isinstance(getattr(detector, "version", None), str) or not detector.version:
        raise Unmet("version, a text that names model files by hash", "none", "set it: names of caches hold it")
    found = detector.detect(np.full((96, 96, 3), 127, np.uint8))
    if not all(isinstance(face, Detection) and face.five.shape == (5, 2) for face in found):
        raise Unmet(
            "Detection records with five points [5, 2]", repr(found)[:80], "return palsykit.faces.interfaces.Detection"
        )


def dataset_checks(subject: Subject) -> list[Check]:
    """Records that can be split, paired and shown."""
    kept = tempfile.TemporaryDirectory(prefix="palsykit-check-")
    dataset = subject.build(subject.image_size, Path(kept.name))

    def again() -> Any:
        return subject.build(subject.image_size, Path(kept.name) / "again")  # which keeps the folder until then

    return [
        ("records can be trained on", lambda: usable(dataset)),
        ("pictures and landmarks", lambda: pictures(dataset, subject.image_size)),
        ("the same in every run", lambda: same_again(dataset, again)),
    ]


def usable(dataset: Any) -> None:
    """Unique keys, subjects, whole splits, an attribution; as ``palsykit data check`` asks."""
    keys = [record.key for record in dataset.records]
    if len(set(keys)) < len(keys):
        raise Unmet("a key of its own for every record", "two with one key", "name the file in the key")
    if faults := examine(dataset, 0).faults:
        raise Unmet("records that a recipe can train on", "; ".join(faults), "mend the records' labels and splits")
    if not isinstance(dataset.attribution, str) or not all(isinstance(found, Rejected) for found in dataset.rejected):
        raise Unmet("attribution (text) and rejected (Rejected records)", repr(dataset.attribution)[:60], "set both")


def pictures(dataset: Any, size: int) -> None:
    """[size, size, 3] uint8; landmarks [68, 2] float32 in px of it, with where they come from."""
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
                "convert them, and say where they come from",
            )
        if np.nanmax(np.abs(points - size / 2)) > size:
            raise Unmet(
                f"landmarks in px of the {size} px picture", f"up to {np.nanmax(points):.0f}", "scale them along"
            )


def same_again(dataset: Any, again: Callable[[], Any]) -> None:
    """Built once more with an empty cache: the same keys, labels and pictures."""
    other = again()
    if [r.key for r in other.records] != [r.key for r in dataset.records]:
        raise Unmet("the same keys in the same order", "others", "sort what the file system lists")
    for mine, theirs in zip(dataset.records[:SHOWN], other.records[:SHOWN], strict=True):
        if mine.labels != theirs.labels or not np.array_equal(dataset.image(mine), other.image(theirs)):
            raise Unmet("the same picture and labels for a key", f"others for {mine.key}", "draw by a fixed seed")
