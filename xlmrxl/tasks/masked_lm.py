"""What the tasks on a masked language model are made of: tokens, words, and distributions at masks."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import torch
from torch import Tensor

from xlmrxl.errors import InputError
from xlmrxl.progress import Progress, ignore_progress
from xlmrxl.tokenization.token_rows import truncated_lengths
from xlmrxl.tokenization.tokenizer import LIMITLESS, AddedToken, XLMRobertaTokenizer
from xlmrxl.tokenization.tokenizer_json import MASK_TOKEN, SPACE

if TYPE_CHECKING:
    from xlmrxl.loaded_model import LoadedModel

T = TypeVar("T")

TOKENS_AT_ONCE = 4096
"""Tokens of one forward pass, padding included: enough to keep a GPU busy, little enough for a laptop."""
LOGITS_AT_ONCE = 1 << 23
"""Numbers of one forward's distributions, which are copied a few times: 32 MB each in float32."""
WITHOUT_SPACES = ("CJK", "HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA", "BOPOMOFO", "THAI", "LAO", "KHMER", "MYANMAR",
                  "TIBETAN", "YI ", "JAVANESE", "BALINESE", "TAI ", "NEW TAI")  # fmt: skip
"""How Unicode's names of letters begin in scripts that put no space between words."""
APOSTROPHES = "'’"


@dataclass(frozen=True)
class Token:
    """One piece of the text as the model reads it."""

    id: int
    piece: str  # "▁" stands for a space before it
    start: int  # offsets in characters of the original text; both 0 for the tokens around it
    end: int
    special: bool  # <s>, </s> or <mask>


class MaskedInput(NamedTuple):
    """One sequence for the model, and the positions at which its distribution is wanted, in rising order."""

    ids: list[int]
    positions: list[int]


def max_input_length(loaded_model: LoadedModel) -> int:
    """Return how many tokens the model reads at most, <s> and </s> included."""
    return min(loaded_model.tokenizer.model_max_length, loaded_model.model.config.longest_input)


def tokenize(tokenizer: XLMRobertaTokenizer, text: str, special_tokens: bool = False) -> list[Token]:
    """Return the tokens of a text of any length, <s> and </s> included; for `special_tokens` see `split_subwords`.

    They are the tokenizer's but for one thing: what touches a `<mask>` on its right keeps touching it. The tokenizer
    takes up again after a mask as if at the beginning of a text, so that a full stop gets a space before it ("▁", "."),
    which the model has not met after a word: it then expects anything but a word there. A token that was added to the
    vocabulary gets a "▁" where it begins a word, as other pieces have one.
    """
    pieces = split_subwords(tokenizer, text, special_tokens)
    ids = tokenizer.build_inputs_with_special_tokens([i for i, _, _ in pieces])
    spans = [(0, 0), *((start, end) for _, start, end in pieces), (0, 0)]
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    added = set(tokenizer.get_added_vocab().values())
    tokens: list[Token] = []
    for id_, piece, (start, end) in zip(ids, tokenizer.convert_ids_to_tokens(ids), spans, strict=True):
        if id_ in added and id_ not in special and (not start or text[start - 1].isspace() or text[start].isspace()):
            piece = SPACE + piece  # noqa: PLW2901
        token = Token(id_, piece, start, end, id_ in special)
        if tokens and tokens[-1].id == tokenizer.mask_token_id and piece.startswith(SPACE):
            after = tokens[-1].end
            if after < len(text) and not text[after].isspace():
                bare = piece.removeprefix(SPACE)
                if not bare:
                    continue
                if (bare_id := tokenizer.convert_tokens_to_ids(bare)) != tokenizer.unk_token_id:
                    token = Token(bare_id, bare, start, end, False)
        tokens.append(token)
    return tokens


def tokenize_within_limit(loaded_model: LoadedModel, text: str, special_tokens: bool = False) -> list[Token]:
    """Return the tokens of a text, as from `read`.

    Raises:
        TypeError: it is not a text.
        InputError: it has more tokens than the model reads.
    """
    if not isinstance(text, str):
        raise TypeError(f"A text is a string, not a {type(text).__name__}.")
    tokens = tokenize(loaded_model.tokenizer, text, special_tokens)
    if len(tokens) > (most := max_input_length(loaded_model)):
        raise InputError(
            f"The text has {len(tokens)} tokens, but the model reads at most {most}. Shorten it, or take its parts "
            "one by one."
        )
    return tokens


def split_subwords(
    tokenizer: XLMRobertaTokenizer, text: str, special_tokens: bool = False
) -> list[tuple[int, int, int]]:
    """Return the (id, start, end) of each piece of a text of any length, without <s> and </s> around it.

    A `<mask>` in the text is a mask. Another special token ("</s>", "<unk>", or one that was added to the vocabulary)
    is text like any other, since what people write about markup must not end their sentence; with `special_tokens` it
    stands for itself, as it does for the tokenizer.

    Raises:
        InputError: the text has half a character.
    """
    found = tokenizer(
        text,
        add_special_tokens=False,
        truncation=False,
        max_length=LIMITLESS,
        return_offsets_mapping=True,
        split_special_tokens=False,
    )
    ids, spans = found["input_ids"], found["offset_mapping"]
    plain = frozenset() if special_tokens else find_literal_special_ids(tokenizer)
    if not plain.isdisjoint(ids):
        own = tokenizer._vocabulary.segment(text, plain)
        ids, spans = own.ids, own.spans
    return [(i, *span) for i, span in zip(ids, spans, strict=True)]


def is_well_formed(text: str) -> bool:
    """Return whether a text has no half a character (a lone surrogate), of which the tokenizer says where it stands."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def find_literal_special_ids(tokenizer: XLMRobertaTokenizer) -> frozenset[int]:
    """Return the ids of the special tokens that are text like any other where a text has them: all but `<mask>`."""
    return frozenset(tokenizer.all_special_ids) - {tokenizer.mask_token_id}


def encode_truncated(
    loaded_model: LoadedModel, text: str, text_pair: str | None = None, special_tokens: bool = False
) -> tuple[list[int], int]:
    """Return the ids of a text or a pair as the model reads it, cut to what it reads, and how many there were before.

    Of a pair that is too long the longer text is cut first. For `special_tokens` see `split_subwords`.
    """
    tokenizer, most = loaded_model.tokenizer, max_input_length(loaded_model)
    given = [text] if text_pair is None else [text, text_pair]
    texts = [[i for i, _, _ in split_subwords(tokenizer, part, special_tokens)] for part in given]
    added = tokenizer.num_special_tokens_to_add(text_pair is not None)
    total = sum(map(len, texts)) + added
    if total > most:
        lengths = truncated_lengths(
            len(texts[0]), None if text_pair is None else len(texts[1]), most - added, "longest_first"
        )
        left = tokenizer.truncation_side == "left"
        texts = [
            ids[len(ids) - length :] if left else ids[:length] for ids, length in zip(texts, lengths, strict=False)
        ]
    return tokenizer.build_inputs_with_special_tokens(*texts), total


def spell_word(tokenizer: XLMRobertaTokenizer, before: str, word: str, special_tokens: bool = False) -> tuple[int, ...]:
    """Return the pieces of a word that stands at a mask.

    Args:
        tokenizer: the model's own.
        before: what touches the mask on its left; if there is nothing, the word begins after a space.
        word: one word, or several.
        special_tokens: see `split_subwords`.

    Raises:
        InputError: the vocabulary has no pieces for it, or it holds a special token.
    """
    found = split_subwords(tokenizer, word, special_tokens)
    if before:
        behind = [piece for piece in split_subwords(tokenizer, before + word, special_tokens) if piece[2] > len(before)]
        if behind and behind[0][1] >= len(before):
            found = behind
        # Otherwise the vocabulary has a piece across the edge, which cannot stand at the mask.
        elif len(found) > 1 and found[0][1] == found[0][2]:
            found = found[1:]  # the space, which is a piece of its own here
    ids = tuple(i for i, _, _ in found)
    if not ids or tokenizer.unk_token_id in ids:
        raise InputError(f"The vocabulary of this model cannot spell {word!r}. Choose another word.")
    if not set(ids).isdisjoint(tokenizer.all_special_ids):
        raise InputError(f"{word!r} holds a special token. Choose another word.")
    return ids


def spell_words(
    tokenizer: XLMRobertaTokenizer, before: str, words: Sequence[str], special_tokens: bool = False
) -> list[tuple[int, ...]]:
    """Return the pieces of each of many words, as `spell` does; in less time where they begin after a space.

    The same words at many texts are spelled once.
    """
    added = tuple(tokenizer.added_tokens_decoder.items())
    return list(_spell_words(tokenizer, added, before, tuple(words), special_tokens))


@lru_cache(maxsize=8)
def _spell_words(
    tokenizer: XLMRobertaTokenizer,
    _added: tuple[tuple[int, AddedToken], ...],  # what the pieces depend on beside the tokenizer, and may change
    before: str,
    words: tuple[str, ...],
    special_tokens: bool,
) -> tuple[tuple[int, ...], ...]:
    if before or special_tokens or not is_well_formed("".join(words)):
        return tuple(spell_word(tokenizer, before, word, special_tokens) for word in words)
    found = tokenizer._vocabulary.encode_words(words, find_literal_special_ids(tokenizer))
    if all(found) and {tokenizer.unk_token_id, tokenizer.mask_token_id}.isdisjoint(chain.from_iterable(found)):
        return tuple(map(tuple, found))
    return tuple(spell_word(tokenizer, before, word) for word in words)  # says which is wrong, and how


def convert_ids_to_subwords(tokenizer: XLMRobertaTokenizer, before: str, ids: Sequence[int]) -> list[str]:
    """Return the piece of each of several ids at a mask; an added token has a "▁" where it begins a word.

    Args:
        tokenizer: the model's own.
        before: what touches the mask on its left.
        ids: of what may stand there.
    """
    pieces = tokenizer.convert_ids_to_tokens(list(ids))
    if not before and (added := tokenizer.get_added_vocab()):
        return [SPACE + piece if piece in added else piece for piece in pieces]
    return pieces


def find_left_context(text: str, start: int) -> str:
    """Return what touches a mask on its left, where it begins at `start`: back to the last space or mask."""
    left = text[:start].rpartition(MASK_TOKEN)[2]
    return "" if not left or left[-1].isspace() else left.split()[-1]


def group_by_length(
    lengths: Sequence[int],
    most: int = TOKENS_AT_ONCE,
    positions: Sequence[int] | None = None,
    most_positions: int = TOKENS_AT_ONCE,
) -> list[list[int]]:
    """Return indices in groups of similar length.

    Args:
        lengths: of what is grouped, in tokens.
        most: tokens of a group, padding included.
        positions: how many positions of each are read.
        most_positions: positions of a group.
    """
    groups: list[list[int]] = []
    taken = 0
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        count = 0 if positions is None else positions[i]
        if groups and (len(groups[-1]) + 1) * lengths[i] <= most and taken + count <= most_positions:
            groups[-1].append(i)
            taken += count
        else:
            groups.append([i])
            taken = count
    return groups


def pad_batch(loaded_model: LoadedModel, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor | None]:
    """Return rows of ids as one batch on the model's device, padded on the right, and its attention mask.

    The mask is None where there is nothing to leave out: torch then takes a faster way through the attention.
    """
    length = max(map(len, rows))
    ids = torch.full((len(rows), length), loaded_model.model.config.pad_token_id)
    attended = torch.zeros(len(rows), length, dtype=torch.long)
    for line, row in enumerate(rows):
        ids[line, : len(row)] = torch.tensor(row)
        attended[line, : len(row)] = 1
    return ids.to(loaded_model.device), None if bool(attended.all()) else attended.to(loaded_model.device)


def compute_log_probabilities(
    loaded_model: LoadedModel,
    rows: Sequence[MaskedInput],
    read: Callable[[int, Tensor], T],
    progress: Progress = ignore_progress,
) -> list[T]:
    """Read the model's distributions: each row runs once, those of similar length together, the head at positions only.

    Args:
        loaded_model: with a masked language model.
        rows: of ids, special tokens included.
        read: takes the index of a row and its (positions, vocabulary) log-probabilities in float32, and returns what is
            to be kept of them.
        progress: is told how many rows are done and how many there are.

    Returns:
        What `read` returned, in the order of the rows.
    """
    kept: dict[int, T] = {}
    groups = group_by_length(
        [len(row.ids) for row in rows],
        positions=[len(row.positions) for row in rows],
        most_positions=max(1, LOGITS_AT_ONCE // loaded_model.model.config.vocab_size),
    )
    for group in groups:
        ids, attention_mask = pad_batch(loaded_model, [rows[i].ids for i in group])
        wanted = torch.zeros(ids.shape, dtype=torch.bool)
        for line, i in enumerate(group):
            wanted[line, rows[i].positions] = True
        with torch.inference_mode():
            out = loaded_model.model(
                ids, attention_mask=attention_mask, logits_mask=wanted.to(loaded_model.device), return_dict=True
            )
            logs = loaded_model.require_finite(out.logits.float()).log_softmax(-1)
        start = 0
        for i in group:
            stop = start + len(rows[i].positions)
            kept[i] = read(i, logs[start:stop])
            start = stop
        progress(len(kept), len(rows))
    return [kept[i] for i in range(len(rows))]


def compute_entropy(logs: Tensor) -> Tensor:
    """Return the entropy of distributions over the vocabulary, given as log-probabilities (…, vocabulary), in nats."""
    return -(logs.exp() * logs).sum(-1)


@lru_cache(maxsize=65536)
def classify_character(character: str) -> str:
    """Return `letter` (or digit) in scripts with spaces between words, `own` in those without, `mark`, or `other`."""
    if unicodedata.category(character).startswith("M"):
        return "mark"
    if not character.isalnum():
        return "other"
    return "own" if unicodedata.name(character, "").startswith(WITHOUT_SPACES) else "letter"


def is_word_continuation(before: Token | None, token: Token) -> bool:
    """Return whether a token belongs to the word of the one before it.

    Spaces and signs part words. In scripts without spaces (Han, kana, Thai and others) every piece counts as a word.
    """
    if before is None or before.special or token.special or token.piece.startswith(SPACE):
        return False
    first = next((c for c in token.piece if classify_character(c) != "mark" and c not in APOSTROPHES), None)
    last = next((c for c in reversed(before.piece) if classify_character(c) != "mark" and c not in APOSTROPHES), None)
    if first is None or last is None:  # nothing but marks, or an apostrophe between two letters
        return bool(set(token.piece + before.piece) - set(SPACE))
    # A lone space stands before a letter that has no piece with a space of its own.
    return classify_character(first) == "letter" and (last == SPACE or classify_character(last) == "letter")


def find_words(tokens: Sequence[Token]) -> list[range]:
    """Return the words of a text as ranges of its tokens; special tokens are in none."""
    found: list[range] = []
    for position, token in enumerate(tokens):
        if token.special:
            continue
        if found and found[-1].stop == position and is_word_continuation(tokens[position - 1], token):
            found[-1] = range(found[-1].start, position + 1)
        else:
            found.append(range(position, position + 1))
    return found


def mask_each_position(
    tokens: Sequence[Token], mask_id: int, positions: Iterable[int], within_word: bool = True
) -> list[MaskedInput]:
    """Return a row for each position, with its token hidden and, within its word, those after it.

    Salazar et al. (2020), Masked Language Model Scoring, hide one token at a time; Kauf and Ivanova (2023), A Better
    Way to Do Masked Language Model Scoring, found that a word's later pieces give its earlier ones away, and hide them.
    """
    ends = {position: word.stop for word in find_words(tokens) for position in word}
    rows = []
    for position in positions:
        ids = [token.id for token in tokens]
        for hidden in range(position, ends.get(position, position + 1) if within_word else position + 1):
            ids[hidden] = mask_id
        rows.append(MaskedInput(ids, [position]))
    return rows


def compute_pseudo_log_likelihoods(
    loaded_model: LoadedModel,
    texts: Sequence[Sequence[Token]],
    positions: Sequence[Iterable[int]] | None = None,
    *,
    within_word: bool = True,
    progress: Progress = ignore_progress,
) -> list[list[float]]:
    """Return the log-probability (nats) of each token of some texts, each hidden in turn and predicted from the rest.

    Their sum is the pseudo-log-likelihood of the text.

    Args:
        loaded_model: with a masked language model.
        texts: their tokens, as from `tokenize_within_limit`.
        positions: of each text, which tokens to score; all but the special ones if not given.
        within_word: hide the later pieces of a word too; see `masked_rows`.
        progress: is told how many tokens are done and how many there are.
    """
    if positions is None:
        positions = [[i for i, token in enumerate(tokens) if not token.special] for tokens in texts]
    mask_id = loaded_model.tokenizer.mask_token_id
    rows: list[MaskedInput] = []
    counts: list[int] = []
    targets: list[int] = []
    for tokens, wanted in zip(texts, positions, strict=True):
        made = mask_each_position(tokens, mask_id, wanted, within_word)
        targets += [tokens[row.positions[0]].id for row in made]
        rows += made
        counts.append(len(made))
    found = iter(compute_log_probabilities(loaded_model, rows, lambda i, logs: float(logs[0, targets[i]]), progress))
    return [[next(found) for _ in range(count)] for count in counts]
