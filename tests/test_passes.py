"""Every notebook as two tests: its own cells, and the package in their place (passes.py says how).

For `make test-all` wait both passes of the pages that are examples for users, whose functions tests/ covers, and the first pass of the
longest notebooks: its cells are those of the package, which the test of the export says, and the second pass runs them."""
import pytest
from conftest import ROOT
from coverage import Coverage
from nbdev.config import get_config
from passes import PASSES, server

LONG = ("00_data", "04_train", "04e_experiments", "04f_results", "05a_competitors", "06_limitations", "06a_report", "07_cli", "08_bench",
        "12_hub", "14_scale")
EXAMPLES = ("10_explore", "11_own_data", "13_deploy", "15_gymnasium")

@pytest.fixture(scope="session")
def run():
    with server() as run: yield run

def cases():
    for path in sorted((ROOT/"nbs").glob("*.ipynb")):
        for check in PASSES:
            slow = path.stem in EXAMPLES or path.stem in LONG and check == "first_pass"
            yield pytest.param(check, path, id=f"{path.stem}-{check}", marks=[pytest.mark.slow] if slow else [])

@pytest.mark.parametrize("check, path", cases())
def test_notebook(check, path, run, tmp_path, pytestconfig):
    skip = [flag for flag in get_config().tst_flags.split() if flag not in pytestconfig.getoption("flags").split()]
    measured = check == "second_pass" and Coverage.current() is not None
    code = run(check=check, path=str(path), skip=skip, log=str(tmp_path/"log"), measured=measured)
    if code: pytest.fail(f"{path.name} ended with {code}\n{(tmp_path/'log').read_text(errors='replace')}", pytrace=False)

def test_lists_name_notebooks(): assert {*LONG, *EXAMPLES} <= {path.stem for path in (ROOT/"nbs").glob("*.ipynb")}
