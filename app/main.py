"""The whole app: the header, the tabs, and how they are served."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import gradio as gr

from xlmrxl.app import handlers, render
from xlmrxl.app.attention import attention_tab
from xlmrxl.app.choose import choose_tab
from xlmrxl.app.classify import classify_tab
from xlmrxl.app.compare import compare_tab
from xlmrxl.app.fill import fill_tab
from xlmrxl.app.handlers import Run, here
from xlmrxl.app.links import Linked, opened
from xlmrxl.app.served import Served
from xlmrxl.app.states import states_tab
from xlmrxl.app.theme import head, look

if TYPE_CHECKING:
    from xlmrxl.session import Session

TITLE = "xlmrxl: look inside XLM-RoBERTa-XL"
QUEUE = 256  # waiting visitors beyond which the app says that it is busy
TABS: dict[str, tuple[str, Callable[[Served, Run], Linked]]] = {
    "fill": ("Fill masks", fill_tab),
    "classify": ("Classify", classify_tab),
    "choose": ("Choose", choose_tab),
    "attention": ("Attention", attention_tab),
    "states": ("Hidden states", states_tab),
    "compare": ("Precisions", compare_tab),
}


def create_app(session: Session, *, run: Run = here) -> gr.Blocks:
    """Build the app around a loaded model. Nothing is served yet; its look is given at launch, see `theme.look`.

    Every function that runs the model goes through `run`: on a Space with a GPU by the call, what fetches the GPU.
    """
    served = Served(session)
    app = gr.Blocks(title=TITLE, analytics_enabled=False)
    with app:
        header = render.header_html(handlers.model_line(served.session))
        gr.HTML(header, apply_default_css=False, js_on_load=None, elem_id="header")
        linked = {}
        with gr.Tabs() as tabs:
            for name in handlers.tabs(session):
                title, build = TABS[name]
                with gr.Tab(title, id=name) as tab:
                    linked[name] = build(served, run)
                tab.select(None, js=f"() => window.xlmrxl.turn({name!r})", api_visibility="private")
        opened(app, tabs, linked)
    app.queue(max_size=QUEUE, default_concurrency_limit=2)
    return app


def launch(
    session: Session,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    share: bool = False,
    open_browser: bool = True,
    block: bool = True,
    run: Run = here,
) -> gr.Blocks:
    """Serve the app until it is interrupted, or in the background if not `block`; `close()` on what returns ends it.

    For `run` see `create_app`.
    """
    app = create_app(session, run=run)
    app.launch(
        server_name=host,
        server_port=port,
        share=share,
        inbrowser=open_browser,
        prevent_thread_lock=not block,
        ssr_mode=False,
        run_history=False,
        footer_links=["api"],
        head=head(),
        **look(),
    )
    return app
