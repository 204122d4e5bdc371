"""Run transformers 4.37.2's own tests of models and configs, on its classes or on those of xlmrxl.

    python tests/peer/model_tests.py SDIST theirs|ours

SDIST is its unpacked source distribution, whose folder `tests` has what is common to the tests of all models. What a
test of one model adds is written here: the classes, a small config and inputs. Prints a JSON object with an outcome for
each test: "passed", "skipped: …" or "failed: …".
"""

from __future__ import annotations

import importlib
import json
import sys
import types
import unittest
from pathlib import Path

HEADS = ("CausalLM", "MaskedLM", "SequenceClassification", "TokenClassification", "MultipleChoice", "QuestionAnswering")
SIZES = {
    "vocab_size": 99,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 37,
    "max_position_embeddings": 64,
    "type_vocab_size": 16,
    "initializer_range": 0.02,
}


def open_tests(sdist: Path) -> None:
    """Let the tests of a source distribution be imported.

    They import examples of somebody's own classes, which it does not carry and the tests that are run do not use.
    """
    sys.path.insert(0, str(sdist))
    for name in ("", ".custom_configuration", ".custom_tokenization", ".custom_tokenization_fast"):
        module = types.ModuleType(f"test_module{name}")
        module.__path__ = []  # type: ignore[attr-defined]
        for example in ("CustomConfig", "NoSuperInitConfig", "CustomTokenizer", "CustomTokenizerFast"):
            setattr(module, example, type(example, (), {}))
        sys.modules[module.__name__] = module


def make_classes(sdist: Path, library: object) -> list[type[unittest.TestCase]]:
    """Return the test cases, for the classes of a library."""
    open_tests(sdist)
    common = importlib.import_module("tests.test_modeling_common")
    configs = importlib.import_module("tests.test_configuration_common")

    class Tester:
        batch_size, seq_length, is_training = 13, 7, True
        num_choices, type_sequence_label_size = 4, 2

        def __init__(self, parent: unittest.TestCase) -> None:
            self.parent = parent

        def prepare_config_and_inputs_for_common(self) -> tuple[object, dict[str, object]]:
            shape = [self.batch_size, self.seq_length]
            inputs = {
                "input_ids": common.ids_tensor(shape, SIZES["vocab_size"]),
                "token_type_ids": common.ids_tensor(shape, SIZES["type_vocab_size"]),
                "attention_mask": common.random_attention_mask(shape),
            }
            return library.XLMRobertaXLConfig(**SIZES), inputs

    for name in ("num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size"):
        setattr(Tester, name, SIZES[name])

    class Models(common.ModelTesterMixin, unittest.TestCase):
        all_model_classes = (
            library.XLMRobertaXLModel,
            *(getattr(library, f"XLMRobertaXLFor{head}") for head in HEADS),
        )
        all_generative_model_classes = (library.XLMRobertaXLForCausalLM,)

        def setUp(self) -> None:
            self.model_tester = Tester(self)

    tester = configs.ConfigTester

    class Configs(unittest.TestCase):
        pass

    # Each part of what the peer runs together is a test of its own.
    parts = [name for name in dir(tester) if name.startswith(("create_and_test_", "check_"))]
    for part in parts:

        def run(self: unittest.TestCase, part: str = part) -> None:
            arguments = {"hidden_size": 37, "num_attention_heads": 37}
            getattr(tester(self, config_class=library.XLMRobertaXLConfig, **arguments), part)()

        setattr(Configs, f"test_{part}", run)
    return [Models, Configs]


class Outcomes(unittest.TestResult):
    """Keeps a word for each test."""

    def __init__(self) -> None:
        super().__init__()
        self.words: dict[str, str] = {}

    def _keep(self, test: unittest.TestCase, word: str) -> None:
        name = test.id().rpartition(".")[0].rpartition(".")[2] + "." + test.id().rpartition(".")[2]
        self.words.setdefault(name, word)

    def addSuccess(self, test: unittest.TestCase) -> None:
        self._keep(test, "passed")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self._keep(test, f"skipped: {reason}")

    def _fail(self, test: unittest.TestCase, error: tuple) -> None:
        said = str(error[1]).strip() or error[0].__name__
        self._keep(test, f"failed: {error[0].__name__}: {said[:300]}")

    addFailure = addError = _fail

    def addSubTest(self, test: unittest.TestCase, _: unittest.TestCase, error: tuple | None) -> None:
        if error is not None:
            self._fail(test, error)


def main() -> None:
    sdist, whose = Path(sys.argv[1]).resolve(), sys.argv[2]
    library = importlib.import_module("xlmrxl" if whose == "ours" else "transformers")
    if whose == "ours":
        auto = importlib.import_module("transformers.models.auto.modeling_auto")
        auto.MODEL_MAPPING.register(library.XLMRobertaXLConfig, library.XLMRobertaXLModel, exist_ok=True)
    outcomes = Outcomes()
    for case in make_classes(sdist, library):
        unittest.defaultTestLoader.loadTestsFromTestCase(case).run(outcomes)
    print(json.dumps(outcomes.words, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
