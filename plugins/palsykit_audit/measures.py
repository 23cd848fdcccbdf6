"""An audit's measurements: likeness of generated faces to training people, and a membership attack on the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from torch import nn

from palsykit.diffusion.model import ConditionalDiffusion
from palsykit.errors import PalsykitError
from palsykit.files.weights import state_digest
from palsykit.interfaces import MetricCard
from palsykit.measure.statistics import Figure, mean_of, summarise
from palsykit.networks import SharedNetwork
from palsykit.recipe import load_recipe
from palsykit.run.parts import Parts
from palsykit_audit.faces import Face, Populations, Synthesis
from palsykit_audit.gallery import Features, Gallery, read_features
from palsykit_audit.membership import Attack, Groups, attack, blind, comparable, distances, losses
from palsykit_audit.resemblance import Likeness, likenesses, pixel_ratio
from palsykit_audit.yardstick import Yardstick, yardstick

JUDGE, OWN = "judge_recognition", "recognition"


@dataclass(frozen=True, eq=False)
class Resemblance:
    """The people that generated faces look like.

    Attributes:
        likenesses: the result for each picture.
        yardstick: chance resemblance between real people; gives the threshold.
        copy_limit: a lower pixel ratio is a copy: 1, or the lowest ratio of a held-out photograph if that is lower.
        figures: by name.
    """

    likenesses: list[Likeness]
    yardstick: Yardstick
    copy_limit: float
    figures: dict[str, Figure]

    @property
    def flagged(self) -> list[Likeness]:
        """Pictures that must not be released without a decision."""
        return [one for one in self.likenesses if one.flagged]


@dataclass(frozen=True, eq=False)
class Membership:
    """An attack that queries the model, and the blind attack, which does not."""

    groups: Groups
    attack: Attack
    blind: Attack


@dataclass(frozen=True, eq=False)
class Reader:
    """The network that compares faces, and cautions about it."""

    network: SharedNetwork
    cautions: list[str]

    @property
    def digest(self) -> str:
        """SHA-256 of the network's weights."""
        return state_digest({self.network.name: self.network.module})


def reader(parts: Parts, name: str | None = None, judges: Path | None = None) -> Reader:
    """Choose the recognition network of an audit.

    Args:
        parts: the run's.
        name: of the network; None takes ``judge_recognition``, else ``recognition``.
        judges: a recipe that has the network, instead of the run's.

    Raises:
        PalsykitError: there is no such network, or it has no weights.
    """
    # Check the recipe of judges.
    owner = parts if judges is None else Parts(load_recipe(judges))
    if judges is not None and any(block.network == (name or JUDGE) for block in owner.fits):
        raise PalsykitError(f"--judges {judges}: its network {name or JUDGE!r} has no weights; add its key weights")
    # Choose the network.
    chosen = name or (JUDGE if JUDGE in owner.networks else OWN)
    if chosen not in owner.networks:
        has = ", ".join(owner.networks) or "none"
        raise PalsykitError(
            f"{owner.recipe.name}: no network {chosen!r} (it has {has}); name a recognition network with --network, or "
            "a recipe that has one with --judges recipes/examination.yaml"
        )
    return Reader(owner.networks[chosen], [] if judges is not None else _own_judge(parts, chosen))


def _own_judge(parts: Parts, network: str) -> list[str]:
    """A caution if the network was also used to train the model that it judges."""
    s = parts.settings
    blocks = [*s.conditions.values(), *(block for block in (s.trainer,) if block is not None)]
    used = any(network in map(str, block.parameters.values()) for block in blocks)
    fitted = any(block.network == network for block in parts.fits)
    if not used and not fitted:
        return []
    why = "conditions or trains the model" if used else "was fitted on this run's own people"
    return [
        f"the network {network!r} that compares faces {why}, so it judges its own work; choose one that did not "
        "with --judges RECIPE"
    ]


def resemblance(
    parts: Parts, judge: Reader, people: Populations, pictures: Sequence[Synthesis], quantile: float = 1.0
) -> Resemblance:
    """Compare generated pictures with training and held-out people.

    Args:
        parts: the run's.
        judge: the network that compares.
        people: training and held-out people.
        pictures: the generated pictures.
        quantile: of chance resemblance, for the threshold; 1 is the highest.
    """

    def features(title: str, faces: Sequence[Face] | Sequence[Synthesis]) -> Features:
        return read_features(judge.network, [one.read for one in faces], parts.device, title)

    # Real people: the threshold of chance resemblance.
    training = Gallery(people.training, features("training people", people.training))
    held_out = Gallery(people.held_out, features("held-out people", people.held_out))
    yard = yardstick(training, held_out, quantile)

    # Identity photographs: one row per picture; NaN if it has none.
    photographs = {one.identity.key: one.identity for one in pictures if one.identity is not None}
    read = features("identity photographs", list(photographs.values())) if photographs else None
    generated = features("generated faces", pictures)
    own = np.full_like(generated.embeddings, np.nan)
    row_of = {key: row for row, key in enumerate(photographs)}
    for row, one in enumerate(pictures):
        if one.identity is not None and read is not None:
            own[row] = read.embeddings[row_of[one.identity.key]]

    # Copies: the limit is the lowest pixel ratio of a held-out photograph, at most 1.
    twins = {pair.held_out.person for pair in yard.twins}
    ratios = pixel_ratio(training.distance(held_out.features))
    copy_limit = min(
        1.0, *(float(r) for r, face in zip(ratios, held_out.faces, strict=True) if face.person not in twins)
    )

    # Search for each generated picture among these people.
    identities = Features(own, generated.pixels)
    results = likenesses(pictures, generated, identities, training, held_out, yard.threshold, copy_limit)
    return Resemblance(results, yard, copy_limit, _figures(results, yard, parts.settings.seed))


def _figures(results: Sequence[Likeness], yard: Yardstick, seed: int) -> dict[str, Figure]:
    """Shares of pictures and mean cosines, with intervals over the people that the pictures should show."""
    limit = yard.threshold
    columns = {
        "held back": [float(one.flagged) for one in results],
        "resembles": [float(one.flag == "resembles") for one in results],
        "copies": [float(one.flag == "copy") for one in results],
        "asked for": [float(one.flag == "asked") for one in results],
        "above threshold": [float(one.to_training > limit) for one in results],
        "nearest is a training person": [one.preference for one in results],
        "cosine with the person asked for": [one.to_own for one in results],
        "cosine with the nearest training person": [one.to_training for one in results],
        "cosine with the nearest held-out person": [one.to_held_out for one in results],
        "nearer to a training person than to the one asked for": [
            float(one.to_training > one.to_own) if one.to_own == one.to_own else np.nan for one in results
        ],
    }
    persons = [one.synthesis.person for one in results]
    return {name: summarise(mean_of(CARDS[name], values), persons, seed) for name, values in columns.items()}


def membership(parts: Parts, judge: Reader, model: nn.Module | None, photographs: int) -> Membership:
    """Attack the diffusion model by its loss, or any other synthesiser by its distances.

    Args:
        parts: the run's.
        judge: the network whose embeddings the blind attack uses.
        model: the trained model.
        photographs: per group.
    """
    groups, dataset = comparable(parts, photographs), parts.data().dataset
    size, seed, device = parts.settings.generate.batch_size, parts.settings.seed, parts.device
    # The attack: how difficult each photograph is for the model.
    if isinstance(model, ConditionalDiffusion) and parts.settings.synthesiser is None:
        name = "loss"
        difficulty = tuple(losses(model, dataset, pairs, size, device) for pairs in (groups.members, groups.others))
    else:
        name, synthesiser = "distance", parts.synthesiser(model)
        difficulty = tuple(distances(synthesiser, dataset, p, size, device) for p in (groups.members, groups.others))
    # The blind attack: embeddings of the same photographs, without the model.
    embeddings = tuple(
        read_features(
            judge.network, [partial(dataset.image, one.record) for one in pairs], device, "blind attack"
        ).embeddings
        for pairs in (groups.members, groups.others)
    )
    return Membership(
        groups,
        attack(name, (difficulty[0], difficulty[1]), groups.people, seed),
        blind((embeddings[0], embeddings[1]), groups.people, seed),
    )


def _share(name: str, definition: str, better: str = "lower", note: str = "") -> MetricCard:
    return MetricCard(name, f"share of generated pictures {definition}", "0 to 1", better, "", note)


_STRANGER = "another held-out person"
CARDS = {
    "held back": _share("Held back", "that resemble or copy a training person who was not asked for"),
    "resembles": _share(
        "Resembles a training person",
        "nearer to a training person than held-out people are to others, while the identity photograph is not",
    ),
    "copies": _share(
        "Copies of training photographs",
        "whose pixels are less than half as far from a training photograph as from the 50 nearest other people, and "
        "whose ratio is lower than any held-out photograph's",
    ),
    "asked for": _share(
        "Likeness asked for",
        "above the threshold to a training person that the identity photograph itself looks like",
        better="",
        note="training people who were asked for, or people alike; not caused by the model",
    ),
    "above threshold": _share(
        "Above the threshold", "nearer to a training person than held-out people are to others, asked for or not"
    ),
    "nearest is a training person": MetricCard(
        "Nearest is a training person",
        "chance that the nearest of equally many training and held-out people is a training person; 0.5 is chance",
        "0 to 1",
        "lower",
        "",
        "above 0.5 if the model draws faces towards the people it was trained on",
    ),
    "cosine with the person asked for": MetricCard(
        "Cosine with the person asked for", "with the identity photograph", "-1 to 1", "higher", ""
    ),
    "cosine with the nearest training person": MetricCard(
        "Cosine with the nearest training person", "the nearest photograph of any", "-1 to 1", "", ""
    ),
    "cosine with the nearest held-out person": MetricCard(
        "Cosine with the nearest held-out person", f"the nearest photograph of {_STRANGER}", "-1 to 1", "", ""
    ),
    "nearer to a training person than to the one asked for": _share(
        "Lost the person asked for", "nearer to a training person than to their own identity photograph"
    ),
}
