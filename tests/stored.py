"""Golden results: one file in tests/golden/ for each part of `RESULTS_VERSIONS`.

A golden test computes a few small things, and `check` compares them with the file of their part. A refactoring leaves
them as they are. To change them on purpose, raise the part's version and run
`DQSSTN_UPDATE=1 python -m pytest tests/test_golden.py`. Without a new version no file is rewritten. To add a case,
remove the file first: the lines of the other cases must come back as they were.
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

def plain(values, digits=17):
    "`values` as a JSON file holds them: tensors and arrays become lists, fractions have so many digits"
    text = json.dumps(values, default=lambda array: array.tolist())
    return json.loads(text, parse_float=lambda number: float(f"{float(number):.{digits}g}"))

def leaves(value, place=()):
    "(place, number or text) of everything in nested dicts and lists"
    if isinstance(value, dict): inside = value.items()
    elif isinstance(value, list): inside = enumerate(value)
    else:
        yield place, value
        return
    for key, inner in inside: yield from leaves(inner, (*place, key))

def agree(found, stored, tolerance):
    "Are they equal, or fractions that differ by no more than the tolerance or a millionth of them?"
    both = found, stored
    if any(isinstance(v, str) or v is None for v in both) or not any(isinstance(v, float) for v in both):
        return found == stored
    return math.isclose(*both, rel_tol=1e-6, abs_tol=tolerance) or all(map(math.isnan, both))

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
    cases = [f'"version": {RESULTS_VERSIONS[part]}']
    for case, quantities in found.items():
        if case in csv:
            table = pd.DataFrame(quantities)
            table.to_csv(csv[case], index=False, float_format="%.8f", lineterminator="\n")
        else:
            lines = [f" {json.dumps(name)}: {json.dumps(values)}" for name, values in plain(quantities, 9).items()]
            cases.append(f"{json.dumps(case)}: {{\n" + ",\n".join(lines) + "}")
    (FOLDER/f"{part}.json").write_text("{" + ",\n".join(cases) + "}\n")

def check(part, found, tolerance, csv=None):
    """Fail unless `found` (case → quantity → values) is what the part's file says and the file has the part's version.
    `tolerance` is absolute, by the name of a quantity or of what is in it. `csv` names the files of cases in tables."""
    file, csv, found = FOLDER/f"{part}.json", csv or {}, plain(found)
    stored = json.loads(file.read_text()) if file.is_file() else {"version": 0}
    if UPDATE and stored["version"] < RESULTS_VERSIONS[part]:
        write(part, found, csv)
        stored = json.loads(file.read_text())
    stored |= {case: pd.read_csv(table).to_dict("list") for case, table in csv.items()}
    first = first_difference({"version": RESULTS_VERSIONS[part]} | found, stored, tolerance)
    message = f"{part} results differ from the stored ones (first difference: {first}): {RULE.format(part=part)}"
    if first: pytest.fail(message, pytrace=False)
