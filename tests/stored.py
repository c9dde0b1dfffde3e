"""Golden results: one file in tests/golden/ for each part of `RESULTS_VERSIONS`.

A golden test computes a few small things, and `check` compares them with the file of their part. A refactoring leaves them as they are.
To change them on purpose, raise the part's version and run `DQSSTN_UPDATE=1 python -m pytest tests/test_golden.py`. Without a new version
no file is rewritten. To add a case, remove the file first: the lines of the other cases must come back as they were.
"""
import json
import math
import os
from pathlib import Path

import pandas as pd
import pytest

from dqsstn.versions import RESULTS_VERSIONS

FOLDER = Path(__file__).with_name("golden")
UPDATE = os.environ.get("DQSSTN_UPDATE") == "1"
RULE = ("fix the change, or raise RESULTS_VERSIONS[{part!r}] in dqsstn.versions, rewrite the file with DQSSTN_UPDATE=1 "
        "and say so in CHANGELOG.md")

def rounded(digits): return float(f"{float(digits):.9g}")

def plain(values):
    "`values` as a JSON file holds them: tensors and arrays become lists, numbers have 9 digits"
    return json.loads(json.dumps(values, default=lambda array: array.tolist()), parse_float=rounded)

def leaves(value, place=()):
    "(place, number or text) of everything in nested dicts and lists"
    if not isinstance(value, (dict, list)):
        yield place, value
        return
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value): yield from leaves(inner, (*place, key))

def agree(found, stored, tolerance):
    "Equal, or numbers of which one is a fraction and that differ by no more than the tolerance (or by a millionth of them)"
    if float not in (type(found), type(stored)) or isinstance(found, str) or isinstance(stored, str): return found == stored
    if None in (found, stored): return False
    return math.isclose(found, stored, rel_tol=1e-6, abs_tol=tolerance) or (math.isnan(found) and math.isnan(stored))

def first_difference(found, stored, tolerance):
    "Where two results differ first, in words; empty if they agree"
    found, stored = dict(leaves(found)), dict(leaves(stored))
    for place in found | stored:
        ours, theirs = found.get(place, "nothing"), stored.get(place, "nothing")
        allowed = next((tolerance[key] for key in reversed(place) if key in tolerance), 1e-6)
        if not agree(ours, theirs, allowed): return f"{' '.join(map(str, place))}: {ours}, stored {theirs}"
    return ""

def write(part, found, csv):
    "Store results, a quantity a line; tables in CSV files of their own"
    lines = [f'"version": {RESULTS_VERSIONS[part]}']
    for case, quantities in found.items():
        if case in csv: pd.DataFrame(quantities).to_csv(csv[case], index=False, float_format="%.8f", lineterminator="\n")
        else: lines.append(f"{json.dumps(case)}: {{\n" + ",\n".join(f" {json.dumps(k)}: {json.dumps(v)}" for k, v in quantities.items()) + "}")
    (FOLDER/f"{part}.json").write_text("{" + ",\n".join(lines) + "}\n")

def check(part, found, tolerance, csv=None):
    """Fail unless `found` (case → quantity → values) is what the part's file says and that file is of the part's version.
    `tolerance` is absolute, by the name of a quantity or of what is in it; `csv` names the files of cases that are tables."""
    file, csv, found = FOLDER/f"{part}.json", csv or {}, plain(found)
    stored = json.loads(file.read_text()) if file.is_file() else {"version": 0}
    if UPDATE and stored["version"] < RESULTS_VERSIONS[part]:
        write(part, found, csv)
        stored = json.loads(file.read_text())
    stored |= {case: pd.read_csv(table).to_dict("list") for case, table in csv.items()}
    first = first_difference({"version": RESULTS_VERSIONS[part]} | found, stored, tolerance)
    if first: pytest.fail(f"{part} results differ from the stored ones (first difference: {first}): {RULE.format(part=part)}", pytrace=False)
