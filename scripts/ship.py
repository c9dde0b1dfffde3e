"""Put a trained run into the package: `python scripts/ship.py RUN RESULTS.json [STUDY.csv] ["NAME OF THE PHOTOS"]`.

RESULTS.json is from `dqsstn evaluate RUN --json`. The study holds the same method with several seeds. The name says
what the photos are, where the data set's own name says too little."""
import json
import sys
from pathlib import Path

from dqsstn.experiments import read_rows
from dqsstn.pretrained import SHIPPED, write_model
from dqsstn.runs import load_run


def main(run, results, study=None, photos=None):
    loaded, content = load_run(run, "cpu", SHIPPED), json.loads(Path(results).read_text(encoding="utf-8"))
    if photos:
        loaded, content = loaded._replace(provenance=loaded.provenance | dict(data=photos)), content | dict(data=photos)
    print(write_model(loaded, content, study=read_rows(study) if study else None))

if __name__ == "__main__": main(*sys.argv[1:])
