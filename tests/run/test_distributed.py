"""Two processes on one machine share a run: one set of weights, one folder, one report, the losses of one process."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from palsykit.recipe import Recipe
from palsykit.run.folder import RunFolder
from palsykit.run.runner import train_recipe
from palsykit.training import checkpoint

TINY = Path(__file__).with_name("tiny.yaml")
LAUNCH = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29617"]
CONFIGURED = {"ACCELERATE_MIXED_PRECISION": "bf16", "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "2"}
"""What `accelerate launch` sets by its own configuration; the recipe's precision and accumulate hold."""
SHARED_OUT = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP"}
SHARED_OUT |= {"FSDP_TRANSFORMER_CLS_TO_WRAP": "ResnetBlock2D", "FSDP_RESHARD_AFTER_FORWARD": "true"}
"""What it sets for FSDP2; so the variables reach a process without a GPU, too."""
WAYS = pytest.mark.parametrize(
    "way", [{}, pytest.param(SHARED_OUT, marks=pytest.mark.slow)], ids=["whole weights", "weights shared out"]
)
DIES = """
import os, signal
from palsykit.cli import main
from palsykit.training import loop

step = loop.Training.step

def dies(self, number, batches):
    if (self.job.name, number, os.environ["RANK"]) == ("train", 3, os.environ["DIES"]):
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, number, batches)

loop.Training.step = dies
main()
"""
HOLDS = """
from palsykit.cli import main
from palsykit.training import loop, sharded

step = loop.Training.step

def looks(self, number, batches):
    if self.job.name == "train":
        for module in (self.job.model, self.ema.module):
            held = sum(sharded.here(weight).numel() for weight in module.parameters())
            whole = sum(weight.numel() for weight in module.parameters())
            assert 0.45 * whole < held < 0.55 * whole, (held, whole)
        weight = next(iter(self.groups["model"].values()))
        result = step(self, number, batches)
        assert all(hasattr(v, "device_mesh") for k, v in self.optimisers["model"].state[weight].items() if k != "step")
        return result
    return step(self, number, batches)

loop.Training.step = looks
main()
"""


def two_processes(program: list[str], changes: list[str], folder: Path, **variables: str) -> Any:
    """Run the miniature in two processes."""
    words = [word for change in changes for word in ("--set", change)]
    return subprocess.run(
        [sys.executable, *LAUNCH, *program, "run", str(TINY), *words, "--output", str(folder)],
        env={**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", **CONFIGURED, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def changes(finished: RunFolder) -> list[str]:
    """Networks with weights, because batch normalisation has the statistics of each process; one judge is fitted."""
    weights = [f"networks.{name}.weights={finished.networks}/{name}.safetensors" for name in ("recognition", "points")]
    weights.append(f"networks.expression.weights={finished.networks}/expression.safetensors")
    judge = "networks.judge={use: ir, depth: 18, width: 0.125, embedding: 16}"
    fits = "fits=[{network: judge, trainer: {use: angular_margin}, steps: 2, batch_size: 4}]"
    return [*weights, judge, fits, "generate.identities=1", "train.flip=0.5", "train.precision=fp32"]


def lines(folder: Path, job: str) -> list[dict[str, Any]]:
    logged = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in logged if line["job"] == job]


def same_losses(folder: Path, tiny: Callable[..., Recipe], changes: list[str], whole: Path) -> None:
    """The losses of two processes with batches of 4 are those of one with batches of 8."""
    train_recipe(tiny(*changes, "train.batch_size=8"), whole)
    one, two = lines(whole, "train"), lines(folder, "train")
    assert [line["step"] for line in two] == [1, 2, 3, 4], "logged once, not once a process"
    for expected, found in zip(one, two, strict=True):
        assert found["terms"] == pytest.approx(expected["terms"], rel=1e-5, abs=1e-9), found["step"]


def each_picture_once(folder: Path) -> None:
    """Each picture is made by one process, and each is one row of the figures."""
    table = [json.loads(line) for line in (folder / "images" / "metadata.jsonl").read_text().splitlines()]
    made = sorted(path.name for path in (folder / "images" / "generated").glob("*.png"))
    assert sorted(Path(row["file_name"]).name for row in table) == made
    assert json.loads((folder / "state.json").read_text())["stages"]["generate"]["images"] == len(made) > 0
    rows = (folder / "metrics.csv").read_text().splitlines()[1:]
    assert len(rows) == len(made)


@WAYS
def test_two_processes_make_one_run_with_the_losses_of_one(
    tiny: Callable[..., Recipe], changes: list[str], tmp_path: Path, way: dict[str, str]
) -> None:
    (tmp_path / "holds.py").write_text(HOLDS)
    program = [str(tmp_path / "holds.py")] if way else ["-m", "palsykit"]
    done = two_processes(program, changes, tmp_path / "run", **way)
    assert done.returncode == 0, done.stderr[-3000:]
    state = json.loads((tmp_path / "run" / "state.json").read_text())
    assert set(state["stages"]) == {"prepare", "fit", "train", "generate", "evaluate", "report"}
    assert [line["step"] for line in lines(tmp_path / "run", "fit-judge")] == [2]
    each_picture_once(tmp_path / "run")
    same_losses(tmp_path / "run", tiny, changes, tmp_path / "one")


@pytest.mark.slow
@WAYS
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_the_run_which_resumes(
    tiny: Callable[..., Recipe], changes: list[str], tmp_path: Path, rank: int, way: dict[str, str]
) -> None:
    program, folder = tmp_path / "dies.py", tmp_path / "run"
    program.write_text(DIES)
    killed = two_processes([str(program)], changes, folder, DIES=str(rank), **way)
    assert killed.returncode != 0
    said = [line for line in killed.stderr.splitlines() if line.startswith("palsykit: ")]
    assert len(said) == 1, killed.stderr[-3000:]
    assert said[0].startswith("palsykit: train: another process of this run has ended")
    assert f"process {1 - rank} stops, too" in said[0]
    assert [path.name for path in checkpoint.existing(folder / "checkpoints/train")] == ["step-000002"]

    resumed = two_processes(["-m", "palsykit"], changes, folder, **way)
    assert resumed.returncode == 0, resumed.stderr[-3000:]
    same_losses(folder, tiny, changes, tmp_path / "one")
