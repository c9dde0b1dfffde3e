"""Notebooks give the same numbers each time: two executions agree to the last digit, and with what is stored."""
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import nbformat
import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT/"scripts"))
from nbdev.config import get_config
from run_notebooks import QUIET, FlaggedClient

pytestmark = pytest.mark.slow
NOTEBOOKS = [p for p in sorted((ROOT/"nbs").glob("0*.ipynb")) if p.name < "07"]  # 07 and 08 time what they show
CLOSED_FORM = ("00_data", "00a_config", "01_env", "02_rewards", "04f_results", "06a_report")  # nothing is trained there
TIMED = {"01d6f004": "04e_experiments: a column of seconds", "aa216acb": "05a_competitors: milliseconds per photo",
         "48af168a": "05a_competitors: their plot"}
NUMBER = r"[-+−]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"

@cache
def executed(path):
    "Two fresh executions at once, each in a process of its own"
    def run(_):
        nb = nbformat.read(path, 4)
        for cell in nb.cells:
            if cell.cell_type == "code": cell.outputs = []  # what is not executed is not compared
        FlaggedClient(nb, get_config().tst_flags.split(), resources={"metadata": {"path": str(path.parent)}}).execute()
        return nb
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setenv("PYTHONWARNINGS", QUIET)
        return list(pool.map(run, range(2)))

def outputs(nb, kinds=None):
    "Cell → what it shows, by kind"
    shown = {c.id: [o.data if "data" in o else {"text/plain": o.text} for o in c.outputs if o.get("name") != "stderr"]
             for c in nb.cells if c.cell_type == "code" and c.id not in TIMED}
    def wanted(output): return {kind: x for kind, x in sorted(output.items()) if kinds is None or kind in kinds}
    return {cell: list(map(wanted, outputs)) for cell, outputs in shown.items() if outputs}

@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_executions_agree(path):
    one, two = map(outputs, executed(path))
    assert one and [cell for cell in one if one[cell] != two[cell]] == []

@pytest.mark.parametrize("name", CLOSED_FORM)
def test_stored_numbers_are_those_of_today(name):
    path = ROOT/"nbs"/f"{name}.ipynb"
    texts = ("text/plain", "text/html", "text/markdown")
    stored, today = outputs(nbformat.read(path, 4), texts), outputs(executed(path)[0], texts)
    n = 0
    for cell in today:
        old, new = str(stored[cell]), str(today[cell])
        assert re.sub(NUMBER, "#", old) == re.sub(NUMBER, "#", new), cell
        numbers = [[float(x.replace("−", "-")) for x in re.findall(NUMBER, text)] for text in (old, new)]
        assert numbers[1] == pytest.approx(numbers[0], rel=1e-3, abs=1e-6), cell
        n += len(numbers[0])
    assert n > 5

def test_timed_cells_are_there():
    ids = {c.id for path in NOTEBOOKS for c in nbformat.read(path, 4).cells}
    assert TIMED.keys() <= ids
