"""Convert an image processor's settings to palsykit's preprocessing."""

from typing import Any

from palsykit.foreign.preprocessing import Crop, Interpolation, Preprocessing

FILTERS: dict[int, Interpolation] = {0: "nearest", 2: "bilinear", 3: "bicubic", 4: "box"}
"""Pillow's number of a filter -> its name."""

OTHERS = ("do_pad", "do_flip_channel_order", "do_thumbnail", "do_align_long_axis", "do_reduce_labels", "rescale_offset")
"""Steps of some processors that palsykit does not reproduce."""

CONVNEXT_SQUASHES = 384
"""Side in px: below it ConvNeXt's processor crops, from it on it squashes."""


def preprocessing(processor: Any, crop: Crop) -> Preprocessing:
    """The preprocessing that equals ``processor`` on a square RGB picture.

    Raises:
        ValueError: it has a step that is not reproduced, or does not give the model's input size.
    """
    kind = type(processor).__name__
    if unknown := [name for name in OTHERS if getattr(processor, name, False)]:
        raise ValueError(f"image processor {kind}: {', '.join(unknown)} is not reproduced; use another model")
    resized, side = _sides(processor, kind)
    number = int(getattr(processor, "resample", 2) or 0)
    if number not in FILTERS:
        known = ", ".join(f"{key} ({name})" for key, name in FILTERS.items())
        raise ValueError(f"image processor {kind}: resample {number} is not reproduced; expected one of {known}")
    normalises = getattr(processor, "do_normalize", False)
    return Preprocessing(
        side=side,
        resized=resized,
        interpolation=FILTERS[number],
        mean=tuple(processor.image_mean) if normalises else (0.0, 0.0, 0.0),
        std=tuple(processor.image_std) if normalises else (1.0, 1.0, 1.0),
        scale=float(processor.rescale_factor) if getattr(processor, "do_rescale", False) else 1.0,
        crop=crop,
    )


def _sides(processor: Any, kind: str) -> tuple[int, int]:
    """(side after resizing, side after cropping) in px."""
    size = _side(processor, "size") if getattr(processor, "do_resize", False) else None
    cut = _side(processor, "crop_size") if getattr(processor, "do_center_crop", False) else None
    fraction = getattr(processor, "crop_pct", None)
    if size is not None and fraction and kind.startswith("ConvNext"):
        return (size, size) if size >= CONVNEXT_SQUASHES else (int(size / fraction), size)
    if size is not None and fraction and cut is not None:
        return int(size / fraction), cut
    if size is None and cut is None:
        raise ValueError(f"image processor {kind}: no size and no crop_size; expected the size of the model's pictures")
    resized = size if size is not None else cut
    assert resized is not None
    return resized, cut if cut is not None else resized


def _side(processor: Any, key: str) -> int | None:
    """One side of a setting such as {"shortest_edge": 224}, {"height": 224, "width": 224} or 224."""
    setting = getattr(processor, key, None)
    if setting is None or isinstance(setting, int):
        return setting
    values = {name: setting.get(name) for name in ("shortest_edge", "height", "width")}
    sides = {value for value in values.values() if value is not None}
    if len(sides) != 1:
        raise ValueError(f"image processor {type(processor).__name__}: {key} {values}; expected one side of a square")
    return int(sides.pop())
