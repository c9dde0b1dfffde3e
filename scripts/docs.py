"""Make the site: nbdev prepares the notebooks in _proc/, Quarto renders them into _docs/.

Where Quarto is not installed (or with --preview) nbconvert renders the same pages, with the same navigation, as a local
preview."""
import argparse
import ast
import re
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import nbformat
import yaml
from nbdev.config import get_config
from nbdev.quarto import refresh_quarto_yml
from nbdev.serve import proc_nbs
from preview import preview

ROOT = Path(__file__).resolve().parent.parent
FOLD = '#| code-fold: show\n#| code-summary: "Exported source"\n'  # what nbdev writes above code that is shown
PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}  # of the repository, on the site too

def add_badges(name, config, nb):
    "Put links to the notebook on GitHub and in Colab below its title"
    place = f"{config.user}/{config.repo}/blob/{config.branch}/{config.nbs_path.name}/{name}"
    links = {"View on GitHub": ("images/badge-github.svg", f"https://github.com/{place}"),
             "Open in Colab": ("images/badge-colab.svg", f"https://colab.research.google.com/github/{place}")}
    if name == config.readme_nb: return
    front = next(i for i, cell in enumerate(nb.cells) if cell.cell_type == "raw")
    badges = [f"[![{text}]({picture})]({url})" for text, (picture, url) in links.items()]
    nb.cells.insert(front + 1, nbformat.v4.new_markdown_cell(" ".join(badges)))

def on_the_site(text, config):
    "A Markdown file of the repository as a page: its title in the front matter, links to other files by address"
    title, _, text = text.removeprefix("# ").partition("\n")
    text = re.sub(r"\]\((?![a-z]+:|#)([^)\s]+)\)", rf"]({config.git_url}/blob/{config.branch}/\1)", text)
    front = {"title": title, "repo-actions": False}  # its source is elsewhere
    return f"---\n{yaml.safe_dump(front)}---\n{text}"

def show_code(nb):
    "Mark exported definitions as nbdev does what the page is to show, code and all: a notebook is read for its code"
    for cell in nb.cells:
        exported = cell.cell_type == "code" and re.match(r"#\|\s*export\n", cell.source)
        if exported and defined(cell.source): cell.source = cell.source.replace("export", "exports", 1)

def defined(source):
    "The names that a cell defines; a method that is patched in with its class"
    nodes = [n for n in ast.parse(source).body if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
    patched = [[d for d in n.decorator_list if "patch" in ast.unparse(d)] for n in nodes]
    return [f"{ast.unparse(n.args.args[0].annotation)}.{n.name}" if p else n.name for n, p in zip(nodes, patched)]

def methods(source):
    "The anchors of the public methods in a cell"
    classes = [n for n in ast.parse(source).body if isinstance(n, ast.ClassDef)]
    found = [(c.name, m.name) for c in classes for m in c.body if isinstance(m, ast.FunctionDef)]
    return [f"{name}.{method}".lower() for name, method in found if not method.startswith("_")]

def heading(names, links, own, methods):
    "A heading of names that link to the source; of several names each has an anchor of its own, as the methods have"
    def anchor(name): return f'{{id="{name.lower()}"}}' if name in own else ""
    text = "### " + ", ".join(f"[`{name}`]{links[name]}{anchor(name)}" for name in names)
    if methods: text += "\n\n" + "".join(f'[]{{id="{method}"}}' for method in methods)
    return nbformat.v4.new_markdown_cell(text)

def name_code(nb):
    "Above each definition a heading of its names, which link to the source; the code itself says the rest"
    docs = [c for c in nb.cells if c.cell_type == "code" and re.search(r"^show_doc\(", c.source, re.M)]
    links = {}
    for text in ("".join(c.outputs[0].data["text/markdown"]) for c in docs):
        source, name = re.search(r"\[source\](\(\S+?\))", text), re.search(r"^#+ (\S+)", text, re.M)[1]
        links[name] = source[1] if source else ""  # a property has none
    cells, anchors = [], set()
    for cell in (c for c in nb.cells if c not in docs):
        if cell.cell_type == "code" and cell.source.startswith(FOLD):
            cell.source = cell.source.removeprefix(FOLD)
            known = [name for name in defined(cell.source) if name in links]
            several = len(known) > 1  # of one name the heading has the anchor
            own = [name for name in known if several and name.lower() not in anchors]
            anchors |= {name.lower() for name in known}
            if known: cells.append(heading(known, links, own, methods(cell.source)))
        cells.append(cell)
    nb.cells = cells

def edit(path, *changes):
    "Change a notebook"
    nb = nbformat.read(path, 4)
    for change in changes: change(nb)
    nbformat.write(nb, path)

def prepare():
    "Fill _proc/ with what Quarto reads"
    config = get_config()
    refresh_quarto_yml()
    with tempfile.TemporaryDirectory() as tmp:
        nbs = shutil.copytree(config.nbs_path, Path(tmp, "nbs"))
        for path in nbs.glob("*.ipynb"): edit(path, show_code)
        proc = proc_nbs(nbs, n_workers=0, force=True)
    for path in proc.glob("*.ipynb"): edit(path, name_code, partial(add_badges, path.name, config))
    for name, page in PAGES.items(): (proc/page).write_text(on_the_site((ROOT/name).read_text(), config))
    return proc

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preview", action="store_true", help="without Quarto, even where there is one")
    parser.add_argument("--out", type=Path, default=ROOT/"_docs", help="folder to make; default: _docs")
    args = parser.parse_args()
    if args.out.exists() and not (args.out/"index.html").is_file():
        parser.error(f"{args.out} is there, and no site; name another folder")
    proc = prepare()
    made = proc/"_docs"
    if args.preview or not shutil.which("quarto"):
        print(f"{len(preview(proc, made))} pages, a preview without Quarto: {args.out/'index.html'}")
    else:
        done = subprocess.run(["quarto", "render", proc, "--no-cache"])  # noqa: S607  the reader's Quarto
        if done.returncode: return done.returncode
    shutil.rmtree(args.out, ignore_errors=True)
    shutil.move(made, args.out)
    return 0

if __name__ == "__main__": sys.exit(main())
