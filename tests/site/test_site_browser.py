"""The site in headless Chromium with name resolution off."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("selenium", reason="selenium is not installed, so the site was not tried in a browser")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="chromium or chromedriver is not installed: the site was not tried in a browser",
)

BOARD = "boards/cifar10-5k-disjoint.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = str(CHROMIUM)
    for argument in (
        "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    yield driver
    driver.quit()


def opened(browser: Any, path: Path, fragment: str = "", width: int = 1280) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    browser.get("about:blank")
    browser.get(path.as_uri() + fragment)


def wait_for(browser: Any, script: str, seconds: float = 20.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := browser.execute_script(f"return {script}"):
            return found
        time.sleep(0.05)
    raise AssertionError(f"never true: {script}")


def names(browser: Any) -> list[str]:
    """Names of the rows that are seen, in their order."""
    return browser.execute_script(
        "return [...document.querySelectorAll('[data-view]:not([hidden]) tbody tr[data-name]:not([hidden])')]"
        ".map((row) => row.dataset.name)"
    )


def choose(browser: Any, name: str, value: str) -> None:
    browser.execute_script(
        "const field = document.querySelector(`.controls [name=${arguments[0]}]`);"
        "const one = field.type !== 'radio' ? field :"
        " document.querySelector(`[name=${arguments[0]}][value='${arguments[1]}']`);"
        "if (one.type === 'radio' || one.type === 'checkbox') one.checked = true; else one.value = arguments[1];"
        "one.dispatchEvent(new Event('input', {bubbles: true}));", name, value,
    )  # fmt: skip


def test_every_page_is_silent_stays_in_its_folder_and_fits_a_phone(browser, site):
    pages = sorted(site.rglob("*.html"))
    browser.get_log("browser"), browser.get_log("performance")
    for page in pages:
        opened(browser, page, width=360)
        wait_for(browser, "document.readyState === 'complete'")
        wide = browser.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert wide[0] <= wide[1], f"{page.name} scrolls sideways at 360 pixels"
        browser.execute_script("window.scrollTo(0, document.body.scrollHeight)")
    wrong = [line["message"] for line in browser.get_log("browser") if line["level"] in ("WARNING", "SEVERE")]
    assert wrong == []
    asked = []
    for line in browser.get_log("performance"):
        message = json.loads(line["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked.append(message["params"]["request"]["url"])
    root = site.resolve().as_uri()
    assert asked
    assert [
        url for url in asked if not url.startswith((root, "data:", "about:", "chrome:"))
    ] == []  # chrome: is its own first tab


def test_charts_are_drawn_in_place_of_the_pictures(browser, site):
    opened(browser, site / BOARD)
    wait_for(browser, "document.querySelectorAll('figure[data-chart]').length > 2")
    browser.execute_script("document.querySelector('figure[data-chart]').scrollIntoView()")
    wait_for(browser, "document.querySelector('figure[data-drawn=yes] .vega svg')")
    still = "document.querySelector('figure[data-drawn=yes] .still')"
    assert browser.execute_script(f"return {still}.getClientRects().length") == 0


def test_sorting_changes_the_order_and_says_so(browser, site):
    opened(browser, site / BOARD)
    before = names(browser)
    browser.execute_script("document.querySelector('[data-view]:not([hidden]) thead th button').focus()")
    browser.switch_to.active_element.send_keys("\ue007")  # Enter
    after = names(browser)
    methods = [name for name in after if name != "lsh"]
    assert after != before
    assert methods == sorted(methods)
    assert after[-1] == "lsh"  # floors stay where they are
    assert "ascending" in browser.execute_script("return document.getElementById('status').textContent")
    heading = "document.querySelector('[data-view]:not([hidden]) thead th').getAttribute('aria-sort')"
    assert browser.execute_script(f"return {heading}") == "ascending"


def test_filters_and_choices_change_what_is_shown_and_the_address_keeps_them(browser, site):
    opened(browser, site / BOARD)
    assert {"alpha", "beta", "gamma", "delta"} <= set(names(browser))
    choose(browser, "kind", "shallow")
    assert names(browser) == ["gamma", "delta", "lsh"]
    choose(browser, "supervision", "unsupervised")
    assert names(browser) == ["delta", "lsh"]
    choose(browser, "metric", "precision@h2")
    choose(browser, "bits", "32")
    shown = "document.querySelector('[data-view]:not([hidden])')"
    assert browser.execute_script(f"return {shown}.dataset.metric") == "precision@h2"
    heads = f"[...{shown}.querySelectorAll('thead th')].filter((e) => !e.hidden).map((e) => e.textContent.trim())"
    assert browser.execute_script(f"return {heads}") == ["Method", "32 bits"]
    address = browser.current_url
    assert "kind=shallow" in address
    browser.get("about:blank")
    browser.get(address)
    assert names(browser) == ["delta", "lsh"]
    assert browser.execute_script(f"return {heads}") == ["Method", "32 bits"]
    assert browser.execute_script("return document.querySelector('[name=metric]').value") == "precision@h2"


def test_one_bit_length_has_its_own_order_gaps_and_a_dot_per_method(browser, site):
    opened(browser, site / BOARD, "#metric=map&bits=32")
    shown = "document.querySelector('[data-view]:not([hidden])')"
    cells = f"[...{shown}.querySelectorAll('tbody:not(.fixed) tr[data-i]:not([hidden])')]"
    values = browser.execute_script(f"return {cells}.map((row) => row.querySelector('td:not([hidden])')?.textContent)")
    numbers = [float(value[:6]) for value in values if value and value[0].isdigit()]
    assert len(numbers) == 4
    assert numbers == sorted(numbers, reverse=True)
    assert browser.execute_script(f"return {shown}.querySelectorAll('.dot').length") == 4
    assert "[" in browser.execute_script(f"return {shown}.querySelector('tbody').innerText")  # gaps with intervals
    choose(browser, "bits", "")
    assert browser.execute_script(f"return {shown}.querySelectorAll('[aria-sort]').length") == 0


def test_a_name_in_the_legend_shows_its_lines_alone(browser, site):
    opened(browser, site / BOARD)
    browser.execute_script("document.querySelector('figure[data-chart]').scrollIntoView()")
    wait_for(browser, "document.querySelector('figure[data-drawn=yes] .vega svg')")
    paths = "figure[data-drawn=yes] .vega svg .mark-line path"
    lines = f"[...document.querySelectorAll('{paths}')].map((e) => e.getAttribute('opacity') ?? '1')"
    assert set(browser.execute_script(f"return {lines}")) == {"1"}
    press = browser.find_element("css selector", ".group > .legend button")
    browser.execute_script("arguments[0].click()", press)
    assert press.get_attribute("aria-pressed") == "true"
    wait_for(browser, f"{lines}.filter((o) => o === '0.12').length > 1")
    browser.execute_script("arguments[0].click()", press)
    wait_for(browser, f"{lines}.every((o) => o === '1')")


def test_header_and_first_column_stay_in_sight(browser, site):
    opened(browser, site / BOARD, width=360)
    browser.execute_script("document.querySelector('[data-view]:not([hidden]) .scroll').scrollLeft = 500")
    left = "document.querySelector('[data-view]:not([hidden]) tbody th').getBoundingClientRect().left"
    assert 0 <= browser.execute_script(f"return {left}") < 40
    opened(browser, site / BOARD)
    browser.execute_script("document.querySelector('[data-view]:not([hidden]) tbody tr:last-child').scrollIntoView()")
    top = "document.querySelector('[data-view]:not([hidden]) thead th').getBoundingClientRect().top"
    assert browser.execute_script(f"return {top}") >= 0


def test_without_scripts_every_table_and_drawing_is_there(browser, site):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        opened(browser, site / BOARD)
        text = browser.find_element("css selector", "main").text
        assert text.count("Floors") >= 4
        picture = browser.find_element("css selector", "figure .still")
        assert picture.size["height"] > 100
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_markup_in_names_is_shown_and_never_runs(browser, site):
    from selenium.common.exceptions import NoAlertPresentException

    evil = [path for path in site.rglob("*.html") if "onerror" in path.read_text(encoding="utf-8")]
    assert len(evil) >= 3
    for page in evil:
        opened(browser, page)
        wait_for(browser, "document.readyState === 'complete'")
        with pytest.raises(NoAlertPresentException):
            _ = browser.switch_to.alert.text
        assert browser.execute_script("return document.querySelectorAll('img[src=x]').length") == 0


def test_light_and_dark_follow_the_button(browser, site):
    opened(browser, site / "index.html")
    colour = "getComputedStyle(document.body).backgroundColor"
    before = browser.execute_script(f"return {colour}")
    browser.find_element("css selector", ".theme").click()
    assert browser.execute_script(f"return {colour}") != before
