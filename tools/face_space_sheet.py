"""Draw the contact sheet of the face space: ``python tools/face_space_sheet.py docs/face-space.jpg``.

One row per person; per row three blocks of eight expressions: healthy, a total palsy of the left side, and a moderate
palsy of the right side. Only the person varies.
"""

import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from palsykit.faces.vocabulary import EXPRESSIONS, Side
from palsykit_face_space.dataset import FaceSpace

PEOPLE, FACE, GAP, HEAD = 12, 96, 12, 44
BLOCKS = (
    ("healthy", Side.NONE, 1.0),
    ("left side, grade VI", Side.LEFT, 6.0),
    ("right side, grade III", Side.RIGHT, 3.0),
)
QUALITY = 90
_INK = "#1f2a33"


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf"), size)


def sheet() -> Image.Image:
    """Draw the sheet, an RGB picture."""
    block = len(EXPRESSIONS) * FACE
    canvas = Image.new("RGB", (len(BLOCKS) * (block + GAP) - GAP, HEAD + PEOPLE * FACE), "white")
    ink = ImageDraw.Draw(canvas)
    with TemporaryDirectory() as cache_folder:
        faces = FaceSpace(FACE, Path(cache_folder), identities=1, validation=0, test=0)
        for number, (title, side, severity) in enumerate(BLOCKS):
            left = number * (block + GAP)
            ink.text((left + block // 2, 4), title, _INK, _font(16), anchor="ma")
            for column, expression in enumerate(EXPRESSIONS):
                x = left + column * FACE
                words = expression.replace("_", " ").replace("lower lip depression", "lower lip down")
                ink.text((x + FACE // 2, 26), words.replace("eye closure", "eyes shut"), _INK, _font(10), anchor="ma")
                for person in range(PEOPLE):
                    picture, _ = faces.render(person, expression, side, severity)
                    canvas.paste(Image.fromarray(picture), (x, HEAD + person * FACE))
    return canvas


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python tools/face_space_sheet.py OUT.jpg")
    sheet().save(sys.argv[1], quality=QUALITY, optimize=True)
