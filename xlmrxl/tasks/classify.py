"""Classification of texts and of pairs: zero-shot by cloze on a masked language model, or by a fine-tuned head."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from xlmrxl.errors import InputError
from xlmrxl.model.heads import XLMRobertaXLForMaskedLM, XLMRobertaXLForSequenceClassification
from xlmrxl.progress import Progress, show_progress
from xlmrxl.tasks.classify_results import ClassifyResult, LabelScore
from xlmrxl.tasks.head_logits import compute_head_logits
from xlmrxl.tasks.masked_lm import (
    MaskedInput,
    compute_log_probabilities,
    encode_truncated,
    find_left_context,
    max_input_length,
    spell_word,
    split_subwords,
    tokenize,
)
from xlmrxl.tasks.options import ClassifyOptions
from xlmrxl.tasks.result import Source
from xlmrxl.tasks.templates import TEXT, TEXT_PAIR, check_labels, load_templates
from xlmrxl.tokenization.token_rows import truncated_lengths
from xlmrxl.tokenization.tokenizer_json import MASK_TOKEN

if TYPE_CHECKING:
    from xlmrxl.loaded_model import LoadedModel

CONTENT_FREE: dict[str, tuple[str, ...]] = {"contextual": ("", "N/A", "[…]"), "pmi": ("",), "none": ()}
"""The calibrations, and the texts without content that each compares with."""
_PLACEHOLDERS = re.compile(f"{re.escape(TEXT)}|{re.escape(TEXT_PAIR)}")

Texts = tuple[str, str | None]
"""A text, and the second one where it is a pair."""
Chain = tuple[tuple[int, ...], int]
"""The subwords of a word that stand there already, and how many it has."""


def classify(
    loaded_model: LoadedModel,
    texts: str | Sequence[str | tuple[str, str]],
    options: ClassifyOptions | None = None,
    *,
    progress: Progress | bool = True,
) -> list[ClassifyResult]:
    """Classify some texts, or pairs of texts.

    A masked language model is asked by cloze (Schick and Schütze, 2021): which word stands at the mask of a template
    that the text is put into? Words of several subwords have as many masks, all hidden and filled from the left (as
    Kauf and Ivanova, 2023, do within a word), so that a word's score is the probability of the whole of it. The words
    of a label are averaged in probability, the templates in log-probability. A model likes some words whatever the text
    says, which is what the calibration takes away: `contextual` as Zhao et al. (2021) do, `pmi` as Holtzman et al.
    (2021). A head is never calibrated, and has labels of its own.

    A text that is too long is cut at its end, of a pair the longer one first; the template never is. A `<mask>` in a
    text is a mask, which it may hold for a head, but not for a cloze.

    Args:
        loaded_model: with a masked language model, or a head for the classification of texts.
        texts: each a text or, for a head or templates that read pairs, a tuple of two.
        options: see `ClassifyOptions`; the defaults if not given.
        progress: called with how many forwards are done and how many there are; True for a bar.

    Returns:
        A result for each text, in order.

    Raises:
        CheckpointError: the model has another head.
        InputError: a text is empty or, for a cloze, holds `<mask>`; labels or templates cannot be used; a pair is none.
        TypeError: something other than a text.
    """
    options = options or ClassifyOptions()
    pairs = [_check_pair(item, n) for n, item in enumerate([texts] if isinstance(texts, str) else texts, 1)]
    source = Source.from_model(loaded_model, options)
    if isinstance(loaded_model.model, XLMRobertaXLForSequenceClassification):
        if options.labels is not None or options.templates is not None:
            raise InputError(
                f"{loaded_model.name} has been fine-tuned for its own labels and knows no others. Leave labels and "
                "templates out, or load a masked language model."
            )
        return _classify_by_head(loaded_model, pairs, source, options.special_tokens, progress)
    loaded_model.require(XLMRobertaXLForMaskedLM)
    labels, templates = options.labels, options.templates
    if labels is None or templates is None:
        shipped = load_templates(options.task, options.language)
        labels = shipped.labels if labels is None else labels
        templates = shipped.templates if templates is None else templates
    for n, (text, text_pair) in enumerate(pairs, 1):
        _check_fits(n, text, text_pair, TEXT_PAIR in templates[0])
    words = check_labels(labels)
    return _classify_by_cloze(loaded_model, pairs, words, templates, options, source, progress)


def _check_pair(item: Any, n: int) -> Texts:
    """Return a text with its second one, if there is one."""
    parts = tuple(item) if isinstance(item, tuple | list) and len(item) == 2 else (item,)
    for part in parts:
        if not isinstance(part, str):
            raise TypeError(f"Text {n} is a {type(part).__name__}. Give a string, or a tuple of two.")
        if not part.strip():
            raise InputError(f"Text {n} is empty. Write something, or leave it out.")
    return parts[0], parts[1] if len(parts) == 2 else None


def _check_fits(n: int, text: str, text_pair: str | None, paired: bool) -> None:
    """Refuse a text that cannot stand in the templates."""
    if paired and text_pair is None:
        raise InputError(f"The templates have {TEXT_PAIR}, but text {n} is no pair. Give tuples of two texts.")
    if not paired and text_pair is not None:
        raise InputError(
            f"Text {n} is a pair, but the templates have no {TEXT_PAIR}. Write it, or use task='entailment'."
        )
    if MASK_TOKEN in text or MASK_TOKEN in (text_pair or ""):
        raise InputError(f"Text {n} holds {MASK_TOKEN}, which would be taken for that of the template. Take it out.")


@dataclass(frozen=True)
class _Filled:
    """A text in each of the templates."""

    ids: list[list[int]]  # a row a template, with one <mask>
    tokens: int
    truncated: bool


def _classify_by_cloze(
    loaded_model: LoadedModel,
    pairs: Sequence[Texts],
    words: Mapping[str, Sequence[str]],
    templates: Sequence[str],
    options: ClassifyOptions,
    source: Source,
    progress: Progress | bool,
) -> list[ClassifyResult]:
    """Classify by the probability of the labels' words at the masks of templates."""
    calibration = options.calibration
    if not pairs:
        return []
    every = [word for label in words.values() for word in label]
    contexts = [_find_mask_context(template) for template in templates]
    spelled = [[spell_word(loaded_model.tokenizer, context, word) for word in every] for context in contexts]
    spare = max(len(subwords) for row in spelled for subwords in row) - 1
    paired = TEXT_PAIR in templates[0]
    free: list[Texts] = [(text, text if paired else None) for text in CONTENT_FREE[calibration]]
    filled = [
        _fill_templates(loaded_model, templates, spare, options.special_tokens, *texts) for texts in [*pairs, *free]
    ]
    with show_progress(progress, "Classifying", "row") as on_progress:
        logs = _word_logs(loaded_model, filled, spelled, on_progress)

    def by_label(logs: Tensor) -> Tensor:
        """(…, words) to (…, labels): the words of a label averaged in probability."""
        parts = torch.split(logs, [len(label) for label in words.values()], dim=-1)
        return torch.stack([part.logsumexp(-1) - math.log(part.shape[-1]) for part in parts], -1)

    given, without = logs[: len(pairs)], logs[len(pairs) :]
    raw = calibrated = by_label(given)
    if calibration == "pmi":
        calibrated = raw - by_label(without[0])
    elif calibration == "contextual":
        calibrated = raw - (by_label(without).log_softmax(-1).logsumexp(0) - math.log(len(free)))
    # Templates are averaged in log-probability; to normalise them one by one before would change nothing.
    scores, raw_scores = (logs.mean(1).softmax(-1).tolist() for logs in (calibrated, raw))
    results = []
    for i, (text, text_pair) in enumerate(pairs):
        found = rank_labels(list(words), scores[i], raw_scores[i])
        results.append(
            ClassifyResult(source, text, text_pair, "cloze", "single", found, filled[i].truncated, filled[i].tokens)
        )
    return results


def _word_logs(
    loaded_model: LoadedModel,
    filled: Sequence[_Filled],
    spelled: Sequence[Sequence[tuple[int, ...]]],
    progress: Progress,
) -> Tensor:
    """(texts, templates, words) log-probabilities in float64.

    A row serves all words that begin in the same way and are equally long: those of one piece share one row.
    """
    mask_id = loaded_model.tokenizer.mask_token_id
    chains: list[dict[Chain, list[int]]] = []  # of each template: which pieces may come next
    for words in spelled:
        chains.append({})
        for word in words:
            for done, piece in enumerate(word):
                chains[-1].setdefault((word[:done], len(word)), []).append(piece)
    rows: list[MaskedInput] = []
    nexts: list[list[int]] = []
    for text in filled:
        for ids, chain in zip(text.ids, chains, strict=True):
            place = ids.index(mask_id)
            for (before, count), pieces in chain.items():
                masks = [mask_id] * (count - len(before))
                rows.append(MaskedInput([*ids[:place], *before, *masks, *ids[place + 1 :]], [place + len(before)]))
                nexts.append(pieces)
    found = iter(compute_log_probabilities(loaded_model, rows, lambda i, logs: logs[0, nexts[i]].tolist(), progress))
    table = torch.zeros(len(filled), len(spelled), len(spelled[0]), dtype=torch.float64)
    for n in range(len(filled)):
        for t, (words, chain) in enumerate(zip(spelled, chains, strict=True)):
            logs = {key: dict(zip(pieces, next(found), strict=True)) for key, pieces in chain.items()}
            for w, word in enumerate(words):
                table[n, t, w] = math.fsum(logs[word[:done], len(word)][piece] for done, piece in enumerate(word))
    return table


def _fill_templates(
    loaded_model: LoadedModel,
    templates: Sequence[str],
    spare: int,
    special_tokens: bool,
    text: str,
    text_pair: str | None,
) -> _Filled:
    """Put a text into the templates, cut at its end as far as all of them need with `spare` more masks.

    Raises:
        InputError: a template leaves no room for a text.
    """
    tokenizer, longest = loaded_model.tokenizer, max_input_length(loaded_model)
    ends, pair_ends = (
        [end for _, _, end in split_subwords(tokenizer, part or "", special_tokens)] for part in (text, text_pair)
    )
    # `keep` falls at every turn, since what is cut may be split into other pieces than before.
    whole = keep = len(ends) + len(pair_ends)
    while True:
        first, second = truncated_lengths(len(ends), len(pair_ends), keep, "longest_first")
        parts = text, text_pair or ""
        if keep < whole:
            parts = text[: ends[first - 1]], parts[1][: pair_ends[second - 1] if second else 0]
        ids = [
            [token.id for token in tokenize(tokenizer, _put_texts(template, *parts), special_tokens)]
            for template in templates
        ]
        over = max(map(len, ids)) + spare - longest
        if over <= 0:
            return _Filled(ids, keep, keep < whole)
        keep -= over
        if keep < (1 if text_pair is None else 2):
            raise InputError(
                f"A template leaves no room for a text, since the model reads at most {longest} tokens. Shorten "
                "the templates, or the words of the labels."
            )


def _put_texts(template: str, text: str, text_pair: str) -> str:
    """Return a template with the texts in it; what looks like a placeholder in a text is none."""
    return _PLACEHOLDERS.sub(lambda place: text if place[0] == TEXT else text_pair, template)


def _find_mask_context(template: str) -> str:
    """Return what of a template touches its mask on the left; a text that does so is not known yet."""
    left = find_left_context(template, template.index(MASK_TOKEN))
    return _PLACEHOLDERS.split(left)[-1] or left


def _classify_by_head(
    loaded_model: LoadedModel, pairs: Sequence[Texts], source: Source, special_tokens: bool, progress: Progress | bool
) -> list[ClassifyResult]:
    """Classify by the head of a checkpoint, several texts at a time."""
    tokenizer, config = loaded_model.tokenizer, loaded_model.model.config
    rows, cut = [], []
    for text, text_pair in pairs:
        ids, total = encode_truncated(loaded_model, text, text_pair, special_tokens)
        cut.append(total > len(ids))
        rows.append(ids)
    kind = "regression" if config.num_labels == 1 or config.problem_type == "regression" else "single"
    if config.problem_type == "multi_label_classification":
        kind = "multi"
    names = [str(config.id2label.get(i, f"LABEL_{i}")) for i in range(config.num_labels)]
    with show_progress(progress, "Classifying", "text") as on_progress:
        logits = compute_head_logits(
            loaded_model,
            rows,
            lambda ids, mask: loaded_model.model(ids, attention_mask=mask, return_dict=True).logits,
            on_progress,
        )
    results = []
    for i, (text, text_pair) in enumerate(pairs):
        logit = logits[i].double()
        raw = logit.tolist()
        if kind == "regression":
            found = tuple(LabelScore(name, value, value) for name, value in zip(names, raw, strict=True))
        else:
            scores = logit.sigmoid() if kind == "multi" else logit.softmax(-1)
            found = rank_labels(names, scores.tolist(), raw)
        tokens = len(rows[i]) - tokenizer.num_special_tokens_to_add(text_pair is not None)
        results.append(ClassifyResult(source, text, text_pair, "head", kind, found, cut[i], tokens))
    return results


def rank_labels(labels: Sequence[str], scores: Sequence[float], raw: Sequence[float]) -> tuple[LabelScore, ...]:
    """Return labels with their scores, the best first."""
    found = [LabelScore(*each) for each in zip(labels, scores, raw, strict=True)]
    return tuple(sorted(found, key=lambda label: -label.score))
