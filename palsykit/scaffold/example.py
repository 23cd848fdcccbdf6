"""Draw schematic faces for a new data set's package, so that its recipe runs without photographs."""

from pathlib import Path

from PIL import Image, ImageDraw

SIDE = 96
EXPRESSIONS = ("rest", "smile_full", "brow_raise")
Box = tuple[float, float, float, float]


def draw(folder: Path) -> list[Path]:
    """Draw eight people with three expressions each. The last four have a palsy; the file's name states it."""
    written = []
    for person in range(8):
        side = (None, "left", "right")[0 if person < 4 else 1 + person % 2]
        for expression in EXPRESSIONS:
            name = expression if side is None else f"{expression}_{side}_{2 + person % 4}"
            path = folder / f"p{person + 1:02d}" / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            _face(person, expression, side).save(path)
            written.append(path)
    return written


def _face(person: int, expression: str, side: str | None) -> Image.Image:
    """One face in the face frame: eyes at 39 % of the height, mouth at 68 %; the subject's left is on the right."""
    image = Image.new("RGB", (SIDE * 4, SIDE * 4), (90 + 12 * person, 110, 160 - 12 * person))
    pen = ImageDraw.Draw(image)
    scale = SIDE * 4

    def box(x: float, y: float, rx: float, ry: float) -> Box:
        return ((x - rx) * scale, (y - ry) * scale, (x + rx) * scale, (y + ry) * scale)

    pen.ellipse(
        box(0.5, 0.5, 0.3 + 0.01 * (person % 3), 0.46), fill=(232 - 16 * person, 190 - 14 * person, 165 - 12 * person)
    )
    # Brow, eye and corner of the mouth on each side; a palsied side does not move.
    for x, half in ((0.37, "right"), (0.63, "left")):
        weak = half == side
        raised = 0.05 if expression == "brow_raise" and not weak else 0.0
        pen.arc(box(x, 0.36 - raised, 0.08, 0.04), 200, 340, fill=(60, 40, 30), width=10)
        pen.ellipse(box(x, 0.39, 0.04, 0.025), fill=(250, 250, 250))
        pen.ellipse(box(x, 0.39, 0.018, 0.018), fill=(40 + 20 * (person % 4), 60, 40))
        lift = 0.04 if expression == "smile_full" and not weak else 0.0
        outer = 0.5 + (x - 0.5) * (0.95 if lift else 0.75)
        corner = (outer * scale, (0.68 - lift + (0.02 if weak else 0)) * scale)
        pen.line([(0.5 * scale, 0.69 * scale), corner], fill=(150, 60, 60), width=14)
    pen.line([(0.5 * scale, 0.42 * scale), (0.48 * scale, 0.56 * scale)], fill=(150, 110, 90), width=8)
    return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
