"""Committed results stay valid: `reproduce` has nothing to do for their tables, until a version is raised."""
import shutil
from pathlib import Path

import pytest
from conftest import ROOT, call

from dqsstn.config import CONFIGS
from dqsstn.experiments import Lab, missing_jobs, read_rows
from dqsstn.report import study_jobs
from dqsstn.sample import sample_items
from dqsstn.versions import RESULTS_VERSIONS, results_version

TABLES = sorted((ROOT/"results").glob("*.csv"))
STUDIES = [path for path in TABLES if "results_version,commit,fingerprint" in path.read_text()]
every_study = pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)

def known_photos(monkeypatch, rows):
    "A lab that takes the photos to be those of `rows`, without reading any"
    fingerprints = dict(zip(rows.seed, rows.fingerprint))
    monkeypatch.setattr(Lab, "fingerprint", lambda lab, seed: fingerprints[seed])

def test_studies_are_there():
    assert {path.stem for path in STUDIES} >= {"sample_study", "sample_why", "voc_subset_study"}

@every_study
def test_reproduce_has_nothing_to_do(path, folder, monkeypatch):
    rows = read_rows(path)
    known_photos(monkeypatch, rows)
    Path("study").mkdir()
    Path("study/data.txt").touch()
    shutil.copy(path, "study/results.csv")
    for command in dict.fromkeys(rows.command):
        line = command.removeprefix("dqsstn ").replace("--out DIR", "--out study --dry-run")
        assert " rows, 0 of them missing" in call(line).stdout

@pytest.mark.parametrize("part", RESULTS_VERSIONS)
def test_a_raised_version_repeats_every_row(part, folder, monkeypatch):
    rows = read_rows(ROOT/"results"/"sample_study.csv")
    known_photos(monkeypatch, rows)
    jobs, lab = study_jobs(CONFIGS["study"]), Lab(None, folder)
    assert jobs and missing_jobs(jobs, rows, lab) == []
    monkeypatch.setitem(RESULTS_VERSIONS, part, RESULTS_VERSIONS[part] + 1)
    assert missing_jobs(jobs, rows, lab) == jobs

@every_study
def test_rows_have_one_version(path): assert set(read_rows(path).results_version) == {results_version()}

@pytest.mark.slow
def test_the_sample_is_that_of_the_rows(folder):
    lab = Lab(lambda split, seed: sample_items(dict(test="val").get(split, split), seed), folder, per_seed=True)
    rows = read_rows(ROOT/"results"/"sample_study.csv")
    assert {seed: lab.fingerprint(seed) for seed in (0, 1)} == dict(zip(rows.seed, rows.fingerprint))
