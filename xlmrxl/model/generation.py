"""Text generation with a decoder: greedy, by sampling and by beam search, as in transformers 4.37.2.

Knows nothing of the model but that it is called with ids, a mask and what it returned before as `past_key_values`.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from xlmrxl.checkpoints.keywords import suggest
from xlmrxl.checkpoints.strict_json import read_json_object
from xlmrxl.errors import CheckpointError, InputError, shorten
from xlmrxl.model.outputs import ModelOutput

logger = logging.getLogger(__name__)

GENERATION_NAME = "generation_config.json"

Processor = Callable[[Tensor, Tensor], Tensor]
"""Takes the ids so far (rows, length) and scores (rows, vocabulary), returns scores."""
Criterion = Callable[[Tensor, Any], Any]
"""Takes the ids so far and the scores, says whether to stop: for all, or for each row."""
NEVER = -1e9
"""The score of beams that do not count yet: at first all of a text are the same."""


@dataclass
class GenerationOptions:
    """What `generate` may be told, with the names and defaults of transformers 4.37.2.

    Attributes:
        max_length: tokens at most, those of the prompt included.
        max_new_tokens: tokens at most, without the prompt; it counts before `max_length`.
        min_length: tokens before the end may come, those of the prompt included.
        min_new_tokens: the same without the prompt.
        do_sample: draw each token at random instead of taking the likeliest.
        num_beams: how many ways a beam search keeps; 1 for none.
        num_return_sequences: how many texts for each prompt.
        temperature: the scores are divided by it before a token is drawn.
        top_k: draw among this many of the likeliest tokens; 0 for all.
        top_p: draw among the fewest tokens that have this probability together (Holtzman et al. 2020).
        repetition_penalty: scores of tokens that the text has already are divided by it (Keskar et al. 2019).
        length_penalty: the power of its length by which the log-probability of a beam is divided.
        no_repeat_ngram_size: as many tokens in a row never come twice; 0 for no such rule.
        early_stopping: when a beam search ends: True: with enough finished texts; False: when a better one is
            unlikely; "never": when there can be none.
        bad_words_ids: lists of ids, none of which appears.
        suppress_tokens: ids that never appear.
        renormalize_logits: make log-probabilities of the scores after all of this.
        use_cache: keep keys and values of the tokens so far instead of computing them again. After padding on the
            left, new tokens then have positions that count the padding, as in transformers 4.37.2; without a cache
            they are those of the text alone.
        pad_token_id: stands after the end of a text that is shorter than another.
        bos_token_id: what a text begins with where no prompt is given.
        eos_token_id: the id, or several, with which a text ends.
        output_scores: return the scores of each step too.
        return_dict_in_generate: return a `GenerateOutput` instead of ids.
    """

    max_length: int = 20
    max_new_tokens: int | None = None
    min_length: int = 0
    min_new_tokens: int | None = None
    do_sample: bool = False
    num_beams: int = 1
    num_return_sequences: int = 1
    temperature: float = 1.0
    top_k: int | None = 50
    top_p: float | None = 1.0
    repetition_penalty: float = 1.0
    length_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    early_stopping: bool | str = False
    bad_words_ids: Sequence[Sequence[int]] | None = None
    suppress_tokens: Sequence[int] | None = None
    renormalize_logits: bool = False
    use_cache: bool = True
    pad_token_id: int | None = None
    bos_token_id: int | None = None
    eos_token_id: int | Sequence[int] | None = None
    output_scores: bool = False
    return_dict_in_generate: bool = False

    @classmethod
    def of(cls, config: Any) -> GenerationOptions:
        """Return the options that the config of a model has."""
        values: dict[str, Any] = {field.name: getattr(config, field.name, field.default) for field in fields(cls)}
        return cls(**values)

    def update(self, given: Any, options: Mapping[str, Any]) -> GenerationOptions:
        """Return these options with others in their place.

        Args:
            given: a `GenerationConfig` of transformers, a dict, or None.
            options: one by one; they count before `given`.

        Raises:
            TypeError: an option that there is not.
            InputError: one that cannot be had, or a wrong value.
        """
        names = {field.name for field in fields(self)}
        changed = given if given is None or isinstance(given, Mapping) else _read_object(given)
        values = {name: value for name, value in (changed or {}).items() if name in names}
        if isinstance(given, Mapping):
            options = {**given, **options}
        if unknown := sorted(options.keys() - names):
            raise TypeError(f"generate has no argument {unknown[0]!r}{suggest(unknown[0], names)}.")
        made = replace(self, **{**values, **options})
        made.check()
        return made

    def read(self, file: Path) -> GenerationOptions:
        """Return these options with those of a generation_config.json in their place.

        What it says beyond them, and they cannot have, is named in the log.

        Raises:
            CheckpointError: the file cannot be read, or has a wrong value.
        """
        values = {name: value for name, value in read_json_object(file).items() if value is not None}
        names = {field.name for field in fields(self)}
        if ignored := [name for name in values if name not in names | {"transformers_version", "_from_model_config"}]:
            logger.warning(
                "%s says %s, which generate cannot do here: left out.", file, ", ".join(map(shorten, ignored))
            )
        try:
            return self.update(None, {name: value for name, value in values.items() if name in names})
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{file} cannot be used: {error}") from error

    def save(self, file: Path) -> None:
        """Write what differs from the defaults."""
        values = {each.name: value for each in fields(self) if (value := getattr(self, each.name)) != each.default}
        file.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")

    def check(self) -> None:
        """Check each option.

        Raises:
            InputError: one has a value that it cannot have.
        """
        for name, least in (("max_length", 1), ("num_beams", 1), ("num_return_sequences", 1), ("min_length", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name} is {value!r}; it must be a whole number from {least}.")
        for name in ("temperature", "repetition_penalty"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} is {getattr(self, name)!r}; it must be greater than 0.")
        if self.top_p is not None and not 0 <= self.top_p <= 1:
            raise InputError(f"top_p is {self.top_p!r}; it must be a probability.")
        if self.early_stopping not in (True, False, "never"):
            raise InputError(f"early_stopping is {self.early_stopping!r}; it must be True, False or 'never'.")
        if self.num_return_sequences > 1 and not self.do_sample and self.num_beams == 1:
            raise InputError("Without sampling or beams there is one text for each prompt: set num_return_sequences=1.")
        if self.num_beams > 1 and self.num_return_sequences > self.num_beams:
            raise InputError(
                f"num_return_sequences is {self.num_return_sequences}, but there are only {self.num_beams} beams."
            )

    @property
    def ends(self) -> list[int]:
        """Return the ids with which a text ends."""
        if self.eos_token_id is None:
            return []
        return [self.eos_token_id] if isinstance(self.eos_token_id, int) else list(self.eos_token_id)


def _read_object(given: Any) -> dict[str, Any]:
    """Return the options of a `GenerationConfig`, and refuse what it says beyond these."""
    if not hasattr(given, "to_dict"):
        raise TypeError(f"generation_config is a {type(given).__name__}; give a dict or a GenerationConfig.")
    values: dict[str, Any] = given.to_dict()
    usual: dict[str, Any] = type(given)().to_dict()
    names = {field.name for field in fields(GenerationOptions)}
    for name, value in values.items():
        if (
            name not in names
            and value != usual.get(name)
            and not name.startswith("_")
            and name != "transformers_version"
        ):
            raise InputError(f"generation_config asks for {name}={value!r}, which generate cannot do here.")
    # A later GenerationConfig has None where nothing was chosen.
    return {name: value for name, value in values.items() if name in names and value is not None}


@dataclass(eq=False)
class GenerateOutput(ModelOutput):
    """What `generate` returns with `return_dict_in_generate`.

    Attributes:
        sequences: (texts, length) ids, the prompts included.
        sequences_scores: (texts,) log-probabilities of a beam search, divided by a power of the length.
        scores: (rows, vocabulary) of each step, after all rules.
    """

    sequences: Tensor | None = None
    sequences_scores: Tensor | None = None
    scores: tuple[Tensor, ...] | None = None


class _Steps:
    """Runs a decoder one token further at a time."""

    def __init__(self, model: Any, mask: Tensor, use_cache: bool, inputs: Mapping[str, Tensor]) -> None:
        self.model, self.mask, self.use_cache, self.inputs = model, mask, use_cache, inputs
        self.past: Any = None

    def __call__(self, ids: Tensor) -> Tensor:
        """Return the logits of the next token, (rows, vocabulary)."""
        inputs = self.model.prepare_inputs_for_generation(ids, self.past, self.mask)
        out = self.model(**inputs, **self.inputs, use_cache=self.use_cache, return_dict=True)
        self.past = out.past_key_values
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], dim=1)
        logits: Tensor = out.logits[:, -1]
        return logits

    def reorder(self, rows: Tensor) -> None:
        """Go on with other rows than before."""
        if self.past is not None:
            self.past = tuple(tuple(each.index_select(0, rows) for each in layer) for layer in self.past)


def generate(
    model: Any,
    ids: Tensor,
    mask: Tensor | None,
    options: GenerationOptions,
    processors: Iterable[Processor] = (),
    criteria: Iterable[Criterion] = (),
    **inputs: Tensor,
) -> GenerateOutput:
    """Continue some texts.

    Args:
        model: a decoder with an LM head.
        ids: (texts, length); shorter ones are padded on the left.
        mask: (texts, length), 0 at padding; read off the ids if None.
        options: how.
        processors: further rules, which see the scores after those of `options`.
        criteria: further reasons to stop.
        **inputs: for each text, what else the model gets: `encoder_hidden_states`, `encoder_attention_mask`.

    Raises:
        InputError: the prompt is as long as the text may be, or empty.
    """
    if ids.dim() != 2 or not ids.numel():
        raise InputError(f"The ids have the shape {tuple(ids.shape)}; they must be (texts, length), and not empty.")
    longest = options.max_length if options.max_new_tokens is None else ids.shape[1] + options.max_new_tokens
    if longest <= ids.shape[1]:
        raise InputError(
            f"The prompt has {ids.shape[1]} tokens, and max_length is {longest}. Raise it, or give max_new_tokens."
        )
    if options.pad_token_id is None and options.ends:
        options = replace(options, pad_token_id=options.ends[0])
    if mask is None:
        pad = options.pad_token_id
        mask = torch.ones_like(ids) if pad is None or pad in options.ends else ids.ne(pad).long()
    beams = options.num_beams
    times = beams if beams > 1 else options.num_return_sequences
    rows = {name: value.repeat_interleave(times, 0) for name, value in {"ids": ids, "mask": mask, **inputs}.items()}
    ids, mask = rows.pop("ids"), rows.pop("mask")
    rules = [*_rules(options, ids.shape[1]), *processors]
    draws = _draw_rules(options) if options.do_sample else []
    if options.renormalize_logits:
        # Last of all; before the rules for drawing as well, as these take scores that are normalised.
        rules.append(lambda _, scores: scores.log_softmax(-1))
        draws += [lambda _, scores: scores.log_softmax(-1)] if options.do_sample else []
    steps = _Steps(model, mask, options.use_cache, rows)
    with torch.no_grad():
        search = _search_beams if beams > 1 else _extend
        return search(steps, ids, longest, options, [*rules, *draws], list(criteria))


def _extend(
    steps: _Steps,
    ids: Tensor,
    longest: int,
    options: GenerationOptions,
    rules: Sequence[Processor],
    criteria: Sequence[Criterion],
) -> GenerateOutput:
    """Add the likeliest token to each text, or one that is drawn, until all have ended."""
    open_rows = torch.ones(len(ids), dtype=torch.long, device=ids.device)
    ends = torch.tensor(options.ends, device=ids.device)
    kept: list[Tensor] = []
    while True:
        scores = steps(ids)
        for rule in rules:
            scores = rule(ids, scores)
        if options.output_scores:
            kept.append(scores)
        token = scores.softmax(-1).multinomial(1)[:, 0] if options.do_sample else scores.argmax(-1)
        if options.ends:
            assert options.pad_token_id is not None
            token = token * open_rows + options.pad_token_id * (1 - open_rows)
            open_rows = open_rows * (~torch.isin(token, ends)).long()
        ids = torch.cat([ids, token[:, None]], dim=1)
        if not open_rows.any() or ids.shape[1] >= longest or _stops(criteria, ids, kept):
            return GenerateOutput(sequences=ids, scores=tuple(kept) if options.output_scores else None)


def _search_beams(
    steps: _Steps,
    ids: Tensor,
    longest: int,
    options: GenerationOptions,
    rules: Sequence[Processor],
    criteria: Sequence[Criterion],
) -> GenerateOutput:
    """Keep the best ways of each text so far; drawn at random with `do_sample`."""
    beams, prompt = options.num_beams, ids.shape[1]
    texts = len(ids) // beams
    finished = [_Finished(options, prompt, longest) for _ in range(texts)]
    sums = torch.zeros(texts, beams, device=ids.device)
    if not options.do_sample:
        sums[:, 1:] = NEVER
    sums = sums.flatten()
    kept: list[Tensor] = []
    while True:
        scores = steps(ids).log_softmax(-1)
        for rule in rules:
            scores = rule(ids, scores)
        if options.output_scores:
            kept.append(scores)
        size = scores.shape[-1]
        totals = (scores + sums[:, None]).view(texts, beams * size)
        if options.do_sample:
            drawn = totals.softmax(-1).multinomial(2 * beams)
            values, order = totals.gather(-1, drawn).sort(descending=True, dim=1)
            found = drawn.gather(-1, order)
        else:
            values, found = totals.topk(max(2, 1 + len(options.ends)) * beams, dim=1)
        chosen, tokens, best = [], [], []
        for text, (these, those) in enumerate(zip(values.tolist(), found.tolist(), strict=True)):
            candidates = [
                (value, text * beams + place // size, place % size) for value, place in zip(these, those, strict=True)
            ]
            for value, row, token in finished[text].take(ids, candidates):
                best.append(value)
                chosen.append(row)
                tokens.append(token)
        rows = torch.tensor(chosen, device=ids.device)
        sums = torch.tensor(best, device=ids.device)
        ids = torch.cat([ids[rows], torch.tensor(tokens, device=ids.device)[:, None]], dim=1)
        steps.reorder(rows)
        if all(each.done for each in finished) or ids.shape[1] >= longest or _stops(criteria, ids, kept):
            break
    ways: list[tuple[float, Tensor]] = []
    for text, each in enumerate(finished):
        own = slice(text * beams, (text + 1) * beams)
        ways += each.finish(ids[own], sums[own].tolist())[: options.num_return_sequences]
    return GenerateOutput(
        sequences=_join([way for _, way in ways], longest, options),
        sequences_scores=torch.tensor([score for score, _ in ways], device=ids.device)
        if options.output_scores
        else None,
        scores=tuple(kept) if options.output_scores else None,
    )


class _Finished:
    """The best texts of one prompt that have ended."""

    def __init__(self, options: GenerationOptions, prompt: int, longest: int) -> None:
        self.options, self.prompt, self.longest = options, prompt, longest
        self.ways: list[tuple[float, Tensor]] = []
        self.done = False

    def take(self, ids: Tensor, candidates: Sequence[tuple[float, int, int]]) -> list[tuple[float, int, int]]:
        """Take the texts that end here, and return those to go on with.

        Args:
            ids: of all rows so far.
            candidates: the sum of log-probabilities, the row and the token to add, the best first.
        """
        beams = self.options.num_beams
        if self.done:
            assert self.options.pad_token_id is not None
            return [(0.0, 0, self.options.pad_token_id)] * beams
        length = ids.shape[1] + 1 - self.prompt
        on: list[tuple[float, int, int]] = []
        for rank, (value, row, token) in enumerate(candidates):
            if token not in self.options.ends:
                on.append((value, row, token))
            elif rank < beams:
                self._add(value, ids[row], length)
            if len(on) == beams:
                break
        best = max(value for value, _, _ in candidates)
        self.done = self._is_done(best, length)
        return on

    def finish(self, ids: Tensor, sums: Sequence[float]) -> list[tuple[float, Tensor]]:
        """Take the texts that are still open, and return all, the best first."""
        if not self.done:
            for way, value in zip(ids, sums, strict=True):
                self._add(value, way, ids.shape[1] - self.prompt)
        # Of equal ones the last counts.
        return sorted(self.ways, key=lambda way: way[0])[::-1]

    def _add(self, value: float, way: Tensor, length: int) -> None:
        score = value / length**self.options.length_penalty
        if len(self.ways) < self.options.num_beams or score > min(each for each, _ in self.ways):
            self.ways.append((score, way.clone()))
            if len(self.ways) > self.options.num_beams:
                del self.ways[min(range(len(self.ways)), key=lambda i: self.ways[i][0])]

    def _is_done(self, best: float, length: int) -> bool:
        if len(self.ways) < self.options.num_beams:
            return False
        if self.options.early_stopping is True:
            return True
        if self.options.early_stopping == "never" and self.options.length_penalty > 0:
            length = self.longest - self.prompt
        return min(score for score, _ in self.ways) >= float(best / length**self.options.length_penalty)


def _join(ways: Sequence[Tensor], longest: int, options: GenerationOptions) -> Tensor:
    """Return texts as one tensor, each with its end where there is room for it, and padded."""
    width = min(max(map(len, ways)) + 1, longest)
    filler = 0 if options.pad_token_id is None else options.pad_token_id
    rows = ways[0].new_full((len(ways), width), filler)
    for row, way in zip(rows, ways, strict=True):
        row[: len(way)] = way
        if len(way) < width:
            row[len(way)] = options.ends[0]
    return rows


def _stops(criteria: Sequence[Criterion], ids: Tensor, scores: Sequence[Tensor]) -> bool:
    return any(bool(torch.as_tensor(criterion(ids, tuple(scores) or None)).all()) for criterion in criteria)


def _rules(options: GenerationOptions, prompt: int) -> list[Processor]:
    """Return the rules that hold for every way to generate, in the order in which they act."""
    rules: list[Processor] = []
    ends = options.ends
    if (penalty := options.repetition_penalty) != 1:

        def penalise(ids: Tensor, scores: Tensor) -> Tensor:
            there = scores.gather(1, ids)
            return scores.scatter(1, ids, torch.where(there < 0, there * penalty, there / penalty))

        rules.append(penalise)
    if options.no_repeat_ngram_size > 0:
        rules.append(lambda ids, scores: _forbid_repeats(ids, scores, options.no_repeat_ngram_size))
    if options.bad_words_ids:
        words = [list(word) for word in options.bad_words_ids if list(word) not in [[end] for end in ends]]
        rules.append(lambda ids, scores: _forbid_words(ids, scores, words))
    least = max(options.min_length, prompt + (options.min_new_tokens or 0) if options.min_new_tokens else 0)
    if least and ends:

        def go_on(ids: Tensor, scores: Tensor) -> Tensor:
            return _forbid(scores, ends) if ids.shape[1] < least else scores

        rules.append(go_on)
    if options.suppress_tokens:
        rules.append(lambda _, scores: _forbid(scores, list(options.suppress_tokens or ())))
    return rules


def _draw_rules(options: GenerationOptions) -> list[Processor]:
    """Return the rules for drawing a token, in the order in which they act."""
    rules: list[Processor] = []
    least = 1 if options.num_beams == 1 else len(options.ends) + 1 if len(options.ends) > 1 else 2
    if options.temperature != 1:
        rules.append(lambda _, scores: scores / options.temperature)
    if options.top_k:
        most = max(options.top_k, least)

        def keep_best(_: Tensor, scores: Tensor) -> Tensor:
            bound = scores.topk(min(most, scores.shape[-1])).values[:, -1:]
            return scores.masked_fill(scores < bound, -math.inf)

        rules.append(keep_best)
    if options.top_p is not None and options.top_p < 1:
        share = options.top_p

        def keep_mass(_: Tensor, scores: Tensor) -> Tensor:
            ascending, order = scores.sort(descending=False)
            out = ascending.softmax(-1).cumsum(-1) <= 1 - share
            out[:, -least:] = False
            return scores.masked_fill(out.scatter(1, order, out), -math.inf)

        rules.append(keep_mass)
    return rules


def _forbid(scores: Tensor, tokens: Sequence[int]) -> Tensor:
    return scores.index_fill(1, torch.tensor(tokens, device=scores.device), -math.inf)


def _forbid_repeats(ids: Tensor, scores: Tensor, size: int) -> Tensor:
    """Forbid what would complete a run of `size` tokens that the text has already."""
    scores = scores.clone()
    for row, tokens in enumerate(ids.tolist()):
        last = tokens[len(tokens) - size + 1 :] if size > 1 else []
        runs = (tokens[i : i + size] for i in range(len(tokens) - size + 1))
        if banned := [run[-1] for run in runs if run[:-1] == last]:
            scores[row, banned] = -math.inf
    return scores


def _forbid_words(ids: Tensor, scores: Tensor, words: Sequence[Sequence[int]]) -> Tensor:
    """Forbid the last token of each word whose other tokens have just come."""
    scores = scores.clone()
    for row, tokens in enumerate(ids.tolist()):
        if banned := [word[-1] for word in words if list(word[:-1]) == tokens[len(tokens) - len(word) + 1 :]]:
            scores[row, banned] = -math.inf
    return scores
