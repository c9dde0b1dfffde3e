"""The table of bad inputs, results/bad_input.csv, is made by the tests: they declare cases, and each says how it ended.

In a test file:

    table = Table(__file__)

    @pytest.mark.parametrize("case, words", table.cases("photos", {"a text file called .jpg": ["x.jpg"], …}))
    def test_photos(case, words):
        case.refused(refused("predict run x.jpg", *words))  # or left_out(message), or works("the right result")

    def test_table(): table.check()

A case fails if its row differs from the committed one, `test_table` if the file holds rows that no case declares. So
any selection of tests can be run alone. Text in parentheses may differ: it comes from other libraries.
`DQSSTN_UPDATE=1 pytest tests` writes the table again.
"""
import csv
import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import call, contents

CSV = Path(__file__).resolve().parent.parent/"results"/"bad_input.csv"
FIELDS = ("tests", "group", "case", "outcome", "message")
UPDATE = os.environ.get("DQSSTN_UPDATE") == "1"

def read_rows():
    "The committed table: (test file, group, case) → (outcome, message)"
    if not CSV.exists(): return {}
    with open(CSV, encoding="utf-8", newline="") as f:
        rows = [tuple(row[k] for k in FIELDS) for row in csv.DictReader(f)]
    return {row[:3]: row[3:] for row in rows}

def write_rows(rows):
    lines = [FIELDS, *((*key, *values) for key, values in rows.items())]
    with open(CSV, "w", encoding="utf-8", newline="") as f: csv.writer(f, lineterminator="\n").writerows(lines)

def without_parentheses(text):
    while text != (text := re.sub(r"\([^()]*\)", "", text)): pass
    return text

@dataclass(frozen=True)
class Case:
    "One input, and how a command or function takes it"
    key: tuple  # test file, group, case

    def refused(self, message): self._record("refused", message)
    def left_out(self, message): self._record("refused; left out with --skip-bad", message)
    def works(self, result): self._record("works", result)

    def _record(self, outcome, message):
        "Compare with the committed row, or replace it"
        row = outcome, message.strip().removeprefix("dqsstn: ").replace(f"{Path.cwd()}{os.sep}", "")
        if UPDATE: write_rows(read_rows() | {self.key: row})
        committed = read_rows().get(self.key)
        assert committed, f"{self.key}: not in {CSV.name}; run the tests with DQSSTN_UPDATE=1"
        assert [*map(without_parentheses, row)] == [*map(without_parentheses, committed)]

class Table:
    "The cases of one test file"
    def __init__(self, file): self.tests, self.declared = Path(file).stem, []

    def case(self, group, name):
        "A case for a test function of its own"
        self.declared.append(case := Case((self.tests, group, name)))
        return case

    def cases(self, group, named):
        "Parameters (case, *values) of a test function; `named` holds the values by the case's name"
        def parameter(name, values):
            if not isinstance(values, tuple): values = (values,)
            return pytest.param(self.case(group, name), *values, id=name)
        return [parameter(name, values) for name, values in named.items()]

    def check(self):
        "No case twice, and no row in the table without its case"
        keys, rows = [case.key for case in self.declared], read_rows()
        assert len(set(keys)) == len(keys)
        if UPDATE:
            others = [key for key in rows if key[0] != self.tests]
            ordered = sorted([*others, *keys], key=lambda key: key[0])
            write_rows({key: rows[key] for key in ordered if key in rows})
        else: assert [key for key in rows if key[0] == self.tests] == keys

def refused(line, *words, cache=None):
    "The message of a refused command line, after checking that it is one line and that every file is as it was"
    before = contents(), cache and contents(cache)
    outcome = call(line, code=2)
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("dqsstn: ") and outcome.stderr.count("\n") == 1 and outcome.stderr.endswith("\n")
    for word in words: assert word in outcome.stderr
    assert (contents(), cache and contents(cache)) == before
    return outcome.stderr
