"""Two processes on one machine share a run: one set of weights, one folder, one report."""

import json
import os
import subprocess
import sys
from pathlib import Path

TINY = Path(__file__).with_name("tiny.yaml")


def test_two_processes_make_one_run(tmp_path):
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29617"]
    done = subprocess.run(
        [*launch, "-m", "palsykit", "run", str(TINY), "--output", str(tmp_path / "run")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    state = json.loads((tmp_path / "run" / "state.json").read_text())
    assert set(state["stages"]) == {"prepare", "fit", "train", "generate", "evaluate", "report"}
    steps = [(line["job"], line["step"]) for line in map(json.loads, (tmp_path / "run" / "log.jsonl").open())]
    assert len(steps) == len(set(steps)) > 0  # logged once, not once a process
