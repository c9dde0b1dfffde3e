"""Put a trained run into the package: `python scripts/ship.py RUN RESULTS.json [STUDY.csv]`."""
import json
import sys
from pathlib import Path

from dqsstn.experiments import read_rows
from dqsstn.pretrained import SHIPPED, write_model
from dqsstn.runs import load_run


def main(run, results, study=None):
    content = json.loads(Path(results).read_text(encoding="utf-8"))
    print(write_model(load_run(run, "cpu", SHIPPED), content, study=read_rows(study) if study else None))

if __name__ == "__main__": main(*sys.argv[1:])
