"""An exported folder as one of diffusers' pipelines; nothing in the folder is run."""

import shutil
import tempfile
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline, ModelMixin
from diffusers.pipelines.pipeline_utils import ImagePipelineOutput

from palsykit.errors import PalsykitError
from palsykit.files.atomic import make_folder
from palsykit.run import manifest
from palsykit.run.exported import CARD, is_exported
from palsykit.synthesis.front import Model, load

STEP = "palsykit export RUN DEST writes one, and palsykit.load opens a run"


class Trained(ModelMixin):
    """The trained model of an exported folder, as the component that diffusers' loader asks for.

    Args:
        model: the opened folder.
        folder: where it is.
    """

    def __init__(self, model: Model, folder: Path):
        super().__init__()  # type: ignore[no-untyped-call]
        self.front, self.folder = model, folder
        self.network = model.model

    @classmethod
    def from_pretrained(
        cls, folder: str | PathLike[str], torch_dtype: Any = None, device_map: Any = None, **unused: Any
    ) -> "Trained":
        """Open a folder. Other keywords of diffusers' loader say how files are read, and are not used.

        Raises:
            PalsykitError: the folder is no export, was changed, needs a plugin that is missing, or another type or
                placement of weights is asked for.
        """
        home = Path(folder)
        if not is_exported(home):
            found = "a folder without model_index.json" if home.is_dir() else "no folder"
            more = "" if home.is_dir() else "; a hub's model is downloaded first: hf download NAME --local-dir DEST"
            raise PalsykitError(f"{home}: {found}, expected an exported model; {STEP}{more}")
        if torch_dtype not in (None, torch.float32) or device_map is not None:
            raise PalsykitError(
                f"{home}: torch_dtype {torch_dtype}, device_map {device_map}: palsykit keeps its weights in float32 on "
                "the device that accelerate chooses; leave both out"
            )
        return cls(load(home), home)


class Pipeline(DiffusionPipeline):
    """A person with another expression: ``Pipeline.from_pretrained(DEST)(identity=..., expression=...)``.

    The keywords and pictures are those of ``palsykit.load(DEST).generate``.
    """

    synthesis: Trained

    def __init__(self, synthesis: Trained):
        super().__init__()  # type: ignore[no-untyped-call]
        self.register_modules(synthesis=synthesis)  # type: ignore[attr-defined]

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | PathLike[str], **keywords: Any) -> "Pipeline":
        """Open a folder that ``palsykit export`` wrote, without running any code in it.

        Args:
            pretrained_model_name_or_path: the folder.
            keywords: as in ``Trained.from_pretrained``.

        Raises:
            PalsykitError: as in ``Trained.from_pretrained``.
        """
        pipeline = cls(Trained.from_pretrained(pretrained_model_name_or_path, **keywords))
        pipeline.register_to_config(_name_or_path=str(pretrained_model_name_or_path))  # type: ignore[attr-defined]
        return pipeline

    @property
    def model(self) -> Model:
        """What ``palsykit.load`` gives."""
        front: Model = self.synthesis.front
        return front

    def __call__(self, *, return_dict: bool = True, **request: Any) -> Any:
        """One picture; keywords as in ``palsykit.load(DEST).generate``.

        Returns:
            diffusers' ``ImagePipelineOutput``; a tuple without ``return_dict``.
        """
        pictures = [self.model.generate(**request)]
        return ImagePipelineOutput(images=pictures) if return_dict else (pictures,)

    def to(self, *places: Any, **named: Any) -> "Pipeline":
        """Nothing is moved; asking for another place or type than the present one is an error.

        Raises:
            PalsykitError: another one is asked for.
        """
        here = self.model.parts.device
        for value in (*places, *(named.get(key) for key in ("device", "dtype", "torch_dtype"))):
            if isinstance(value, torch.dtype) and value == torch.float32:
                continue
            if value is None or (not isinstance(value, torch.dtype) and _is_at(torch.device(value), here)):
                continue
            raise PalsykitError(
                f"to({value}): the model is in float32 on {here}, which accelerate chose; expected that, or no call; "
                "start with CUDA_VISIBLE_DEVICES or ACCELERATE_USE_CPU=1 to choose another"
            )
        return self

    def save_pretrained(self, save_directory: str | PathLike[str], **unused: Any) -> None:
        """Copy the folder's files: those of its manifest, the manifest and the card.

        Raises:
            PalsykitError: the target holds something.
        """
        source, dest = self.synthesis.folder, Path(save_directory)
        if dest.exists() and (not dest.is_dir() or any(dest.iterdir())):
            raise PalsykitError(f"{dest}: holds something already, expected a new folder; name another, or remove it")
        for name in shared_files(source):
            make_folder((dest / name).parent)
            shutil.copyfile(source / name, dest / name)

    def push_to_hub(self, repo_id: str, *, private: bool = True, **keywords: Any) -> str:
        """Send the folder's files, with its own card, to a hub, by huggingface_hub's ``upload_folder``.

        Args:
            repo_id: "USER/NAME"; made if it does not exist.
            private: whether a new repository is; unlike diffusers' method, yes unless you say no.
            keywords: further ones of ``upload_folder``, such as ``commit_message`` and ``token``.

        Returns:
            The address of the commit.

        Raises:
            PalsykitError: the hub refuses, or cannot be reached.
        """
        from palsykit.synthesis.hub import push

        with tempfile.TemporaryDirectory() as copy:
            self.save_pretrained(copy)
            return push(Path(copy), repo_id, private=private, **keywords)


def shared_files(folder: Path) -> list[str]:
    """The files of an exported folder; what else lies in it is not shared."""
    listed = [name for files in manifest.read(folder).values() for name in files]
    return [*listed, manifest.NAME, *([CARD] if (folder / CARD).is_file() else [])]


def _is_at(asked: torch.device, here: torch.device) -> bool:
    return asked.type == here.type and (asked.index is None or here.index is None or asked.index == here.index)
