"""Multiple choice against the obvious computation: one mask at a time, the whole model, a full softmax, in float64."""

from __future__ import annotations

import copy
import csv
import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import xlmrxl
from xlmrxl import (
    Session,
    XLMRobertaTokenizer,
    XLMRobertaXLConfig,
    XLMRobertaXLForMultipleChoice,
    XLMRobertaXLForTokenClassification,
)
from xlmrxl.errors import CheckpointError
from xlmrxl.tasks.choose import join_choice, load_connectives
from xlmrxl.tasks.choose_results import ChooseResult

XCOPA = {"et", "ht", "id", "it", "qu", "sw", "ta", "th", "tr", "vi", "zh"}
HOUSE = "The house is old."
PEOPLE = ["How many people live in Paris?", "The bridge of Madrid is near the capital.", "Paris."]
# Prompt, choices, question, language, and as a person would join them: with the prompt, and without.
CASES = [
    (
        HOUSE,
        PEOPLE,
        "cause",
        "en",
        [
            "The house is old because how many people live in Paris?",
            "The house is old because the bridge of Madrid is near the capital.",
            "The house is old because paris.",
        ],
        [
            "because how many people live in Paris?",
            "because the bridge of Madrid is near the capital.",
            "because paris.",
        ],
    ),
    (
        "El perro duerme",
        ["La casa es grande.", "El jardín es grande"],
        "effect",
        "es",
        ["El perro duerme, así que la casa es grande.", "El perro duerme, así que el jardín es grande"],
        ["así que la casa es grande.", "así que el jardín es grande"],
    ),
    (
        "Der Hund schläft.",
        ["Die Katze sitzt im Garten.", "Der Hund sitzt auf dem Dach."],
        None,
        "de",
        ["Der Hund schläft. Die Katze sitzt im Garten.", "Der Hund schläft. Der Hund sitzt auf dem Dach."],
        ["Die Katze sitzt im Garten.", "Der Hund sitzt auf dem Dach."],
    ),
    (
        "狗在花园里睡觉。",
        ["猫坐在屋顶上。", "狗坐在花园里。"],
        "effect",
        "zh",
        ["狗在花园里睡觉，所以猫坐在屋顶上。", "狗在花园里睡觉，所以狗坐在花园里。"],
        ["所以猫坐在屋顶上。", "所以狗坐在花园里。"],
    ),
]


@pytest.fixture(scope="module")
def session(tiny_folder: Path) -> Session:
    return xlmrxl.load(tiny_folder)


@pytest.fixture(scope="module")
def exact(session: Session) -> xlmrxl.XLMRobertaXLForMaskedLM:
    return copy.deepcopy(session.model).double()


def obvious(model: xlmrxl.XLMRobertaXLForMaskedLM, session: Session, text: str, choice: str) -> list[float]:
    """Log-probabilities of the tokens of the choice, with which the text ends."""
    encoding = session.tokenizer(text, return_offsets_mapping=True)
    ids, spans = encoding["input_ids"], encoding["offset_mapping"]
    # Words as a person sees them; in Chinese every piece is one.
    found = [m.span() for m in re.finditer(r"[a-zA-ZäíÄ]+", text)]
    logs = []
    for place in range(1, len(ids) - 1):
        if spans[place][1] <= len(text) - len(choice):
            continue
        # A lone space belongs to the word that it stands before.
        begin = spans[place][0] if spans[place][1] > spans[place][0] else spans[place + 1][0]
        stop = next((end for start, end in found if start <= begin < end), 0)
        hidden = list(ids)
        for i in range(place, len(ids) - 1):
            if i == place or spans[i][0] < stop:
                hidden[i] = session.tokenizer.mask_token_id
        with torch.no_grad():
            logits = model(torch.tensor([hidden])).logits[0, place]
        logs.append(logits.log_softmax(-1)[ids[place]].item())
    return logs


@pytest.mark.parametrize(("prompt", "choices", "question", "language", "wholes", "alones"), CASES)
@pytest.mark.parametrize("normalization", ["pmi", "length", "none"])
def test_scores_are_the_obvious_ones(
    session, exact, prompt, choices, question, language, wholes, alones, normalization
):
    (result,) = session.choose([prompt], [choices], question=question, language=language, normalization=normalization)
    scores = []
    for choice, whole, alone, found in zip(choices, wholes, alones, result.choices, strict=True):
        logs = obvious(exact, session, whole, choice)
        prior = math.fsum(obvious(exact, session, alone, choice))
        assert found.raw == pytest.approx(math.fsum(logs), rel=1e-4)
        if normalization == "pmi":
            assert found.prior == pytest.approx(prior, rel=1e-4)
        else:
            assert found.prior is None
        scores.append({"pmi": math.fsum(logs) - prior, "length": math.fsum(logs) / len(logs), "none": math.fsum(logs)})
    mine = [score[normalization] for score in scores]
    assert [c.text for c in result.choices] == choices
    assert [c.score for c in result.choices] == pytest.approx(mine, rel=1e-3, abs=1e-3)
    assert result.best == mine.index(max(mine))
    probabilities = torch.tensor(mine).softmax(0).tolist()
    assert [c.probability for c in result.choices] == pytest.approx(probabilities, rel=1e-2, abs=1e-6)


def test_words_of_several_pieces_are_among_these_texts(session: Session):
    # Otherwise hiding the later pieces of a word would not be tested above.
    pieces = session.tokenizer.tokenize(PEOPLE[1])
    assert sum(piece.startswith("▁") for piece in pieces) < len(pieces) - 2


@pytest.mark.parametrize(
    ("prompt", "choice", "question", "language", "whole", "alone"),
    [
        ("It rained. ", " The road is wet.", "effect", "en", "It rained, so the road is wet.", "so the road is wet."),
        ("I fell..", "I'm tired.", "cause", "en", "I fell because I'm tired.", "because I'm tired."),
        ("It rained.", "It was May.", "cause", "en", "It rained because it was May.", "because it was May."),
        ("Why?", "NASA said so.", "cause", "en", "Why? because NASA said so.", "because NASA said so."),
        ("It rained.", '"No," I said.', None, "en", 'It rained. "No," I said.', '"No," I said.'),
        ("Cebi boş.", "İş buldum.", "effect", "tr", "Cebi boş, bu yüzden iş buldum.", "bu yüzden iş buldum."),
        ("Cebi boş.", "Irmak aktı.", "cause", "tr", "Cebi boş, çünkü ırmak aktı.", "çünkü ırmak aktı."),
        ("कुत्ता सोता है।", "वह थका है।", "cause", "hi", "कुत्ता सोता है क्योंकि वह थका है।", "क्योंकि वह थका है।"),
        ("نام الكلب.", "هو متعب.", "effect", "ar", "نام الكلب، لذلك هو متعب.", "لذلك هو متعب."),
        ("它很小。", "它很易碎。", "cause", "zh", "它很小，因为它很易碎。", "因为它很易碎。"),
        ("它很小。", "它很易碎。", None, "zh", "它很小。它很易碎。", "它很易碎。"),
        ("家に蟻がいる。", "家が古い。", "cause", "ja", "家に蟻がいる。なぜなら、家が古い。", "なぜなら、家が古い。"),
        ("ปลวกกินบ้าน", "บ้านเก่า", "cause", "th", "ปลวกกินบ้านเพราะบ้านเก่า", "เพราะบ้านเก่า"),
        ("The Chinese word is", "狗", None, "en", "The Chinese word is 狗", "狗"),
        ("他买了", "iPhone", None, "zh", "他买了 iPhone", "iPhone"),
    ],
)
def test_texts_are_joined_as_people_write_them(prompt, choice, question, language, whole, alone):
    both = join_choice(prompt, choice, question, language)
    assert [scored.text for scored in both] == [whole, alone]
    assert all(scored.text[scored.begin :].casefold().endswith(choice.strip()[2:].casefold()) for scored in both)
    assert {len(scored.text) - scored.begin for scored in both} == {len(choice.strip())}


def test_there_are_connectives_for_the_languages_that_are_promised():
    assert XCOPA | {"en", "de", "fr", "es", "pt", "ru", "ar", "hi", "ja"} <= set(load_connectives())
    for entry in load_connectives().values():
        assert set(entry) <= {"cause", "effect", "capitals", "lower"}
        assert entry["cause"].strip() == entry["cause"] != entry["effect"] == entry["effect"].strip()


def test_many_prompts_give_the_same_as_one_by_one_in_order(session: Session):
    prompts = [case[0] for case in CASES]
    choices = [case[1] for case in CASES]
    questions = [case[2] for case in CASES]
    languages = [case[3] for case in CASES]
    together = session.choose(prompts * 2, choices * 2, question=questions * 2, language=languages * 2)
    for i, result in enumerate(together):
        k = i % len(CASES)
        (alone,) = session.choose(prompts[k : k + 1], [choices[k]], question=questions[k], language=languages[k])
        assert (result.prompt, result.question, result.source) == (prompts[k], questions[k], alone.source)
        for a, b in zip(result.choices, alone.choices, strict=True):
            assert a.text == b.text
            assert (a.raw, a.prior, a.score) == pytest.approx((b.raw, b.prior, b.score), rel=1e-4, abs=1e-3)
    assert session.choose([], []) == []


def test_a_prior_that_prompts_share_is_scored_once(session: Session):
    def tokens(prompts: list[str], normalization: str) -> int:
        calls: list[tuple[int, int]] = []
        session.choose(
            prompts, [PEOPLE] * len(prompts), normalization=normalization, progress=lambda *x: calls.append(x)
        )
        assert calls[-1][0] == calls[-1][1]
        return calls[-1][1]

    count = tokens([HOUSE], "none")
    assert tokens([HOUSE], "pmi") == 2 * count
    assert tokens([HOUSE, "El perro duerme.", "Paris is near."], "pmi") == 4 * count


def test_what_the_vocabulary_cannot_spell_is_not_scored_and_is_said(session: Session, exact):
    choice = "The house \U0001f600 is old."
    (result,) = session.choose([HOUSE], [[choice, "Paris."]])
    logs = obvious(exact, session, f"{HOUSE} {choice}", choice)
    ids = session.tokenizer(choice, add_special_tokens=False)["input_ids"][-len(logs) :]
    logs = [log for log, i in zip(logs, ids, strict=True) if i != session.tokenizer.unk_token_id]
    assert [c.unknown for c in result.choices] == ["\U0001f600", ""]
    assert "(not scored: \U0001f600)" in str(result)
    assert len(logs) < len(ids)
    assert result.choices[0].raw == pytest.approx(math.fsum(logs), rel=1e-4)


def test_what_progress_raises_stops_the_work(session: Session):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.choose([HOUSE], [PEOPLE], progress=stop)


def test_what_a_result_prints(session: Session):
    (result,) = session.choose([HOUSE], [PEOPLE], question="cause")
    values = json.loads(result.to_json())
    assert values["best"] == result.best
    assert [choice["text"] for choice in values["choices"]] == PEOPLE
    assert values["choices"][1]["prior"] == result.choices[1].prior
    assert values["source"]["settings"] == {
        "method": "pseudo-log-likelihood",
        "question": "cause",
    }
    rows = list(csv.DictReader(io.StringIO(result.to_csv())))
    assert [row["choice"] for row in rows] == PEOPLE
    assert [row["best"] for row in rows].index("True") == result.best
    printed = str(result).splitlines()
    assert printed[0] == "The house is old. (cause?)"
    assert [line.startswith("→") for line in printed[1:]].index(True) == result.best
    assert result._repr_html_().endswith(f"{result.to_html(interactive=False)}</div>")


@pytest.mark.parametrize(
    ("prompts", "choices", "options", "words"),
    [
        ([HOUSE], [["Paris."]], {}, "Prompt 1 has 1 choice"),
        ([HOUSE], [[]], {}, "Prompt 1 has 0 choice"),
        ([HOUSE, HOUSE], [PEOPLE, ["Paris.", " "]], {}, "Choice 2 of prompt 2 is empty"),
        ([HOUSE], [["Paris.", "Madrid.", " Paris."]], {}, "Prompt 1 has the choice 'Paris.' twice"),
        ([" "], [PEOPLE], {}, "Prompt 1 is empty"),
        (["."], [PEOPLE], {"question": "cause"}, "Prompt 1 is empty"),
        (["The <mask> is old."], [PEOPLE], {}, "<mask> stands in 'The <mask> is old.' of prompt 1"),
        ([HOUSE], [["Paris.", "</s>"]], {"special_tokens": True}, "Choice '</s>' of prompt 1 has nothing"),
        ([HOUSE], ["Paris."], {}, "Prompt 1 has 1 choice"),
        ([HOUSE], PEOPLE, {}, "1 prompts and 3 lists of choices"),
        ([HOUSE], [["Paris.", "Paris is old. " * 20]], {}, "Choice 'Paris is old. .* of prompt 1: The text has"),
        ([HOUSE], [["Paris.", "\U0001f600"]], {}, "Choice '\U0001f600' of prompt 1 has nothing that the vocabulary"),
        ([HOUSE], [["Paris.", "\u200b"]], {}, "of prompt 1 has nothing that the vocabulary can spell"),
        ([HOUSE], [["Paris.", "\ud800"]], {}, "surrogate"),
        ([HOUSE], [PEOPLE, PEOPLE], {}, "1 prompts and 2 lists of choices"),
        ([HOUSE], [PEOPLE], {"question": "why"}, "question is 'why'; it must be one of cause, effect"),
        ([HOUSE], [PEOPLE], {"question": ["cause", "effect"]}, "1 prompts and 2 values of question"),
        ([HOUSE], [PEOPLE], {"question": "cause", "language": "xx"}, "language 'xx', only for ar, de, en"),
        ([HOUSE], [PEOPLE], {"normalization": "best"}, "normalization is 'best'; it must be one of pmi, length, none"),
    ],
)
def test_wrong_texts_and_options_get_a_sentence(session: Session, prompts, choices, options, words):
    with pytest.raises(ValueError, match=words) as error:
        session.choose(prompts, choices, **options)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("prompts", "choices", "words"),
    [
        ([HOUSE], "Paris", "choices is a list"),
        ([HOUSE], None, "choices is a list"),
        ([HOUSE], [math.nan], r"choices\[0\] is nan"),
        ([HOUSE], [["Paris.", math.nan]], r"choices\[0\]\[1\] is nan"),
        ([math.nan], [PEOPLE], r"prompts\[0\] is nan"),
    ],
)
def test_what_is_no_text_gets_a_sentence(session: Session, prompts, choices, words: str):
    with pytest.raises(TypeError, match=words):
        session.choose(prompts, choices)


@pytest.fixture(scope="module")
def head(tmp_path_factory, vocabulary_file: Path, tiny_config: XLMRobertaXLConfig) -> Session:
    folder = tmp_path_factory.mktemp("choice")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        XLMRobertaXLForMultipleChoice(copy.deepcopy(tiny_config)).save_pretrained(folder)
    XLMRobertaTokenizer(vocabulary_file).save_pretrained(folder)
    return xlmrxl.load(folder)


def test_the_head_weighs_the_pairs(head: Session):
    prompts = [HOUSE, "El perro duerme.", "狗在花园里睡觉。"]
    choices = [PEOPLE, ["La casa es grande.", "El jardín."], ["猫。", "屋顶上。", "狗坐在花园里。", "Paris"]]
    results = head.choose(prompts, choices)
    exact = copy.deepcopy(head.model).double()
    for prompt, texts, result in zip(prompts, choices, results, strict=True):
        logits = []
        for text in texts:
            ids = head.tokenizer(prompt, text, return_tensors="pt")["input_ids"]
            with torch.no_grad():
                logits.append(exact.classifier(exact.roberta(ids).pooler_output).item())
        assert [c.raw for c in result.choices] == pytest.approx(logits, rel=1e-4, abs=1e-5)
        assert [c.score for c in result.choices] == [c.raw for c in result.choices]
        expected = torch.tensor(logits).softmax(0).tolist()
        assert [c.probability for c in result.choices] == pytest.approx(expected, rel=1e-3)
        assert len({c.raw for c in result.choices}) == len(texts)
        assert result.source.settings == {"method": "head"}


def test_what_a_head_cannot_do_gets_a_sentence(head: Session):
    with pytest.raises(ValueError, match="question is for a masked language model"):
        head.choose([HOUSE], [PEOPLE], question="cause")
    with pytest.raises(ValueError, match=r"Prompt 1 with its choice 'Paris is old\..* the model reads at most 64"):
        head.choose([HOUSE], [["Paris.", "Paris is old. " * 20]])
    tagger = XLMRobertaXLForTokenClassification(copy.deepcopy(head.model.config))
    with pytest.raises(CheckpointError, match="a head for masked language modelling"):
        Session(tagger, head.tokenizer, "tagger", "fp32").choose([HOUSE], [PEOPLE])


# What is to be learnt: France is right, Spain is wrong.
TAUGHT = [
    ("The capital is near the bridge.", ["The house of France is old.", "The house of Spain is old."], 0),
    ("El perro duerme.", ["La casa de Spain.", "La casa de France."], 1),
    ("Der Hund schläft.", ["Die Katze France.", "Die Katze Spain.", "Der Hund Spain."], 0),
    ("How many people live in Paris?", ["People in Spain.", "People in France."], 1),
    ("Paris is old.", ["The capital of Spain is near.", "The capital of France is near."], 1),
    ("The dog is old.", ["France is the capital.", "Spain is the capital."], 0),
    ("Madrid.", ["A small house in France.", "A small house in Spain."], 0),
]


def test_taught_choices_are_a_logistic_regression_on_differences(session: Session):
    pytest.importorskip("sklearn")
    prompts, choices, answers = zip(*TAUGHT, strict=True)
    taught = session.fit_chooser(prompts, choices, answers, state=2, pooling="mean", C=2.0)
    differences = []
    for prompt, texts, right in TAUGHT:
        states = []
        for text in texts:
            ids = session.tokenizer(f"{prompt} {text}", return_tensors="pt")["input_ids"]
            with torch.no_grad():
                hidden = session.model.roberta(ids, output_hidden_states=True).hidden_states[2]
            states.append(hidden[0, 1:-1].double().mean(0))
        differences += [states[right] - state for i, state in enumerate(states) if i != right]
    x = torch.stack(differences)
    spread = x.square().mean(0).sqrt()
    # The same objective by plain descent: |w|²/2 + 1/penalty Σ log(1 + exp(-wx)), every example and its opposite.
    w = torch.zeros(x.shape[1], dtype=torch.double, requires_grad=True)
    solver = torch.optim.LBFGS([w], max_iter=500, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        solver.zero_grad()
        value = w.square().sum() / 2 + 2 / 0.5 * torch.nn.functional.softplus(-(x / spread) @ w).sum()
        value.backward()
        return value

    solver.step(loss)
    assert (taught.state, taught.pooling) == (2, "mean")
    expected = (w.detach() / spread).float()
    torch.testing.assert_close(taught.weight, expected, rtol=1e-2, atol=1e-2 * expected.abs().max().item())
    assert 0 <= taught.accuracy <= 1

    results = taught.choose(prompts, choices)
    assert [result.best for result in results] == list(answers)
    gap = results[0].choices[0].score - results[0].choices[1].score
    assert gap == pytest.approx((x[0] @ taught.weight.double()).item(), rel=1e-2)
    assert isinstance(results[0], ChooseResult)
    assert results[0].source.settings["method"] == "linear"


def test_taught_choices_find_the_layer_that_knows(session: Session):
    pytest.importorskip("sklearn")
    prompts, choices, answers = zip(*TAUGHT, strict=True)
    taught = session.fit_chooser(prompts, choices, answers)
    # In the means of the embeddings nothing else tells the choices apart.
    assert (taught.state, taught.pooling, taught.accuracy) == (0, "mean", 1.0)
    (result,) = taught.choose(["The garden is old."], [["Near Spain.", "Near France.", "In Spain."]])
    assert result.best == 1


def test_wrong_teaching_gets_a_sentence(session: Session, head: Session):
    pytest.importorskip("sklearn")
    prompts, choices, answers = map(list, zip(*TAUGHT, strict=True))
    with pytest.raises(ValueError, match="Answer 7 is 2; it must be an index of the choices, 0 to 1"):
        session.fit_chooser(prompts, choices, [*answers[:-1], 2])
    with pytest.raises(ValueError, match="7 prompts and 6 answers"):
        session.fit_chooser(prompts, choices, answers[:-1])
    with pytest.raises(ValueError, match="give at least 5"):
        session.fit_chooser(prompts[:4], choices[:4], answers[:4])
    with pytest.raises(ValueError, match="C is 0"):
        session.fit_chooser(prompts, choices, answers, C=0)
    for wrong in (True, 0.5, "0", None):  # a boolean says that a choice is right, not which one
        with pytest.raises(TypeError, match=f"Answer 1 is {wrong!r}; it must be the index of the right choice"):
            session.fit_chooser(prompts, choices, [wrong, *answers[1:]])
    taught = session.fit_chooser(prompts, choices, answers, state=0, pooling="mean")
    for kind in (float, np.int64):  # as data sets have them
        same = session.fit_chooser(prompts, choices, list(map(kind, answers)), state=0, pooling="mean")
        torch.testing.assert_close(same.weight, taught.weight)
