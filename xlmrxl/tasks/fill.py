"""Mask filling: what the model expects at each `<mask>` of a text, alone or all together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from xlmrxl.errors import InputError
from xlmrxl.model.heads import XLMRobertaXLForMaskedLM
from xlmrxl.progress import Progress, show_progress
from xlmrxl.tasks.fill_results import FillResult, JointFill, MaskFills, to_fills
from xlmrxl.tasks.fill_targets import score_targets
from xlmrxl.tasks.fill_words import find_word_fills
from xlmrxl.tasks.masked_lm import MaskedInput, compute_entropy, compute_log_probabilities
from xlmrxl.tasks.masked_text import FillFilter, MaskedText, read_masked_text
from xlmrxl.tasks.options import FillOptions
from xlmrxl.tasks.result import Source
from xlmrxl.tasks.texts import check_texts

if TYPE_CHECKING:
    from xlmrxl.loaded_model import LoadedModel

MAX_JOINT_MASKS = 8
"""Masks that are filled together at most: each costs a beam of forwards."""


def fill_mask(
    loaded_model: LoadedModel,
    texts: str | Sequence[str],
    options: FillOptions | None = None,
    *,
    progress: Progress | bool = True,
) -> list[FillResult]:
    """Fill the masks of some texts.

    The encoder runs once a text, texts of similar length together, and the LM head only at the masks. Special tokens
    and rows of the vocabulary without a token are never offered, but they keep their share of the probability, as do
    those that a filter leaves out.

    Whole words are found subword by subword from the left, and compared across lengths by the pseudo-log-likelihood of
    the filled text near them (Salazar et al., 2020), a word's later subwords hidden as well (Kauf and Ivanova, 2023).
    A joint search fills the masks in whatever order is likeliest.

    Args:
        loaded_model: with a masked language model.
        texts: each with one `<mask>` or more.
        options: see `FillOptions`; the defaults if not given.
        progress: called with how many forwards are done and how many there are; True for a bar.

    Returns:
        A result for each text, in order.

    Raises:
        InputError: a text without a mask or too long, or an option that this model or text cannot have.
        TypeError: something other than a text.
    """
    options = options or FillOptions()
    loaded_model.require(XLMRobertaXLForMaskedLM)
    tokenizer = loaded_model.tokenizer
    offered = len(tokenizer) - len(tokenizer.all_special_ids)
    if options.top_k > offered:
        raise InputError(
            f"top_k is {options.top_k}; it must be between 1 and {offered}, the tokens of this vocabulary."
        )
    source = Source.from_model(loaded_model, options)
    fill_filter = FillFilter(loaded_model, options.script, options.punctuation, options.repeats)
    given = [read_masked_text(loaded_model, text, options.special_tokens) for text in check_texts(texts)]
    with show_progress(progress, "Filling masks", "row") as on_progress:
        if options.targets is not None:
            targets = [word.strip() for word in options.targets]
            masks = score_targets(loaded_model, given, targets, options.special_tokens, on_progress)
        elif options.method == "words":
            masks = [find_word_fills(loaded_model, text, fill_filter, options, on_progress) for text in given]
        else:
            masks = _fill_each(loaded_model, given, fill_filter, options.top_k, on_progress)
        joint: list[tuple[JointFill, ...]] = [()] * len(given)
        if options.method == "joint":
            joint = [_fill_jointly(loaded_model, text, fill_filter, options) for text in given]
    return [
        FillResult(source, text.text, text.tokens, tuple(of_text), together)
        for text, of_text, together in zip(given, masks, joint, strict=True)
    ]


def _fill_each(
    loaded_model: LoadedModel,
    texts: Sequence[MaskedText],
    fill_filter: FillFilter,
    top_k: int,
    progress: Progress,
) -> list[list[MaskFills]]:
    """Fill each mask with single subwords, the other masks left open."""
    tokenizer = loaded_model.tokenizer

    def read(i: int, logs: Tensor) -> list[MaskFills]:
        text, best = texts[i], fill_filter.apply(texts[i], logs).topk(top_k, dim=-1)
        return [
            MaskFills(position, to_fills(tokenizer, text.left_context(position), ids, probabilities), entropy)
            for position, ids, probabilities, entropy in zip(
                text.positions,
                best.indices.tolist(),
                best.values.exp().tolist(),
                compute_entropy(logs).tolist(),
                strict=True,
            )
        ]

    return compute_log_probabilities(loaded_model, [text.to_input() for text in texts], read, progress)


def _fill_jointly(
    loaded_model: LoadedModel, text: MaskedText, fill_filter: FillFilter, options: FillOptions
) -> tuple[JointFill, ...]:
    """Fill all masks together: every step fills, in each of the best ways so far, the mask with the likeliest fill.

    The score is that of the chain rule, ∏ P(fill | text, fills before it). Ways that come to the same are one.
    """
    positions = text.positions
    if len(positions) > MAX_JOINT_MASKS:
        raise InputError(
            f"The text has {len(positions)} masks; {MAX_JOINT_MASKS} can be filled together. Leave some out, or use "
            "method='subwords'."
        )
    width = max(options.num_beams, options.top_k)
    beams: list[tuple[float, dict[int, tuple[int, float]]]] = [(0.0, {})]  # a score, and the fills by position
    for _ in positions:
        inputs = []
        for _, filled in beams:
            ids = list(text.ids)
            for position, (i, _) in filled.items():
                ids[position] = i
            inputs.append(MaskedInput(ids, [position for position in positions if position not in filled]))

        def read(_: int, logs: Tensor) -> tuple[list[list[float]], list[list[int]]]:
            best = fill_filter.apply(text, logs).topk(min(width, logs.shape[-1]), dim=-1)
            return best.values.tolist(), best.indices.tolist()

        best = compute_log_probabilities(loaded_model, inputs, read)
        grown: dict[frozenset[tuple[int, int]], tuple[float, dict[int, tuple[int, float]]]] = {}
        for (score, filled), given, (values, indices) in zip(beams, inputs, best, strict=True):
            for position, logs, ids in zip(given.positions, values, indices, strict=True):
                for log, i in zip(logs, ids, strict=True):
                    if log == -math.inf:
                        continue
                    more = {**filled, position: (i, log)}
                    key = frozenset((where, pair[0]) for where, pair in more.items())
                    if key not in grown or grown[key][0] < score + log:
                        grown[key] = (score + log, more)
        beams = sorted(grown.values(), key=lambda pair: -pair[0])[:width]
    joint = []
    for score, filled in beams[: options.top_k]:
        fills = tuple(
            to_fills(loaded_model.tokenizer, text.left_context(position), [i], [math.exp(log)])[0]
            for position in positions
            for i, log in [filled[position]]
        )
        joint.append(JointFill(fills, score, tuple(positions.index(position) for position in filled)))
    return tuple(joint)
