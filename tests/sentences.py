"""Sentences in several scripts, and the throw-away vocabularies that are made of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import sentencepiece

SENTENCES = [
    "The capital of France is Paris and the capital of Spain is Madrid.",
    "La casa es grande y el perro duerme en el jardín.",
    "Der Hund schläft im Garten, und die Katze sitzt auf dem Dach.",
    "Собака спит в саду, а кошка сидит на крыше.",
    "القطة تنام على السطح والكلب في الحديقة.",
    "कुत्ता बगीचे में सोता है।",
    "狗在花园里睡觉，猫坐在屋顶上。",
    "犬は庭で寝ていて、猫は屋根の上にいます。",
    "สุนัขนอนหลับอยู่ในสวน",
    "How many people live in a small house near the old bridge?",
]


def train_vocabulary(folder: Path, sentences: Iterable[str] = SENTENCES, size: int = 300) -> Path:
    """Return a SentencePiece model of some sentences, with the ids that XLM-R's has: <unk> 0, <s> 1, </s> 2."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*sentences] * 20),
        model_prefix=str(folder / "sentencepiece.bpe"),
        model_type="unigram",
        vocab_size=size,
        hard_vocab_limit=False,
        character_coverage=1.0,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        minloglevel=2,
    )
    return folder / "sentencepiece.bpe.model"
