"""Every notebook as a test, run by what the package exports; `make test-all` also runs its own cells (passes.py).

The cells of a notebook are the code of the package, as test_repository.py makes sure, so the second run is left to
`make test-all`. So are the pages that train for longer than a test may: tests/ covers the functions that they use."""
import pytest
from conftest import ROOT
from coverage import Coverage
from nbdev.config import get_config
from passes import server

LONG = ("04_train", "04a_runs", "04d_pictures", "05a_competitors", "06a_report")
TOOLS = "07"  # the pages from here on show commands and tools at work

@pytest.fixture(scope="session")
def run():
    with server() as run: yield run

def cases():
    "Both passes of each notebook, the longer pages first; without exported cells they are the same"
    for path in sorted((ROOT/"nbs").glob("*.ipynb"), key=lambda path: -path.stat().st_size):
        slow = pytest.mark.slow
        marks = slow if path.stem in LONG or TOOLS <= path.stem < "index" else ()
        yield pytest.param("second_pass", path, id=f"{path.stem}-package", marks=marks)
        if "#| export" in path.read_text(): yield pytest.param("first_pass", path, id=f"{path.stem}-cells", marks=slow)

@pytest.mark.parametrize("check, path", list(cases()))
def test_notebook(check, path, run, tmp_path, pytestconfig):
    flags, log = pytestconfig.getoption("flags").split(), tmp_path/"log"
    skip = [flag for flag in get_config().tst_flags.split() if flag not in flags]
    measured = check == "second_pass" and Coverage.current() is not None
    code = run(check=check, path=str(path), skip=skip, log=str(log), measured=measured)
    if code: pytest.fail(f"exit code {code}\n{log.read_text(errors='replace')}", pytrace=False)
