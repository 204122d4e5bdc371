"""What the frozen encoder knows: topics (SIB-200), choices (XCOPA), translations (Tatoeba).

None of the three sets is trained on. Each function reads the set as its authors publish it and returns figures; chance
or the majority class stands beside each.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from training.masked import PAD_LABEL, SubwordEncoder, pad_rows
from xlmrxl.model.heads import XLMRobertaXLForMaskedLM

TOKENS_AT_ONCE = 8192
PENALTIES = (1e-2, 3e-2, 1e-1, 3e-1)  # of the linear head's weights
SOURCE = "eng_Latn"


def make_batches(lengths: list[int]) -> Iterator[list[int]]:
    """Yield indices of rows of similar length, each group within TOKENS_AT_ONCE after padding."""
    group: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if group and (len(group) + 1) * lengths[index] > TOKENS_AT_ONCE:
            yield group
            group = []
        group.append(index)
    if group:
        yield group


class FrozenModel:
    """A frozen model with its vocabulary, computing in a type that this machine is fast in."""

    def __init__(self, model: XLMRobertaXLForMaskedLM, pieces: SubwordEncoder, dtype: torch.dtype) -> None:
        """Wrap a model with its vocabulary; `dtype` is that of the products."""
        self.model, self.pieces, self.dtype = model, pieces, dtype
        self.mask_id = model.config.vocab_size - 1
        self.device = model.device

    def _fast(self) -> torch.autocast | nullcontext[None]:
        return nullcontext() if self.dtype == torch.float32 else torch.autocast(self.device.type, self.dtype)

    @contextmanager
    def _up_to(self, layer: int | None) -> Iterator[None]:
        """Leave out the layers after the one that follows `layer`: the last that runs ends in the final layer norm."""
        encoder = self.model.roberta.encoder
        whole = encoder.layer
        encoder.layer = whole if layer is None else whole[: layer + 1]
        try:
            yield
        finally:
            encoder.layer = whole

    @torch.inference_mode()
    def compute_features(self, texts: list[str], last: int | None = None) -> Tensor:
        """Return the mean of each text's states, without <s> and </s>: (texts, layers + 1, hidden).

        `last`: the last layer of interest, 0 for the embeddings: (texts, last + 1, hidden), for less work.
        """
        rows = self.pieces.encode_rows(texts)
        config = self.model.config
        count = config.num_hidden_layers + 1 if last is None else last + 1
        out = torch.empty(len(rows), count, config.hidden_size)
        for group in make_batches([len(row) for row in rows]):
            ids, attention_mask = pad_rows([rows[index] for index in group], config.pad_token_id, self.device)
            with self._fast(), self._up_to(last):
                states = self.model.roberta(
                    ids, attention_mask=attention_mask, output_hidden_states=True
                ).hidden_states[:count]
            inner = attention_mask.clone()
            inner[:, 0] = 0
            inner.scatter_(1, attention_mask.sum(1, keepdim=True) - 1, 0)
            weights = (inner / inner.sum(1, keepdim=True).clamp(min=1)).unsqueeze(-1)
            out[group] = torch.stack([(layer.float() * weights).sum(1) for layer in states], dim=1).cpu()
        return out

    @torch.inference_mode()
    def compute_pseudo_likelihood(self, contexts: list[str], texts: list[str], before: list[bool]) -> Tensor:
        """Return the mean log-probability of each text's tokens, hidden one at a time, beside its context: (texts,).

        Args:
            contexts: what stands beside each text and is not scored.
            texts: what is scored.
            before: whether the context stands before its text, or after it.
        """
        rows: list[list[int]] = []
        labels: list[list[int]] = []
        owners: list[int] = []
        encoded = zip(self.pieces.encode(contexts), self.pieces.encode(texts), before, strict=True)
        for owner, (context, text, first) in enumerate(encoded):
            start = 1 + len(context) if first else 1
            row = self.pieces.add_special_tokens(context + text if first else text + context)
            for place in range(start, min(start + len(text), len(row) - 1)):
                rows.append([*row[:place], self.mask_id, *row[place + 1 :]])
                labels.append([row[place] if i == place else PAD_LABEL for i in range(len(row))])
                owners.append(owner)
        sums, counts = torch.zeros(len(texts)), torch.zeros(len(texts))
        for group in make_batches([len(row) for row in rows]):
            ids, attention_mask = pad_rows(
                [rows[index] for index in group], self.model.config.pad_token_id, self.device
            )
            truth, _ = pad_rows([labels[index] for index in group], PAD_LABEL, self.device)
            hidden = truth != PAD_LABEL
            with self._fast():
                logits = self.model(ids, attention_mask=attention_mask, logits_mask=hidden).logits
            scores = -functional.cross_entropy(logits.float(), truth[hidden], reduction="none").cpu()
            places = torch.tensor([owners[index] for index in group])
            sums.index_add_(0, places, scores)
            counts.index_add_(0, places, torch.ones(len(group)))
        return sums / counts


@dataclass(frozen=True)
class Topics:
    """SIB-200: accuracy on a language's test sentences."""

    from_english: float  # the linear head trained on English
    own: float  # the linear head trained on the language itself
    majority: float  # always the class that is most frequent in training


@dataclass(frozen=True)
class TopicFigures:
    """The accuracies on SIB-200 and the layer that they are of."""

    layer: int  # 0 is the embeddings; chosen on the development sentences of all languages
    penalty: float  # the same
    languages: dict[str, Topics]


def probe_topics(reader: FrozenModel, folder: Path, own: bool = True) -> TopicFigures:
    """Train a linear head on frozen features of English sentences alone and score it in each language.

    Its layer and its penalty are those that do best on the development sentences, all languages weighted alike: English
    ones would choose the embeddings, where a head counts words and knows nothing of another language's.
    `own=False` leaves out the heads trained on each language, most of the time.
    """
    names = sorted({row["category"] for row in _read_rows(folder / SOURCE / "train.tsv")})
    train, train_labels = _compute_topic_features(reader, folder / SOURCE / "train.tsv", names)
    heads = {
        (layer, penalty): LinearHead(train[:, layer], train_labels, len(names), penalty)
        for layer in range(train.shape[1])
        for penalty in PENALTIES
    }
    right = dict.fromkeys(heads, 0.0)
    for path in folder.glob("*/dev.tsv"):
        features, labels = _compute_topic_features(reader, path, names)
        for (layer, penalty), head in heads.items():
            right[layer, penalty] += head.accuracy(features[:, layer], labels)
    layer, penalty = max(right, key=right.__getitem__)
    english = heads[layer, penalty]
    majority = Counter(train_labels.tolist()).most_common(1)[0][0]
    out = {}
    for path in sorted(folder.glob("*/test.tsv")):
        features, labels = _compute_topic_features(reader, path, names, layer)
        features = features[:, layer]
        native = float("nan")
        if own:
            mine, mine_labels = _compute_topic_features(reader, path.with_name("train.tsv"), names, layer)
            native = LinearHead(mine[:, layer], mine_labels, len(names), penalty).accuracy(features, labels)
        out[path.parent.name] = Topics(
            english.accuracy(features, labels), native, (labels == majority).double().mean().item()
        )
    return TopicFigures(layer, penalty, out)


def _read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _compute_topic_features(
    reader: FrozenModel, path: Path, names: list[str], last: int | None = None
) -> tuple[Tensor, Tensor]:
    rows = _read_rows(path)
    features = reader.compute_features([row["text"] for row in rows], last)
    # What all sentences of a language share is the language, which would drown what one head can tell in another.
    return features - features.mean(0), torch.tensor([names.index(row["category"]) for row in rows])


class LinearHead:
    """Multinomial logistic regression on standardised features, with an L2 penalty."""

    def __init__(self, features: Tensor, labels: Tensor, classes: int, penalty: float) -> None:
        """Fit by L-BFGS.

        Args:
            features: (n, hidden).
            labels: (n,) classes.
            classes: how many there are.
            penalty: of the squared weights.
        """
        self.mean, self.spread = features.mean(0), features.std(0).clamp(min=1e-6)
        inputs = self._standard(features)
        self.weight = torch.zeros(features.shape[1], classes, requires_grad=True)
        self.bias = torch.zeros(classes, requires_grad=True)
        solver = torch.optim.LBFGS([self.weight, self.bias], max_iter=100, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            solver.zero_grad()
            value = functional.cross_entropy(inputs @ self.weight + self.bias, labels)
            value = value + penalty * self.weight.square().sum()
            value.backward()  # type: ignore[no-untyped-call]
            return value

        solver.step(loss)  # type: ignore[arg-type]

    def _standard(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.spread

    @torch.no_grad()
    def accuracy(self, features: Tensor, labels: Tensor) -> float:
        """Return the share of right answers."""
        guesses = (self._standard(features) @ self.weight + self.bias).argmax(-1)
        return (guesses == labels).double().mean().item()


def probe_choices(reader: FrozenModel, folder: Path) -> dict[str, float]:
    """Return, by language, how often the right one of XCOPA's two choices is the likelier (chance: 0.5).

    The choice is scored beside the premise, after it where it is the effect, before it where it is the cause; the
    model is told nothing else, so this asks it to know what follows from what without a word that says so.
    """
    out = {}
    for path in sorted(folder.glob("*/test.*.jsonl")):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        premises = [row["premise"] for row in rows for _ in "12"]
        texts = [row[f"choice{number}"] for row in rows for number in "12"]
        before = [row["question"] == "effect" for row in rows for _ in "12"]
        scores = reader.compute_pseudo_likelihood(premises, texts, before).view(-1, 2)
        right = scores.argmax(-1) == torch.tensor([row["label"] for row in rows])
        out[path.parent.name] = right.double().mean().item()
    return out


@dataclass(frozen=True)
class Retrieval:
    """Tatoeba: how often a sentence's nearest neighbour among the other language's is its translation."""

    pairs: int
    by_layer: tuple[float, ...]  # the embeddings first; both directions' mean

    @property
    def chance(self) -> float:
        """Return the accuracy of guessing."""
        return 1 / self.pairs


def probe_retrieval(reader: FrozenModel, folder: Path) -> dict[str, Retrieval]:
    """Score translations by language, to and from English: cosine of mean states, each language's mean taken off."""
    out = {}
    for path in sorted(folder.glob("tatoeba.*-eng.eng")):
        language = path.name.split(".")[1].split("-")[0]
        sides = []
        for file in (path.with_suffix(f".{language}"), path):
            sides.append(reader.compute_features(file.read_text(encoding="utf-8").splitlines()))
        found = _score_retrieval(sides)
        out[language] = Retrieval(len(sides[0]), tuple(((found[0] + found[1]) / 2).tolist()))
    return out


def _score_retrieval(sides: list[Tensor]) -> list[Tensor]:
    """Return how often a sentence's nearest neighbour is its translation, by state, to each side.

    Args:
        sides: the (sentences, states, hidden) states of the same sentences in both languages.
    """
    units = [functional.normalize(states - states.mean(0), dim=-1).transpose(0, 1) for states in sides]
    similarity = units[0] @ units[1].transpose(1, 2)
    truth = torch.arange(similarity.shape[-1])
    return [(similarity.argmax(dim) == truth).double().mean(1) for dim in (1, 2)]
