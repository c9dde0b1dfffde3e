"""The site: every page, as a browser shows it, wide and on a phone. What is opened is the preview (scripts/docs.py
--preview); Quarto renders the same prepared notebooks."""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
import yaml
from nbdev.config import get_config

ROOT = Path(__file__).resolve().parent.parent
SIDEBAR = yaml.safe_load((ROOT/"_quarto.yml").read_text())["website"]["sidebar"]["contents"]
SOURCES = [name for section in SIDEBAR for name in section["contents"]]
PAGES = [re.sub(r"^\d+\w*?_", "", Path(name).stem) + ".html" for name in SOURCES]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

# what a page says of itself, once it is there
ASK = """() => {
  const text = document.createElement("div");
  text.append(document.querySelector("main").cloneNode(true));
  text.querySelectorAll("pre, code, math, script").forEach(e => e.remove());
  return {
    ids: [...document.querySelectorAll("[id]")].map(e => e.id),
    links: [...document.querySelectorAll("a[href]")].map(e => e.getAttribute("href")),
    broken: [...document.images].filter(e => !e.complete || !e.naturalWidth).map(e => e.src.slice(0, 80)),
    mute: [...document.images].filter(e => !e.alt.trim()).map(e => e.src.slice(0, 80)),
    formulas: [...document.querySelectorAll("math")].map(e => [e.textContent, e.getBoundingClientRect().width]),
    errors: document.querySelectorAll(".output_error, .output_stderr").length,
    text: text.textContent,
    width: document.documentElement.scrollWidth,
  };
}"""

def test_sidebar_names_every_notebook():
    notebooks = sorted(path.name for path in (ROOT/"nbs").glob("*.ipynb"))
    assert sorted(name for name in SOURCES if name.endswith(".ipynb")) == notebooks
    assert len(set(PAGES)) == len(PAGES)

@pytest.fixture(scope="module")
def site(tmp_path_factory):
    "The folder of the preview"
    out = tmp_path_factory.mktemp("site")/"docs"
    env = os.environ | dict(PYTHONWARNINGS="ignore")
    command = [sys.executable, "scripts/docs.py", "--preview", "--out", out]
    subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, timeout=300)
    assert sorted(p.name for p in out.glob("*.html")) == sorted(PAGES)
    return out

@pytest.fixture(scope="module")
def browser():
    if not BROWSER:
        missing = "no page was opened: there is no Chromium (apt-get install chromium)"
        if os.environ.get("DQSSTN_REQUIRE_CHROMIUM") == "1": pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield chromium
        chromium.close()

@pytest.fixture(scope="module")
def visits(browser, site):  # without a browser no site is made
    "(page, width) → what the page says of itself and what the browser complained about"
    seen, complaints = {}, []
    def said(message):
        if message.type in ("error", "warning"): complaints.append(message.text)
    def failed(request):
        if request.failure != "net::ERR_ABORTED": complaints.append(request.url[:80])
    for width in (1280, 390):
        tab = browser.new_page(viewport=dict(width=width, height=844))
        tab.on("console", said)
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("requestfailed", failed)
        for page in PAGES:
            complaints.clear()
            tab.goto(f"file://{site/page}", wait_until="load")
            seen[page, width] = tab.evaluate(ASK) | dict(complaints=list(complaints))
        tab.close()
    return seen

@pytest.mark.parametrize("page", PAGES)
def test_page(visits, page):
    wide, phone = visits[page, 1280], visits[page, 390]
    for seen in (wide, phone):
        assert not seen["complaints"] and not seen["broken"] and not seen["mute"] and not seen["errors"]
    assert wide["width"] <= 1280 and phone["width"] <= 390
    assert len(set(wide["ids"])) == len(wide["ids"])
    assert [(tex, width) for tex, width in wide["formulas"] if "\\" in tex or width < 1] == []
    left_over = r":::|@fig-|@tbl-|#\||\$[^$\n]*[\\^_][^$\n]*\$|\\\(|\]\(|\{[#.][\w-]|fig-alt|�"  # of Markdown and LaTeX
    assert re.findall(f".{{0,40}}(?:{left_over}).{{0,40}}", wide["text"]) == []

def test_links(visits, site):
    config, wrong = get_config(), []
    address, repository = config.doc_host + config.doc_baseurl, f"{config.git_url}/blob/{config.branch}/"
    for page in PAGES:
        for link in visits[page, 1280]["links"]:
            target, anchor = urldefrag(unquote(link))
            if target.startswith(repository): right = (ROOT/target.removeprefix(repository)).exists()
            elif re.match("[a-z]+:", target): right = target.startswith("https://") and not target.startswith(address)
            else: right = (target or page) in PAGES and (not anchor or anchor in visits[target or page, 1280]["ids"])
            if not right: wrong.append(f"{page}: {link}")
    assert wrong == []

def test_formulas_are_shown(visits):
    assert sum(len(visits[page, 1280]["formulas"]) for page in PAGES) > 100

def test_definitions_are_shown_with_their_code(visits, site):
    assert {"td_loss", "replaymemory.sample", "q_target"} <= set(visits["qnet.html", 1280]["ids"])
    assert "F.huber_loss(" in re.sub("<[^>]+>", "", (site/"qnet.html").read_text())

def test_menu_and_theme(site, browser):
    tab = browser.new_page(viewport=dict(width=390, height=844), color_scheme="dark")
    tab.goto(f"file://{site}/index.html")
    menu = tab.locator("nav.pages")
    assert not menu.is_visible()
    tab.get_by_label("Show the pages").check()
    assert menu.is_visible()
    menu.get_by_text("Environment").click()
    assert tab.url.endswith("env.html")
    def dark(): return tab.evaluate("document.documentElement.dataset.theme") == "dark"
    assert dark()  # as the reader's system has it
    tab.locator("header button").click()
    assert not dark()
    tab.reload()
    assert not dark()  # and as the reader chose

def test_every_figure_is_described():
    import nbformat
    def shows_a_picture(cell):
        kinds = {kind for out in cell.get("outputs", []) for kind in out.get("data", {})}
        return kinds & {"image/png", "image/gif", "image/svg+xml"}
    def says(cell, option): return re.search(rf"^#\| {option}: .{{10,}}", cell.source, re.M)
    missing = []
    for path in sorted((ROOT/"nbs").glob("*.ipynb")):
        for cell in nbformat.read(path, 4).cells:
            if shows_a_picture(cell) and not (says(cell, "fig-cap") and says(cell, "fig-alt")):
                missing.append(f"{path.name} {cell.id}")
            if cell.cell_type == "markdown":
                missing += [f"{path.name}: {m}" for m in re.findall(r"!\[.{0,10}\]\(", cell.source)]
    assert missing == []
