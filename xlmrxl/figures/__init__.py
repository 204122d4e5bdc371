"""Plotly figures of the results of an inspection: the same for the app and for the notebook.

    from xlmrxl import figures
    figures.heatmap(states.cka(inspection), dark=True)

Only scatter plots and heat maps are used, and of them only what plotly.js knows in version 3, which Gradio's front end
carries, as well as in 4, for which plotly.py 7 writes. A slider changes the figure by itself (its steps restyle the
traces), so nothing depends on frames, which Gradio does not hand on.

Every text is escaped, since plotly reads HTML, TeX and `%{…}` in labels. Every figure names the model, its revision,
its precision and the settings under its title, and carries them in `layout.meta`.
"""

from xlmrxl.figures.alignment import alignment
from xlmrxl.figures.heatmaps import curves, heatmap
from xlmrxl.figures.logit_lens import logit_lens, logit_lens_targets
from xlmrxl.figures.projection import projection
from xlmrxl.figures.style import Figure

__all__ = ["Figure", "alignment", "curves", "heatmap", "logit_lens", "logit_lens_targets", "projection"]
