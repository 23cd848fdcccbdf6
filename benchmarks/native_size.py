"""Compare ways to bring a model's synthesis to a photograph's own size, on real people that no weight has seen.

    python benchmarks/native_size.py --page docs/results.md               # frames of 256 px, about the photographs' own
    python benchmarks/native_size.py --size 512 --page docs/results.md
    python benchmarks/native_size.py --size 512 --rendered 1 --sheet docs/native-size.jpg

People: test and validation people of recipes/london.yaml (neutral photographs), or people of the face space that
nothing has seen, for pictures that may be shown. Truth: the palsy that the face space's
poser simulates on the photograph at the full size. Systems, the first three from one synthesis by the shipped model:
    edit      palsykit's: the photograph's own pixels move, and the model's correction is enlarged and added
    picture   the model's own picture, enlarged (Lanczos) where the frame is larger
    warp      the photograph's own pixels move; nothing is added
    enlarged  the picture of the model at 64 px, enlarged
    truth     the bound of every figure
Figures: PSNR, SSIM and a perceptual distance in boxes around eyes, brows and mouth (metric `moving`); cosine of the
identity by the judge network; sharpness (amplitude above a quarter of the sampling rate in the face, over the
photograph's); rim (mean difference to the photograph outside the face, of 255).
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from palsykit import load
from palsykit.faces.views import FaceView, to_tensor
from palsykit.faces.vocabulary import EXPRESSIONS, FaceLabels, Side
from palsykit.files.atomic import write_text
from palsykit.files.caches import cache_folder
from palsykit.interfaces import FaceBatch, Images
from palsykit.photographs.edit import apply
from palsykit.photographs.find import FramedFace
from palsykit.photographs.mark import write_marked
from palsykit.photographs.read import read_photograph
from palsykit.progress import track
from palsykit.recipe import load_recipe
from palsykit.recipe.build import build_part
from palsykit.recipe.schema import PartBlock
from palsykit.report import words
from palsykit.report.faces import Panel, draw_sheet
from palsykit.report.tables import markdown, put_section
from palsykit.synthesis.front import Model
from palsykit.synthesis.photograph import Synthesis
from palsykit.synthesis.request import Request

ROOT = Path(__file__).parents[1]
SYSTEMS = ("edit", "picture", "warp", "enlarged", "truth")
JUDGE = {"depth": 18, "width": 0.25, "embedding": 256, "weights": "palsykit_weights:judge_recognition.safetensors"}
Pictures = NDArray[np.uint8]
Rows = dict[str, list[dict[str, Any]]]
"""System -> the figures of its pictures, with person, split and expression."""
Person = tuple[str, str, Pictures, NDArray[np.floating]]
"""Name, split, photograph [S, S, 3] in the face frame, landmarks [68, 2] px."""
HIGH = {"psnr": True, "ssim": True, "perceptual": False}
"""Figures in which the edit should be ahead -> whether higher is better."""
SMALL = "cfcpalsy-64"
SHOWN = ("smile_full", "eye_closure_tight")


def photographs(size: int, splits: Sequence[str]) -> Iterator[Person]:
    """The neutral photographs of people of these splits, at ``size`` px; those whose frame is large enough for that."""
    block = load_recipe(ROOT / "recipes" / "london.yaml").settings.data
    dataset = build_part("datasets", block, size, cache_folder())
    for record in dataset.records:
        if record.split in splits and record.labels.expression == "rest" and record.landmarks_source == "given":
            yield record.key, record.split, dataset.image(record), np.asarray(record.landmarks)


def rendered(size: int, count: int) -> Iterator[Person]:
    """Test people of the face space at rest, at ``size`` px."""
    few = PartBlock(use="face_space", parameters={"identities": 1, "validation": 0, "test": 0, "renders": 1})
    dataset = build_part("datasets", few, size, cache_folder())
    for number in range(count):
        yield f"rendered {number}", "test", *dataset.render(number, "rest")


def requests(number: int) -> tuple[FaceLabels, ...]:
    """All expressions with one palsy; sides alternate, grades go from III to VI from person to person."""
    side, grade = (Side.LEFT, Side.RIGHT)[number % 2], 3.0 + number % 4
    return tuple(FaceLabels(expression=name, side=side, severity=grade) for name in EXPRESSIONS)


def framed(picture: Pictures) -> FramedFace:
    """A picture in the face frame."""
    side = len(picture)
    return FramedFace(read_photograph(picture), np.array([[1 / side, 0, 0], [0, 1 / side, 0]]), True, None)


def systems(made: Synthesis, small: Synthesis, picture: Pictures, truth: Pictures) -> dict[str, Pictures]:
    """The same synthesis, brought to the size of ``picture`` in each way; ``small`` is that of the model at 64 px."""
    size = len(picture)
    everywhere = torch.ones_like(made.edit.mask)
    assert made.edit.guess is not None  # the shipped model corrects a guess
    moved = replace(made.edit, picture=made.edit.guess, detail=torch.ones_like(made.edit.guess[:1]), mask=everywhere)
    to_frame = np.array([[1 / size, 0, 0], [0, 1 / size, 0]])
    return {
        "edit": np.asarray(made.frame(size)),
        "picture": enlarged(made.picture, size),
        "warp": apply(moved, picture, to_frame),
        "enlarged": enlarged(small.picture, size),
        "truth": truth,
    }


def enlarged(picture: Pictures, size: int) -> Pictures:
    """A picture at ``size`` px; unchanged if it has that size."""
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.LANCZOS))


class Judges:
    """Figures of one picture against its truth."""

    def __init__(self, size: int):
        self.size = size
        self._seen: FaceBatch | None = None
        self.moving = build_part("metrics", PartBlock(use="moving"))
        self.network = build_part("networks", PartBlock(use="ir", parameters=JUDGE), 64).eval()

    @torch.inference_mode()
    def figures(self, batch: FaceBatch, picture: Pictures, mask: Tensor) -> dict[str, Any]:
        """Every figure of ``picture`` [S, S, 3]; ``batch`` has one row with identity and target."""
        if self._seen is not batch:  # all systems are compared with the same truth
            assert batch.target is not None
            self._seen, self._truth = batch, list(self._activations(batch.target.image))
        made, assumed = to_tensor(picture[None]), batch.target
        assert assumed is not None
        rows = self.moving.read(batch, Images(made))
        inside = self.moving.inside(assumed.landmarks, batch.identity.landmarks, self.size)
        outside = F.interpolate(mask[None, None], (self.size, self.size), mode="area")[0, 0] == 0
        difference = (made - batch.identity.image).abs().mean(1)[0] * 127.5
        photograph = batch.identity.image
        return {
            "psnr": float(rows["moving_psnr"]),
            "ssim": float(rows["moving_ssim"]),
            "perceptual": 0.0 if torch.equal(made, assumed.image) else self.distance(made, inside),
            "identity": float(F.cosine_similarity(self.embedding(made), self.embedding(photograph))),
            "sharpness": fine(made) / fine(photograph),
            "rim": float(difference[outside].mean()),
        }

    def embedding(self, image: Tensor) -> Tensor:
        """[1, D] of a picture, at the network's size."""
        small = F.interpolate(image, (64, 64), mode="bilinear", antialias=True)
        return torch.as_tensor(self.network(small).embedding)

    def distance(self, made: Tensor, inside: Tensor) -> float:
        """Mean squared difference of channel-normalised activations to the truth's in the boxes.

        Averaged over stem and three stages, as LPIPS with equal weights (Zhang et al., arXiv:1801.03924), by a face
        network in place of an ImageNet one.
        """
        terms = []
        for x, y in zip(self._activations(made), self._truth, strict=True):
            unit = [F.normalize(each, dim=1) for each in (x, y)]
            share = F.interpolate(inside[None].float(), x.shape[-2:], mode="area")[0]
            terms.append(((unit[0] - unit[1]).square().sum(1) * share).sum() / share.sum())
        return float(torch.stack(terms).mean())

    def _activations(self, image: Tensor) -> Iterator[Tensor]:
        x = self.network.input_layer(image)
        yield x
        for unit in list(self.network.body)[:6]:
            halves = x.shape[-1]
            x = unit(x)
            if x.shape[-1] < halves:
                yield x


def fine(image: Tensor) -> float:
    """Mean amplitude above a quarter of the sampling rate, in the middle of the face (Hann window)."""
    size = image.shape[-1]
    low, high = round(0.2 * size), round(0.8 * size)
    grey = image.mean(1)[0, low:high, low:high]
    window = torch.hann_window(high - low)
    spectrum = torch.fft.fft2(grey * window[:, None] * window).abs()
    rate = torch.fft.fftfreq(high - low).abs()
    return float(spectrum[torch.maximum(rate[:, None], rate[None]) > 0.25].mean())


def ahead(rows: Rows) -> list[str]:
    """For each other system and figure: in how many expressions and people the edit is ahead, and where it is not."""
    lines = []
    for other in ("enlarged", "warp", "picture"):
        for figure, high in HIGH.items():
            parts = []
            for by, noun in (("expression", "expressions"), ("person", "people")):
                gaps = defaultdict(list)
                for ours, theirs in zip(rows["edit"], rows[other], strict=True):
                    gaps[ours[by]].append((ours[figure] - theirs[figure]) * (1 if high else -1))
                means = {name: float(np.nanmean(values)) for name, values in gaps.items()}
                behind = sorted((gap, name) for name, gap in means.items() if gap <= 0)
                parts.append(f"{len(means) - len(behind)} of {len(means)} {noun}")
                if behind and by == "expression":
                    parts[-1] += f" (behind: {', '.join(f'{name} by {-gap:.2g}' for gap, name in behind)})"
                elif behind:
                    parts[-1] += f" (behind by {-behind[-1][0]:.2g} to {-behind[0][0]:.2g})"
            lines.append(f"{figure}, to {other}: ahead in {' and '.join(parts)}")
    return lines


def report(rows: Rows, size: int) -> str:
    """The table of means by split, and where the edit is not ahead."""
    splits = sorted({row["split"] for row in rows["edit"]})
    figures = [key for key in rows["edit"][0] if key not in ("person", "split", "expression")]
    cells = []
    for split in splits:
        count = len({row["person"] for row in rows["edit"] if row["split"] == split})
        for name in SYSTEMS:
            chosen = [row for row in rows[name] if row["split"] == split]
            cells.append([f"{split}, {count} people: {name}", *(_shown(_mean(chosen, key)) for key in figures)])
    return markdown([f"frames of {size} px", *figures], cells) + "\n\n" + "\n".join(f"- {line}" for line in ahead(rows))


def page_section(text: str, size: int, model: Model) -> str:
    """The section of docs/results.md."""
    facts = model.facts
    return (
        f"## Ways to bring the shipped model's synthesis to {size} px\n\n"
        f"    python benchmarks/native_size.py --size {size} --page docs/results.md\n\n"
        f"Made of: model {facts['model']}, weights {facts['weights'][:12]}, palsykit {facts['palsykit']}. "
        "Neutral photographs of the London set's test and validation people, each with eight expressions and one "
        "palsy. Truth: the same palsy, simulated on the photograph at full size. `edit` is what palsykit writes, "
        "`picture` the model's own picture, enlarged where it is smaller, `warp` the photograph's pixels moved, with "
        f"nothing added, `enlarged` the picture of {SMALL}, enlarged. PSNR, "
        "SSIM and the perceptual distance are of eyes, brows and mouth; rim is the change outside the face, of 255.\n\n"
        + text
    )


def main() -> None:
    """Measure all systems and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default="cfcpalsy", help="a run or a shipped model")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--splits", nargs="*", default=["test", "validation"], help="settings are chosen on validation")
    parser.add_argument("--rendered", type=int, help="so many people of the face space, in place of photographs")
    parser.add_argument("--people", type=int, help="only the first so many")
    parser.add_argument("--json", type=Path, help="file for the figures of every picture")
    parser.add_argument("--page", type=Path, help="Markdown page that gets the table as a section")
    parser.add_argument("--sheet", type=Path, help="picture of the systems side by side")
    given = parser.parse_args()
    model, small, judges = load(given.run), load(SMALL), Judges(given.size)
    people = rendered(given.size, given.rendered) if given.rendered else photographs(given.size, given.splits)
    chosen = list(islice(people, given.people))
    rows, panels = defaultdict[str, list[dict[str, Any]]](list), []
    with track("compare", len(chosen), "people") as work:
        for number, person in enumerate(chosen):
            panels.append(compare((model, small), judges, person, number, rows))
            work.advance()
    text = report(rows, given.size)
    print(text)
    if given.json:
        write_text(given.json, json.dumps({"size": given.size, "rows": rows}, indent=1))
    if given.page:
        put_section(given.page, f"native size {given.size}", page_section(text, given.size, model))
    if given.sheet:
        footer = "synthetic; truth: the palsy simulated at full size"
        write_marked(draw_sheet(panels, given.size, footer), given.sheet, model.facts)


def compare(models: tuple[Model, Model], judges: Judges, person: Person, number: int, rows: Rows) -> Panel:
    """Every figure of every system for one person, added to ``rows``; and the systems' pictures of ``SHOWN``."""
    name, split, picture, marks = person
    labels, shown = requests(number), []
    request = Request(labels, 1.0)
    both = (model.synthesise_person(framed(picture), request) for model in models)
    for label, made, small in zip(labels, *both, strict=True):
        truth, there = models[0].poser.pose(picture, marks, label, 1.0)
        batch = FaceBatch(_view(picture, marks), _view(truth, there), _view(truth, there))
        pictures = systems(made, small, picture, truth)
        who = {"person": name, "split": split, "expression": label.expression}
        for system, each in pictures.items():
            rows[system].append(who | judges.figures(batch, each, made.edit.mask))
        if label.expression in SHOWN:
            shown.append((words.expression(label.expression), tuple(pictures[system] for system in SYSTEMS)))
    return Panel(words.palsy(labels[0].side, labels[0].severity), picture, SYSTEMS, tuple(shown))


def _shown(value: float) -> str:
    """Four digits; a dash for NaN, as the truth's distance to itself in dB."""
    return "-" if np.isnan(value) else f"{value:.4g}"


def _mean(rows: Sequence[dict[str, Any]], key: str) -> float:
    values = np.array([row[key] for row in rows], float)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def _view(picture: Pictures, marks: NDArray[np.floating]) -> FaceView:
    points = torch.from_numpy(np.asarray(marks, np.float32))[None]
    return FaceView(to_tensor(picture[None]), points, (FaceLabels(),))


if __name__ == "__main__":
    main()
