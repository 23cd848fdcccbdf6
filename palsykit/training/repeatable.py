"""Steps that repeat to the last bit on a GPU, too, as far as its operations can."""

from typing import Any

import torch

from palsykit.progress import say

UNABLE = "does not have a deterministic implementation"
"""What torch says of an operation that cannot repeat itself."""


class Repeatable:
    """The context in which a step is computed: on a GPU only operations that repeat themselves.

    torch's attention takes its repeatable form only where others are errors, so a warning is not enough. A step that
    meets an operation without such a form fails; after ``give_up`` warnings are enough. On a CPU nothing changes, nor
    where deterministic algorithms were not asked for.
    """

    def __init__(self, device: torch.device):
        self.strict = device.type == "cuda" and torch.are_deterministic_algorithms_enabled()

    def __enter__(self) -> None:
        if self.strict:
            torch.use_deterministic_algorithms(True)

    def __exit__(self, *_: Any) -> None:
        if self.strict:
            torch.use_deterministic_algorithms(True, warn_only=True)

    def give_up(self, job: str, error: RuntimeError) -> None:
        """From now on let operations be which cannot repeat themselves; says which one it was."""
        self.strict = False
        say(
            f"{job}: {str(error).split(UNABLE)[0].strip()} {UNABLE} on this GPU: two runs with one seed may differ in "
            "the last digits"
        )


def is_not_repeatable(error: BaseException) -> bool:
    """Whether torch refused an operation because it cannot repeat itself."""
    return isinstance(error, RuntimeError) and UNABLE in str(error)
