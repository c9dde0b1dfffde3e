"""The site without Quarto: nbconvert renders the prepared notebooks, this file adds what Quarto would.

Markdown is read by markdown-it-py with plugins for what the notebooks use of Quarto (callouts, attributes, captions).
Formulas become MathML, so that a page fetches nothing. The sidebar is that of _quarto.yml."""
import html
import re
import shutil
from base64 import b64decode, b64encode
from functools import partial
from io import BytesIO
from pathlib import Path

import nbformat
import yaml
from jinja2 import Environment, FileSystemLoader
from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.attrs import attrs_block_plugin, attrs_plugin
from mdit_py_plugins.container import container_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbconvert import HTMLExporter, TemplateExporter
from nbconvert.filters import Highlight2HTML
from nbconvert.preprocessors import Preprocessor
from PIL import Image
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

TEMPLATES = Path(__file__).with_suffix("")

def slug(title):
    "The anchor that Pandoc gives a heading"
    return re.sub(r"^[^a-z]+", "", re.sub(r"\s+", "-", re.sub(r"[^\w\s.-]", "", title.lower())))

def colored(code, language, _):
    "A highlighted block of code"
    try: lexer = get_lexer_by_name(language)
    except ClassNotFound: return ""
    return highlight(code, lexer, HtmlFormatter(nowrap=True))

def formula(tex, options):
    "A formula as MathML"
    display = "block" if options["display_mode"] else "inline"
    return convert(tex.replace(r"\arg", r"\operatorname{arg}"), display=display)

def anchors(state):
    "Take an anchor in braces off the end of a heading"
    for heading, inline in zip(state.tokens, state.tokens[1:]):
        if heading.type == "heading_open" and (named := re.search(r"\s*\{#([\w-]+)\}$", inline.content)):
            heading.meta["id"], inline.content = named[1], inline.content[:named.start()]

def headings(taken, state):
    "Give a heading an anchor that no other of the page has; one at the start of a callout is the callout's title"
    tokens = state.tokens
    for before, opening, inline, closing in zip([None, *tokens], tokens, tokens[1:], tokens[2:]):
        if opening.type != "heading_open": continue
        if before and before.type == "container_div_open":
            opening.tag = closing.tag = "p"
            opening.attrs = {"class": "callout-title"}
            continue
        name = opening.meta.get("id") or slug("".join(token.content for token in inline.children))
        taken[name] = taken.get(name, -1) + 1
        opening.attrs = {"id": f"{name}-{taken[name]}" if taken[name] else name}

def callout(self, tokens, i, options, env):
    "The start or the end of a fenced div: a callout becomes an aside with a title"
    if tokens[i].nesting < 0: return "</aside>\n"
    kind, title = (re.search(pattern, tokens[i].info) for pattern in (r"\.callout-(\w+)", r'title="([^"]*)"'))
    kind = kind[1] if kind else "div"
    opening = f'<aside class="callout {kind}">\n'
    return opening + (f'<p class="callout-title">{html.escape(title[1])}</p>\n' if title else "")

def figures(state):
    "A picture alone in its paragraph is a figure, the text in brackets its caption and `fig-alt` its alternative text"
    tokens = state.tokens
    for before, inline, after in zip(tokens, tokens[1:], tokens[2:]):
        if inline.type != "inline" or before.type != "paragraph_open": continue
        if [token.type for token in inline.children] != ["image"]: continue
        image = inline.children[0]
        before.tag = after.tag = "figure"
        caption = Token("html_inline", "", 0, content="<figcaption>")
        inline.children += [caption, *image.children, Token("html_inline", "", 0, content="</figcaption>")]
        if alt := image.attrs.pop("fig-alt", None): image.children = [Token("text", "", 0, content=alt)]

def site_links(pages, address, state):
    "Links to notebooks, and by address to the site itself, become links to the pages of the preview"
    for token in (t for inline in state.tokens for t in inline.children or []):
        target = re.sub(f"^{address}(/|$)", "", str(token.attrs.get("href", ""))) or "index.html"
        name, hash_, anchor = target.partition("#")
        if token.type == "link_open": token.attrs["href"] = pages.get(name, name) + hash_ + anchor

def markdown(pages, address, taken):
    "The reader of Markdown: source → HTML; `taken` counts the anchors of the page"
    md = MarkdownIt("commonmark", dict(html=True, highlight=colored)).enable(["table", "strikethrough"])
    md.use(attrs_plugin, spans=True, allowed=None).use(attrs_block_plugin)
    md.use(dollarmath_plugin, renderer=formula, double_inline=True)
    md.use(container_plugin, "div", validate=lambda info, *_: info.strip().startswith("{"), render=callout)
    md.core.ruler.before("inline", "anchors_of_headings", anchors)
    md.core.ruler.push("headings", partial(headings, taken))
    md.core.ruler.push("figures", figures)
    md.core.ruler.push("site_links", partial(site_links, pages, address))
    return lambda source: md.render(source)

PICTURES = {"image/png", "image/gif", "image/svg+xml"}

class CellOptions(Preprocessor):
    "Reads the `#|` options of code cells as Quarto does: what is hidden, labels, captions and alternative texts"
    def preprocess_cell(self, cell, resources, index):
        if cell.cell_type != "code": return cell, resources
        lines = cell.source.splitlines()
        marked = [line for line in lines if line.startswith("#|")]
        options = dict(re.fullmatch(r"#\|\s*([\w-]+):?\s*(.*)", line).groups() for line in marked)
        cell.source = "\n".join(line for line in lines if not line.startswith("#|")).strip()
        cell.metadata.transient = dict(remove_source=options.get("echo") == "false")
        if options.get("output") == "false": cell.outputs = []
        if options.get("code-fold") == "true": fold(cell, yaml.safe_load(options.get("code-summary", "Code")))
        text = {key: yaml.safe_load(options[key]) for key in ("fig-cap", "fig-alt", "tbl-cap") if key in options}
        label, pictures = options.get("label", ""), [o for o in cell.outputs if PICTURES & o.get("data", {}).keys()]
        for output in pictures:
            name = label if output is pictures[0] else ""
            caption = text.get("fig-cap", "") if output is pictures[-1] else ""
            as_figure(output, name, text.get("fig-alt", ""), caption)
        if label and not pictures and cell.outputs: cell.id = label
        if "tbl-cap" in text: show_above(cell, "text/markdown", f"*{text['tbl-cap']}*")
        return cell, resources

def show_above(cell, kind, text):
    "Show a text above the other outputs of a cell"
    cell.outputs.insert(0, nbformat.v4.new_output("display_data", {kind: text}))

def fold(cell, summary):
    "Show the code of a cell on demand"
    code = f'<div class="highlight"><pre>{colored(cell.source, "python", None)}</pre></div>'
    show_above(cell, "text/html", f"<details><summary>{html.escape(summary)}</summary>{code}</details>")
    cell.metadata.transient["remove_source"] = True

class Body(HTMLExporter):
    "nbconvert's HTML without its last pass, which sanitizes the page and describes its pictures: ours are"
    template_name, preprocessors = "basic", [CellOptions]
    exclude_input_prompt = exclude_output_prompt = exclude_anchor_links = True
    def from_notebook_node(self, nb, resources=None, **kwargs):
        self.register_filter("highlight_code", Highlight2HTML(pygments_lexer="ipython3", parent=self))
        self.register_filter("clean_html", lambda text: text)
        return TemplateExporter.from_notebook_node(self, nb, resources, **kwargs)

def as_figure(output, label, alt, caption):
    "Turn a picture among the outputs into a figure with a caption; a wide one, which a phone lets the reader move"
    kind, = PICTURES & output.data.keys()
    if kind == "image/svg+xml":
        drawing = output.data[kind]
        width = float(re.search(r'<svg[^>]* width="([\d.]+)pt"', drawing)[1]) * 96 / 72
        data = b64encode(drawing.encode()).decode()
    else:
        data = output.data[kind].replace("\n", "")
        width = Image.open(BytesIO(b64decode(data))).width
    name = f' id="{label}"' if label else ""
    wide = ' class="wide"' if width > 500 else ""
    note = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    image = f'<img src="data:{kind};base64,{data}" alt="{html.escape(alt)}">'
    output.data = {"text/html": f"<figure{name}{wide}>{image}{note}</figure>"}

def read(path):
    "A prepared notebook or Markdown file → notebook, front matter"
    if path.suffix == ".ipynb":
        nb = nbformat.read(path, 4)
        front = next(cell for cell in nb.cells if cell.cell_type == "raw")
        nb.cells.remove(front)
        return nb, yaml.safe_load(front.source.strip().strip("-"))
    _, front, text = path.read_text().split("---\n", 2)
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)]), yaml.safe_load(front)

def preview(proc, out):
    "Render all pages of _proc/ that the sidebar names into `out`; the files written"
    website = yaml.safe_load((proc/"nbdev.yml").read_text())["website"]
    sections = yaml.safe_load((proc/"_quarto.yml").read_text())["website"]["sidebar"]["contents"]
    sources = {name: read(proc/name) for section in sections for name in section["contents"]}
    pages = {name: front.get("output-file", f"{Path(name).stem}.html") for name, (_, front) in sources.items()}
    out.mkdir(parents=True)
    shutil.copytree(proc/"images", out/"images")
    taken = {}
    to_html, exporter = markdown(pages, website["site-url"], taken), Body()
    exporter.register_filter("markdown2html", to_html)
    templates = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=False)  # noqa: S701  our own notebooks
    page = templates.get_template("page.html.j2")
    def entry(name): return pages[name], sources[name][1]["title"]
    menu = [(section["section"], [entry(name) for name in section["contents"]]) for section in sections]
    order, written = list(sources), []
    for name, (nb, front) in sources.items():
        taken.clear()
        body, _ = exporter.from_notebook_node(nb)
        headings = re.findall(r'<h2 id="([^"]+)">(.*?)</h2>', body)
        i = order.index(name)
        near = [entry(order[k]) if 0 <= k < len(order) else None for k in (i - 1, i + 1)]
        text = page.render(site=website, front=front, menu=menu, current=pages[name], body=body, headings=headings,
                           near=near, markdown=to_html)
        written.append(out/pages[name])
        written[-1].write_text(text)
    shutil.copy(TEMPLATES/"style.css", out)
    styles = {"light": "friendly", "dark": "monokai"}
    css = []
    for theme, style in styles.items():
        rules = HtmlFormatter(style=style).get_style_defs(".highlight").splitlines()
        css += [f'[data-theme="{theme}"] {rule}' for rule in rules]
    (out/"code.css").write_text("\n".join(css) + "\n")
    return written
