"""A thousand damaged files over all layouts: none is a traceback, each is used or listed."""

import sys
from collections import Counter
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from palsykit.registry import registry

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "corruptions.py"


def test_a_thousand_damaged_files(monkeypatch):
    spec = spec_from_file_location("benchmark_corruptions", SCRIPT)
    script = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, script)  # its dataclasses look themselves up there
    spec.loader.exec_module(script)
    layouts = {name for name in registry().names("datasets") if _is_ours(name)} - {"joined"}  # which reads no files
    assert set(script.LAYOUTS) == layouts
    counts, faults = script.run(1000, seed=0)
    assert faults == []
    total = sum(counts.values(), Counter())
    assert sum(total[damage.__name__] for damage in script.DAMAGES) == 1000
    assert (total["tracebacks"], total["lost"]) == (0, 0)
    assert total["used"] > 300
    assert total["listed"] > 800
    assert all(found["used"] and found["listed"] for found in counts.values())


def _is_ours(name):
    return registry().get("datasets", name).plugin == "datasets"
