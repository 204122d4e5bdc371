"""How the weights of a model are to be held, whoever asks for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

import torch

from xlmrxl.progress import Progress, ignore_progress

OUTLIER = 6.0
"""Activations from here on are multiplied in 16 bits by 8-bit layers; transformers' default too."""
SIXTEEN_BITS: Final = "16bit"
"""As a dtype: the checkpoint's own 16-bit type, or bfloat16 where it has none."""


@dataclass(frozen=True)
class LoadOptions:
    """How the weights of a model are to be held.

    Attributes:
        dtype: of what is not quantised; `SIXTEEN_BITS`; or None, which keeps each tensor's own.
        precision: the name of the quantised precision of the encoder's linear layers, where the file has them
            unquantised; None to leave them so.
        double_quant: quantise the scales of 4-bit weights too.
        embeddings_8bit: hold the word embeddings, and with them a tied LM decoder, in 8-bit rows.
        device: where to.
        progress: called with the bytes of the checkpoint that have been dealt with and how many there are.
        outlier: the activations from which on 8-bit layers compute in 16 bits.
        skip: names of modules of the encoder, or parts of these, that are not quantised.
    """

    dtype: torch.dtype | Literal["16bit"] | None = torch.float32
    precision: str | None = None
    double_quant: bool = True
    embeddings_8bit: bool = False
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    progress: Progress = ignore_progress
    outlier: float = OUTLIER
    skip: tuple[str, ...] = ()

    def choose_dtype(self, own: torch.dtype) -> torch.dtype:
        """Return the type in which a tensor of a type of its own is held where it is not quantised."""
        if self.dtype is None:
            return own
        if isinstance(self.dtype, torch.dtype):
            return self.dtype
        narrow = own if own in (torch.bfloat16, torch.float16) else torch.bfloat16
        lacks_bfloat16 = self.device.type == "cuda" and not torch.cuda.is_bf16_supported()
        return torch.float16 if narrow == torch.bfloat16 and lacks_bfloat16 else narrow
