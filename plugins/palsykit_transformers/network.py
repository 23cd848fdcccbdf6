"""Any vision model of transformers as a network: CLIP, SigLIP, DINOv2, ViT, Swin, ConvNeXt, and their classifiers."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from palsykit.faces.classes import EXPRESSION_CLASSES
from palsykit.faces.vocabulary import canonical_expression
from palsykit.foreign.preprocessing import Crop
from palsykit.interfaces import NetworkOutput
from palsykit_transformers.loading import load
from palsykit_transformers.processor import preprocessing

NEVER = -1e4
"""The logit of an expression without a label in the model: probability 0, but finite."""


class TransformersNetwork(nn.Module):
    """A frozen vision model from a folder written by transformers' ``save_pretrained`` (Wolf et al., arXiv:1910.03771).

    image [B, 3, H, W] in [-1, 1] -> map [B, C, h, w], the last hidden state without class and register tokens;
    embedding [B, D], the first that exists of: the projected image features of a model for pictures and text (CLIP,
    arXiv:2103.00020), the pooled output, the class token, the mean of the map; logits {"labels": [B, K]} of a
    classifier in the order of its config.json, and {"expression": [B, 8]} if ``expressions`` gives the meaning of its
    labels. Pictures are resized, cropped and normalised as the folder's image processor says. Gradients reach the
    picture.

    Args:
        image_size: side of the images in px; any size, because they are resized.
        weights: the folder: config.json, safetensors and preprocessor_config.json. Nothing is downloaded.
        crop: the part of the picture that the model sees: as its image processor crops, the whole frame, or the ArcFace
            crop, for classifiers that were trained on tight faces.
        expressions: the meaning of a classifier's labels, for example {happy: smile_full, neutral: rest}. Labels with
            the same expression are added (log-sum-exp); other labels are ignored; an expression without a label gets
            probability 0.

    Raises:
        PalsykitError: the library is missing, or the folder does not contain such a model.
        ValueError: the preprocessing or the hidden state is not supported, or a label or an expression is unknown.
    """

    model: Any
    meaning: Tensor | None

    def __init__(
        self,
        image_size: int,
        *,
        weights: Path,
        crop: Crop = "config",
        expressions: dict[str, str] | None = None,
    ):
        super().__init__()
        # Load the model; a hook catches the hidden state of an encoder inside a classifier.
        self.model, processor = load(weights)
        self.preprocessing = preprocessing(processor, crop)
        self.requires_grad_(False).eval()
        self._seen: list[Any] = []
        self.joint = hasattr(self.model, "get_image_features")
        if not self.joint and (trunk := _trunk(self.model)) is not None:
            trunk.register_forward_hook(lambda module, inputs, output: self._seen.append(output))
        meaning = None if expressions is None else _meaning(self.model, expressions)
        self.register_buffer("meaning", meaning, persistent=False)
        # Find the layout and the widths with a black picture.
        self.prefix, self.grid = 0, (0, 0)
        with torch.no_grad():
            hidden, _, _ = self._hidden(torch.zeros(1, 3, self.preprocessing.side, self.preprocessing.side))
            self.prefix, self.grid = _layout(hidden, self.preprocessing.side, self.model.config)
            probe = self(torch.zeros(1, 3, image_size, image_size))
        self.map_shape = tuple(probe.map.shape[1:])
        self.embedding_width = probe.embedding.shape[-1]

    def forward(self, image: Tensor) -> NetworkOutput:
        """image [B, 3, H, W] in [-1, 1] -> map [B, C, h, w], embedding [B, D] (not normalised), logits."""
        hidden, pooled, labels = self._hidden(self.preprocessing(image))
        patches = hidden
        if hidden.ndim == 3:
            patches = hidden[:, self.prefix :].transpose(1, 2).reshape(len(hidden), -1, *self.grid)
        if pooled is None:
            pooled = hidden[:, 0] if self.prefix else patches.mean((2, 3))
        logits = {}
        if labels is not None:
            logits["labels"] = labels
            if self.meaning is not None:
                logits["expression"] = labels[:, :, None].masked_fill(~self.meaning, NEVER).logsumexp(1)
        return NetworkOutput(map=patches, embedding=pooled.flatten(1), logits=logits)

    def _hidden(self, pixels: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """The last hidden state, the pooled vector or None, and a classifier's logits or None."""
        if self.joint:
            output = self.model.get_image_features(pixel_values=pixels)
            return output.last_hidden_state, output.pooler_output, None
        output = self.model(pixel_values=pixels)
        trunk = self._seen.pop() if self._seen else output
        if getattr(trunk, "last_hidden_state", None) is None:
            kind = type(self.model).__name__
            raise ValueError(
                f"{kind} gives no last hidden state; expected a vision encoder, with or without a classifier"
            )
        pooled = getattr(output, "image_embeds", None)
        if pooled is None:
            pooled = getattr(trunk, "pooler_output", None)
        return trunk.last_hidden_state, pooled, getattr(output, "logits", None)


def _trunk(model: Any) -> nn.Module | None:
    """The encoder inside a classifier, whose output is not returned otherwise; None if the model is the encoder."""
    inner = model.base_model if model.base_model is not model else getattr(model, "vision_model", None)
    return inner if isinstance(inner, nn.Module) else None


def _layout(hidden: Tensor, side: int, config: Any) -> tuple[int, tuple[int, int]]:
    """(tokens before the patches, rows and columns of patches), from the hidden state of one picture.

    Raises:
        ValueError: the tokens after those of class and registers are not a square of patches.
    """
    if hidden.ndim == 4:
        return 0, (hidden.shape[2], hidden.shape[3])
    count = hidden.shape[1]
    patch = getattr(getattr(config, "vision_config", config), "patch_size", None)
    if isinstance(patch, int) and 0 <= count - (side // patch) ** 2 <= _extra(config):
        return count - (side // patch) ** 2, (side // patch, side // patch)
    root = round(count**0.5)
    if root**2 == count:  # patches that were merged, as in Swin
        return 0, (root, root)
    raise ValueError(
        f"{count} tokens for a picture of {side} px with patches of {patch} px: not a square after class and register "
        "tokens; expected a model that keeps all patches in place"
    )


def _extra(config: Any) -> int:
    """The largest number of tokens beside the patches: a class token, a distillation token and the registers."""
    return 2 + int(getattr(getattr(config, "vision_config", config), "num_register_tokens", 0) or 0)


def _meaning(model: Any, expressions: dict[str, str]) -> Tensor:
    """[K, 8]: whether a label means an expression.

    Raises:
        ValueError: the model has no classifier, or a label or an expression is unknown.
    """
    labels = {str(name).casefold(): int(number) for number, name in model.config.id2label.items()}
    if not type(model).__name__.endswith("ForImageClassification"):
        raise ValueError(
            f"expressions: {type(model).__name__} has no classifier, so it has no labels; leave the key out"
        )
    if unknown := [name for name in expressions if name.casefold() not in labels]:
        raise ValueError(f"expressions: no label {', '.join(unknown)}; the model's are {', '.join(labels)}")
    meaning = torch.zeros(len(labels), len(EXPRESSION_CLASSES), dtype=torch.bool)
    for name, expression in expressions.items():
        meaning[labels[name.casefold()], EXPRESSION_CLASSES.index(canonical_expression(expression))] = True
    return meaning
