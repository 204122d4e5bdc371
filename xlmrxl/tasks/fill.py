"""Mask filling: what the model expects at each `<mask>` of a text: pieces or whole words, alone or all together."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from xlmrxl.model.heads import XLMRobertaXLForMaskedLM
from xlmrxl.progress import Progress, show_progress
from xlmrxl.tasks.fills import Fill, FillResult, JointFill, MaskFills
from xlmrxl.tasks.masked_lm import (
    Row,
    Token,
    entropy_of,
    kind_of,
    log_probabilities,
    pieces_at,
    pseudo_log_likelihoods,
    room,
    spell,
    tokens_of,
    touching,
    words,
)
from xlmrxl.tasks.result import Source
from xlmrxl.tasks.subwords import NEVER_FIRST, NEVER_LAST, barred_pieces, readable, shapes
from xlmrxl.tasks.targets import score_targets
from xlmrxl.tasks.texts import check_texts
from xlmrxl.tokenization.tokenizer_json import MASK_TOKEN, SPACE

if TYPE_CHECKING:
    from xlmrxl.loaded_model import LoadedModel

__all__ = ["Fill", "FillResult", "JointFill", "MaskFills", "fill_mask"]

NO_MASK = (
    "There is no <mask> in the text. Write <mask> where a word is missing, as in 'The capital of France is <mask>.'"
)
TOUCHING = (
    "A whole word stands between spaces or signs, but a <mask> touches {!r}. Put a space there, or fill with pieces "
    "(words=False)."
)
METHODS = ("independent", "joint")
MOST_JOINT = 8
"""Masks that are filled together at most: each costs a beam of forwards."""
MOST_PIECES = 6
NEIGHBOURS = 16
"""Tokens on either side of a word that count when words of different lengths are compared."""


def fill_mask(
    session: LoadedModel,
    texts: str | Sequence[str],
    *,
    top_k: int = 5,
    method: str = "independent",
    words: bool = False,
    max_pieces: int = 3,
    beam: int = 5,
    targets: str | Sequence[str] | None = None,
    script: str | None = None,
    punctuation: bool = True,
    repeats: bool = True,
    special_tokens: bool = False,
    progress: Progress | bool = True,
) -> list[FillResult]:
    """Fill the masks of some texts.

    The encoder runs once a text, texts of similar length together, and the LM head only at the masks. Special tokens
    and rows of the vocabulary without a token are never offered, but they keep their share of the probability, as do
    those that a filter leaves out.

    Args:
        session: with a masked language model.
        texts: each with one `<mask>` or more.
        top_k: how many fills a mask.
        method: `"independent"`: each distribution leaves the other masks open. `"joint"`: all masks of a text together,
            by a beam search that fills them in whatever order is likeliest.
        words: whole words of one to `max_pieces` pieces instead of single pieces. They are found piece by piece from
            the left, and compared across lengths by the pseudo-log-likelihood of the filled text near them (Salazar et
            al., 2020), a word's later pieces hidden as well (Kauf and Ivanova, 2023).
        max_pieces: of a word, up to 6.
        beam: how many ways the joint search keeps.
        targets: only these words or phrases, of any number of pieces. Those of one piece share one forward a text.
        script: only what is written in this script, by its name in Unicode: `"Latin"`, `"Cyrillic"`, `"Han"` …
        punctuation: offer signs as well as letters and digits.
        repeats: offer words that the text has already.
        special_tokens: whether "</s>" and the like in a text or a target are special tokens. Otherwise they are text,
            all but `<mask>`.
        progress: called with how many forwards are done and how many there are; True for a bar.

    Returns:
        A result for each text, in order.

    Raises:
        ValueError: a text without a mask or too long, or a setting that cannot be had.
        TypeError: something other than a text.
    """
    session.require(XLMRobertaXLForMaskedLM)
    tokenizer = session.tokenizer
    offered = len(tokenizer) - len(tokenizer.all_special_ids)
    if not 1 <= top_k <= offered:
        raise ValueError(f"top_k is {top_k}; it must be between 1 and {offered}, the tokens of this vocabulary.")
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; it must be one of {', '.join(METHODS)}.")
    if (method == "joint") + words + (targets is not None) > 1:
        raise ValueError("Choose one of method='joint', words=True and targets: they do not go together.")
    if not 1 <= max_pieces <= MOST_PIECES or beam < 1:
        raise ValueError(f"max_pieces must be between 1 and {MOST_PIECES}, and beam at least 1.")
    settings: dict[str, Any] = {"top_k": top_k}
    settings |= {"method": method, "beam": beam} if method == "joint" else {}
    settings |= {"words": True, "max_pieces": max_pieces} if words else {}
    if targets is not None:
        settings["targets"] = targets = check_texts(targets, "targets")
    settings |= {"script": script} if script else {}
    settings |= {} if punctuation else {"punctuation": False}
    settings |= {} if repeats else {"repeats": False}
    source = Source.of(session, special_tokens=special_tokens, **settings)
    filler = Filler(session, source, top_k, script, punctuation, repeats, special_tokens)
    jobs = [filler.job(text) for text in check_texts(texts)]
    with show_progress(progress, "Filling masks", "row") as told:
        if targets is not None:
            return score_targets(filler, jobs, targets, told)
        if words:
            return [filler.words(job, max_pieces, told) for job in jobs]
        results = filler.independent(jobs, told)
        if method == "joint":
            return [filler.jointly(job, result, beam) for job, result in zip(jobs, results, strict=True)]
        return results


@dataclass(frozen=True)
class Job:
    """A text whose masks are filled."""

    text: str
    tokens: list[Token]
    row: Row  # all of it, and the places of its masks


class Filler:
    """The ways to fill, with what they share."""

    def __init__(
        self,
        session: LoadedModel,
        source: Source,
        top_k: int,
        script: str | None,
        punctuation: bool,
        repeats: bool,
        special_tokens: bool,
    ) -> None:
        self.session, self.source, self.top_k, self.repeats = session, source, top_k, repeats
        self.special_tokens = special_tokens
        self.tokenizer = session.tokenizer
        self.barred = barred_pieces(self.tokenizer, script, punctuation, session.model.config.vocab_size).to(
            session.device
        )

    def job(self, text: str) -> Job:
        tokens = tokens_of(self.session, text, self.special_tokens)
        ids = [token.id for token in tokens]
        places = [place for place, i in enumerate(ids) if i == self.tokenizer.mask_token_id]
        if not places:
            raise ValueError(NO_MASK)
        return Job(text, tokens, Row(ids, places))

    def result(self, job: Job, masks: Sequence[MaskFills]) -> FillResult:
        return FillResult(self.source, job.text, tuple(job.tokens), tuple(masks))

    def allowed(self, job: Job, logs: Tensor) -> Tensor:
        """The log-probabilities with -inf at what is not to be offered."""
        logs = logs.masked_fill(self.barred, -math.inf)
        if not self.repeats:
            logs[..., self._repeated(job)] = -math.inf
        return logs

    def _repeated(self, job: Job) -> list[int]:
        there = {
            job.text[job.tokens[word[0]].start : job.tokens[word[-1]].end].casefold() for word in words(job.tokens)
        }
        forms = {form for word in there for form in (word, word.capitalize(), word.upper())}
        found = {self.tokenizer.convert_tokens_to_ids(mark + form) for form in forms for mark in (SPACE, "")}
        return sorted(found | {token.id for token in job.tokens if not token.special})

    def independent(self, jobs: Sequence[Job], progress: Progress) -> list[FillResult]:
        """Single pieces, each mask on its own."""

        def read(i: int, logs: Tensor) -> list[MaskFills]:
            best = self.allowed(jobs[i], logs).topk(self.top_k, dim=-1)
            return [
                MaskFills(place, self._fills(jobs[i], place, ids, values), entropy)
                for place, ids, values, entropy in zip(
                    jobs[i].row.places,
                    best.indices.tolist(),
                    best.values.exp().tolist(),
                    entropy_of(logs).tolist(),
                    strict=True,
                )
            ]

        found = log_probabilities(self.session, [job.row for job in jobs], read, progress)
        return [self.result(job, masks) for job, masks in zip(jobs, found, strict=True)]

    def _fills(self, job: Job, place: int, ids: Sequence[int], probabilities: Sequence[float]) -> tuple[Fill, ...]:
        return tuple(
            Fill(i, piece, readable(piece), probability)
            for i, piece, probability in zip(
                ids, pieces_at(self.tokenizer, self.before(job, place), ids), probabilities, strict=True
            )
            if probability > 0  # a filter may leave fewer than were asked for
        )

    def before(self, job: Job, place: int) -> str:
        """Return what touches a mask on its left."""
        return touching(job.text, job.tokens[place].end - len(MASK_TOKEN))  # a mask takes the space before it

    def jointly(self, job: Job, alone: FillResult, beam: int) -> FillResult:
        """All masks together: every step fills, in each of the best ways so far, whichever mask has the likeliest fill.

        The score is that of the chain rule, ∏ P(fill | text, fills before it). Ways that come to the same are one.
        """
        places = job.row.places
        if len(places) > MOST_JOINT:
            raise ValueError(
                f"The text has {len(places)} masks; {MOST_JOINT} can be filled together. Leave some out, or use "
                "method='independent'."
            )
        width = max(beam, self.top_k)
        ways: list[tuple[float, dict[int, tuple[int, float]]]] = [(0.0, {})]
        for _ in places:
            rows = []
            for _, filled in ways:
                ids = list(job.row.ids)
                for place, (i, _) in filled.items():
                    ids[place] = i
                rows.append(Row(ids, [place for place in places if place not in filled]))

            def read(_: int, logs: Tensor) -> tuple[list[list[float]], list[list[int]]]:
                best = self.allowed(job, logs).topk(min(width, logs.shape[-1]), dim=-1)
                return best.values.tolist(), best.indices.tolist()

            best = log_probabilities(self.session, rows, read)
            grown: dict[frozenset[tuple[int, int]], tuple[float, dict[int, tuple[int, float]]]] = {}
            for (score, filled), row, (values, indices) in zip(ways, rows, best, strict=True):
                for place, logs, ids in zip(row.places, values, indices, strict=True):
                    for log, i in zip(logs, ids, strict=True):
                        if log == -math.inf:
                            continue
                        way = {**filled, place: (i, log)}
                        key = frozenset((p, pair[0]) for p, pair in way.items())
                        if key not in grown or grown[key][0] < score + log:
                            grown[key] = (score + log, way)
            ways = sorted(grown.values(), key=lambda pair: -pair[0])[:width]
        joint = []
        for score, filled in ways[: self.top_k]:
            fills = tuple(
                self._fills(job, place, [filled[place][0]], [math.exp(filled[place][1])])[0] for place in places
            )
            joint.append(JointFill(fills, score, tuple(places.index(place) for place in filled)))
        return FillResult(self.source, job.text, alone.tokens, alone.masks, tuple(joint))

    def _spell(self, job: Job, place: int, word: str) -> tuple[int, ...]:
        """The pieces of a word where a mask stands."""
        return spell(self.tokenizer, self.before(job, place), word, self.special_tokens)

    def row_with(self, job: Job, place: int, ids: Sequence[int], count: int) -> Row:
        """The text with `count` places at a mask, the first of them filled; the next one is read."""
        there = [*ids, *[self.tokenizer.mask_token_id] * (count - len(ids))]
        return Row(job.row.ids[:place] + there + job.row.ids[place + 1 :], [place + len(ids)])

    def words(self, job: Job, most: int, progress: Progress) -> FillResult:
        """Whole words of up to `most` pieces."""
        most = min(most, room(self.session) - len(job.row.ids) + 1)
        masks = [self._words_at(job, place, most, progress) for place in job.row.places]
        return self.result(job, masks)

    def _words_at(self, job: Job, place: int, most: int, progress: Progress) -> MaskFills:
        width = 2 * self.top_k + 6
        first, inside = self._edges(job, place)
        entropy: float | None = None
        # By length and kind of letters: the ways to begin, (log-probability, ids).
        open_: list[tuple[int, float, tuple[int, ...]]] = [(count, 0.0, ()) for count in range(1, most + 1)]
        found: dict[str, list[tuple[float, tuple[int, ...]]]] = {}
        for done in range(most):
            rows = [self.row_with(job, place, ids, count) for count, _, ids in open_]

            def read(i: int, logs: Tensor, ways: Any = open_) -> tuple[list[float], list[int], float | None]:
                ids = ways[i][2]
                able = inside[self._kind(ids[0])] if ids else first
                kept = self.allowed(job, logs)[0].masked_fill(~able, -math.inf)
                values, indices = kept.topk(min(width, len(kept)))
                return values.tolist(), indices.tolist(), None if ids else float(entropy_of(logs))

            best = log_probabilities(self.session, rows, read, progress)
            grown: list[tuple[int, float, tuple[int, ...]]] = []
            for (count, log, ids), (values, indices, uncertainty) in zip(open_, best, strict=True):
                if done == 0 and count == 1:
                    entropy = uncertainty
                grown += [
                    (count, log + value, (*ids, i))
                    for value, i in zip(values, indices, strict=True)
                    if value > -math.inf
                ]
            open_ = []
            for count in range(done + 1, most + 1):
                ways = sorted((way for way in grown if way[0] == count), key=lambda way: -way[1])[:width]
                if count == done + 1:
                    for _, log, ids in ways:
                        if (text := self._word(job, place, ids)) is not None:
                            found.setdefault(text, []).append((log, ids))
                else:
                    open_ += ways
            if not open_:
                break
        return MaskFills(place, self._ranked(job, place, found, progress), entropy)

    def _kind(self, i: int) -> str:
        piece = self.tokenizer.convert_ids_to_tokens(i).removeprefix(SPACE)
        return next((kind for kind in map(kind_of, piece) if kind != "mark"), "mark")

    def _edges(self, job: Job, place: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Which pieces can begin a word here, and which can go on, by the kind of its letters."""
        there = shapes(self.tokenizer, self.session.model.config.vocab_size)
        begins, goes, own_begins, own = (shape.to(self.session.device) for shape in there)
        before = self.before(job, place)
        if not before:
            first = begins | own_begins
        elif kind_of(before[-1]) == "letter":
            raise ValueError(TOUCHING.format(before[-1]))
        else:
            first = begins | goes | own_begins | own
        after = job.text[job.tokens[place].end : job.tokens[place].end + 1]
        if after and kind_of(after) in ("letter", "mark"):
            raise ValueError(TOUCHING.format(after))
        return first, {"letter": goes, "own": own, "mark": goes | own}

    def _word(self, job: Job, place: int, ids: tuple[int, ...]) -> str | None:
        """The word that pieces make, or None: it is none, mixes scripts, or the vocabulary spells it otherwise."""
        pieces = self.tokenizer.convert_ids_to_tokens(list(ids))
        text = readable("".join(pieces))
        if text == SPACE or text[0] in NEVER_FIRST or text[-1] in NEVER_LAST or kind_of(text[0]) == "mark":
            return None
        scripts = {unicodedata.name(c, "").partition(" ")[0] for c in text if c.isalpha()}
        if len(scripts) > 1 and kind_of(text[0]) == "letter":
            return None
        if len(ids) > 1 and kind_of(text[0]) == "letter" and not self._spelled(job, place, text, ids):
            return None
        if not self.repeats and text.casefold() in job.text.casefold():
            return None
        return text

    def _spelled(self, job: Job, place: int, text: str, ids: tuple[int, ...]) -> bool:
        try:
            return self._spell(job, place, text) == ids
        except ValueError:
            return False

    def _ranked(
        self, job: Job, place: int, found: dict[str, list[tuple[float, tuple[int, ...]]]], progress: Progress
    ) -> tuple[Fill, ...]:
        """The likeliest words of all lengths, in the order of the pseudo-log-likelihood near them."""
        token = job.tokens[place]
        likely = sorted(found.items(), key=lambda pair: -max(log for log, _ in pair[1]))[: 2 * self.top_k]
        filled, near = [], []
        for text, _ in likely:
            start = token.end - len(MASK_TOKEN)
            filling = job.text[:start] + text + job.text[token.end :]
            tokens = tokens_of(self.session, filling, self.special_tokens)
            inside = [i for i, t in enumerate(tokens) if t.end > start and t.start < start + len(text)]
            window = range(max(0, inside[0] - NEIGHBOURS), min(len(tokens), inside[-1] + 1 + NEIGHBOURS))
            filled.append(tokens)
            near.append([i for i in window if not tokens[i].special])
        scores = pseudo_log_likelihoods(self.session, filled, near, progress=progress)
        fills = []
        for (text, ways), score in zip(likely, scores, strict=True):
            _, ids = max(ways)
            probability = math.fsum(math.exp(log) for log, other in ways if len(other) == len(ids))
            piece = "".join(pieces_at(self.tokenizer, self.before(job, place), ids))
            fills.append(Fill(ids[0], piece, text, probability, ids, math.fsum(score)))
        return tuple(sorted(fills, key=lambda fill: -(fill.score or 0))[: self.top_k])
