"""What was done in the app as lines of Python, and what to cite. No Gradio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xlmrxl.checkpoints.hub import DEFAULT
from xlmrxl.version import __version__

if TYPE_CHECKING:
    from xlmrxl.session import Session

PAPER = """@inproceedings{goyal-etal-2021-larger,
  title = {Larger-Scale Transformers for Multilingual Masked Language Modeling},
  author = {Goyal, Naman and Du, Jingfei and Ott, Myle and Anantharaman, Giri and Conneau, Alexis},
  booktitle = {Proceedings of the 6th Workshop on Representation Learning for NLP (RepL4NLP-2021)},
  year = {2021},
  pages = {29--33},
  url = {https://aclanthology.org/2021.repl4nlp-1.4},
}
"""


def python(session: Session, call: str, *given: Any, imports: str = "", **settings: Any) -> str:
    """The lines that give what the app shows.

    Args:
        session: what it was shown by.
        call: what follows `result = `, up to its bracket, such as `session.fill_mask`.
        given: the arguments, and `settings` those with names; None is left out.
        imports: a line that the call needs.
    """
    told = [repr(value) for value in given]
    told += [f"{name}={value!r}" for name, value in settings.items() if value is not None]
    first = f"import xlmrxl\n{imports}\n" if imports else "import xlmrxl\n"
    return f"{first}\n{_loading(session)}result = {call}({', '.join(told)})\nprint(result)\n"


def reading(session: Session, imports: str = "", **made: str) -> str:
    """The lines that load the model and make something by it: names, and the expressions that they stand for."""
    first = f"import xlmrxl\n{imports}\n" if imports else "import xlmrxl\n"
    return f"{first}\n{_loading(session)}" + "".join(f"{name} = {call}\n" for name, call in made.items())


def planning(session: Session, model: str = "") -> str:
    """The lines that load the model, and give the plan of it or of another."""
    name = model or session.name
    config = f"xlmrxl.XLMRobertaXLConfig.from_pretrained({name!r})"
    return (
        f"import xlmrxl\nfrom xlmrxl.plan import make_plan\n\n{_loading(session)}print(session)\n"
        f"print(make_plan({name!r}, {config}))\n"
    )


def _loading(session: Session) -> str:
    given = [] if session.name == DEFAULT else [repr(session.name)]
    given.append(f"precision={session.precision!r}")
    if session.revision:
        given.append(f"revision={session.revision!r}")
    return f"session = xlmrxl.load({', '.join(given)})\n"


def citation(session: Session) -> str:
    """BibTeX of the architecture's paper, and of what computed the numbers."""

    revision = f", revision {session.revision}" if session.revision else ""
    note = f"Version {__version__}; model {session.name}{revision}, in {session.precision}".replace("_", r"\_")
    return f"{PAPER}\n@misc{{xlmrxl,\n  title = {{xlmrxl: look inside XLM-RoBERTa-XL}},\n  note = {{{note}}},\n}}\n"
