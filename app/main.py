"""The whole app: the header, the tabs, and how they are served."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import gradio as gr
from fastapi.exceptions import RequestValidationError
from gradio.blocks import Block
from starlette.middleware import Middleware

from xlmrxl.app import handlers, render
from xlmrxl.app.attention import attention_tab
from xlmrxl.app.choose import choose_tab
from xlmrxl.app.classify import classify_tab
from xlmrxl.app.compare import compare_tab
from xlmrxl.app.fill import fill_tab
from xlmrxl.app.guests import KEPT, LOOPBACK, WAITING, Blocks, Guests, not_understood
from xlmrxl.app.handlers import Run, here
from xlmrxl.app.handlers.teaching import MAX_FILE
from xlmrxl.app.links import Linked, opened
from xlmrxl.app.model import model_tab
from xlmrxl.app.parts import documented
from xlmrxl.app.served import Served
from xlmrxl.app.states import states_tab
from xlmrxl.app.theme import head, look
from xlmrxl.errors import MissingDependencyError

if TYPE_CHECKING:
    from xlmrxl.session import Session

TITLE = "xlmrxl: look inside XLM-RoBERTa-XL"
SESSIONS = 500  # visitors of whom anything is kept, a quarter of a megabyte each; of more, the first are forgotten
TABS: dict[str, tuple[str, Callable[[Served, Run], Linked]]] = {
    "fill": ("Fill masks", fill_tab),
    "classify": ("Classify", classify_tab),
    "choose": ("Choose", choose_tab),
    "attention": ("Attention", attention_tab),
    "states": ("Hidden states", states_tab),
    "compare": ("Precisions", compare_tab),
    "model": ("Model", model_tab),
}


def create_app(session: Session | Served, *, run: Run = here, models: str | Sequence[str] | None = ()) -> gr.Blocks:
    """Build the app around a loaded model. Nothing is served yet; its look is given at launch, see `theme.look`.

    Args:
        session: the model; a `Served` says for itself which others may be loaded.
        run: every function that runs the model goes through it: on a Space with a GPU by the call that fetches the GPU.
        models: the other models that a visitor may load in its place, None for any that there is. Only for an app that
            nobody else can reach: a visitor of it reads whatever folder of a model this process can read.
    """
    served = session if isinstance(session, Served) else Served(session, models)
    switching = run is here and served.models != {}
    # Gradio counts its visitors by pandas, after every event over all of them; nobody asks for the figures.
    os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(10**12))
    app = Blocks(title=TITLE, analytics_enabled=False, delete_cache=(60, KEPT))
    with app:
        header = gr.HTML(_header(served), apply_default_css=False, js_on_load=None, elem_id="header")
        linked = {}
        with gr.Tabs() as tabs:
            possible = handlers.possible_tabs if switching else handlers.tabs
            for name in possible(served.session):
                title, build = TABS[name]
                with gr.Tab(title, id=name) as tab:
                    linked[name] = build(served, run)
                tab.select(None, js=f"() => window.xlmrxl.links.showTab({name!r})", api_visibility="private")

        def now() -> dict[Block, Any]:
            """What is not as it was built, since another model is loaded."""
            if not served.changed or not served.there:
                return {}
            changes: dict[Block, Any] = {header: gr.update(value=_header(served))}
            for each in linked.values():
                changes |= each.model(served.session)
            return changes

        opened(app, tabs, linked, now, header)
    documented(app)
    app.queue(max_size=WAITING, default_concurrency_limit=2)
    return app


def _header(served: Served) -> str:
    return render.render_header(handlers.model_line(served.session))


def launch(
    session: Session | Served,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    share: bool = False,
    open_browser: bool = True,
    block: bool = True,
    run: Run = here,
    models: str | Sequence[str] | None = (),
    mcp: bool = False,
) -> gr.Blocks:
    """Serve the app until it is interrupted, or in the background if not `block`; `close()` on what returns ends it.

    For `session`, `run` and `models` see `create_app`; with `mcp` its endpoints are the tools of an MCP server as well.

    Raises:
        ModuleNotFoundError: `mcp` without the package of that name.
    """
    if mcp and find_spec("mcp") is None:
        raise MissingDependencyError("The MCP server needs the package mcp", "mcp")
    app = create_app(session, run=run, models=models)
    del session  # so that the model can be freed for another, where nobody else holds it
    app.launch(
        server_name=host,
        server_port=port,
        share=share,
        inbrowser=open_browser,
        prevent_thread_lock=not block,
        ssr_mode=False,
        run_history=False,
        footer_links=["api"],
        mcp_server=mcp,
        max_file_size=MAX_FILE,
        state_session_capacity=SESSIONS,
        enable_monitoring=False,
        app_kwargs={
            "middleware": [Middleware(Guests, local=host in LOOPBACK and not share)],
            "exception_handlers": {RequestValidationError: not_understood},
        },
        head=head(),
        **look(),
    )
    return app
