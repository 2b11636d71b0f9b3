"""The rendered pages, as files and in a browser: complete, without errors, and all links lead to something.

The whole book is run in `smoke` and rendered with warnings as errors. Chapters and pages that have not changed since
the last run are not made again.
"""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import threading
import time
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlparse

import pytest

from dmesr_core.book.contents import chapters, pages
from dmesr_core.book.render import render
from dmesr_core.book.runner import RunSettings, run_book

ROOT = Path(__file__).resolve().parents[2]
NAMES = pages(ROOT)
CHAPTERS = [name for name in NAMES if (ROOT / f"{name}.ipynb").is_file()]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def html():
    """The folder of the rendered book."""
    assert chapters(ROOT)
    settings = RunSettings(ROOT, profile="smoke")
    run_book(settings)
    first, _ = render(settings)
    return first.parent


class Page(HTMLParser):
    """The ids, links, pictures and loaded files of a page."""

    def __init__(self, file: Path):
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.files: list[str] = []  # scripts, styles and pictures
        self.pictures: list[tuple[str, str]] = []  # source, alternative text
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if values.get("id"):
            self.ids.add(values["id"])
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        if tag == "img":
            self.pictures.append((values.get("src", ""), values.get("alt") or ""))
        if tag in ("script", "link", "img") and (source := values.get("src") or values.get("href")):
            if values.get("rel") not in ("next", "prev", "index", "search", "author", "canonical"):
                self.files.append(source)


@pytest.fixture(scope="session")
def parsed(html):
    """Path below `html` -> page."""
    return {
        file.relative_to(html).as_posix(): Page(file) for file in html.rglob("*.html") if "_static" not in file.parts
    }


def test_every_page_is_there(html):
    for name in NAMES:
        assert (html / f"{name}.html").is_file()
    assert 'url=book/intro.html"' in (html / "index.html").read_text(encoding="utf-8")


def test_links_lead_to_pages_ids_and_files_that_exist(parsed, html):
    for name, page in parsed.items():
        for link in page.links:
            target = urlparse(link)
            if target.scheme or target.netloc:
                assert target.scheme in ("https", "mailto"), (name, link)
                continue
            path = urljoin(name, unquote(target.path)) if target.path else name
            if path in parsed:
                assert not target.fragment or unquote(target.fragment) in parsed[path].ids, (name, link)
            else:
                assert (html / path).is_file(), (name, link)


def test_pages_need_no_network(parsed, html):
    for name, page in parsed.items():
        for source in page.files:
            assert not urlparse(source).netloc, (name, source)
            assert source.startswith("data:") or (html / urljoin(name, urlparse(source).path)).is_file(), (name, source)


def test_pictures_have_alternative_texts(parsed):
    for name, page in parsed.items():
        for source, alt in page.pictures:
            if "_static/images" not in source:  # pictures of the theme
                assert len(alt) > 10, (name, source)
                assert not re.search(r"\.(png|svg|jpe?g)$", alt), (name, source)


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_colab_button_opens_this_notebook(name, parsed):
    where = "https://colab.research.google.com/github/dmesr/dmesr-book/blob/main/"
    assert [link for link in parsed[f"{name}.html"].links if "colab" in link] == [f"{where}{name}.ipynb"]


@pytest.fixture(scope="session")
def address(html):
    """The address of a local server of the pages."""
    handler = functools.partial(QuietHandler, directory=str(html))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without logging requests."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def browser():
    """Chromium in headless mode."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("no Chromium with its driver here: apt-get install chromium chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    window = webdriver.Chrome(options=options, service=Service(driver))
    window.set_window_size(1300, 900)
    yield window
    window.quit()


def wait(browser, script, seconds=20):
    """Wait until the JavaScript expression is true; its value."""
    for _ in range(seconds * 10):
        if value := browser.execute_script(f"return {script}"):
            return value
        time.sleep(0.1)
    raise AssertionError(f"still false after {seconds} s: {script}")


@pytest.mark.parametrize("name", NAMES)
def test_a_page_shows_without_errors(name, browser, address):
    browser.get_log("browser")
    browser.get(f"{address}/{name}.html")
    wait(browser, "document.readyState == 'complete'")
    if browser.execute_script("return document.querySelectorAll('.math').length"):
        wait(
            browser,
            "document.querySelectorAll('.math').length == document.querySelectorAll('.math mjx-container').length",
        )
    assert not browser.execute_script("return document.querySelectorAll('mjx-merror, [data-mjx-error]').length")
    assert browser.find_element("css selector", "article h1").text
    broken = "[...document.images].filter(i => i.loading != 'lazy' && i.naturalWidth == 0).map(i => i.src)"
    assert browser.execute_script(f"return {broken}") == []
    text = browser.execute_script(
        "const a = document.querySelector('article').cloneNode(true);"
        "a.querySelectorAll('code, pre, .math').forEach(e => e.remove()); return a.textContent"
    )
    assert not re.search(r"\{(glue|eq|cite|numref|ref)[:}]|\$\$|:::|\\\(", text)
    errors = [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert errors == []


@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_a_phone(name, browser, address):
    """At 390 pixels the page itself does not scroll sideways (wide tables scroll in their own boxes)."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        browser.get(f"{address}/{name}.html")
        wait(browser, "document.readyState == 'complete'")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 391
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_front_page_leads_through_the_book(browser, address):
    browser.get(f"{address}/")
    wait(browser, "location.pathname.endsWith('/book/intro.html')")
    for name in NAMES[1:]:
        wait(browser, "document.querySelector('a.right-next') !== null")  # the page may still be loading
        browser.get(browser.find_element("css selector", "a.right-next").get_attribute("href"))
        assert browser.current_url.endswith(f"/{name}.html")
    sidebar = browser.find_elements("css selector", ".bd-sidebar-primary a.reference.internal")
    assert len({link.get_attribute("href").split("#")[0] for link in sidebar}) == len(NAMES)


def test_in_dark_mode_the_page_is_dark_and_pictures_stay_light(browser, address):
    browser.get(f"{address}/book/intro.html")
    browser.execute_script("document.documentElement.dataset.theme = 'dark'")
    colour = "getComputedStyle({}).backgroundColor.match(/[0-9.]+/g).map(Number)"
    page = browser.execute_script(f"return {colour.format('document.body')}")
    picture = browser.execute_script("return " + colour.format("document.querySelector('article figure img')"))
    assert sum(page[:3]) < 200
    assert sum(picture[:3]) > 600


def test_a_folded_solution_opens(browser, address):
    numbered = [name for name in CHAPTERS if Path(name).name[0].isdigit()]
    browser.get(f"{address}/{numbered[0]}.html")
    folded = ".solution.dropdown, .solution details, details.solution"
    wait(browser, f"document.querySelector('{folded}')")
    height = f"[...document.querySelectorAll('{folded}')][0].offsetHeight"
    before = browser.execute_script(f"return {height}")
    button = ".solution.dropdown button.toggle-button, .solution details summary, details.solution summary"
    browser.execute_script(f"document.querySelector('{button}').click()")
    wait(browser, f"{height} > {before}")


def test_the_search_finds_a_word_of_the_notation(browser, address):
    browser.get(f"{address}/search.html?q=ceiling")
    wait(browser, "document.querySelectorAll('#search-results li a').length")
    found = {link.get_attribute("href") for link in browser.find_elements("css selector", "#search-results li a")}
    assert any("notation.html" in link for link in found)
