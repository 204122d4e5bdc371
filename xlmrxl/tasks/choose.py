"""Multiple choice: which of several continuations of a prompt the model finds the most likely."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast, get_args

from torch import Tensor

from xlmrxl.errors import InputError
from xlmrxl.model.heads import XLMRobertaXLForMaskedLM, XLMRobertaXLForMultipleChoice
from xlmrxl.progress import Progress, show_progress
from xlmrxl.tasks.choose_results import Choice, ChooseResult
from xlmrxl.tasks.head_logits import compute_head_logits
from xlmrxl.tasks.masked_lm import (
    Token,
    classify_character,
    compute_pseudo_log_likelihoods,
    encode_truncated,
    max_input_length,
    tokenize_within_limit,
)
from xlmrxl.tasks.options import ChooseOptions, Question
from xlmrxl.tasks.result import Source
from xlmrxl.tasks.texts import check_texts
from xlmrxl.tokenization.tokenizer_json import MASK_TOKEN

if TYPE_CHECKING:
    from xlmrxl.loaded_model import LoadedModel

QUESTIONS = get_args(Question)
FULL_STOPS = ".．。｡।۔"
SIGNS = ",.;:!?，。、；：،؛।"
"""What stands without a space before it."""


class ChoiceText(NamedTuple):
    """A text, and where in it the choice begins, with which it ends."""

    text: str
    begin: int


@lru_cache
def load_connectives() -> dict[str, dict[str, Any]]:
    """Return for each language what joins a sentence to its `cause` and to its `effect`.

    A connective brings the sign before it along. `capitals` are words that keep their first letter as it is, `lower`
    holds the small letters that are not those of other languages. Languages are added in connectives.json.
    """
    path = Path(__file__).with_name("connectives.json")
    table: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return table


def join_choice(
    prompt: str, choice: str, question: str | None = None, language: str = "en"
) -> tuple[ChoiceText, ChoiceText]:
    """Return the choice after prompt and connective, and after the connective alone.

    `Es hat geregnet.` and `Die Straße ist nass.` as its effect in German make `Es hat geregnet, deshalb die Straße
    ist nass.` and `deshalb die Straße ist nass.`. No space stands between letters of scripts that have none.
    """
    prompt, choice = prompt.strip(), choice.strip()
    before = ""
    if question is not None:
        entry = load_connectives()[language]
        prompt = _join(prompt.rstrip(FULL_STOPS + " "), entry[question])
        before = entry[question].lstrip(SIGNS + " ")
        choice = _lowered(choice, entry)
    whole, alone = _join(prompt, choice), _join(before, choice)
    return ChoiceText(whole, len(whole) - len(choice)), ChoiceText(alone, len(alone) - len(choice))


def _join(left: str, right: str) -> str:
    spaceless = right[0] in SIGNS or (_script(reversed(left)) == _script(right) == "own")
    return left + ("" if spaceless or not left else " ") + right


def _script(text: Any) -> str | None:
    """Return the kind of the first letter of some characters."""
    return next((classify_character(character) for character in text if character.isalpha()), None)


def _lowered(choice: str, entry: dict[str, Any]) -> str:
    """Return a sentence as it stands in the midst of another; abbreviations and what the language writes large stay."""
    word = re.match(r"\w*", choice)
    first = word.group() if word else ""
    if not first or first in entry.get("capitals", ()) or first[1:2].isupper():
        return choice
    small: str = entry.get("lower", {}).get(first[0], first[0].lower())
    return small + choice[1:]


def choose(
    loaded_model: LoadedModel,
    prompts: str | Sequence[str],
    choices: Sequence[Sequence[str]],
    options: ChooseOptions | None = None,
    *,
    progress: Progress | bool = True,
) -> list[ChooseResult]:
    """Choose between continuations of some prompts.

    With a masked language model nothing has to be fitted. A choice is scored by its pseudo-log-likelihood after
    "prompt connective": the sum of the log-probabilities of its tokens, each hidden in turn with the later subwords of
    its word (Salazar et al. 2020, Masked Language Model Scoring; Kauf and Ivanova 2023, A Better Way to Do Masked
    Language Model Scoring). Some choices are likely whatever the prompt is, which is what the normalization takes away:
    "pmi" as Holtzman et al. (2021), Surface Form Competition, do. What the vocabulary cannot spell has no part in the
    score, and the result says so.

    With a question, the language's connective ("because", "so") stands between, the choice begins with a small letter,
    and the prompt loses its full stop. Without one, nothing but a space stands between, and none in scripts without.

    With a multiple-choice head a choice is scored by the logit of the encoded pair (prompt, choice); `language` and
    `normalization` then have no part in it.

    Args:
        loaded_model: with a masked language model or a multiple-choice head.
        prompts: what comes before.
        choices: of each prompt, two or more.
        options: see `ChooseOptions`; the defaults if not given.
        progress: called with the hidden tokens (with a head, the pairs) that are done and how many there are; True
            shows a bar once it takes longer than a second.

    Returns:
        A result for each prompt, in order.

    Raises:
        InputError: one choice, an empty or repeated one, one of which the vocabulary can spell nothing, an empty
            prompt, a `<mask>` in a text, more tokens than the model reads, a language without connectives.
        TypeError: something other than a text.
        CheckpointError: the model has another head.
    """
    options = options or ChooseOptions()
    normalization, special_tokens = options.normalization, options.special_tokens
    prompts, given = check_choices(prompts, choices)
    questions, languages = check_questions(options.question, options.language, prompts)
    if isinstance(loaded_model.model, XLMRobertaXLForMultipleChoice):
        return _choose_by_head(loaded_model, prompts, given, questions, special_tokens, progress)
    loaded_model.require(XLMRobertaXLForMaskedLM)

    tokens: dict[ChoiceText, list[Token]] = {}
    positions: dict[ChoiceText, list[int]] = {}
    unknown: dict[ChoiceText, str] = {}
    pairs: list[list[tuple[ChoiceText, ChoiceText]]] = []
    for number, (prompt, texts) in enumerate(zip(prompts, given, strict=True), 1):
        pairs.append([])
        for text in texts:
            pair = join_choice(prompt, text, questions[number - 1], languages[number - 1])
            pairs[-1].append(pair)
            # Many prompts may share a choice, and then its prior.
            for scored in pair if normalization == "pmi" else pair[:1]:
                if scored not in tokens:
                    tokens[scored] = tokenize_choice(
                        loaded_model, scored.text, f"{text!r} of prompt {number}", special_tokens
                    )
                    positions[scored], unknown[scored] = _find_positions(
                        loaded_model, scored, tokens[scored], f"{text!r} of prompt {number}"
                    )
    with show_progress(progress, "Choosing", "token") as on_progress:
        lists = compute_pseudo_log_likelihoods(
            loaded_model, list(tokens.values()), list(positions.values()), progress=on_progress
        )
    found = {scored: math.fsum(values) for scored, values in zip(tokens, lists, strict=True)}

    results = []
    for prompt, texts, question, language, row in zip(prompts, given, questions, languages, pairs, strict=True):
        raws = [found[whole] for whole, _ in row]
        priors: list[float | None] = [found[alone] if normalization == "pmi" else None for _, alone in row]
        scores = raws
        if normalization == "pmi":
            scores = [found[whole] - found[alone] for whole, alone in row]
        elif normalization == "length":
            scores = [raw / len(positions[whole]) for raw, (whole, _) in zip(raws, row, strict=True)]
        asked = replace(options, question=question, language=language)
        source = Source.from_model(loaded_model, asked, method="pseudo-log-likelihood")
        unread = [unknown[whole] for whole, _ in row]
        results.append(ChooseResult(source, prompt, question, to_choices(texts, scores, raws, priors, unread)))
    return results


def _choose_by_head(
    loaded_model: LoadedModel,
    prompts: list[str],
    choices: list[list[str]],
    questions: Sequence[str | None],
    special_tokens: bool,
    progress: Progress | bool,
) -> list[ChooseResult]:
    """Choose by the head of a checkpoint, pairs of several prompts at a time."""
    if any(questions):
        raise InputError(
            "question is for a masked language model; this multiple-choice head reads prompt and choice as they are, "
            "so leave it out and write into the prompt what the head was trained with."
        )
    rows = []
    for number, (prompt, texts) in enumerate(zip(prompts, choices, strict=True), 1):
        for text in texts:
            ids, total = encode_truncated(loaded_model, prompt, text, special_tokens)
            if total > len(ids):
                raise InputError(
                    f"Prompt {number} with its choice {text!r} has {total} tokens, but the model reads at most "
                    f"{max_input_length(loaded_model)}; shorten one of them."
                )
            rows.append(ids)
    model = loaded_model.require(XLMRobertaXLForMultipleChoice)

    def head(ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        # Every pair is scored on its own, so that pairs of several questions go together by length.
        mask = None if attention_mask is None else attention_mask[:, None]
        logits: Tensor = model(ids[:, None], attention_mask=mask, return_dict=True).logits
        return logits.squeeze(1)

    with show_progress(progress, "Choosing", "pair") as on_progress:
        logits = iter(compute_head_logits(loaded_model, rows, head, on_progress))
    source = Source.from_model(loaded_model, ChooseOptions(special_tokens=special_tokens), method="head")
    results = []
    for prompt, texts in zip(prompts, choices, strict=True):
        scores = [float(next(logits)) for _ in texts]
        results.append(ChooseResult(source, prompt, None, to_choices(texts, scores)))
    return results


def to_choices(
    texts: Sequence[str],
    scores: Sequence[float],
    raws: Sequence[float] | None = None,
    priors: Sequence[float | None] | None = None,
    unknown: Sequence[str] | None = None,
) -> tuple[Choice, ...]:
    """Return choices with the softmax of their scores, which are the raw ones too where these are not given."""
    weights = [math.exp(score - max(scores)) for score in scores]
    total = sum(weights)
    return tuple(
        Choice(
            text,
            weights[i] / total,
            scores[i],
            scores[i] if raws is None else raws[i],
            None if priors is None else priors[i],
            "" if unknown is None else unknown[i],
        )
        for i, text in enumerate(texts)
    )


def tokenize_choice(loaded_model: LoadedModel, text: str, name: str, special_tokens: bool) -> list[Token]:
    """Return the tokens of a text; errors say which choice it is."""
    try:
        return tokenize_within_limit(loaded_model, text, special_tokens)
    except ValueError as error:
        raise InputError(f"Choice {name}: {error}") from None


def _find_positions(
    loaded_model: LoadedModel, scored: ChoiceText, tokens: list[Token], name: str
) -> tuple[list[int], str]:
    """Return the tokens of the choice, one that it shares with what is before it included, and what has none."""
    inside = [i for i, token in enumerate(tokens) if not token.special and token.end > scored.begin]
    positions = [i for i in inside if tokens[i].id != loaded_model.tokenizer.unk_token_id]
    if not positions:
        raise InputError(f"Choice {name} has nothing that the vocabulary can spell; write it otherwise.")
    unknown = [scored.text[tokens[i].start : tokens[i].end] for i in inside if i not in positions]
    return positions, " ".join(unknown)


def check_choices(
    prompts: str | Sequence[str], choices: Sequence[str | Sequence[str]]
) -> tuple[list[str], list[list[str]]]:
    """Return prompts and choices, if they can be used."""
    prompts = check_texts(prompts, "prompts")
    if isinstance(choices, str) or not isinstance(choices, Iterable):
        raise TypeError(f"choices is a list of choices for each prompt, not a {type(choices).__name__}.")
    given = []
    for i, texts in enumerate(choices):
        given.append(check_texts(texts, f"choices[{i}]"))
    if len(given) != len(prompts):
        raise InputError(f"There are {len(prompts)} prompts and {len(given)} lists of choices; give one for each.")
    for number, (prompt, texts) in enumerate(zip(prompts, given, strict=True), 1):
        if not prompt.strip(FULL_STOPS + " \t\r\n"):
            raise InputError(f"Prompt {number} is empty; write what the choices follow on.")
        if len(texts) < 2:
            raise InputError(f"Prompt {number} has {len(texts)} choice(s); give at least two to choose from.")
        stripped = [text.strip() for text in texts]
        if not all(stripped):
            raise InputError(f"Choice {stripped.index('') + 1} of prompt {number} is empty; fill it in or drop it.")
        if len(set(stripped)) < len(stripped):
            double = next(text for text in stripped if stripped.count(text) > 1)
            raise InputError(f"Prompt {number} has the choice {double!r} twice; give each once.")
        for text in (prompt, *texts):
            if MASK_TOKEN in text:
                raise InputError(
                    f"{MASK_TOKEN} stands in {text!r} of prompt {number}; take it out, prompts and choices are whole."
                )
    return prompts, given


def check_questions(
    question: Question | Sequence[Question | None] | None, language: str | Sequence[str], prompts: list[str]
) -> tuple[list[Question | None], list[str]]:
    """Return the question and the language of each prompt."""
    count = len(prompts)
    is_single = question is None or isinstance(question, str)
    questions = cast("list[Question | None]", [question] * count if is_single else list(question or ()))
    languages = [language] * count if isinstance(language, str) else list(language)
    for name, given in (("question", questions), ("language", languages)):
        if len(given) != count:
            raise InputError(f"There are {count} prompts and {len(given)} values of {name}; give one, or one for each.")
    for asked, code in zip(questions, languages, strict=True):
        if asked is None:
            continue
        if code not in load_connectives():
            raise InputError(
                f"There are no connectives for language {code!r}, only for {', '.join(sorted(load_connectives()))}; "
                "add them to connectives.json, or leave question out and write them into the prompt."
            )
    return questions, languages
