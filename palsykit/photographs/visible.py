"""A mark that people see: the word "synthetic" in the lower right corner."""

from PIL import Image, ImageDraw, ImageFont

from palsykit.photographs.exif import turned, turned_back

WORD = "synthetic"
SHARE, SMALLEST = 0.045, 8
"""Height of the letters: a share of the shorter side, and px at least."""

Colour = int | tuple[int, ...]

LIGHT: dict[str, Colour] = {"1": 1, "L": 255, "LA": (255, 255), "RGB": (255,) * 3, "RGBA": (255,) * 4}
DARK: dict[str, Colour] = {"1": 0, "L": 0, "LA": (0, 255), "RGB": (0,) * 3, "RGBA": (0, 0, 0, 255)}
LIGHT |= {"CMYK": (0, 0, 0, 0), "I;16": 65535}
DARK |= {"CMYK": (0, 0, 0, 255), "I;16": 0}
"""White and black of each mode."""


def add_visible_mark(picture: Image.Image, *, orientation: int = 1) -> Image.Image:
    """A copy with the word "synthetic" in the lower right corner, white with a dark edge.

    Args:
        picture: palettes become RGB; other modes stay.
        orientation: EXIF's, under which it is shown; the corner is that of the picture as it is shown.
    """
    marked = picture.copy() if picture.mode in LIGHT else picture.convert("RGB")
    edge, word = _masks(turned(Image.new("1", picture.size), orientation).size)
    for mask, colours in ((edge, DARK), (word, LIGHT)):
        stored = turned_back(mask, orientation)
        box = stored.getbbox()
        if box:
            marked.paste(Image.new(marked.mode, stored.crop(box).size, colours[marked.mode]), box, stored.crop(box))
    return marked


def _masks(size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """Where the letters' edge and the letters are in a picture of ``size`` px."""
    width, height = size
    letters = max(SMALLEST, round(min(size) * SHARE))
    font = ImageFont.load_default(letters)
    while letters > 1 and font.getlength(WORD) > 0.95 * width:
        letters -= 1
        font = ImageFont.load_default(letters)
    gap, line = max(1, letters // 3), max(1, letters // 10)
    edge, word = Image.new("L", size), Image.new("L", size)
    place = (width - gap, height - gap)
    ImageDraw.Draw(edge).text(place, WORD, 255, font, anchor="rs", stroke_width=line, stroke_fill=255)
    ImageDraw.Draw(word).text(place, WORD, 255, font, anchor="rs")
    return edge, word
