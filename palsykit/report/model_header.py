"""The YAML block at the top of a model card, by which a hub lists and finds the model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from palsykit.report.contents import MetricRow

TASK = "image-to-image"


@dataclass(frozen=True)
class Listing:
    """What only the user knows of a model that is shared.

    Attributes:
        licence: an identifier of the hub's list, such as "cc-by-4.0"; None: the card says what is known.
        base_models: identifiers of the models that it was trained from.
        datasets: identifiers of the data sets that it was trained on.
    """

    licence: str | None = None
    base_models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()


def model_header(name: str, listing: Listing, rows: Sequence[MetricRow], data: str, split: str) -> str:
    """The block, with the figures as results of a ``model-index``.

    Args:
        name: of the model.
        listing: what the user says.
        rows: the run's figures; those that are not finite are left out.
        data: the data set that they were measured on.
        split: its split.
    """
    from huggingface_hub import EvalResult, ModelCardData  # takes half a second to import

    results = [
        EvalResult(
            task_type=TASK,
            dataset_type=data,
            dataset_name=f"{data}, synthesised people of the split {split}",
            dataset_split=split,
            metric_type=row.name,
            metric_name=f"{row.name} ({row.unit})" if row.unit else row.name,
            metric_value=row.value,
        )
        for row in rows
        if math.isfinite(row.value)
    ]
    card = ModelCardData(
        license=listing.licence or "other",
        license_name=None if listing.licence else "see-the-card",
        library_name="diffusers",
        pipeline_tag=TASK,
        tags=["palsykit", "facial-palsy", "face", "diffusion", "synthetic"],
        base_model=list(listing.base_models) or None,
        datasets=list(listing.datasets) or None,
        metrics=sorted({row.name for row in rows if math.isfinite(row.value)}) or None,
        eval_results=results or None,
        model_name=name,
    )
    return f"---\n{card.to_yaml()}\n---\n"
