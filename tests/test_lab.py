"""JupyterLab starts on the notebooks, lists and runs them; progress bars are widgets there and text in a terminal."""
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
import websocket
from conftest import ROOT, SMALL, free_port
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

sys.path.insert(0, str(ROOT/"scripts"))
from run_notebooks import WAIT

NOTEBOOKS = {p.name for p in (ROOT/"nbs").glob("*.ipynb")}
WIDGET = "application/vnd.jupyter.widget-view+json"
BARS = f"""
from dataclasses import replace
from pathlib import Path
from dqsstn.config import CONFIGS, override
from dqsstn.files import InputError
from dqsstn.learner import make_bank, tqdm
from dqsstn.runs import train_run
from dqsstn.sample import sample_items
config = override(CONFIGS["demo"], ["{SMALL.split()[1]}", "device=cpu"])
fit, valid = (sample_items(part, n_train=60, n_test=30) for part in ("fit", "valid"))
---
train_run(config, fit, valid, progress=True)
left = len(tqdm._instances)
---
Path("broken.jpg").write_bytes(fit[20].path.read_bytes()[:900])
broken = replace(fit, items=(*fit.items[:20], replace(fit[20], path=Path("broken.jpg")), *fit.items[21:]))
diverges = override(config, ["classifier_lr=1e30"])
for fails in (lambda: make_bank(broken, config, progress=True), lambda: train_run(diverges, fit, valid, progress=True)):
    try: fails()
    except InputError as e: print(e)
left += len(tqdm._instances)
---
print(tqdm.__mro__[1].__name__, left)
""".split("---")

@pytest.mark.slow
def test_bars_are_widgets_in_a_notebook_and_are_closed(folder, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    nb = new_notebook(cells=[new_code_cell(code) for code in BARS])
    NotebookClient(nb, resources=dict(metadata=dict(path=str(folder))), **WAIT).execute()
    trained, failed, last = ([o.get("data", {"text": o.get("text")}) for o in c.outputs] for c in nb.cells[1:])
    titles = [o["text/plain"].partition(":")[0] for o in trained]
    assert titles[:4] == ["decoding", "decoding", "classifier", "agent"] and all(WIDGET in o for o in trained)
    assert [o["text/plain"].partition(":")[0] for o in failed if WIDGET in o] == ["decoding"] * 3 + ["classifier"]
    said = "".join(o.get("text") or "" for o in failed)
    assert "broken.jpg: unreadable photo" in said and "train anew with a lower classifier_lr" in said
    assert last == [{"text": "tqdm_notebook 0\n"}]

@pytest.mark.slow
def test_bars_are_text_in_a_terminal(folder):
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", "\n".join(BARS)], env=env, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.splitlines()[-1].endswith(" 0"), done.stderr
    for title in ("decoding: 100%", "classifier: 100%", "agent: 100%"): assert title in done.stderr

class Lab:
    "JupyterLab as `make lab` starts it, but for the browser, and with a port and a token of our own"
    def __init__(self, home):
        self.port = free_port()
        self.token = secrets.token_hex(16)
        command = re.search(r"^lab:.*\n\t\$\(PY\) (.*)$", (ROOT/"Makefile").read_text(), re.M)[1].split()
        env = os.environ | dict(HOME=str(home), PYTHONPATH=str(ROOT), PYTHONWARNINGS="ignore")
        env |= {f"JUPYTER_{kind}_DIR": str(home/kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
        env["IPYTHONDIR"] = str(home/"ipython")
        root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        self.log = open(home/"log", "w+")  # noqa: SIM115  until `stop`
        options = ["--no-browser", "--ip=127.0.0.1", f"--port={self.port}", "--ServerApp.port_retries=0",
                   f"--IdentityProvider.token={self.token}", *root]
        self.process = subprocess.Popen([sys.executable, *command, *options], cwd=ROOT, env=env, stdout=self.log,
                                        stderr=self.log, start_new_session=True)

    def ask(self, path, /, **values):
        "(content type, content) of an answer; with values, of a POST"
        body = json.dumps(values).encode() if values else None
        address, headers = f"http://127.0.0.1:{self.port}{path}", {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(address, body, headers)  # noqa: S310  our own server
        with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310
            return answer.headers.get_content_type(), answer.read()

    def json(self, path, /, **values): return json.loads(self.ask(path, **values)[1])

    def wait(self, seconds=600):
        "Until it answers"
        end = time.time() + seconds
        while True:
            try: return self.json("/api/status")
            except OSError:
                if self.process.poll() is not None or time.time() > end:
                    self.log.seek(0)
                    raise AssertionError(self.log.read()) from None
                time.sleep(0.2)

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        try: self.process.wait(20)
        except subprocess.TimeoutExpired: os.killpg(self.process.pid, signal.SIGKILL)
        self.log.close()

@pytest.fixture
def lab(folder):
    server = Lab(folder)
    try:
        server.wait()
        yield server
    finally: server.stop()

def unpacked(message):
    "A message of a kernel; one with buffers (a widget's picture) begins with their number and offsets; JSON is first"
    if isinstance(message, bytes):
        start, end = (int.from_bytes(message[k : k + 4], "big") for k in (4, 8))
        message = message[start:end]
    return json.loads(message)

def run(lab, name):
    "Run a notebook's cells in a kernel that the server starts, over the wire that its pages use: [(stored, shown), …]"
    nb = nbformat.from_dict(lab.json(f"/api/contents/{name}?content=1")["content"])
    kernel = dict(name=nb.metadata.kernelspec.name)
    session = lab.json("/api/sessions", path=name, name=name, type="notebook", kernel=kernel)
    wire = websocket.create_connection(f"ws://127.0.0.1:{lab.port}/api/kernels/{session['kernel']['id']}/channels",
                                       header=[f"Authorization: token {lab.token}"], timeout=600)
    seen = []
    for k, cell in enumerate(c for c in nb.cells if c.cell_type == "code"):
        header = dict(msg_id=f"cell-{k}", session="test", username="", date="", version="5.3",
                      msg_type="execute_request")
        content = dict(code=cell.source, silent=False, store_history=True, user_expressions={}, allow_stdin=False)
        wire.send(json.dumps(dict(header=header, parent_header={}, metadata={}, channel="shell", buffers=[],
                                  content=content)))
        outputs = []
        while True:
            message = unpacked(wire.recv())
            if message["parent_header"].get("msg_id") != header["msg_id"] or message["channel"] != "iopub": continue
            if message["msg_type"] in ("stream", "display_data", "execute_result", "error"):
                outputs.append(nbformat.v4.output_from_msg(message))
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle": break
        seen.append((cell.outputs, outputs))
    wire.close()
    return seen

def texts(outputs):
    return "".join(o.get("text") or o.get("data", {}).get("text/plain", o["output_type"]) for o in outputs)

@pytest.mark.slow
def test_jupyterlab_opens_lists_and_runs_the_notebooks(lab):
    kind, page = lab.ask("/lab")
    assert kind == "text/html" and b"jupyter-config-data" in page
    files = {entry["name"]: entry for entry in lab.json("/api/contents/")["content"]}
    assert files.keys() >= NOTEBOOKS and {files[name]["type"] for name in NOTEBOOKS} == {"notebook"}
    kernels = lab.json("/api/kernelspecs")["kernelspecs"]
    assert {nbformat.read(ROOT/"nbs"/name, 4).metadata.kernelspec.name for name in NOTEBOOKS} <= kernels.keys()
    seen = run(lab, "00a_config.ipynb")
    assert len(seen) > 20 and sum(bool(shown) for _, shown in seen) > 2
    for stored, shown in seen: assert texts(shown) == texts(stored)

@pytest.mark.slow
def test_the_explorer_is_a_live_widget_there(lab):
    seen = run(lab, "10_explore.ipynb")
    assert not [o for _, shown in seen for o in shown if o.output_type == "error"]
    widgets = [(stored, o.data[WIDGET]) for stored, shown in seen for o in shown if WIDGET in o.get("data", {})]
    assert len(widgets) == 1 and widgets[0][0] == [] and widgets[0][1]["model_id"]
