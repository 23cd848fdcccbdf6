"""Membership attack: with the model, can training photographs be told from held-out ones of comparable people?

The attack guesses that a photograph of low difficulty is a member. For a diffusion model, difficulty is the denoising
loss of the photograph under its own conditions, at fixed time steps and with the same noise for every photograph
(Carlini et al., arXiv:2301.13188, section 5.2; Matsumoto et al., arXiv:2302.03262). For any other synthesiser it is the
distance of the photograph to the nearest of a few syntheses from its own conditions (GAN-Leaks with known conditions,
Chen et al., arXiv:1909.03935). A blind attack that never queries the model is the control (Das et al.,
arXiv:2406.16201): if it succeeds, the two groups differ in themselves, and the attack's figure is not due to the model
alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from palsykit.diffusion.model import ConditionalDiffusion
from palsykit.diffusion.objective import denoising_pass
from palsykit.faces.pairing import Pair, by_subject, pair
from palsykit.faces.records import FaceDataset, FaceRecord
from palsykit.faces.views import batch
from palsykit.interfaces import MetricCard, Synthesiser
from palsykit.measure.statistics import Figure
from palsykit.progress import track
from palsykit.run.generate import row_seed
from palsykit.run.parts import Parts
from palsykit.seeds import derive, generator
from palsykit_audit.ranks import Values, auc, tpr_at_fpr, two_groups

STEPS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7)
"""Time steps, as shares of the way to pure noise; fixed beforehand, so that the best is not picked afterwards."""
DRAWS = 2
"""Noises per step, and syntheses per photograph."""
ALARMS = 0.01
"""The false-positive rate at which the true-positive rate is reported."""
ENOUGH = 8
"""With this many validation people, test people are not used: validation photographs are made like training ones."""


@dataclass(frozen=True)
class Groups:
    """Photographs of training and of held-out people, paired as in training; ``split`` says which are held out."""

    members: list[Pair]
    others: list[Pair]
    split: str

    @property
    def people(self) -> tuple[list[str], list[str]]:
        """The person of each photograph, for both groups."""
        return _people(self.members), _people(self.others)


def _people(pairs: Sequence[Pair]) -> list[str]:
    return [str(pair.record.labels.subject) for pair in pairs]


@dataclass(frozen=True)
class Attack:
    """How well an attack separates members from others.

    Attributes:
        name: "loss", "distance" or "blind".
        auc: over photographs.
        people: AUC over people, each scored by the mean of their photographs.
        caught: true-positive rate at the false-positive rate ALARMS.
        by_step: AUC of each time step alone.
        scores: of members and of others; a higher score is likelier a member.
    """

    name: str
    auc: Figure
    people: Figure
    caught: Figure
    by_step: dict[str, float]
    scores: tuple[Values, Values]


def comparable(parts: Parts, photographs: int) -> Groups:
    """As many training as held-out people, with about as many photographs; people are drawn by the run's seed.

    Args:
        parts: the run's.
        photographs: per group; drawing stops when this number is reached; the last person's photographs all count.
    """
    splits, seed = parts.data().splits, parts.settings.seed
    alone = len(by_subject(splits["validation"])) >= ENOUGH
    others = splits["validation"] if alone else [*splits["validation"], *splits["test"]]
    members = splits["train"]
    people = min(len(by_subject(members)), len(by_subject(others)))
    return Groups(
        _draw(members, people, photographs, seed),
        _draw(others, people, photographs, seed),
        "validation" if alone else "validation and test",
    )


def _draw(records: Sequence[FaceRecord], people: int, photographs: int, seed: int) -> list[Pair]:
    """The pairs of up to ``people`` people, drawn by ``seed``, until there are ``photographs`` of them."""
    pairs = pair(records, seed)  # the same pairs as in training
    order = sorted(by_subject(records), key=lambda subject: derive("membership", seed, subject))[:people]
    drawn: list[Pair] = []
    for subject in order:
        if len(drawn) >= photographs:
            break
        drawn += [one for one in pairs if one.record.labels.subject == subject]
    return drawn


def losses(
    model: ConditionalDiffusion, dataset: FaceDataset, pairs: Sequence[Pair], size: int, device: torch.device
) -> Values:
    """The denoising loss of N photographs at each of STEPS, averaged over DRAWS noises, [N, len(STEPS)]."""
    times = [min(model.timesteps - 1, round(step * model.timesteps)) for step in STEPS]
    result = np.zeros((len(pairs), len(times)))
    with track("denoise", len(pairs), "photographs") as progress, torch.no_grad():
        for start in range(0, len(pairs), size):
            faces = batch(dataset, pairs[start : start + size]).to(device)
            assert faces.target is not None  # a photograph is its own truth
            x_0, conditioning = model.codec.encode(faces.target.image), model.fuse(model.encode(faces))
            for column, time in enumerate(times):
                t = torch.full((len(faces),), time, device=device)
                for draw in range(DRAWS):
                    noise = torch.randn(x_0.shape[1:], generator=generator("membership", time, draw)).to(device)
                    errors = denoising_pass(model, x_0, conditioning, noise.expand_as(x_0), t).errors
                    result[start : start + size, column] += errors.double().cpu().numpy() / DRAWS
            progress.advance(len(faces))
    return result


def distances(
    synthesiser: Synthesiser, dataset: FaceDataset, pairs: Sequence[Pair], size: int, device: torch.device
) -> Values:
    """The pixel distance of N photographs to the nearest of DRAWS syntheses from their own conditions, [N, 1]."""
    result = np.full((len(pairs), 1), np.inf)
    with track("synthesise again", len(pairs), "photographs") as progress, torch.no_grad():
        for start in range(0, len(pairs), size):
            part = pairs[start : start + size]
            faces = batch(dataset, part).to(device)
            assert faces.target is not None  # a photograph is its own truth
            for draw in range(DRAWS):
                pictures = synthesiser.generate(faces, [row_seed(draw, one) for one in part])
                distance = (pictures - faces.target.image).square().mean((1, 2, 3)).sqrt().double().cpu().numpy()
                result[start : start + size, 0] = np.minimum(result[start : start + size, 0], distance)
            progress.advance(len(part))
    return result


def attack(name: str, difficulty: tuple[Values, Values], people: tuple[list[str], list[str]], seed: int) -> Attack:
    """Attack by the difficulty of photographs: [N, K] of members and [M, K] of others.

    The score is minus the mean over K of the log difficulty; each column is standardised over both groups.
    """
    both = np.log(np.maximum(np.concatenate(difficulty), 1e-12))
    scores = -(both - both.mean(axis=0)) / np.maximum(both.std(axis=0), 1e-12)
    split = len(difficulty[0])
    steps = [f"{step:g}" for step in STEPS] if scores.shape[1] == len(STEPS) else []
    by_step = {step: auc(scores[:split, k], scores[split:, k]) for k, step in enumerate(steps)}
    return scored(name, (scores[:split].mean(axis=1), scores[split:].mean(axis=1)), people, seed, by_step)


def scored(
    name: str,
    scores: tuple[Values, Values],
    people: tuple[list[str], list[str]],
    seed: int,
    by_step: dict[str, float] | None = None,
) -> Attack:
    """An attack's figures, from the scores of members and others; higher scores are likelier members."""
    each = [dict.fromkeys(group) for group in people]
    means = tuple(
        np.array([values[[p == one for p in group]].mean() for one in names])
        for values, group, names in zip(scores, people, each, strict=True)
    )
    return Attack(
        name,
        two_groups(auc, *scores, people, seed, _card(name, "photographs")),
        two_groups(auc, means[0], means[1], (list(each[0]), list(each[1])), seed, _card(name, "people")),
        two_groups(lambda a, b: tpr_at_fpr(a, b, ALARMS), *scores, people, seed, _card(name, "caught")),
        by_step or {},
        scores,
    )


def blind(
    embeddings: tuple[NDArray[np.float32], NDArray[np.float32]], people: tuple[list[str], list[str]], seed: int
) -> Attack:
    """The control attack: a ridge classifier on embeddings, which never queries the model.

    Cross-validated over people in five folds: each person is scored by a classifier fitted on the other folds.
    """
    # Rows, labels and folds. A name is unique within its group only.
    rows = np.concatenate(embeddings).astype(np.float64)
    truth = np.repeat([1.0, -1.0], [len(group) for group in people])
    names = np.array([f"{number}/{name}" for number, group in enumerate(people) for name in group])
    folds = {name: derive("blind", seed, name) % 5 for name in dict.fromkeys(names)}
    fold = np.array([folds[name] for name in names])
    scores = np.zeros(len(rows))
    for held in range(5):
        train, test = fold != held, fold == held
        if len(set(truth[train])) < 2 or not test.any():
            continue
        # Weights: both groups count the same.
        weight = np.where(truth[train] > 0, 1 / (truth[train] > 0).sum(), 1 / (truth[train] < 0).sum())
        mean = weight @ rows[train] / 2
        x = (rows[train] - mean) * np.sqrt(weight)[:, None]
        # Ridge regression; its strength is the mean variance of an embedding's dimensions.
        ridge = np.trace(x.T @ x) / x.shape[1]
        beta = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ (truth[train] * np.sqrt(weight)))
        scores[test] = (rows[test] - mean) @ beta
    split = len(people[0])
    return scored("blind", (scores[:split], scores[split:]), people, seed)


_HOW = {
    "loss": (
        "by the denoising loss at fixed time steps and noise",
        "Carlini et al., arXiv:2301.13188; Matsumoto et al., arXiv:2302.03262",
    ),
    "distance": (
        "by the distance to the nearest synthesis from a photograph's own conditions",
        "Chen et al., arXiv:1909.03935",
    ),
    "blind": (
        "by embeddings alone, without the model, cross-validated over people",
        "Das et al., arXiv:2406.16201",
    ),
}
_WHAT = {
    "photographs": "chance that a training photograph scores higher than a held-out one",
    "people": "chance that a training person scores higher than a held-out one, by the mean over photographs",
    "caught": f"share of training photographs found while {ALARMS:.0%} of held-out ones are mistaken for them",
}


def _card(name: str, what: str) -> MetricCard:
    how, source = _HOW[name]
    chance = f"{ALARMS:g} is chance" if what == "caught" else "0.5 is chance"
    title = {"photographs": "Membership AUC", "people": "Membership AUC, people", "caught": "Members caught"}[what]
    title = f"{title}, blind" if name == "blind" else title
    better = "" if name == "blind" else "lower"
    return MetricCard(title, f"{_WHAT[what]}, {how}; {chance}", "0 to 1", better, source)
