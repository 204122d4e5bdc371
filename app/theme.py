"""The look of the app as what Gradio's `launch()` takes: a theme without outside fonts, and the style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import plotly

from xlmrxl.app.languages import INTERFACE
from xlmrxl.palette import PALETTE, STEPS, css_variables
from xlmrxl.rendering.style import style_sheet
from xlmrxl.views.export import write_json
from xlmrxl.views.protocol import EXPLORER

STATIC = Path(__file__).parent / "static"
SCRIPT = STATIC / "built" / "app.js"
"""What the page does in the browser, built from the modules in `static/`."""
TRANSLATIONS = Path(__file__).parent / "translations"
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"

# Gradio serves both Plex families itself; scripts they lack fall through to what the reader's system has.
SANS = (gr.themes.LocalFont("IBM Plex Sans"), "Noto Sans", "Segoe UI", "Helvetica Neue", "Arial", "sans-serif")
MONO = (gr.themes.LocalFont("IBM Plex Mono"), "Noto Sans Mono", "Menlo", "Consolas", "monospace")


def _make_color(name: str, steps: Sequence[str]) -> gr.themes.Color:
    """Return a colour of Gradio's, whose steps it calls c50 to c950."""
    return gr.themes.Color(**{"name": name, **{f"c{step}": color for step, color in zip(STEPS, steps, strict=True)}})


def theme() -> gr.themes.Base:
    """Hairlines instead of boxes, square corners, one hue; light and dark."""
    base = gr.themes.Base(
        primary_hue=_make_color(PALETTE.name, PALETTE.hue),
        secondary_hue=_make_color(PALETTE.name, PALETTE.hue),
        neutral_hue=_make_color("slate", PALETTE.grey),
        radius_size=gr.themes.Size("0px", "1px", "2px", "2px", "3px", "3px", "4px", name="radius_square"),
        font=SANS,
        font_mono=MONO,
    )
    return base.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_900",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        background_fill_primary="white",
        background_fill_primary_dark="*neutral_900",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_border_width_dark="0px",
        block_padding="0px",
        block_shadow="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_title_text_color="*neutral_600",
        block_title_text_color_dark="*neutral_400",
        block_title_text_size="13px",
        block_title_text_weight="600",
        border_color_primary="*neutral_300",
        border_color_primary_dark="*neutral_700",
        input_background_fill="white",
        input_background_fill_dark="*neutral_900",
        input_background_fill_focus="white",
        input_background_fill_focus_dark="*neutral_900",
        input_border_color="*neutral_400",
        input_border_color_dark="*neutral_600",
        input_border_color_focus="*primary_600",
        input_border_color_focus_dark="*primary_400",
        input_border_width="1px",
        input_shadow="none",
        input_shadow_focus="none",
        input_shadow_focus_dark="none",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_dark="*primary_300",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_200",
        button_primary_text_color="white",
        button_primary_text_color_dark="*neutral_950",
        button_secondary_background_fill="transparent",
        button_secondary_background_fill_dark="transparent",
        button_secondary_background_fill_hover="*neutral_200",
        button_secondary_background_fill_hover_dark="*neutral_800",
        button_secondary_border_color="*neutral_400",
        button_secondary_border_color_dark="*neutral_600",
        button_border_width="1px",
        slider_color="*primary_700",
        slider_color_dark="*primary_300",
    )


def look() -> dict[str, Any]:
    """Keyword arguments for `Blocks.launch()` and `gr.mount_gradio_app()`: Gradio 6 takes the look there."""
    return {"theme": theme(), "css": css_variables(":root", ":root .dark"), "css_paths": [STATIC / "app.css"]}


def head() -> str:
    """Return the script in the head of the page, and where it fetches the explorer, plotly.js and other languages."""
    gr.set_static_paths([EXPLORER, PLOTLY, *TRANSLATIONS.glob("*.json")])  # anybody reads what is there
    fetched = {"explorer": EXPLORER, "plotly": PLOTLY, "translations": TRANSLATIONS}
    addresses = {name: f"gradio_api/file={path.as_posix()}" for name, path in fetched.items()}
    return (
        f"<style>{style_sheet()}</style>"  # as it is: what Gradio is given as css it takes apart
        f"<script>window.xlmrxlAddresses = {write_json({**addresses, 'languages': INTERFACE})};</script>"
        f"<script>{SCRIPT.read_text(encoding='utf-8')}</script>"
    )
