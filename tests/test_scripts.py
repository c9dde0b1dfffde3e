"""What the Makefile and other tests rest on: executing notebooks, both passes over them, the check of the export, and
README.md."""
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT/"scripts"))
import readme
from passes import as_import, server
from run_notebooks import WAIT
from test_repository import export, stale_modules

def write(path, *cells):
    nbformat.write(new_notebook(cells=list(cells)), path)
    return path

def run_notebooks(*args):
    return subprocess.run([sys.executable, "scripts/run_notebooks.py", *args], cwd=ROOT, capture_output=True, text=True)

def test_run_notebooks_skips_what_nbdev_test_skips_and_keeps_its_outputs(tmp_path):
    stored = [new_output("stream", text="stored\n")]
    sources = ["#| slow\n1/0", "#| eval: false\n1/0", "print('new')"]
    path = write(tmp_path/"a.ipynb", *[new_code_cell(source, outputs=stored) for source in sources])
    assert run_notebooks(str(path)).returncode == 0
    once = path.read_text()
    assert [c.outputs[0].text for c in nbformat.read(path, 4).cells] == ["stored\n", "stored\n", "new\n"]
    assert '"execution_count": null' in once and '"execution_count": 1' not in once
    run_notebooks(str(path))
    assert path.read_text() == once

    failed = run_notebooks("--flags", "slow", str(path))
    assert failed.returncode == 1 and "ZeroDivisionError" in failed.stderr
    assert path.read_text() == once

def test_widgets_run_and_are_not_stored(tmp_path):
    pytest.importorskip("ipywidgets")
    bar = "from tqdm.auto import tqdm\nfor i in tqdm(range(3)): pass\nprint(3)"
    button = "import ipywidgets\nipywidgets.Button()"
    nb = nbformat.read(write(tmp_path/"a.ipynb", new_code_cell(bar), new_code_cell(button)), 4)
    plain = NotebookClient(nb, **WAIT).execute()  # what JupyterLab gets
    assert "vnd.jupyter.widget-view" in str(plain.cells[0].outputs) and "widgets" in plain.metadata
    assert run_notebooks(str(tmp_path/"a.ipynb")).returncode == 0
    nb = nbformat.read(tmp_path/"a.ipynb", 4)
    assert [[o.text for o in c.outputs] for c in nb.cells] == [["3\n"], []] and "widgets" not in nb.metadata

def test_stale_export_fails(tmp_path):
    for name in ("dqsstn", "nbs"): (tmp_path/name).mkdir()
    (tmp_path/"settings.ini").write_text((ROOT/"settings.ini").read_text())
    for name in ("__init__.py", "__main__.py"): (tmp_path/"dqsstn"/name).write_text((ROOT/"dqsstn"/name).read_text())
    write(tmp_path/"nbs"/"00_a.ipynb", new_code_cell("#| default_exp a"), new_code_cell("#| export\nx = 1"))
    assert stale_modules(tmp_path) == ["_modidx.py", "a.py"]
    export(tmp_path)
    assert stale_modules(tmp_path) == []
    (tmp_path/"dqsstn"/"a.py").write_text("x = 2\n")
    assert stale_modules(tmp_path) == ["a.py"]

@pytest.mark.parametrize("cell, code", [
    ("import os\nfrom pathlib import Path as P\ndef f(x): y = 1\nclass _A: z = 2",
     "import os\nfrom pathlib import Path as P\nfrom dqsstn.m import _A, f"),
    ("A = B = 1\nc, (d, *e) = 1, (2, 3)\nf: int = 4\nA.x = 5\nA[0] = 6\ng(h=7)",
     "from dqsstn.m import A, B, c, d, e, f"),
    ("@patch\ndef f(self: A): pass\n@patch(as_prop=True)\ndef g(self: A): pass\n@cache\ndef h(): pass",
     "from dqsstn.m import h"),
    ("for i in range(3): k = i\nwith a as b: pass\nif (w := 1): v = 2", "from dqsstn.m import b, i, k, v, w"),
    ("A['x'] = 1\nregister(id='x')", "")])
def test_an_exported_cell_becomes_an_import(cell, code): assert as_import(cell, "m") == code

def test_second_pass_judges_the_package(tmp_path):
    cells = ["#| default_exp files", "#| export\nimport math\nclass InputError: whose = 'the notebook'",
             "#| slow\n1/0", "#| eval: false\n1/0", "assert math.pi > 3",
             "assert not hasattr(InputError, 'whose') and InputError.__module__ == 'dqsstn.files'"]
    good = write(tmp_path/"good.ipynb", *map(new_code_cell, cells))
    bad = write(tmp_path/"bad.ipynb", *map(new_code_cell, [*cells[:2], "assert InputError.whose == 'the notebook'"]))
    lost = write(tmp_path/"lost.ipynb", *map(new_code_cell, [cells[0], "#| exporti\ndef _of_nobody(): pass"]))
    with server() as run:
        def ends(check, path):
            log = path.with_suffix(".log")
            return run(check=check, path=str(path), skip=["slow"], log=str(log), measured=False), log.read_text()
        assert ends("second_pass", good) == (0, "")
        for path, error in (bad, "AttributeError"), (lost, "ImportError"):
            code, log = ends("second_pass", path)
            assert code == 1 and error in log and path.name in log
        assert ends("first_pass", bad)[0] == 0  # which the first pass does not see
        killed = write(tmp_path/"killed.ipynb", new_code_cell("import os\nos.kill(os.getpid(), 9)"))
        assert ends("first_pass", killed)[0] == -9
        assert ends("second_pass", good)[0] == 0  # after which it goes on

@pytest.mark.parametrize("site, github", [
    ("[env](01_env.ipynb) and [licence](../LICENSE)", "[env](nbs/01_env.ipynb) and [licence](LICENSE)"),
    ("[site](https://example.org/a) [below](#below)", "[site](https://example.org/a) [below](#below)"),
    ("![Views](images/a.png){#fig-a width=50%}", "![Views](nbs/images/a.png)"),
    ("[![badge](https://example.org/b.svg)](../CITATION.cff)", "[![badge](https://example.org/b.svg)](CITATION.cff)"),
    ("::: {.callout-note}\n## Title\ntext\n\nmore\n:::\n\nafter",
     "> [!NOTE]\n> **Title**\n> text\n>\n> more\n\nafter")])
def test_readme_speaks_github(site, github): assert readme.prose(site) == github

def test_readme_shows_code_and_outputs():
    table = new_output("execute_result", data={"text/markdown": "| a |\n|---|", "text/plain": "no"})
    picture = new_output("display_data", data={"image/png": "AAAA", "text/plain": "no"})
    text, pictures = readme.readme(new_notebook(cells=[
        new_markdown_cell("# dqsstn"), new_code_cell("#| hide\nsecret = 1"),
        new_code_cell("#| echo: false\nhidden()", outputs=[table]),
        new_code_cell("#| label: fig-x\n#| fig-alt: Four views\nshown()", outputs=[picture], id="cell-1")]))
    assert "secret" not in text and "hidden" not in text and "no" not in text
    assert "| a |\n|---|" in text and "```python\nshown()\n```" in text
    assert "![Four views](nbs/images/readme-cell-1-0.png)" in text
    assert pictures == {"nbs/images/readme-cell-1-0.png": b"\0\0\0"}
