"""The HTML report in a browser, as its readers meet it: a real Chromium, without a screen."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.reports import HOSTILE, SCRIPT, finding, report, store, undecided, violating
from zoho_tokenstore_contract._report.report_files import write
from zoho_tokenstore_contract._report.verdict import StoreVerdict
from zoho_tokenstore_contract._spec.clause_results import ClauseResult, Outcome
from zoho_tokenstore_contract._spec.clauses import CLAUSES, Level

pytestmark = pytest.mark.once

REQUIRE = "TOKENSTORE_REQUIRE_BROWSER"
"""Set to 1 where a browser that is missing is a failure and no reason to skip."""

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers have little of it
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

CONTRAST = """
const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map((c) => ((c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const ground = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = rgb(getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
    if (colour[3] !== 0) throw new Error("half transparent");
  }
  throw new Error("no ground");
};
const seen = new Map();
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
  const [ink, paper] = [light(rgb(getComputedStyle(element).color)), light(ground(element))];
  const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  const name = `${element.tagName} ${element.className}`;
  seen.set(name, Math.min(ratio, seen.get(name) ?? Infinity));
}
return Object.fromEntries(seen);
"""
"""The lowest contrast of the text of each kind of element, as WCAG 2 counts it."""


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    """A Chromium with a profile of its own, which is stopped at the end."""
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    missing = [name for name, path in programs.items() if path is None]
    if missing:
        reason = f"no {' and no '.join(missing)} found: install Debian's chromium and chromium-driver"
        if os.environ.get(REQUIRE) == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = str(programs["chromium"])
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(prefix="tokenstore-browser-", ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=Service(str(programs["chromedriver"])))
        try:
            yield driver
        finally:
            driver.quit()


class Reader:
    """Somebody who opens a report."""

    def __init__(self, driver: webdriver.Chrome, directory: Path) -> None:
        self.driver = driver
        self.directory = directory
        self.scripts = True

    def open(self, *stores: StoreVerdict, width: int = 1280, height: int = 900, **seen: str) -> None:
        """Open a report on some stores.

        Args:
            stores: What it says of each.
            width: Of the window, in pixels.
            height: Of the window, in pixels.
            seen: `media` (``screen`` or ``print``) and `scheme` (``light`` or ``dark``).
        """
        path = self.directory / "report.html"
        write(report(*stores), path)
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.tell("Emulation.setDeviceMetricsOverride", **screen)
        scheme = {"name": "prefers-color-scheme", "value": seen.get("scheme", "light")}
        self.tell("Emulation.setEmulatedMedia", media=seen.get("media", "screen"), features=[scheme])
        self.driver.get("about:blank")
        self.complaints()  # what earlier pages left
        self.driver.get(path.as_uri())
        if self.scripts:
            WebDriverWait(self.driver, 30).until(
                lambda _: self.ask("return document.documentElement.classList.contains('unpacked')")
            )

    def without_scripts(self) -> None:
        """Forbid the pages that are opened from now on to run any script."""
        self.scripts = False
        self.tell("Emulation.setScriptExecutionDisabled", value=True)

    def tell(self, command: str, **parameters: Any) -> None:
        """Tell the browser something that is no part of WebDriver."""
        self.driver.execute_cdp_cmd(command, parameters)

    def ask(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page."""
        return self.driver.execute_script(script, *arguments)

    def complaints(self) -> list[str]:
        """What stands in the browser's console since this was asked last."""
        driver: Any = self.driver
        return [entry["message"] for entry in driver.get_log("browser")]

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        for key in keys:
            webdriver.ActionChains(self.driver).send_keys(key).perform()

    def click(self, selector: str) -> None:
        """Click on an element."""
        self.driver.find_element(By.CSS_SELECTOR, selector).click()

    def clauses(self) -> list[str]:
        """The ids of the clauses that are shown."""
        found: list[str] = self.ask(
            "return [...document.querySelectorAll('tbody.clause')]"
            ".filter((one) => one.checkVisibility()).map((one) => one.id)"
        )
        return found

    def details(self) -> list[str]:
        """The ids of the clauses whose details are shown."""
        found: list[str] = self.ask(
            "return [...document.querySelectorAll('tr.detail dl')]"
            ".filter((one) => one.checkVisibility()).map((one) => one.closest('tbody').id)"
        )
        return list(dict.fromkeys(found))

    def count(self) -> str:
        """What the page says of how many clauses it shows."""
        text: str = self.driver.find_element(By.ID, "shown").text
        return text


@pytest.fixture
def reader(browser: webdriver.Chrome, tmp_path: Path) -> Iterator[Reader]:
    """A reader without a page yet; every page it opened had nothing to complain of."""
    one = Reader(browser, tmp_path)
    yield one
    one.tell("Emulation.setScriptExecutionDisabled", value=False)

    assert [] == one.complaints()


THREE = (store(), violating(), undecided())
NOT_KEPT = ["SAVE-4", "SAVE-13", "SAVE-15", "FIND-2", "FIND-3", "FLOW-10"]
"""Of these stores' clauses, those that one does not keep: what fails the run, and then the others."""
IN_ORDER = [*NOT_KEPT, *(clause for clause in CLAUSES if clause not in NOT_KEPT)]


def test_the_page_needs_nothing_else(reader: Reader) -> None:
    """Everything is there from the start, and nothing was asked for."""
    reader.open(*THREE)

    assert NOT_KEPT == reader.clauses()
    assert [] == reader.details()
    assert 0 == reader.ask("return performance.getEntriesByType('resource').length")


def test_hostile_texts_do_nothing(reader: Reader) -> None:
    """Whatever a store is called or answers, no script of it runs and no address of it is asked for."""
    reader.open(store(HOSTILE), violating(HOSTILE), undecided(HOSTILE))
    reader.click("#open")

    assert "<img src=x onerror=" in reader.driver.find_element(By.ID, "SAVE-4").text
    assert reader.ask("return window.hostile === undefined && !document.querySelector('img, [onmouseover]')")
    assert 0 == reader.ask("return performance.getEntriesByType('resource').length")


def test_a_script_that_got_in_would_not_run(reader: Reader) -> None:
    """The page's policy forbids all but its own."""
    reader.open(store())
    reader.ask(
        "const script = document.createElement('script');"
        "script.textContent = 'window.hostile = 1';"
        "document.body.append(script);"
    )
    complaints = reader.complaints()

    assert reader.ask("return window.hostile === undefined")
    assert ["Content Security Policy" in one for one in complaints] == [True]


def test_the_filter_narrows_the_clauses_down(reader: Reader) -> None:
    """By words, also of what was seen, by outcomes of any store, by level; and all of them together."""
    reader.open(*THREE)
    should = [one.id for one in CLAUSES.values() if one.level is Level.SHOULD]
    search = reader.driver.find_element(By.ID, "search")

    search.send_keys("Save_Token(Token) TWO")
    assert ["SAVE-4", "SAVE-13", "SAVE-15", "FLOW-10"] == reader.clauses()
    assert f"4 of {len(CLAUSES)} clauses" == reader.count()

    reader.click("[data-value=broken]")
    assert ["SAVE-4", "SAVE-13", "FLOW-10"] == reader.clauses()

    reader.click("[data-value=MAY]")
    assert ["FLOW-10"] == reader.clauses()
    assert ["not-kept"] == reader.ask(
        "return [...document.querySelectorAll('tbody.group')]"
        ".filter((one) => one.checkVisibility()).map((one) => one.dataset.group)"
    )

    reader.click("[type=reset]")
    assert IN_ORDER == reader.clauses()
    assert not search.get_property("value")

    reader.click("[data-value=SHOULD]")
    assert sorted(should) == sorted(reader.clauses())

    reader.click("[data-value=allowed]")
    reader.click("[data-value=unknown]")
    assert ["SAVE-15"] == reader.clauses()


def test_details_open_and_close_with_the_keyboard_alone(reader: Reader) -> None:
    """From the link at the start, through the filter, to a clause: with Tab, Enter and Space."""
    reader.open(*THREE)
    reader.press(Keys.TAB)
    assert "To the clauses" == reader.driver.switch_to.active_element.text
    reader.press(Keys.ENTER)
    controls = len(reader.driver.find_elements(By.CSS_SELECTOR, "form input, form button"))
    reader.press(*[Keys.TAB] * (controls + 1))
    focused = reader.driver.switch_to.active_element
    assert "SAVE-4" in focused.text
    assert "button" == focused.tag_name
    assert "solid" == focused.value_of_css_property("outline-style")

    assert ([], "false") == (reader.details(), focused.get_attribute("aria-expanded"))
    reader.press(Keys.ENTER)
    assert (["SAVE-4"], "true") == (reader.details(), focused.get_attribute("aria-expanded"))
    reader.press(Keys.SPACE)
    assert ([], "false") == (reader.details(), focused.get_attribute("aria-expanded"))


def test_a_filter_is_pressed_with_the_keyboard(reader: Reader) -> None:
    """And says so."""
    reader.open(*THREE)
    button = reader.driver.find_element(By.CSS_SELECTOR, "[data-value=broken]")
    reader.ask("arguments[0].focus()", button)
    reader.press(Keys.SPACE)

    assert ["SAVE-4", "SAVE-13", "FLOW-10"] == reader.clauses()
    assert "true" == button.get_attribute("aria-pressed")


def test_a_row_opens_on_a_click(reader: Reader) -> None:
    """Anywhere in it, and shows all that is known."""
    reader.open(*THREE)
    reader.click("#SAVE-4 td:nth-of-type(2)")
    format_value = reader.driver.find_element(By.ID, "SAVE-4-detail").text

    assert ["SAVE-4"] == reader.details()
    for wanted in (
        "Why it matters",
        "Expected",
        "The recorded calls",
        "two rows",
        "A script that shows it",
    ):
        assert wanted in format_value


def test_kept_clauses_are_folded_under_their_groups(reader: Reader) -> None:
    """A group says how many it folds, opens with a click, and a link to one of its clauses opens it."""
    reader.open(violating())
    assert "LIST-1" not in reader.clauses()
    assert "(3 folded)" in reader.driver.find_element(By.ID, "LIST").text

    reader.click("#LIST button")
    assert ["LIST-1", "LIST-2", "LIST-3"] == [one for one in reader.clauses() if one not in NOT_KEPT]

    reader.ask("location.hash = '#DEL-1'")
    WebDriverWait(reader.driver, 30).until(lambda _: "DEL-1" in reader.details())
    assert "DEL-1" in reader.clauses()


def test_the_filter_says_how_many_clauses_there_are(reader: Reader) -> None:
    """Each outcome and each level with its number."""
    reader.open(violating())

    assert "broken 3" == reader.driver.find_element(By.CSS_SELECTOR, "[data-value=broken]").text
    assert "MAY 1" == reader.driver.find_element(By.CSS_SELECTOR, "[data-value=MAY]").text


def test_the_verdict_and_the_risks_come_first(reader: Reader) -> None:
    """Large, with when and how it was run, and in words that need no knowledge of clauses."""
    reader.open(violating())
    text = reader.driver.find_element(By.TAG_NAME, "body").text

    assert "2026-03-01 12:00:00 UTC, 1 min 15 s" in text
    assert "zoho-tokenstore check shop.tokens:FileStore" in text
    assert "loses tokens that were stored: SAVE-13" in text
    assert 32 <= reader.ask(
        "return parseFloat(getComputedStyle(document.querySelector('.verdict')).fontSize)"
    )


def test_threads_are_drawn(reader: Reader) -> None:
    """A lane for each thread, a bar for each call, and where a thread stood still."""
    done = (
        "thread 1 [===]    save_token(x) -> returned None",
        "thread 2  []      save_token(y) -> raised KeyError",
        "after         []  get_tokens() -> returned no rows",
        "(thread 1 stood still at store.py:3 in save_token, until the others had finished or waited for it)",
    )
    broken = ClauseResult("THREAD-2", Outcome.BROKEN, (finding(done=done),))
    reader.open(store("threads", "violates", {"THREAD-2": broken}))
    reader.click("#THREAD-2 button.toggle")
    picture = reader.driver.find_element(By.CSS_SELECTOR, "#THREAD-2 figure")

    assert "thread 1 stood still at store.py:3 in save_token" in picture.text
    assert ["thread 1", "thread 2", "after"] == [
        one.text for one in picture.find_elements(By.CSS_SELECTOR, ".actor")
    ]
    assert [3, 1] == [len(picture.find_elements(By.CSS_SELECTOR, one)) for one in (".call", ".raised")]


def test_many_stores_have_their_names_over_the_columns(reader: Reader) -> None:
    """Upright, above signs; and the page stays small enough for a mail."""
    reader.open(*[violating(str(number)) for number in range(8)])
    heads = reader.driver.find_elements(By.CSS_SELECTOR, "thead th .full")

    assert [f"shop.tokens:FileStore{number}" for number in range(8)] == [one.text for one in heads]
    assert (reader.directory / "report.html").stat().st_size < 300_000


def test_a_broken_clause_is_a_click_away_from_the_verdict(reader: Reader) -> None:
    """Also where the filter hides it."""
    reader.open(*THREE)
    reader.click("[data-value=allowed]")
    assert "SAVE-13" not in reader.clauses()
    reader.click("a[href='#SAVE-13']")
    WebDriverWait(reader.driver, 30).until(lambda _: reader.details())

    assert ["SAVE-13"] == reader.details()


def test_further_findings_of_a_clause_are_unpacked(reader: Reader) -> None:
    """As the first one looks, which the page holds as it is."""
    reader.open(violating())
    reader.click("#SAVE-4 button.toggle")
    first, second = reader.driver.find_elements(By.CSS_SELECTOR, "#SAVE-4 .finding")

    assert first.text == second.text
    assert "two rows" in second.text


def test_a_script_is_copied(reader: Reader) -> None:
    """As it is, though the page holds it packed."""
    reader.open(violating())
    reader.tell("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    reader.click("#SAVE-4 button.toggle")
    reader.click("#SAVE-4 .script summary")
    button = reader.driver.find_element(By.CSS_SELECTOR, "#SAVE-4 .copy")
    button.click()
    WebDriverWait(reader.driver, 30).until(lambda _: button.text != "Copy")

    assert "Copied" == button.text
    assert SCRIPT == reader.driver.execute_async_script(
        "const done = arguments[0];navigator.clipboard.readText().then(done, (error) => done(String(error)));"
    )


@pytest.mark.parametrize("number", [1, 3, 12])
def test_a_phone_has_room_for_it(reader: Reader, number: int) -> None:
    """Nothing is cut off at 360 pixels, and the page does not move sideways, with all details open."""
    reader.open(*([violating("x" * 60), store(), undecided()] * 4)[:number], width=360, height=740)
    reader.click("#open")
    assert set(CLAUSES) == set(reader.details())

    assert [360, 0] == reader.ask(
        "const page = document.documentElement; return [innerWidth, page.scrollWidth - page.clientWidth];"
    )
    # A table of many stores moves inside its frame.
    assert (number > 3) == reader.ask(
        "const frame = document.querySelector('.matrix');"
        "return frame !== null && frame.scrollWidth > frame.clientWidth;"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast(reader: Reader, scheme: str) -> None:
    """At least 4.5 to 1, in either colour scheme, with a filter pressed and all details open."""
    reader.open(*THREE, scheme=scheme)
    reader.click("[data-value=broken]")
    reader.click("#open")
    reader.click("[data-value=broken]")
    reader.click("[data-value=MUST]")
    lowest = reader.ask(CONTRAST)
    outcomes = {name for name in lowest if name.startswith("SPAN word")}

    assert len(lowest) > 20
    assert outcomes
    assert {} == {name: ratio for name, ratio in lowest.items() if ratio < 4.5}
    assert (scheme == "dark") == reader.ask(
        "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every((part) => part < 64)"
    )


def test_no_outcome_is_told_by_colour_alone(reader: Reader) -> None:
    """Each has a sign of its own and a word, which a screen reader reads where the eye has the sign."""
    reader.open(violating(), *[store()] * 4, width=360)
    told = reader.ask(
        "return [...document.querySelectorAll('.clause td.outcome')]"
        ".map((one) => [one.querySelector('use').getAttribute('href'), one.textContent.trim()])"
    )
    pairs = {(sign, word) for sign, word in told}

    assert {"kept", "broken", "allowed", "not applicable", "not run", "unknown", "error"} == {
        word for _, word in pairs
    }
    assert len(pairs) == len({sign for sign, _ in pairs}) == len({word for _, word in pairs})


def test_it_can_be_read_without_scripts(reader: Reader) -> None:
    """Details open by themselves, what would not work is not there, and what is packed says so."""
    reader.without_scripts()
    reader.open(*THREE)
    reader.click("#SAVE-4 summary.fold")
    format_value = reader.driver.find_element(By.ID, "SAVE-4-detail").text

    assert "VIOLATES" in reader.driver.find_element(By.TAG_NAME, "main").text
    assert "two rows" in format_value
    packed = reader.driver.find_element(By.CSS_SELECTOR, "#SAVE-4 .script code")
    assert "This part needs scripts" in reader.ask(
        "return getComputedStyle(arguments[0], '::before').content", packed
    )
    assert not reader.driver.find_element(By.TAG_NAME, "form").is_displayed()
    assert [] == reader.driver.find_elements(By.CSS_SELECTOR, ".copy, button.toggle")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_it_prints_with_details_and_without_the_filter(reader: Reader, scripts: bool) -> None:
    """Black on white, whatever the screen has."""
    if not scripts:
        reader.without_scripts()
    reader.open(*THREE, media="print", scheme="dark")

    # WebDriver holds that what is in a closed `details` is hidden; the style sheet shows it.
    assert [True, True, False] == reader.ask(
        "return ['#SAVE-4 .finding ol', '#SAVE-4 .script pre', 'form']"
        ".map((one) => document.querySelector(one).checkVisibility())"
    )
    assert not reader.driver.find_element(By.TAG_NAME, "form").is_displayed()
    assert "rgba(255, 255, 255, 1)" == reader.driver.find_element(By.TAG_NAME, "body").value_of_css_property(
        "background-color"
    )
