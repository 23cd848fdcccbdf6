"""Export a finished run's weights to plugins/palsykit_weights: ``python tools/export_weights.py RUN [MODEL]``.

For every network that the run fitted, the script writes NAME.safetensors (fp16, exponential moving average) and a card,
NAME.md; for the main model, if the run trained one, MODEL.safetensors and MODEL.md, where MODEL is base by default. The
11 significant bits of fp16 are enough for the running statistics of batch norms; the 8 bits of bfloat16 are not. The
main model, which has no such statistics and is by far the largest, is stored in 8 bits per weight.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
import yaml

from palsykit.files import weights
from palsykit.files.hashes import sha256

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "plugins" / "palsykit_weights"
LICENCE = "MIT, with the attribution below for the photographs that the faces were computed from (CC BY 4.0)"


def export(run: Path, folder: Path = SHIPPED, model: str = "base") -> list[Path]:
    """Export all networks and the main model of a run. Returns the files written.

    Raises:
        FileNotFoundError: the run has no weights.
    """
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    fits = {block["network"]: block for block in recipe.get("fits", [])}
    written = []
    for file in sorted((run / "model" / "networks").glob("*.safetensors")):
        state, _ = weights.load(file)
        written.append(_write(run, folder, file.stem, state, fits[file.stem]))
    if (run / "model" / "conditioning.safetensors").exists():
        state, _ = weights.load(run / "model" / "conditioning.safetensors")
        unet, _ = weights.load(run / "model" / "unet" / "diffusion_pytorch_model.safetensors")
        state |= {f"denoiser.unet.{key}": value for key, value in unet.items()}
        written.append(_write(run, folder, model, state, recipe["train"], torch.int8))
    if not written:
        raise FileNotFoundError(
            f"{run}/model: no weights; expected a finished run of recipes/networks.yaml or base.yaml"
        )
    return written


def _write(
    run: Path,
    folder: Path,
    name: str,
    state: dict[str, Any],
    training: dict[str, Any],
    kind: torch.dtype = torch.float16,
) -> Path:
    target = folder / f"{name}.safetensors"
    facts = json.loads((run / "state.json").read_text())
    weights.save(state, target, {"recipe_hash": facts["recipe_hash"], "palsykit": facts["palsykit"]}, kind)
    stored = "8 bits per weight with a step per channel" if kind is torch.int8 else "fp16"
    (folder / f"{name}.md").write_text(_card(run, target, facts, training, stored))
    return target


def _start(training: dict[str, Any]) -> str:
    """Name of the start weights' file, without its folder: that is a path of one machine."""
    start = training.get("start")
    return "random weights" if start is None else Path(start).name


def _card(run: Path, file: Path, facts: dict[str, Any], training: dict[str, Any], stored: str) -> str:
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    data = json.loads((run / "data.json").read_text())
    metrics = run / "metrics.json"
    synthesises = "network" not in training  # a fit names its network
    figures = json.loads(metrics.read_text())["metrics"] if metrics.exists() and synthesises else {}
    lines = [
        f"# {file.stem}",
        "",
        f"- made by: `palsykit run recipes/{_recipe_name(recipe, run)}`, then `python tools/export_weights.py RUN`",
        f"- commit: {_commit()}; palsykit {facts['palsykit']}; seed {recipe['seed']}",
        f"- recipe hash: {facts['recipe_hash']}",
        f"- steps: {training['steps']} of batch {training['batch_size']}, learning rate {training['lr']:g}, "
        f"EMA {training['ema']:g}, started from {_start(training)}",
        f"- data: {_described(training, recipe, data)}",
        f"- seconds: {json.dumps({stage: done['seconds'] for stage, done in facts['stages'].items()})}",
        *([f"- metrics on held-out identities: {json.dumps(figures)}"] if figures else []),
        f"- size: {file.stat().st_size:,} bytes, {stored}; SHA-256 {sha256(file)}",
        f"- licence: {LICENCE}",
        "",
        data["attribution"],
        "",
    ]
    return "\n".join(lines)


def _described(training: dict[str, Any], recipe: dict[str, Any], data: dict[str, Any]) -> str:
    """The photographs that it was trained on: the fit's own, else the recipe's and their counts."""
    if training.get("data") is None:
        return f"{json.dumps(recipe['data'])}; {json.dumps(data['counts']['split'])}"
    return json.dumps(_without_folders(training["data"]))


def _without_folders(value: Any) -> Any:
    """A block of a recipe, in which a path is only its last name: folders are those of one machine."""
    if isinstance(value, dict):
        return {key: _without_folders(item) for key, item in value.items()}
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def _recipe_name(recipe: dict[str, Any], run: Path) -> str:
    return f"{recipe.get('name') or run.name}.yaml"


def _commit() -> str:
    try:
        return subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python tools/export_weights.py RUN [MODEL]")
    for path in export(Path(sys.argv[1]), model=(sys.argv[2:] or ["base"])[0]):
        print(path)
