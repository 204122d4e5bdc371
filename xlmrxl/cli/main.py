"""The command line: one command a task, each with `--json` for programs."""

from __future__ import annotations

import gc
import importlib.util
import json
import re
import sys
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from xlmrxl import row_tasks
from xlmrxl.checkpoints.hub import DEFAULT, find_local_folder
from xlmrxl.cli.options import (
    Files,
    encoding_option,
    failing,
    file_options,
    json_option,
    model_options,
    show_examples,
    table_options,
    task_options,
    text_column_option,
)
from xlmrxl.cli.text_arguments import GivenText, read_document, read_texts
from xlmrxl.errors import InputError, MissingDependencyError
from xlmrxl.progress import show_progress
from xlmrxl.quantization.precision import list_quantized
from xlmrxl.space.command import space
from xlmrxl.tables.decoding import check_encoding
from xlmrxl.tables.table_options import TableOptions
from xlmrxl.tasks.options import (
    AnswerOptions,
    ChooseOptions,
    ClassifyOptions,
    CompareOptions,
    FillOptions,
    FitClassifierOptions,
    TagOptions,
)
from xlmrxl.version import __version__

if TYPE_CHECKING:
    from xlmrxl.session import Session
    from xlmrxl.tasks.result import Result

LARGE = 100_000_000
"""Parameters from which it matters to a person which precision was taken."""
EVERYWHERE = ("0.0.0.0", "::")
ALONE = ("127.0.0.1", "localhost", "::1")


def load_model(model: str, precision: str, **options: Any) -> Session:
    """Load a session, or exit with one sentence on why there is none."""
    from xlmrxl.session import load  # noqa: PLC0415 - torch takes a second, which --help need not wait for

    with failing():
        session = load(model, precision=precision, **options)
    if precision == "auto" and session.model.num_parameters() >= LARGE:
        click.echo(f"{session.precision}: {session.reason}", err=True)
    return session


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="xlmrxl")
def main() -> None:
    """Look inside XLM-RoBERTa-XL, a masked language model of 100 languages."""


def check_given(given: Any, files: Files | None, name: str) -> None:
    """Refuse a command that has both texts and a file, or neither."""
    if not given and files is None:
        raise click.UsageError(f"Missing argument '{name}', or --input and --output.")
    if given and files is not None:
        raise click.UsageError(f"Give {name} or --input, not both.")


def standard_input() -> BinaryIO:
    """Return the bytes of the standard input.

    Raises:
        InputError: there is none.
    """
    stream: BinaryIO | None = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise InputError("There is no standard input to read - from.")
    return stream


def given_texts(given: Sequence[str], column: str, table: TableOptions) -> list[GivenText]:
    """Return the texts that the arguments of a command stand for."""
    with failing():
        return read_texts(given, standard_input, column, table)


def show_each(
    texts: Sequence[GivenText],
    items: Sequence[Any],
    call: Callable[[list[Any]], Sequence[Result]],
    example: Any,
    as_json: bool,
) -> None:
    """Show the result of each text, say with its place what is wrong with one, and exit with 1 if there was such.

    Args:
        texts: as they were given.
        items: what `call` takes for each of them.
        call: returns the results of several items.
        example: a good item.
        as_json: whether to print JSON.
    """
    readable = [item for text, item in zip(texts, items, strict=True) if not text.error]
    with failing():
        found = iter(row_tasks.answer_each(call, readable, example) if readable else [])
    answers = [InputError(text.error) if text.error else next(found) for text in texts]
    if len(answers) == 1 and isinstance(answers[0], Exception) and not texts[0].place:
        raise click.ClickException(str(answers[0]))
    show([answer for answer in answers if not isinstance(answer, Exception)], as_json)
    for number, (text, answer) in enumerate(zip(texts, answers, strict=True), 1):
        if isinstance(answer, Exception):
            said = re.sub("^Text 1 ", "It ", str(answer).removeprefix("Text 1: "))  # each was asked about alone
            click.echo(said if text.error else f"{text.place or f'Text {number}'}: {said}", err=True)
    if any(isinstance(answer, Exception) for answer in answers):
        raise click.exceptions.Exit(1)


def show(results: Sequence[Result], as_json: bool) -> None:
    """Print results for people, or a line of JSON each."""
    for number, result in enumerate(results):
        if as_json:
            click.echo(result.to_json())
        else:
            click.echo(f"\n{result}" if number else str(result))


@main.command()
@click.argument("texts", nargs=-1, metavar="TEXT...")
@task_options(FillOptions)
@json_option
@file_options
@text_column_option
@model_options
@show_examples(
    'xlmrxl fill "The capital of France is <mask>."',
    "xlmrxl fill --input sentences.csv --output filled.csv --method words",
)
def fill(
    texts: tuple[str, ...],
    options: FillOptions,
    as_json: bool,
    files: Files | None,
    table: TableOptions,
    text_column: str,
    **model: Any,
) -> None:
    """Fill every <mask> in each TEXT.

    A TEXT that names a file stands for its lines, or for the texts of a table; - for the lines of the standard input. A
    bad one is named, the others are filled, and the exit status is 1.

    Letters that go on with what stands before them begin with …: app and …ear make appear. Signs, and characters of
    scripts without spaces, begin with ▁ where a space is before them.

    In --output, `fills` has the fills of each mask, `fill` the best one of each, and `begins_word` whether there is a
    space before that.
    """
    check_given(texts, files, "TEXT...")
    given = given_texts(texts, text_column, table)
    session = load_model(**model)
    if files is not None:
        files.run(session, row_tasks.fill(session, options, text_column))
        return

    def call(part: list[str]) -> Sequence[Result]:
        return session.fill_mask(part, **options.to_dict(), progress=len(part) == len(given))

    show_each(given, [each.text for each in given], call, "<mask>", as_json)


@main.command()
@click.argument("texts", nargs=-1, metavar="TEXT...")
@click.option(
    "--text-pair", "text_pairs", multiple=True, metavar="TEXT", help="The second text of a pair; one for each TEXT."
)
@task_options(ClassifyOptions, columns=True)
@json_option
@file_options
@text_column_option
@click.option("--text-pair-column", help="Column with the second texts of pairs; text_pair for entailment.")
@click.option(
    "--classifier",
    "classifier_folder",
    type=click.Path(path_type=Path),
    help="A folder that `xlmrxl fit-classifier` wrote, instead of labels.",
)
@click.option("--attribute", is_flag=True, help="Show what each word of a TEXT does for its label.")
@model_options
@show_examples(
    'xlmrxl classify "The match went to extra time." --labels sports,politics,travel',
    "xlmrxl classify --input reviews.csv --output rated.csv --task sentiment",
)
def classify(
    texts: tuple[str, ...],
    text_pairs: tuple[str, ...],
    options: ClassifyOptions,
    option_columns: dict[str, str],
    as_json: bool,
    files: Files | None,
    table: TableOptions,
    text_column: str,
    text_pair_column: str | None,
    classifier_folder: Path | None,
    attribute: bool,
    **model: Any,
) -> None:
    """Say which label fits each TEXT, by a cloze or by the model's own head.

    A TEXT that names a file stands for its lines, or for the texts of a table; - for the lines of the standard input. A
    bad one is named, the others are classified, and the exit status is 1.

    In --output, `label` is the best, `score` its score, and `scores` has those of all. `truncated` says whether the
    model read less than the whole text.
    """
    check_given(texts, files, "TEXT...")
    if attribute and files is not None:
        raise click.UsageError("--attribute is for TEXT, not for --input.")
    given = given_texts(texts, text_column, table)
    items: list[Any] = [each.text for each in given]
    if text_pairs:
        if len(text_pairs) != len(items):
            raise click.UsageError(
                f"There are {len(items)} texts, but {len(text_pairs)} --text-pair. Give one for each."
            )
        items = list(zip(items, text_pairs, strict=True))
    if options.task == "entailment":
        text_pair_column = text_pair_column or "text_pair"
    session = load_model(**model)
    with failing():
        classifier = None
        if classifier_folder is not None:
            from xlmrxl.tasks.linear_classifier import LinearClassifier  # noqa: PLC0415

            classifier = LinearClassifier.load(classifier_folder, session)
            if options.special_tokens and not classifier.special_tokens:
                raise InputError(
                    "--classifier reads texts as its examples were read: fit it with --special-tokens instead."
                )
    if files is not None:
        task = row_tasks.classify(session, options, text_column, text_pair_column, option_columns, classifier)
        files.run(session, task)
        return

    def call(part: list[Any]) -> Sequence[Result]:
        if attribute:
            return [
                session.attribute(item, **options.to_dict()) if classifier is None else classifier.attribute(item)
                for item in part
            ]
        progress = len(part) == len(given)
        if classifier is None:
            return session.classify(part, **options.to_dict(), progress=progress)
        return classifier.classify(part, progress=progress)

    first, second = " ".join(row_tasks.EXAMPLE), row_tasks.EXAMPLE[1]  # two words, of which --attribute leaves one out
    show_each(given, items, call, (first, second) if text_pairs else first, as_json)


@main.command()
@click.argument("examples", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--test", type=click.Path(path_type=Path), help="A file like EXAMPLES to report the accuracy on.")
@click.option("--text-column", default="text", show_default=True)
@click.option("--label-column", default="label", show_default=True)
@click.option("--language-column", help="Of --test: report by language, and take off what a language's texts share.")
@task_options(FitClassifierOptions)
@json_option
@table_options
@model_options
@show_examples(
    "xlmrxl fit-classifier reviews.csv my-classifier --test more-reviews.csv",
    'xlmrxl classify "A lovely book." --classifier my-classifier',
)
def fit_classifier(
    examples: Path,
    folder: Path,
    test: Path | None,
    text_column: str,
    label_column: str,
    language_column: str | None,
    options: FitClassifierOptions,
    as_json: bool,
    table: TableOptions,
    **model: Any,
) -> None:
    """Fit a classifier on EXAMPLES, a file with texts and their labels, and write it into FOLDER.

    A linear classifier on the model's frozen features; 8 examples of each label will do. Labels are texts, or in .jsonl
    and .parquet whole numbers or booleans; results carry them as texts.
    """
    with failing():
        table.check([examples, *([] if test is None else [test])])
        texts, labels = row_tasks.read_examples(examples, text_column, label_column, table=table)
        held_out = None
        if test is not None:
            held_out = row_tasks.read_examples(test, text_column, label_column, language_column, table)
    session = load_model(**model)
    with failing():
        classifier = session.fit_classifier(texts, labels, **options.to_dict())
        classifier.save(folder)
        click.echo(
            f"{folder}: state {classifier.state}, pooling {classifier.pooling}, "
            f"cross-validated {classifier.accuracy:.1%}",
            err=True,
        )
        if held_out is not None:
            languages = held_out[2] if language_column else None
            show([classifier.report(held_out[0], held_out[1], languages, center=bool(languages))], as_json)


@main.command()
@click.argument("prompt", required=False)
@click.argument("choices", nargs=-1, metavar="CHOICE CHOICE...")
@task_options(ChooseOptions, columns=True)
@json_option
@file_options
@click.option("--prompt-column", default="prompt", show_default=True, help="Column of --input with the prompts.")
@click.option("--choices-column", help="Column with lists of choices; choices, or choice1, choice2 … if not given.")
@model_options
@show_examples(
    'xlmrxl choose "It rained." "The street is wet." "The street is long." --question effect',
    "xlmrxl choose --input questions.jsonl --output answers.jsonl --prompt-column premise --question-column question",
)
def choose(
    prompt: str | None,
    choices: tuple[str, ...],
    options: ChooseOptions,
    option_columns: dict[str, str],
    as_json: bool,
    files: Files | None,
    table: TableOptions,
    prompt_column: str,
    choices_column: str | None,
    **model: Any,
) -> None:
    """Say which CHOICE goes best with the PROMPT.

    In --output, `choice` is the number of the best, from 0, `choice_text` the choice itself, and `scores` has the
    scores of all in their order.
    """
    check_given(prompt, files, "PROMPT CHOICE CHOICE...")
    if files is None and table != TableOptions():
        raise click.UsageError("--delimiter, --quoting and --encoding are for --input.")
    session = load_model(**model)
    if files is None:
        with failing():
            show([session.choose(prompt or "", list(choices), **options.to_dict())], as_json)
    else:
        files.run(session, row_tasks.choose(session, options, prompt_column, choices_column, option_columns))


@main.command()
@click.argument("texts", nargs=-1, required=True, metavar="TEXT...")
@task_options(TagOptions)
@json_option
@text_column_option
@table_options
@model_options
@show_examples(
    'xlmrxl tag "Angela lives in Kyiv." --model FOLDER',
)
def tag(
    texts: tuple[str, ...],
    options: TagOptions,
    as_json: bool,
    text_column: str,
    table: TableOptions,
    **model: Any,
) -> None:
    """Label the words of each TEXT, of any length, with a model that has a head for it.

    A TEXT that names a file stands for its lines, or for the texts of a table; - for the lines of the standard input. A
    bad one is named, the others are labelled, and the exit status is 1.
    """
    given = given_texts(texts, text_column, table)
    session = load_model(**model)

    def call(part: list[str]) -> Sequence[Result]:
        return session.tag(part, **options.to_dict())

    show_each(given, [each.text for each in given], call, row_tasks.EXAMPLE[0], as_json)


@main.command()
@click.argument("question")
@click.argument("context")
@task_options(AnswerOptions)
@json_option
@encoding_option
@model_options
@show_examples(
    'xlmrxl answer "Where does Angela live?" "Angela lives in Kyiv." --model FOLDER',
)
def answer(question: str, context: str, options: AnswerOptions, as_json: bool, encoding: str, **model: Any) -> None:
    """Find the answer to a QUESTION in a CONTEXT, with a model that has a head for it.

    A CONTEXT that names a file stands for all of it, - for all of the standard input.
    """
    with failing():
        text = read_document(context, standard_input, check_encoding(encoding))
    session = load_model(**model)
    with failing():
        show([session.answer(question, text, **options.to_dict())], as_json)


@main.command()
@model_options
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 lets other machines in.")
@click.option("--port", default=None, type=click.IntRange(1, 65535), help="The first free one from 7860 if not given.")
@click.option("--share", is_flag=True, help="Make a public link through Gradio's servers.")
@click.option("--allow", multiple=True, metavar="NAME", help="A model that visitors may load instead; give several.")
@click.option("--mcp", is_flag=True, help="Be an MCP server too, whose tools are the app's endpoints.")
@click.option("--browser/--no-browser", default=True, help="Open a browser window.")
@show_examples(
    "xlmrxl app --host 0.0.0.0 --allow facebook/xlm-roberta-xl --mcp",
)
def app(
    host: str, port: int | None, share: bool, allow: tuple[str, ...], mcp: bool, browser: bool, **options: Any
) -> None:
    """Open the app in a browser.

    Its tab Model loads other models: those of --allow; without it, any, but only where no other machine is let in.
    """
    if importlib.util.find_spec("gradio") is None:
        raise click.ClickException(str(MissingDependencyError("The app needs Gradio", "app")))
    if mcp and importlib.util.find_spec("mcp") is None:
        raise click.ClickException(str(MissingDependencyError("The MCP server needs the package mcp", "mcp")))
    with failing():
        for name in allow:
            find_local_folder(name)  # says what is wrong with a path before anything is loaded
    alone = host in ALONE and not share
    from xlmrxl.app.waiting import Waiting  # noqa: PLC0415

    with on_port(host):
        page = Waiting(host, port, options["model"])
    try:
        if browser:
            webbrowser.open(f"http://{'127.0.0.1' if host in EVERYWHERE else host}:{page.port}")
        with show_progress(True, f"Loading {options['model']}") as bar:

            def both(done: int, total: int) -> None:
                bar(done, total)
                page(done, total)

            with pause_garbage_collection():
                import xlmrxl.session  # noqa: PLC0415, F401 - torch
            gc.freeze()  # torch stays; not the model, which may be freed for another
            loading = {name: options[name] for name in ("device", "embeddings_8bit", "force")}
            session = load_model(**options, progress=both)
        with pause_garbage_collection(), nullcontext() if mcp else hide_module("mcp"):
            from xlmrxl.app import launch  # noqa: PLC0415 - while the page is up: Gradio takes seconds
            from xlmrxl.app.served import Served  # noqa: PLC0415
        served = Served(session, None if alone and not allow else allow, loading)
        del session  # it is the app's, which may free it for another
    finally:
        page.close()
    with on_port(host), pause_garbage_collection():
        running = launch(served, mcp=mcp, host=host, port=page.port, share=share, open_browser=False, block=False)
    running.block_thread()


@contextmanager
def pause_garbage_collection() -> Iterator[None]:
    """Keep the garbage collector from what makes much that stays, as imports do.

    It would go over all of it again and again: a quarter of the time from the command to the app.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def hide_module(name: str) -> Iterator[None]:
    """Let a package look as if it were not installed.

    Gradio imports mcp wherever it finds it, which takes longer than the rest of Gradio.
    """
    hidden = name not in sys.modules
    if hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            del sys.modules[name]


@contextmanager
def on_port(host: str) -> Iterator[None]:
    """Turn a port that cannot be had into one message."""
    try:
        yield
    except OSError as error:
        raise click.ClickException(f"The app could not start on {host} ({error}). Choose another --port.") from error


@main.command()
@click.argument("model", default=DEFAULT)
@click.option("--json", "as_json", is_flag=True, help="Print JSON; sizes in bytes.")
@click.option("--embeddings-8bit", is_flag=True, help="With the word embeddings in 8 bits.")
@show_examples(
    "xlmrxl plan facebook/xlm-roberta-xxl",
)
def plan(model: str, as_json: bool, embeddings_8bit: bool) -> None:
    """Show how much memory MODEL takes at each precision, and what fits this machine. Reads its config only."""
    from xlmrxl.model.config import XLMRobertaXLConfig  # noqa: PLC0415
    from xlmrxl.plan import make_plan  # noqa: PLC0415

    with failing():
        table = make_plan(model, XLMRobertaXLConfig.from_pretrained(model), embeddings_8bit=embeddings_8bit)
    click.echo(json.dumps(table.to_dict()) if as_json else str(table))


@main.command()
@click.argument("source")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--precision", required=True, type=click.Choice(list_quantized()))
@click.option("--double-quant/--no-double-quant", default=True, help="In 4 bits, quantise the scales too.")
@click.option("--embeddings-8bit", is_flag=True, help="The word embeddings too; transformers does not read these.")
@click.option("--max-shard-size", default="1GB", show_default=True, help="Of a file; about as much memory is used.")
@show_examples(
    "xlmrxl quantize facebook/xlm-roberta-xl xl-4bit --precision 4bit",
)
def quantize(source: str, target: Path, precision: str, **options: Any) -> None:
    """Write SOURCE with 8-bit or 4-bit weights into the folder TARGET, which then loads at once."""
    from xlmrxl.quantize import quantize as write  # noqa: PLC0415

    with failing():
        folder = write(source, target, precision, **options)
    size = sum(path.stat().st_size for path in folder.iterdir())
    click.echo(f"{folder}: {size / 1e9:.2f} GB, {precision}. Load it with: xlmrxl fill --model {target} TEXT")


@main.command()
@click.argument("texts", nargs=-1, required=True, metavar="TEXT...")
@task_options(CompareOptions)
@click.option("--model", default=DEFAULT, show_default=True, help="A name on the Hub, a folder, or the embedded model.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 or mps.")
@click.option("--force", is_flag=True, help="Load even what does not fit the free memory.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@text_column_option
@table_options
@show_examples(
    'xlmrxl compare "The capital of France is <mask>." --precisions fp32,8bit,4bit',
)
def compare(
    texts: tuple[str, ...],
    options: CompareOptions,
    model: str,
    as_json: bool,
    text_column: str,
    table: TableOptions,
    **load: Any,
) -> None:
    """Show what quantisation does to TEXT: its fills in each precision, and how far they are apart.

    A TEXT that names a file stands for its lines, or for the texts of a table; - for the lines of the standard input.
    In texts without <mask> 15 % of the tokens are hidden.
    """
    from xlmrxl.tasks.compare_precisions import compare_precisions  # noqa: PLC0415

    given = given_texts(texts, text_column, table)
    if bad := next((each.error for each in given if each.error), ""):
        raise click.ClickException(bad)
    with failing():
        result = compare_precisions(model, [each.text for each in given], **options.to_dict(), **load)
    click.echo(json.dumps(result.to_dict(), ensure_ascii=False) if as_json else str(result))


main.add_command(space)


if __name__ == "__main__":
    main()
