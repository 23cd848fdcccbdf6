"""Make the portrait of README's first example, and that of before and after: ``python tools/portrait.py docs``.

The portrait is a render of a person who does not exist (face space, a number that no training uses), between strips of
plain background, as a photograph of 900 x 700 px. More pixels would show no more: the statistical face has about 500
to a side. ``before-after.jpg`` shows it beside what the shipped model makes of it, both at full size:

    palsykit generate --identity docs/portrait.jpg --expression smile_full --side left --severity 5
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palsykit import load
from palsykit.faces.vocabulary import Side
from palsykit.photographs.mark import write_marked
from palsykit_face_space.dataset import FaceSpace

PERSON, SIDE, LEFT, RIGHT, GAP = 2, 700, 70, 130, 8
QUALITY = 92
PALSY = {"expression": "smile_full", "side": "left", "severity": 5.0}


def portrait(side: int = SIDE) -> NDArray[np.uint8]:
    """The person at rest, [side, side + LEFT + RIGHT, 3]; the background goes on beside the render."""
    with TemporaryDirectory() as cache:
        people = FaceSpace(side, Path(cache), identities=1, validation=0, test=0, renders=1)
        picture, _ = people.render(PERSON, "rest", Side.NONE)
    return np.pad(picture, ((0, 0), (LEFT, RIGHT), (0, 0)), mode="edge")


def main(folder: Path) -> None:
    """Write both pictures."""
    facts = {"synthetic": True, "model": "face space", "person": PERSON}
    write_marked(Image.fromarray(portrait()), folder / "portrait.jpg", facts)
    model = load()
    before = model.read("identity", folder / "portrait.jpg")
    after = model.generate(identity=folder / "portrait.jpg", **PALSY)
    pictures = [np.asarray(before.photograph.picture), np.asarray(after)]
    between = np.full((len(pictures[0]), GAP, 3), 255, np.uint8)
    both = Image.fromarray(np.hstack([pictures[0], between, pictures[1]]))
    write_marked(both, folder / "before-after.jpg", model.facts | PALSY)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python tools/portrait.py FOLDER")
    main(Path(sys.argv[1]))
