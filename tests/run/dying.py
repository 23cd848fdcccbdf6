"""A process that runs palsykit's command line in forked children, which die when they are told to.

It has imported everything before it forks, so a run costs a second instead of ten. One job a line on standard input,
``{"arguments": [...], "output": FILE, "before": N or null, "after": seconds or null}``; one answer a line on standard
output, ``{"status": ..., "operations": ..., "seconds": ...}``.

``before``: the child ends, as by SIGKILL, before its operation N on files. If that operation writes, half of its bytes
are written. ``after``: this process sends SIGKILL. The operations counted are those that change the disk: open for
writing, write, fsync, rename, replace, unlink, mkdir, rmdir, chmod, truncate, and the files of safetensors, which
are written by a library of its own: nothing, a cut temporary file, or all of it.
"""

import builtins
import contextlib
import importlib
import io
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch

from palsykit.cli import main
from palsykit.files import weights

CHANGES = ("rename", "replace", "unlink", "remove", "mkdir", "rmdir", "chmod", "truncate", "fsync")
NULL = ("/dev/null", os.devnull)


class Count:
    """The operations of this process on files; at number ``last`` the process ends."""

    def __init__(self, last: int | None):
        self.done, self.last = 0, last

    def ends(self) -> bool:
        """Count one operation; whether the process ends before it."""
        self.done += 1
        return self.done == self.last

    def one(self, what: object) -> None:
        """Count one operation, or end before it."""
        if self.ends():
            self.end(what)

    def end(self, what: object) -> None:
        os.write(2, f"\ndies before operation {self.done}: {what}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)


def watch(count: Count) -> None:
    """Count what this process does to files from now on."""

    class File(io.FileIO):
        def write(self, data: Any) -> int:
            if count.ends():
                super().write(memoryview(data).cast("B")[: len(memoryview(data).cast("B")) // 2])
                count.end(f"write {self.name}")
            return super().write(data)

    def counted_open(file: Any, mode: str = "r", *rest: Any, opener: Any = None, **keys: Any) -> Any:
        if isinstance(file, int) or not set(mode) & set("wax+") or str(file) in NULL:
            return plain_open(file, mode, *rest, opener=opener, **keys)
        count.one(f"open {file}")
        raw = File(file, mode.replace("b", "").replace("t", ""), opener=opener)
        buffer: Any = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return buffer
        return io.TextIOWrapper(buffer, *rest[1:], **{name: keys[name] for name in keys if name != "buffering"})

    def counted_os_open(path: Any, flags: int, *rest: Any, **keys: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR) and str(path) not in NULL:
            count.one(f"open {path}")
        return plain_os_open(path, flags, *rest, **keys)

    def counted_save(tensors: Any, path: Any, *rest: Any, **keys: Any) -> None:
        count.one(f"safetensors {path}")
        if count.ends():
            Path(path).with_name(".tmpAb3Xy9").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
            count.end(f"half of safetensors {path}")
        plain_save(tensors, path, *rest, **keys)
        count.one(f"all of safetensors {path}")

    plain_open, plain_os_open, plain_save = io.open, os.open, weights.save_file
    builtins.open = io.open = counted_open  # type: ignore[assignment]
    os.open, weights.save_file = counted_os_open, counted_save
    for name in CHANGES:
        setattr(os, name, _counted(count, name, getattr(os, name)))


def _counted(count: Count, name: str, function: Any) -> Any:
    def counted(*arguments: Any, **keys: Any) -> Any:
        count.one(f"{name} {arguments}")
        return function(*arguments, **keys)

    return counted


def child(job: dict[str, Any], tell: int) -> None:
    """Run the command line and tell the number of operations; never returns."""
    code: Any = 0
    with Path(job["output"]).open("w") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    count = Count(job.get("before"))
    watch(count)
    sys.argv = ["palsykit", *job["arguments"]]
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    if job.get("after") is not None:
        signal.pause()  # it was faster than expected; the kill still comes
    os.write(tell, json.dumps([count.done, sorted(sys.modules)]).encode())
    os._exit(int(code))


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """Fork a child for a job and wait for its end."""
    hear, tell = os.pipe()
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        child(job, tell)
    os.close(tell)
    if job.get("after") is not None:
        time.sleep(job["after"])
        os.kill(pid, signal.SIGKILL)
    with os.fdopen(hear) as pipe:
        operations, modules = json.loads(pipe.read() or "[null, []]")
    _, status = os.waitpid(pid, 0)
    seconds = time.monotonic() - began
    for module in modules:  # so that the next children need not
        with contextlib.suppress(ImportError):  # some have other names in their files
            importlib.import_module(module)
    return {"status": os.waitstatus_to_exitcode(status), "operations": operations, "seconds": seconds}


if __name__ == "__main__":
    torch.set_num_threads(1)
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
