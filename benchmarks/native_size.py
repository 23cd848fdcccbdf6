"""Compare ways to bring a small model's synthesis to a photograph's own size, on real people that no weight has seen.

    python benchmarks/native_size.py                     # frames of 256 px: about the photographs' own resolution
    python benchmarks/native_size.py --size 512 --sheet native.jpg

People: test and validation people of recipes/london.yaml (neutral photographs). Truth: the palsy that the face space's
poser simulates on the photograph at the full size. Systems, all from the same 64 px synthesis:
    edit      palsykit's: the photograph's own pixels move, and the model's correction is enlarged and added
    enlarged  the model's picture, enlarged (Lanczos)
    warp      the photograph's own pixels move; nothing is added
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
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from palsykit import load
from palsykit.cli.table import table
from palsykit.faces.records import FaceDataset, FaceRecord
from palsykit.faces.views import FaceView, to_tensor
from palsykit.faces.vocabulary import EXPRESSIONS, FaceLabels, Side
from palsykit.interfaces import FaceBatch, Images
from palsykit.photographs.edit import apply
from palsykit.photographs.find import FramedFace
from palsykit.photographs.read import read_photograph
from palsykit.progress import track
from palsykit.recipe import load_recipe
from palsykit.recipe.build import build_part
from palsykit.recipe.schema import PartBlock
from palsykit.run.parts import cache_folder
from palsykit.synthesis.front import Model
from palsykit.synthesis.photograph import Synthesis
from palsykit.synthesis.request import Request

ROOT = Path(__file__).parents[1]
SYSTEMS = ("edit", "enlarged", "warp", "truth")
JUDGE = {"depth": 18, "width": 0.25, "embedding": 256, "weights": "palsykit_weights:judge_recognition.safetensors"}
Pictures = NDArray[np.uint8]


def photographs(size: int, splits: Sequence[str]) -> tuple[FaceDataset, list[FaceRecord]]:
    """The neutral photographs of people of these splits, at ``size`` px."""
    block = load_recipe(ROOT / "recipes" / "london.yaml").settings.data
    dataset = build_part("datasets", block, size, cache_folder())
    records = [r for r in dataset.records if r.split in splits and r.labels.expression == "rest"]
    return dataset, [record for record in records if record.landmarks_source == "given"]


def requests(number: int) -> tuple[FaceLabels, ...]:
    """All expressions with one palsy; sides alternate, grades go from III to VI from person to person."""
    side, grade = (Side.LEFT, Side.RIGHT)[number % 2], 3.0 + number % 4
    return tuple(FaceLabels(expression=name, side=side, severity=grade) for name in EXPRESSIONS)


def framed(picture: Pictures) -> FramedFace:
    """A picture in the face frame."""
    side = len(picture)
    return FramedFace(read_photograph(picture), np.array([[1 / side, 0, 0], [0, 1 / side, 0]]), True, None)


def systems(made: Synthesis, picture: Pictures, truth: Pictures) -> dict[str, Pictures]:
    """The same synthesis, brought to the size of ``picture`` in each way."""
    size = len(picture)
    enlarged = Image.fromarray(made.picture).resize((size, size), Image.Resampling.LANCZOS)
    everywhere = torch.ones_like(made.edit.mask)
    assert made.edit.guess is not None  # the shipped model corrects a guess
    moved = replace(made.edit, picture=made.edit.guess, detail=torch.ones_like(made.edit.guess[:1]), mask=everywhere)
    to_frame = np.array([[1 / size, 0, 0], [0, 1 / size, 0]])
    return {
        "edit": np.asarray(made.frame(size)),
        "enlarged": np.asarray(enlarged),
        "warp": apply(moved, picture, to_frame),
        "truth": truth,
    }


class Judges:
    """Figures of one picture against its truth."""

    def __init__(self, size: int):
        self.size = size
        self.moving = build_part("metrics", PartBlock(use="moving"))
        self.network = build_part("networks", PartBlock(use="ir", parameters=JUDGE), 64).eval()

    @torch.inference_mode()
    def figures(self, batch: FaceBatch, picture: Pictures, mask: Tensor) -> dict[str, float]:
        """Every figure of ``picture`` [S, S, 3]; ``batch`` has one row with identity and target."""
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
            "perceptual": self.distance(made, assumed.image, inside),
            "identity": float(F.cosine_similarity(self.embedding(made), self.embedding(photograph))),
            "sharpness": fine(made) / fine(photograph),
            "rim": float(difference[outside].mean()),
        }

    def embedding(self, image: Tensor) -> Tensor:
        """[1, D] of a picture, at the network's size."""
        small = F.interpolate(image, (64, 64), mode="bilinear", antialias=True)
        return torch.as_tensor(self.network(small).embedding)

    def distance(self, a: Tensor, b: Tensor, inside: Tensor) -> float:
        """Mean squared difference of channel-normalised activations in the boxes, averaged over stem and three stages.

        As LPIPS with equal weights (Zhang et al., arXiv:1801.03924), by a face network in place of an ImageNet one.
        """
        terms = []
        for x, y in zip(self._activations(a), self._activations(b), strict=True):
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


def main() -> None:
    """Measure all systems and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default="cfcpalsy", help="a run or a shipped model")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--people", type=int, default=None, help="only the first so many")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path)
    given = parser.parse_args()
    model: Model = load(given.run)
    judges, rows = Judges(given.size), defaultdict[str, list[dict[str, float]]](list)
    dataset, records = photographs(given.size, ("test", "validation"))
    shown: list[list[Pictures]] = []
    with track("compare", len(records[: given.people]), "people") as work:
        for number, record in enumerate(records[: given.people]):
            picture, marks = dataset.image(record), np.asarray(record.landmarks)
            labels = requests(number)
            for label, made in zip(labels, model.synthesise_person(framed(picture), Request(labels, 1.0)), strict=True):
                truth, there = model.poser.pose(picture, marks, label, 1.0)
                batch = FaceBatch(_view(picture, marks), _view(truth, there), _view(truth, there))
                pictures = systems(made, picture, truth)
                for name, each in pictures.items():
                    rows[name].append(judges.figures(batch, each, made.edit.mask))
                if label.expression in ("smile_full", "eye_closure_tight") and number < 6:
                    shown.append([picture, *pictures.values()])
            work.advance()
    means = {name: {key: _mean(rows[name], key) for key in rows[name][0]} for name in SYSTEMS}
    heads = ["", *means["edit"]]
    print(f"{len(records[: given.people])} people, {len(rows['edit'])} pictures, {given.size} px")
    print(table(heads, [[name, *(f"{value:.4g}" for value in means[name].values())] for name in SYSTEMS]))
    if given.json:
        given.json.write_text(json.dumps({"size": given.size, "pictures": len(rows["edit"]), "means": means}, indent=1))
    if given.sheet:
        Image.fromarray(np.vstack([np.hstack(row) for row in shown])).save(given.sheet, quality=92)


def _mean(rows: Sequence[dict[str, Any]], key: str) -> float:
    values = np.array([row[key] for row in rows], float)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def _view(picture: Pictures, marks: NDArray[np.floating]) -> FaceView:
    points = torch.from_numpy(np.asarray(marks, np.float32))[None]
    return FaceView(to_tensor(picture[None]), points, (FaceLabels(),))


if __name__ == "__main__":
    main()
