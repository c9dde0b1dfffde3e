"""What `make test` runs and counts: the export and ruff, every notebook with nbdev_test, then tests/ with pytest.

The last line is `N passed, N failed`; the exit code is 1 if anything failed."""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENV = os.environ | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
                    "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}

def command(*args, cwd=ROOT, timeout=600):
    "Whether the command succeeded within `timeout` seconds, and what it printed"
    try: done = subprocess.run(args, cwd=cwd, env=ENV, timeout=timeout, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except subprocess.TimeoutExpired as e: return False, f"{(e.stdout or b'').decode()}\nstopped after {timeout} s"
    return done.returncode == 0, done.stdout

def check_export():
    "Whether a fresh export of the notebooks is the committed package"
    with tempfile.TemporaryDirectory() as tmp:
        tmp = Path(tmp)
        (tmp/"dqsstn").mkdir()
        shutil.copy(ROOT/"settings.ini", tmp)
        shutil.copy(ROOT/"dqsstn"/"__init__.py", tmp/"dqsstn")
        shutil.copytree(ROOT/"nbs", tmp/"nbs", ignore=lambda _, names: [n for n in names if not n.endswith(".ipynb")])
        ok, out = command("nbdev_export", cwd=tmp)
        fresh, committed = ({p.name: p.read_text() for p in (top/"dqsstn").glob("*.py")} for top in (tmp, ROOT))
    stale = sorted(n for n in fresh | committed if fresh.get(n) != committed.get(n))
    return ok and not stale, out + "".join(f"dqsstn/{n} is not what the notebooks export: run nbdev_export\n" for n in stale)

def report(name, check, *args, **kwargs):
    "Run one check, print how it went, return whether it passed"
    start = time.time()
    ok, out = check(*args, **kwargs)
    print(f"{'passed' if ok else 'FAILED'}  {name}  ({time.time() - start:.0f} s)" + ("" if ok else f"\n{out}"), flush=True)
    return ok

def run_pytest(flags):
    "How many of tests/ passed, failed and were skipped"
    with tempfile.TemporaryDirectory() as tmp:
        xml = Path(tmp)/"tests.xml"
        unwanted = " and ".join(f"not {f}" for f in ("slow", "gpu") if f not in flags)
        code = subprocess.run([sys.executable, "-m", "pytest", "-q", "--junitxml", xml, "-m", unwanted, "tests"], cwd=ROOT, env=ENV).returncode
        if not xml.exists(): return 0, 1, 0
        n = {k: int(ElementTree.parse(xml).find("testsuite").get(k)) for k in ("tests", "failures", "errors", "skipped")}
    failed = max(n["failures"] + n["errors"], int(code != 0))
    return max(n["tests"] - failed - n["skipped"], 0), failed, n["skipped"]

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flags", default="", help="cells and tests to run that are skipped otherwise: 'slow', 'gpu', 'data' or several")
    parser.add_argument("--jobs", type=int, default=2, help="notebooks that run at once")
    args = parser.parse_args()
    timeout = 7200 if args.flags else 300
    def notebook(path): return report(path.name, command, "nbdev_test", "--path", path, "--n_workers", "0", "--flags", args.flags, timeout=timeout)
    done = [report("nbdev_export", check_export), report("ruff", command, "ruff", "check", "--output-format", "concise", "nbs", "dqsstn", "tests", "scripts")]
    with ThreadPoolExecutor(args.jobs) as pool: done += pool.map(notebook, sorted((ROOT/"nbs").glob("*.ipynb")))
    passed, failed, skipped = run_pytest(args.flags.split())
    passed, failed = passed + done.count(True), failed + done.count(False)
    print(f"{skipped} skipped\n{passed} passed, {failed} failed")
    return int(failed > 0)

if __name__ == "__main__": sys.exit(main())
