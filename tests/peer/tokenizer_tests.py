"""Run the tokenizer tests that transformers 4.37.2 has of its own on the tokenizer of xlmrxl.

    python tests/peer/tokenizer_tests.py SDIST

runs inside an environment that has transformers 4.37.2 and xlmrxl; SDIST is the unpacked source distribution, whose
`tests/test_tokenization_common.py` is run twice: on its own two tokenizers of XLM-RoBERTa, and on the one here. The
vocabulary is trained on the README of the distribution, so nothing is fetched. `tokenizer_tests_left.json` says which
tests fail here, and why; one that starts to pass or to fail is an error.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
import unittest
import warnings
from pathlib import Path
from typing import Any

import _pytest.doctest
import _pytest.pathlib

# Their helpers, which processes that their tests start import as well, take this name from where pytest 7 had it.
_pytest.doctest.import_path = _pytest.pathlib.import_path  # type: ignore[attr-defined]

LEFT = Path(__file__).with_name("tokenizer_tests_left.json")
TEXT = "The capital of France is Paris, and the capital of Spain is Madrid.\nThis is a test of many plain words.\n"


def train_vocabulary(sdist: Path, folder: Path) -> Path:
    """Train a small SentencePiece model on the README of the distribution, and return its file."""
    import sentencepiece

    lines = [line for line in (sdist / "README.md").read_text(encoding="utf-8").splitlines() if line.strip()]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*lines, *TEXT.splitlines()]),
        model_prefix=str(folder / "sentencepiece.bpe"),
        vocab_size=1000,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return folder / "sentencepiece.bpe.model"


def make_test_case(mixin: type, vocabulary: Path, slow: Any, fast: Any) -> type[unittest.TestCase]:
    """Return the tests of the mixin for a slow and a fast tokenizer class."""

    class TokenizerTest(mixin, unittest.TestCase):  # type: ignore[misc]
        tokenizer_class = slow
        rust_tokenizer_class = fast
        test_rust_tokenizer = True
        test_sentencepiece = True

        def setUp(self) -> None:
            """Save a tokenizer where the tests look for it; what they would fetch is that one as well."""
            self.tmpdirname = tempfile.mkdtemp()
            slow(str(vocabulary)).save_pretrained(self.tmpdirname)
            self.pretrained = tempfile.mkdtemp()
            shutil.copy(vocabulary, self.pretrained)
            self.tokenizers_list = [(fast, self.pretrained, {})]
            self._data = TEXT

        def tearDown(self) -> None:
            """Remove both folders."""
            for folder in (self.tmpdirname, self.pretrained):
                shutil.rmtree(folder, ignore_errors=True)

    return TokenizerTest


def run_test_case(case: type[unittest.TestCase]) -> dict[str, str]:
    """Return what came of each test: "passed", "skipped: why" or "failed: the last line of the error"."""
    outcomes: dict[str, str] = {}
    for test in unittest.defaultTestLoader.loadTestsFromTestCase(case):
        name = test.id().rpartition(".")[2]
        if os.environ.get("TRACEBACKS"):
            print(name, file=sys.stderr, flush=True)
        result = unittest.TestResult()
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            test.run(result)
        wrong = [*result.errors, *result.failures]
        if wrong:
            outcomes[name] = "failed: " + wrong[0][1].strip().splitlines()[-1][:200]
        elif result.skipped:
            outcomes[name] = f"skipped: {result.skipped[0][1]}"
        else:
            outcomes[name] = "passed"
        if os.environ.get("TRACEBACKS") and wrong:
            print(name, wrong[0][1], sep="\n", file=sys.stderr)
    return outcomes


def run(sdist: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Run the tests on the tokenizers of transformers, then on that of xlmrxl.

    Args:
        sdist: the unpacked source distribution of transformers 4.37.2.

    Returns:
        The outcome of each test, theirs and ours.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("PYTEST_TIMEOUT", "60")  # of the processes that their tests start
    sys.path.insert(0, str(sdist))
    import transformers
    from tests.test_tokenization_common import TokenizerTesterMixin

    import xlmrxl

    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as folder:
        vocabulary = train_vocabulary(sdist, Path(folder))
        theirs, ours = (
            run_test_case(make_test_case(TokenizerTesterMixin, vocabulary, *classes))
            for classes in (
                (transformers.XLMRobertaTokenizer, transformers.XLMRobertaTokenizerFast),
                (xlmrxl.XLMRobertaTokenizer, xlmrxl.XLMRobertaTokenizer),
            )
        )
    return theirs, ours


def compare(theirs: dict[str, str], ours: dict[str, str], left: dict[str, str]) -> list[str]:
    """Return what is not as the table says: of the tests that pass on theirs, those in it fail here, the others pass.

    Args:
        theirs: the outcome of each test on the tokenizers of transformers.
        ours: the outcome on that of xlmrxl.
        left: why a test fails here, by its name.
    """
    wrong = [f"{name} is in the table, but there is no such test." for name in left.keys() - theirs.keys()]
    for name, outcome in theirs.items():
        if name in left and (outcome != "passed" or not ours[name].startswith("failed")):
            wrong.append(f"{name} is in the table, but {outcome} on theirs and {ours[name]} here. Take it out.")
        if name not in left and outcome == "passed" and ours[name] != "passed":
            wrong.append(f"{name} {ours[name]}")
    return sorted(wrong)


def main() -> int:
    """Run both and print what came of each test; returns 1 if it is not as the table says."""
    theirs, ours = run(Path(sys.argv[1]).resolve())
    left = json.loads(LEFT.read_text(encoding="utf-8"))
    for name, outcome in theirs.items():
        print(f"{name}\n    theirs: {outcome}\n    ours: {ours[name]}")
        if name in left:
            print(f"    why: {left[name]}")
    passed = [name for name, outcome in theirs.items() if outcome == "passed"]
    print(f"{len(passed)} pass on theirs; {sum(ours[name] == 'passed' for name in passed)} of them here.")
    wrong = compare(theirs, ours, left)
    print("\n".join(wrong) or "All as the table says.")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
