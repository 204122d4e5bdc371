"""The Trainer of transformers, for models of this package (the extra `train`).

That of transformers trains them as well, but saves the weights of its own classes only as folders that load again: of
all others it writes the tensors without config.json, and refuses tied ones.
"""

from __future__ import annotations

import os
from typing import Any

import torch
import transformers
from transformers import TrainingArguments

from xlmrxl.model.pretrained import XLMRobertaXLPreTrainedModel

__all__ = ["Trainer", "TrainingArguments"]


class Trainer(transformers.Trainer):
    """`transformers.Trainer`, whose checkpoints are folders that `from_pretrained` reads."""

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """Save the model, its tokenizer and the arguments of the training."""
        model = self.accelerator.unwrap_model(self.model, keep_torch_compile=False)
        if not isinstance(model, XLMRobertaXLPreTrainedModel):
            super()._save(output_dir, state_dict)
            return
        folder = output_dir or self.args.output_dir or "trainer_output"  # as TrainingArguments has it
        model.save_pretrained(folder, is_main_process=self.args.should_save, state_dict=state_dict)
        if not self.args.should_save:
            return
        tokenizer: Any = self.processing_class or getattr(self.data_collator, "tokenizer", None)
        if tokenizer is not None:
            tokenizer.save_pretrained(folder)
        torch.save(self.args, os.path.join(folder, "training_args.bin"))
