"""The site in headless Chromium with name resolution off."""

from __future__ import annotations

import json
import re
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
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
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


def test_every_number_of_every_table_leads_to_its_records(browser, site):
    opened(browser, site / BOARD)
    found = browser.execute_script(
        "return [...document.querySelectorAll('[data-view] tr[data-i] td:not(.none)')].map((cell) => [cell.closest("
        "'table').tHead.rows[0].cells[cell.cellIndex].dataset.bits, cell.querySelector(':scope > a')?.href])"
    )
    assert len(found) > 40
    for bits, href in found:
        page, _, place = href.removeprefix("file://").partition("#")
        assert place.endswith(f"-{bits}")
        assert re.search(rf"\bid={place}\b", Path(page).read_text(encoding="utf-8")), href


def test_every_name_of_every_table_leads_to_its_method(browser, site):
    opened(browser, site / BOARD)
    rows = "document.querySelectorAll('[data-view] tr[data-i]')"
    found = browser.execute_script(f"return [...{rows}].map((row) => [row.dataset.name, row.cells[0].firstChild.href])")
    assert len(found) > 2 * len({name for name, _ in found})  # the names of the first metric's table, and of others
    for place in {href for _, href in found}:
        assert "/methods/" in place
        assert Path(place.removeprefix("file://")).is_file()
    assert len(set(map(tuple, found))) == len({name for name, _ in found})  # one page for each


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
    behind = browser.execute_script(
        f"return {cells}.map((row) => row.querySelector('td:not([hidden]) > b')?.innerText)"
    )
    best, *others = filter(None, behind)
    assert best == "best mean"
    for value, said in zip(numbers[1:], others, strict=True):
        plain = said.replace("\N{MINUS SIGN}", "-")
        assert re.fullmatch(r"-0\.\d{4} \[-?0\.\d{4}, -?0\.\d{4}\]", plain)
        difference, low, high = map(float, re.findall(r"-?[0-9.]+", plain))
        assert difference == pytest.approx(value - numbers[0], abs=1.01e-4)  # each is rounded
        assert low <= difference <= high
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


SHOWN = "document.querySelector('[data-view]:not([hidden])')"
SORTED = f"[...{SHOWN}.querySelectorAll('[aria-sort]')].map((e) => e.textContent.trim() + ' ' + e.ariaSort)"


def sideways(browser: Any) -> int:
    """By how many pixels the page scrolls sideways."""
    return browser.execute_script(
        "const page = document.documentElement; return Math.max(0, page.scrollWidth - page.clientWidth)"
    )


def press(browser: Any, heading: str) -> None:
    browser.execute_script(
        f"[...{SHOWN}.querySelectorAll('thead th button')].find((e) => e.textContent === arguments[0]).click()", heading
    )


@pytest.mark.parametrize("name", [BOARD, f"{BOARD}#bits=16", "methods/wide-0.html", "methods/index.html", "index.html"])
def test_a_page_of_many_tied_rows_fits_a_phone(browser, wide_site, name):
    path, _, fragment = name.partition("#")
    opened(browser, wide_site / path, f"#{fragment}" if fragment else "", width=360)
    wait_for(browser, "document.readyState === 'complete'")
    assert sideways(browser) == 0


def test_lower_header_lines_scroll_with_their_columns(browser, wide_site):
    opened(browser, wide_site / "methods/wide-0.html", width=360)
    browser.execute_script("document.querySelector('.exact').parentElement.scrollLeft = 90")
    seed, cell, name = browser.execute_script(
        "const rows = document.querySelector('.exact').rows;"
        "const of = [rows[1].cells[0], document.querySelector('.exact td'), rows[0].cells[0]];"
        "return of.map((e) => e.getBoundingClientRect().left)"
    )
    assert seed == cell < name + 90
    align = "getComputedStyle(document.querySelector('.exact').rows[1].cells[0]).textAlign"
    assert browser.execute_script(f"return {align}") == "right"
    opened(browser, wide_site / BOARD)
    browser.execute_script(f"{SHOWN}.querySelector('tr:last-child').scrollIntoView()")
    lines = browser.execute_script("return document.querySelector('thead').getBoundingClientRect().top")
    assert lines >= 0


def test_a_chosen_order_is_the_one_shown(browser, wide_site):
    opened(browser, wide_site / BOARD)
    first = names(browser)
    press(browser, "16 bits")
    assert browser.execute_script(f"return {SORTED}") == ["16 bits descending"]
    choose(browser, "metric", "precision@h2")
    assert "sort=16.d" in browser.current_url
    assert browser.execute_script(f"return {SORTED}") == ["16 bits descending"]
    kept = names(browser)
    browser.refresh()
    assert names(browser) == kept
    choose(browser, "bits", "48")  # the column of 16 bits is hidden
    assert browser.execute_script(f"return {SORTED}") == ["48 bits descending"]
    assert "sort" not in browser.current_url
    choose(browser, "bits", "")
    choose(browser, "metric", "map")
    assert names(browser) == first
    for shown in (["32 bits descending"], ["32 bits ascending"], []):
        press(browser, "32 bits")
        assert browser.execute_script(f"return {SORTED}") == shown
    assert names(browser) == first


def test_an_address_that_asks_for_what_is_not_there_shows_the_first(browser, wide_site):
    opened(browser, wide_site / BOARD)
    first, metric = names(browser), browser.execute_script(f"return {SHOWN}.dataset.metric")
    opened(browser, wide_site / BOARD, "#setup=zzz&metric=zzz&bits=7&kind=zzz&since=1&sort=7.d")
    assert names(browser) == first
    assert browser.execute_script(f"return {SHOWN}.dataset.metric") == metric
    assert "zzz" not in browser.current_url
    browser.execute_script("location.hash = '#main'")  # a place on the page is no choice
    assert names(browser) == first


def test_a_filter_without_match_says_so_and_is_taken_back(browser, wide_site):
    opened(browser, wide_site / BOARD)
    first = names(browser)
    count, everything = "document.getElementById('count').textContent", "document.getElementById('all')"
    assert browser.execute_script(f"return {count}") == "12 rows"
    assert browser.execute_script(f"return {everything}.hidden")
    choose(browser, "find", "nothing is called so")
    assert browser.execute_script(f"return {count}") == "No row matches; floors always stay."
    assert not browser.execute_script(f"return {everything}.hidden")
    browser.execute_script(f"{everything}.click()")
    assert names(browser) == first


@pytest.mark.parametrize("width", [360, 800, 1024, 1180, 1280, 1600])
@pytest.mark.parametrize("published", ["", "&published=1"])
def test_one_bit_length_cuts_nothing_off(browser, wide_site, width, published):
    opened(browser, wide_site / BOARD, f"#bits=16{published}", width=width)
    seen = f"[...{SHOWN}.querySelectorAll('td *')].filter((e) => e.getClientRects().length && !e.matches('em'))"
    right = browser.execute_script(f"return Math.max(...{seen}.map((e) => e.getBoundingClientRect().right))")
    box = f"const box = {SHOWN}.querySelector('.scroll');"
    hides = browser.execute_script(f"{box} return !['auto', 'visible'].includes(getComputedStyle(box).overflowX)")
    edge = browser.execute_script(
        f"{box} return box.getBoundingClientRect().right + Math.max(0, box.scrollWidth - box.clientWidth)"
    )
    assert not hides
    assert right <= edge
    assert sideways(browser) == 0
    words = browser.execute_script(f"return {SHOWN}.querySelector('tbody').innerText")
    assert ("VGG16" in words or "CIFAR-10" in words) == bool(published)


def test_the_box_for_other_published_values_is_there_where_there_are_any(browser, wide_site):
    opened(browser, wide_site / BOARD)
    box = "document.querySelector('[name=published]').parentElement.hidden"
    assert not browser.execute_script(f"return {box}")
    choose(browser, "metric", "precision@h2")
    assert browser.execute_script(f"return {box}")


def test_tables_name_their_metric_without_scripts_and_on_paper(browser, wide_site):
    seen = "[...document.querySelectorAll('caption')].filter((e) => e.getClientRects()[0]?.width > 100).length"
    opened(browser, wide_site / BOARD)
    assert browser.execute_script(f"return {seen}") == 0
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        opened(browser, wide_site / BOARD, width=720)
        assert browser.execute_script(f"return {seen}") == 1
        for page in (BOARD, "methods/wide-0.html"):
            opened(browser, wide_site / page, width=720)
            assert sideways(browser) == 0
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        opened(browser, wide_site / BOARD)
        shown = [one for one in browser.find_elements("css selector", "caption") if one.size["width"] > 100]
        assert len(shown) > 2
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_every_page_leads_to_the_boards(browser, wide_site, width):
    opened(browser, wide_site / "claims/index.html", width=width)
    links = browser.find_elements("css selector", ".bar nav a")
    assert [link.text for link in links if link.is_displayed()] == ["Boards", "Methods", "Claims", "Tables"]
    assert sideways(browser) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_not_measured_can_be_read(browser, site, scheme):
    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(", ")]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    opened(browser, site / BOARD)
    browser.execute_script("document.documentElement.style.colorScheme = arguments[0]", scheme)
    style = "getComputedStyle(document.querySelector('td.none'))"
    colours = browser.execute_script(f"return [{style}.color, {style}.backgroundColor]")
    low, high = sorted(map(luminance, colours))
    assert (high + 0.05) / (low + 0.05) >= 4.5
