"""Make README.md from nbs/index.ipynb: its prose, its code and the outputs stored with it.

What is written for the site is put as GitHub shows it: links are relative to the repository, callouts are alerts, and
pictures among the outputs become files in nbs/images/."""
import base64
import posixpath
import re
from pathlib import Path

import nbformat
from nbdev.process import extract_directives

ROOT = Path(__file__).resolve().parent.parent

def relink(m):
    "The target of a link or picture in nbs/, seen from the top of the repository, without Quarto's attributes"
    return f"]({m[1]})" if re.match(r"[a-z]+:|#|/", m[1]) else f"]({posixpath.normpath('nbs/' + m[1])})"

def alert(m):
    "A Quarto callout as a GitHub alert"
    body = re.sub(r"^##+ (.*)$", r"**\1**", m[2].strip(), flags=re.M)
    return "\n".join(f"> {line}".rstrip() for line in [f"[!{m[1].upper()}]", *body.splitlines()])

def prose(text):
    "Markdown written for the site as GitHub shows it"
    text = re.sub(r"^:{3,} *\{\.callout-(\w+)[^}]*\}\n(.*?)^:{3,}$", alert, text, flags=re.M | re.S)
    return re.sub(r"\]\(([^()\s]+)\)(?:\{[^}]*\})?", relink, text)

def output(out, name, alt, pictures):
    "A stored output as Markdown; a picture with alternative text `alt` is put into `pictures` under its path"
    data = out.get("data", {"text/plain": out.get("text", "")})
    if "text/markdown" in data: return prose(data["text/markdown"])
    if "image/png" in data:
        path = f"nbs/images/{name}.png"
        pictures[path] = base64.b64decode(data["image/png"])
        return f"![{alt}]({path})"
    return f"```\n{data['text/plain'].rstrip()}\n```"

def readme(nb):
    "README.md for the notebook, and the pictures that it shows: path → bytes"
    parts, pictures = [], {}
    for cell in nb.cells:
        flags = extract_directives(cell) if cell.cell_type == "code" else {}
        if cell.cell_type == "markdown": parts.append(prose(cell.source))
        if cell.cell_type != "code" or "hide" in flags: continue
        if flags.get("echo:") != ["false"]:
            code = "".join(line for line in cell.source.splitlines(True) if not line.startswith("#|"))
            parts.append(f"```python\n{code.strip()}\n```")
        alt = " ".join(flags.get("fig-alt:", []))
        if flags.get("output:") != ["false"]:
            parts += [output(o, f"readme-{cell.id}-{i}", alt, pictures) for i, o in enumerate(cell.outputs)]
    note = "<!-- Made from nbs/index.ipynb by scripts/readme.py: edit there. -->"
    return "\n\n".join([note, *(p.strip() for p in parts)]) + "\n", pictures

def main():
    text, pictures = readme(nbformat.read(ROOT/"nbs"/"index.ipynb", 4))
    (ROOT/"README.md").write_text(text)
    for path, data in pictures.items():
        (ROOT/path).parent.mkdir(exist_ok=True)
        (ROOT/path).write_bytes(data)

if __name__ == "__main__": main()
