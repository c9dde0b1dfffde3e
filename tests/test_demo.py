"""The demo as a user runs it, in full (make test-all)."""
import json
from pathlib import Path

import jsonschema
import pytest
from conftest import call

from dqsstn.evaluate import RESULTS_SCHEMA

@pytest.mark.slow
def test_the_demo_gains_what_the_page_says(folder):
    assert "greedy_oracle" in call("demo --seed 0 --out run").stdout
    results = json.loads(Path("run/results.json").read_text())
    jsonschema.validate(results, RESULTS_SCHEMA)
    policies = results["policies"]
    assert policies["baseline"]["top1"] >= 40
    assert policies["agent"]["iou_after"] - policies["agent"]["iou_before"] >= 15
    assert policies["agent"]["top1"] - policies["baseline"]["top1"] >= 5
    top1 = {name: numbers["top1"] for name, numbers in policies.items()}
    assert max(top1["random"], top1["center_zoom"]) < top1["agent"] < top1["fitted_window"]
    for picture in ("learning.png", "bins.png", "filmstrip.png", "episode.gif"):
        assert Path("run/figures", picture).stat().st_size > 1000
