"""The whole evaluation of a checkpoint, as the Markdown that stands in its card. None of the data is trained on.

    python -m training.evaluate --model xlmrxl/default --eval EVAL --encoded ENCODED

EVAL is a folder of `heldout/<source>/<language>.txt` and of the public sets `sib200`, `xcopa` and `tatoeba` as their
authors publish them; what is not there is left out. ENCODED is the encoded training text, which the baselines count;
without it they are left out. Most of the time goes into SIB-200's 205 heads trained each on a language of its own, the
part `own`: `--only masked,sentences` takes two minutes on two cores.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from training import masked, probes
from training.corpus import EncodedCorpus
from training.masked import Compared, MaskedFigures, Score, SubwordEncoder
from training.pretrain import choose_dtype
from xlmrxl.model.config import XLMRobertaXLConfig
from xlmrxl.model.heads import XLMRobertaXLForMaskedLM
from xlmrxl.session import Session
from xlmrxl.tasks.fill_results import FillResult
from xlmrxl.tokenization.tokenizer import VOCAB_NAME, XLMRobertaTokenizer

PAGE = Path(__file__).with_name("sentences.tsv")
PARTS = ("masked", "sentences", "sib200", "own", "xcopa", "tatoeba")
FOLDERS = {"masked": "heldout", "sib200": "sib200", "xcopa": "xcopa", "tatoeba": "tatoeba"}
FILLS = 5
ABOVE = 0.15  # over the majority class, for a topic head to count as well above it


@dataclass(frozen=True)
class Sentence:
    """One line of the page a person judges."""

    language: str
    text: str
    fits: str  # a word that would fit, in the writer's mind; others may as well


@dataclass(frozen=True)
class Report:
    """Every figure of the evaluation; None where its data was not given."""

    masked: MaskedFigures | None = None
    sentences: list[tuple[Sentence, FillResult]] | None = None
    topics: probes.TopicFigures | None = None
    choices: dict[str, float] | None = None
    retrieval: dict[str, probes.Retrieval] | None = None

    def to_markdown(self) -> str:
        """Return the sections whose figures are there, as they stand in the card."""
        sections: list[tuple[object, Callable[[], str]]] = [
            (self.masked, self._masked),
            (self.sentences, self._sentences),
            (self.topics, self._topics),
            (self.choices, self._choices),
            (self.retrieval, self._retrieval),
        ]
        return "\n\n".join(write() for figures, write in sections if figures is not None)

    def _masked(self) -> str:
        assert self.masked is not None
        figures = self.masked
        lines = f"up to {figures.lines} lines a language" if figures.lines else "all lines"
        rows = [("model", figures.mean)]
        for name, title in (("ngrams", "n-grams of both sides"), ("frequent", "most frequent tokens")):
            if (score := figures.baseline(name)) is not None:
                rows.append((title, score))
        columns = ["masks", "top-1 %", "top-5 %", "perplexity"]

        def cells(score: Score) -> list[str]:
            return [f"{score.masks:,}", *format_percents(score), f"{score.perplexity:.0f}"]

        def beside(title: str, compared: dict[str, Compared]) -> str:
            return format_table(
                [title, *columns, "n-grams: top-1 %", *columns[2:]],
                [
                    [name, *cells(each.model), *(["–"] * 3 if each.ngrams is None else cells(each.ngrams)[1:])]
                    for name, each in compared.items()
                ],
            )

        summary = format_table(["mean over languages", *columns], [[name, *cells(score)] for name, score in rows])
        by_source, by_language = beside("source", figures.sources), beside("language", figures.languages)
        by_place = format_table(["place", *columns], [[name, *cells(score)] for name, score in figures.places.items()])
        return (
            f"### Masked tokens\n\nHeld-out lines ({', '.join(figures.sources)}), {lines}, cut at {masked.LONGEST} "
            f"tokens, {masked.MASKED:.0%} of the tokens hidden; languages weighted alike, the mean's perplexity is of "
            "the mean loss. The baselines are counted, language by language, on the training text and fill the same "
            f"masks.\n\n{summary}\n\n{by_source}\n\n{by_language}\n\nThe same lines run together to rows of as many "
            f"tokens as the model reads, by the place of the hidden token:\n\n{by_place}"
        )

    def _sentences(self) -> str:
        assert self.sentences is not None
        rows = [
            [sentence.language, sentence.text.replace("|", "\\|"), sentence.fits, ", ".join(list_fills(result))]
            for sentence, result in self.sentences
        ]
        return (
            f"### {len(rows)} everyday sentences\n\nThe {FILLS} most probable fills of each mask, beside a word that "
            f"the writer had in mind.\n\n{format_table(['', 'sentence', 'one that fits', 'fills'], rows)}"
        )

    def _topics(self) -> str:
        assert self.topics is not None
        figures = self.topics
        each = figures.languages
        above = sum(t.from_english >= t.majority + ABOVE for t in each.values())
        count = len(each)
        mean = {name: sum(getattr(t, name) for t in each.values()) / count for name in ("from_english", "own")}
        majority = next(iter(each.values())).majority
        # A head of a language's own is left out where it was not trained: not a number.
        rows = [
            [name, f"{100 * t.from_english:.1f}", "–" if t.own != t.own else f"{100 * t.own:.1f}"]
            for name, t in sorted(each.items(), key=lambda item: -item[1].from_english)
        ]
        own = (
            "" if mean["own"] != mean["own"] else f"; a head trained on the language itself, {100 * mean['own']:.1f} %"
        )
        return (
            "### Topics (SIB-200)\n\nAccuracy of a linear head on frozen features on the test sentences, seven topics: "
            f"the mean state after layer {figures.layer}, which does best on the development sentences of all "
            "languages, the mean of the language's sentences taken off. Trained on English alone, mean of "
            f"{count} languages: "
            f"{100 * mean['from_english']:.1f} %{own}. The majority class: {100 * majority:.1f} %. At least "
            f"{100 * ABOVE:.0f} points above it: {above} languages.\n\n"
            f"<details><summary>All languages</summary>\n\n"
            f"{format_table(['language', 'trained on English %', 'on itself %'], rows)}\n\n</details>"
        )

    def _choices(self) -> str:
        assert self.choices is not None
        rows = [[name, f"{100 * accuracy:.1f}"] for name, accuracy in self.choices.items()]
        mean = sum(self.choices.values()) / len(self.choices)
        return (
            f"### Choices (XCOPA)\n\nThe likelier of two choices beside the premise, by the mean pseudo-log-likelihood "
            f"of its tokens, without any training. Mean: {100 * mean:.1f} %, chance: 50 % (a language has 500 "
            f"questions: up to 54 % may still be chance).\n\n{format_table(['language', 'accuracy %'], rows)}"
        )

    def _retrieval(self) -> str:
        assert self.retrieval is not None
        each = list(self.retrieval.values())
        layers = range(len(each[0].by_layer))
        means = [sum(r.by_layer[layer] for r in each) / len(each) for layer in layers]
        chance = sum(r.chance for r in each) / len(each)
        best = max(layers, key=means.__getitem__)
        by_layer = format_table(
            ["layer", *map(str, layers)], [["mean accuracy %", *(f"{100 * mean:.1f}" for mean in means)]]
        )
        rows = [
            [name, f"{r.pairs:,}", f"{100 * r.by_layer[best]:.1f}", f"{100 * r.by_layer[-1]:.1f}"]
            for name, r in sorted(self.retrieval.items(), key=lambda item: -item[1].by_layer[best])
        ]
        return (
            f"### Translations (Tatoeba)\n\nHow often a sentence's nearest neighbour (cosine of mean states, each "
            f"language's mean taken off) in the other language is its translation, both directions, mean of "
            f"{len(each)} languages with English. Layer 0 is the embeddings. Chance: {100 * chance:.1f} %.\n\n"
            f"{by_layer}\n\n<details><summary>All languages</summary>\n\n"
            f"{format_table(['language', 'pairs', f'after layer {best} %', 'after the last %'], rows)}\n\n</details>"
        )

    def to_json(self) -> str:
        """Return all figures as JSON."""
        sentences = self.sentences and [
            {**asdict(sentence), "fills": list_fills(result)} for sentence, result in self.sentences
        ]
        figures = {
            "masked": self.masked and {"mean": asdict(self.masked.mean), **asdict(self.masked)},
            "sentences": sentences,
            "sib200": self.topics and asdict(self.topics),
            "xcopa": self.choices,
            "tatoeba": self.retrieval and {name: asdict(r) for name, r in self.retrieval.items()},
        }
        return json.dumps(figures, ensure_ascii=False, indent=1)


def format_table(header: list[str], rows: list[list[str]]) -> str:
    """Return a table as Markdown, columns of figures to the right."""
    right = [bool(rows) and all(row[i][:1].isdigit() or row[i] == "–" for row in rows) for i in range(len(header))]
    lines = [header, ["---:" if figures else "---" for figures in right], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def format_percents(score: Score) -> list[str]:
    """Return top-1 and top-5 in per cent."""
    return [f"{100 * score.top1:.1f}", f"{100 * score.top5:.1f}"]


def list_fills(result: FillResult) -> list[str]:
    """Return the texts of the fills of the first mask."""
    return [fill.text for fill in result.masks[0].fills]


def read_page(path: Path = PAGE) -> list[Sentence]:
    """Return the sentences that a person judges."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Sentence(row["language"], row["sentence"], row["fits"]) for row in rows]


def make_report(
    model: XLMRobertaXLForMaskedLM,
    vocabulary: Path,
    data: Path,
    text: EncodedCorpus | None,
    lines: int,
    parts: tuple[str, ...] = PARTS,
) -> Report:
    """Evaluate everything of `parts` whose data is there."""
    wanted = {part for part in parts if part not in FOLDERS or (data / FOLDERS[part]).is_dir()}
    reader = probes.FrozenModel(model, SubwordEncoder.for_model(model, vocabulary), choose_dtype(model.device))
    sentences = read_page() if "sentences" in wanted else []
    session = Session(model, XLMRobertaTokenizer(vocabulary), "", "fp32")
    fills = session.fill_mask([sentence.text for sentence in sentences], top_k=FILLS)
    return Report(
        masked=masked.evaluate_masked(model, vocabulary, data / "heldout", lines, text) if "masked" in wanted else None,
        sentences=list(zip(sentences, fills, strict=True)) or None,
        topics=probes.probe_topics(reader, data / "sib200", own="own" in wanted) if "sib200" in wanted else None,
        choices=probes.probe_choices(reader, data / "xcopa") if "xcopa" in wanted else None,
        retrieval=probes.probe_retrieval(reader, data / "tatoeba") if "tatoeba" in wanted else None,
    )


def load_model(path: Path) -> XLMRobertaXLForMaskedLM:
    """Load a checkpoint folder, a run's state, or transplanted weights, in float32."""
    if path.is_dir():
        model: XLMRobertaXLForMaskedLM = XLMRobertaXLForMaskedLM.from_pretrained(path)
        return model.float().eval()
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    model = XLMRobertaXLForMaskedLM(XLMRobertaXLConfig(**state["config"]))
    model.load_state_dict(state["model"])
    return model.eval()


def parse_parts(names: str) -> tuple[str, ...]:
    """Return the parts named, with commas.

    Raises:
        argparse.ArgumentTypeError: there is no such part.
    """
    parts = tuple(names.split(","))
    if unknown := set(parts) - set(PARTS):
        raise argparse.ArgumentTypeError(
            f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}."
        )
    return parts


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of an evaluation, here and when a run is exported."""
    parser.add_argument("--eval", type=Path, required=True, help="a folder of heldout, sib200, xcopa and tatoeba")
    parser.add_argument("--lines", type=int, default=0, help="of the held-out text, a language; 0 for all")
    parser.add_argument("--only", type=parse_parts, default=PARTS, help=f"some of {','.join(PARTS)}")


def main() -> None:
    """Evaluate a checkpoint and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="a checkpoint folder, or a run's state.pt")
    parser.add_argument("--vocabulary", type=Path, help="the sentencepiece model; by default the folder's own")
    parser.add_argument("--encoded", type=Path, help="the encoded training text, for the baselines")
    add_options(parser)
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    options = parser.parse_args()
    if options.vocabulary is None and not options.model.is_dir():
        parser.error("a state holds no vocabulary: give --vocabulary.")
    vocabulary = options.vocabulary or options.model / VOCAB_NAME
    text = EncodedCorpus(options.encoded) if options.encoded else None
    found = make_report(load_model(options.model), vocabulary, options.eval, text, options.lines, options.only)
    print(found.to_markdown())
    if options.json:
        options.json.write_text(found.to_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
