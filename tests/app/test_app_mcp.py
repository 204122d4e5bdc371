"""The app as an MCP server: its endpoints as tools, called by the protocol's own client over HTTP."""

from __future__ import annotations

import ast
import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.running_app import ready
from click.testing import CliRunner
from closeness import approximate

import xlmrxl
from xlmrxl.cli.main import main
from xlmrxl.errors import MissingDependencyError

TEXT = "The <mask> is here."


@pytest.fixture(scope="module")
def url(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("mcp")
    with ready(checkpoint, tmp_path_factory.mktemp("app") / "log.txt", "--mcp") as (url, _):
        yield f"{url}/gradio_api/mcp/"


def asked(url: str, ask: Callable[[Any], Awaitable[Any]]) -> Any:
    """What a client learns."""
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def connect() -> Any:
        async with streamable_http_client(url) as (read, write, *_), ClientSession(read, write) as client:
            await client.initialize()
            return await ask(client)

    return asyncio.run(connect())


@pytest.mark.slow
def test_every_endpoint_is_a_tool_whose_arguments_are_explained(url: str) -> None:
    from gradio_client import Client

    tools = asked(url, lambda client: client.list_tools()).tools
    endpoints = Client(url.removesuffix("gradio_api/mcp/"), verbose=False).view_api(return_format="dict")
    assert [f"/{tool.name}" for tool in tools] == list(endpoints["named_endpoints"])
    assert {"fill", "classify", "choose", "model", "load_model"} <= {tool.name for tool in tools}
    for tool in tools:
        assert " Returns: " in tool.description, tool.name
        for name, about in tool.inputSchema["properties"].items():
            assert about["description"], f"{tool.name} does not say what {name} is"


@pytest.mark.slow
def test_tools_answer_as_the_session_does(url: str, checkpoint: Path) -> None:
    session = xlmrxl.load(checkpoint)
    answer = asked(url, lambda client: client.call_tool("fill", {"text": TEXT, "top_k": 3}))
    assert not answer.isError
    assert ast.literal_eval(answer.content[0].text) == approximate(session.fill_mask(TEXT, top_k=3).content())
    asking = {"prompt": "It is.", "choices": ["She.", "He."]}
    answer = asked(url, lambda client: client.call_tool("choose", asking))
    assert ast.literal_eval(answer.content[0].text)["best"] == session.choose("It is.", ["She.", "He."]).best


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tool", "given", "words"),
    [("fill", {"text": "no gap"}, "There is no <mask>"), ("choose", {"prompt": "It", "choices": ["a"]}, "two choices")],
)
def test_what_is_wrong_is_said(url: str, tool: str, given: dict, words: str) -> None:
    answer = asked(url, lambda client: client.call_tool(tool, given))
    assert answer.isError
    assert words in answer.content[0].text
    assert "Traceback" not in answer.content[0].text


def test_docstrings_are_put_into_the_form_that_is_read() -> None:
    gr = pytest.importorskip("gradio")
    from gradio.events import api as endpoint
    from gradio.utils import get_function_description

    from xlmrxl.app.parts import documented

    async def built() -> Any:  # with a loop running Gradio opens none of its own, which it would never close
        with gr.Blocks() as app:

            def api(text: str, count: int = 1) -> str:
                """Do something.

                Carefully: with all of it.

                text: what is
                    written: all of it.
                count: how often.
                Returns what comes of it:
                much.
                """
                return text * count

            endpoint(api, api_name="something")
        documented(app)
        return app

    function = asyncio.run(built()).fns[0].fn
    summary, arguments, returns = get_function_description(function)
    assert function.__name__ == "something"
    assert summary == "Do something. Carefully: with all of it."
    assert arguments == {"text": "what is written: all of it.", "count": "how often."}
    assert returns == ["what comes of it: much."]
    assert list(inspect.signature(function).parameters) == ["text", "count"]


def test_without_the_package_the_app_says_what_to_install(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gradio")
    from xlmrxl.app import launch

    monkeypatch.setitem(sys.modules, "mcp", None)
    words = r"pip install 'gradio\[mcp\]"
    with pytest.raises(MissingDependencyError, match=words):
        launch(xlmrxl.load(checkpoint), mcp=True)
    done = CliRunner().invoke(main, ["app", "--mcp", "--model", str(checkpoint)])
    assert done.exit_code == 1
    assert "pip install 'gradio[mcp]" in done.output
