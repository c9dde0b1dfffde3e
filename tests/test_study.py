"""Studies as a user runs them: in processes of their own, killed and resumed; and the numbers in pages and README."""
import re
import shlex
import signal
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT, SMALL, TINY, call, start
from stopping import stopping

from dqsstn import experiments
from dqsstn.evaluate import markdown_table
from dqsstn.experiments import read_rows
from dqsstn.report import tables_of
from dqsstn.results import caption, table1

STUDIES = sorted((ROOT/"results").glob("*_study.csv"))
FEW = shlex.split(f"--sample {TINY} {SMALL}")

def names(path): return sorted(zip(read_rows(path).name, read_rows(path).seed))

def test_a_stopped_study_goes_on(folder):
    table = Path("study/results.csv")
    study = ["reproduce", *shlex.split("--table 4 --figure 4 --levels 0.2,0.6 --seeds 2 --out study"), *FEW]
    with pytest.MonkeyPatch.context() as patch:  # Ctrl-C after two rows
        patch.setattr(experiments, "append_rows", stopping(experiments.append_rows, 2, "SIGINT"))
        call([*study, "--jobs", "1"], code=130)
    two = table.read_text()
    assert len(read_rows(table)) == 2
    killed = start(*study, "--jobs", "2", stop=("dqsstn.experiments.append_rows", 2, "SIGKILL"))
    _, err = killed.communicate()  # which ends when the workers, too, have left
    assert killed.returncode == -signal.SIGKILL and len(read_rows(table)) == 4, err
    four = table.read_text()
    assert four.startswith(two)  # what was there is as it was
    stdout = call([*study, "--jobs", "1"]).stdout  # another number of processes, too
    assert table.read_text().startswith(four) and "8 rows, 4 of them missing" in stdout
    assert names(table) == sorted((n, s) for s in (0, 1) for n in ("baseline", "discrete_iou", "iou_0.20", "iou_0.60"))

@pytest.mark.slow
def test_processes_and_one_process_give_the_same(folder):
    args = ["--figure", "4", "--levels", "0.2,0.9", "--seeds", "1", *FEW]
    for jobs in ("1", "2"): call(["reproduce", *args, "--out", jobs, "--jobs", jobs])
    one, two = (read_rows(folder/jobs/"results.csv").sort_values("name", ignore_index=True) for jobs in ("1", "2"))
    columns = [c for c in one.columns if c not in ("seconds", "command")]
    pd.testing.assert_frame_equal(one[columns], two[columns])

@pytest.mark.parametrize("path", STUDIES, ids=lambda p: p.name)
def test_results_hold_together(path):
    rows = read_rows(path)
    assert not rows.duplicated(["name", "seed"]).any()
    assert rows.command.str.startswith("dqsstn reproduce").all()
    assert rows[["data", "results_version", "device"]].ne("").all(axis=None)
    assert rows[["top1", "top2", "any"]].apply(lambda r: r.is_monotonic_increasing, axis=1).all()
    for _, part in rows.groupby("seed"): assert part.fingerprint.nunique() == part.iou_before.nunique() == 1
    assert not re.search(r"/(root|tmp|home|work)/", path.read_text())

def test_readme_shows_what_the_results_say():
    text = (ROOT/"README.md").read_text()
    shown = re.findall(r"^\|.*Top-1, here.*\|$", text, re.M)
    assert len(shown) == 1 + len(STUDIES) > 1  # the first is a part of the second
    columns = ["Top-1, paper", "Top-1, here", "Top-1, averaged", "IoU after",
               "Top-1 difference", "averaged, difference"]
    for path in STUDIES:
        rows = read_rows(path)
        table = table1(rows)[columns]
        assert markdown_table(table) in text and caption(rows) in text
    first = text[: text.index("## What it does")].replace("&nbsp;", " ")
    table = table1(read_rows(ROOT/"results"/"voc_subset_study.csv"))
    for row in ("Baseline classifier", "Discrete IoU reward", "ours: all six actions at once"):
        for column in ("Top-1, here", "averaged, difference", "averaged, small objects"):
            assert table.loc[row, column] in first

@pytest.mark.parametrize("path", STUDIES, ids=lambda p: p.name)
def test_report_prints_what_the_pages_show(path):
    printed = call(["report", str(path)]).stdout
    words = set(re.findall(r"[^\s│]+", printed))
    for title, table in tables_of(read_rows(path)).items():
        assert title in printed
        cells = " ".join(table.astype(str).to_numpy().ravel())
        numbers = {word for word in cells.split() if re.fullmatch(r"[+-]?\d+\.\d+", word)}
        assert numbers <= words, (title, numbers - words)
