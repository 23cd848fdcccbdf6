"""The training log: ``log.jsonl`` and, if the recipe asks for it, TensorBoard."""

from collections.abc import Callable
from typing import Any

from palsykit.errors import PalsykitError
from palsykit.run.folder import RunFolder

Log = Callable[[dict[str, Any]], None]


def logger(run: RunFolder, tracking: str | None) -> Log:
    """Return a function that writes one line of the training log.

    Args:
        run: the log is always written to its log.jsonl.
        tracking: "tensorboard" also writes event files to RUN/tensorboard; None writes log.jsonl only.

    Raises:
        PalsykitError: TensorBoard is not installed.
    """
    if tracking is None:
        return run.log
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise PalsykitError(
            f"tracking: tensorboard is not installed ({error}); install it with "
            "pip install 'palsykit[tracking]', or remove the key"
        ) from error
    writer = SummaryWriter(str(run.path / "tensorboard"))

    def log(line: dict[str, Any]) -> None:
        run.log(line)
        if "loss" not in line:
            return
        for name, value in {"loss": line["loss"], "lr": line["lr"], **line["terms"]}.items():
            writer.add_scalar(f"{line['job']}/{name}", value, line["step"])
        writer.flush()

    return log
