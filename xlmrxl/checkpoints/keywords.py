"""Keyword arguments that code for any version of transformers passes to `from_pretrained` and `save_pretrained`.

What is without effect here is accepted, what would change the result and cannot be had is refused, and so is what
nobody knows: a word that is misspelt must not get lost. Imports no torch.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Any

from xlmrxl.errors import InputError

HUB_OPTIONS = ("revision", "cache_dir", "token", "local_files_only", "force_download", "subfolder")
"""Arguments of every `from_pretrained` that say where to look, not what to build."""
WITHOUT_EFFECT = frozenset(
    (
        *("trust_remote_code", "resume_download", "mirror", "adapter_kwargs", "offload_state_dict"),
        *("low_cpu_mem_usage", "weights_only", "_from_auto", "_from_pipeline", "_fast_init", "_commit_hash"),
        *("code_revision", "use_kernels", "allow_all_kernels"),
    )
)
"""Arguments that change nothing here, whatever they are: nothing remote is run, and all loading streams."""
MUST_BE_OFF = {
    "proxies": "Set the variable HTTPS_PROXY instead",
    "from_tf": "Convert the checkpoint to safetensors first",
    "from_flax": "Convert the checkpoint to safetensors first",
    "use_flash_attention_2": "Leave attn_implementation at 'sdpa', which is fused as well",
    "gguf_file": "Take the original checkpoint and quantise it with `xlmrxl quantize`",
    "tp_plan": "Use device_map to spread the layers over several GPUs",
    "push_to_hub": "Save into a folder and upload that: hf upload NAME FOLDER",
}
"""Arguments that cannot be had, unless they are None or False, with what to do instead."""
SAVE_WITHOUT_EFFECT = frozenset(
    (
        *("repo_id", "commit_message", "private", "token", "revision", "create_pr", "use_auth_token"),
        *("save_peft_format", "save_original_format", "tags"),
    )
)
"""Arguments of every `save_pretrained` that matter only where it also uploads, or only to other models."""


def take_hub_options(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Take out of keyword arguments those that say where a checkpoint is, and those that are without effect.

    Args:
        kwargs: of a `from_pretrained`; changed in place.

    Returns:
        Those of `HUB_OPTIONS` that were given; `use_auth_token` is an older name of `token`.

    Raises:
        InputError: something that cannot be had here, with what to do instead.
    """
    older = kwargs.pop("use_auth_token", None)
    if older is not None and kwargs.get("token") is None:
        kwargs["token"] = older
    for name in WITHOUT_EFFECT & kwargs.keys():
        del kwargs[name]
    refuse_unless_off(kwargs)
    where = {name: kwargs.pop(name) for name in HUB_OPTIONS if name in kwargs}
    # None is what code passes along that leaves the choice to the library.
    return {name: value for name, value in where.items() if value is not None}


def refuse_unless_off(kwargs: dict[str, Any]) -> None:
    """Take out of keyword arguments what cannot be had.

    Raises:
        InputError: it is asked for.
    """
    for name in MUST_BE_OFF.keys() & kwargs.keys():
        if kwargs.pop(name):
            raise InputError(f"{name} cannot be had here. {MUST_BE_OFF[name]}.")


def refuse_save_options(function: str, kwargs: dict[str, Any]) -> None:
    """Refuse keyword arguments of a `save_pretrained` but for those that are without effect.

    Raises:
        TypeError: one is unknown.
        InputError: one cannot be had.
    """
    refuse_unless_off(kwargs)
    if unknown := sorted(kwargs.keys() - SAVE_WITHOUT_EFFECT):
        raise TypeError(f"{function} has no argument {unknown[0]!r}{suggest(unknown[0], SAVE_WITHOUT_EFFECT)}.")


def suggest(word: str, words: Collection[str]) -> str:
    """Return a clause with the word that a misspelt one may stand for, or nothing."""
    close = difflib.get_close_matches(word, sorted({*words, *HUB_OPTIONS, "use_auth_token"}), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
