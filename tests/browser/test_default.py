"""The main job: `xlmrxl app` with no option fills a mask in a browser, with the model that comes with the package."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from running_app import serve
from test_fill_tab import expected, fill, on_screen, wait_for_result

import xlmrxl
from xlmrxl.checkpoints.hub import DEFAULT

pytestmark = [pytest.mark.browser, pytest.mark.slow]  # with an app of its own


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(DEFAULT, tmp_path_factory.mktemp("default") / "log.txt") as url:
        yield url


@pytest.mark.parametrize("text", ["The capital of France is <mask>.", "北京是中国的<mask>。", "القاهرة هي <mask> مصر."])
def test_the_embedded_model_fills_what_is_typed(page, text: str) -> None:
    fill(page, text)
    wait_for_result(page, text)
    assert on_screen(page) == expected(xlmrxl.load(), text)
    assert "default" in page.locator("#header").inner_text()
