"""What `make test` runs and counts: the export and ruff; every notebook as nbdev_test runs it and once more by what the package
exports (second_pass.py); tests/ with pytest; and how much of the package the last two reach.

Notebooks and pytest share the cores; what is timed runs alone afterwards. For `make test-all`, which CI runs each night, wait the
first pass of the longest notebooks (their cells are those of the package, which the export's check says, and the second pass runs
it) and both passes of the pages that are examples for users. The last line is `N passed, N failed`; the exit code is 1 if anything failed."""
import argparse
import multiprocessing
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
                    "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "COVERAGE_RCFILE": str(ROOT/"pyproject.toml")}
TIMED = "tests/test_startup.py"  # OVERLAPS seconds: runs when nothing else does
SITE = "tests/test_site.py"  # mostly another program's work: in the lane that is free first
LONG = tuple(f"{name}.ipynb" for name in ("00_data", "04_train", "04e_experiments", "04f_results", "05a_competitors", "06_limitations", "06a_report",
                                          "07_cli", "08_bench", "12_hub", "14_scale"))
PAGES = tuple(f"{name}.ipynb" for name in ("10_explore", "11_own_data", "13_deploy", "15_gymnasium"))  # examples, whose functions tests/ has tests of its own for
FORKS = multiprocessing.get_context("forkserver")  # of a process that has imported what notebooks need, but not dqsstn
FORKS.set_forkserver_preload(["coverage", "fastai.callback.fp16", "fastai.callback.training", "gymnasium", "hypothesis", "matplotlib.pyplot",
                              "nbdev.test", "pandas", "scipy.stats", "seaborn", "sklearn.datasets", "timm", "torch", "torchvision"])

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
        for name in ("__init__.py", "__main__.py"): shutil.copy(ROOT/"dqsstn"/name, tmp/"dqsstn")  # which are no notebook's
        shutil.copytree(ROOT/"nbs", tmp/"nbs", ignore=lambda _, names: [n for n in names if not n.endswith(".ipynb")])
        ok, out = command("nbdev_export", cwd=tmp)
        fresh, committed = ({p.name: p.read_text() for p in (top/"dqsstn").glob("*.py")} for top in (tmp, ROOT))
    stale = sorted(n for n in fresh | committed if fresh.get(n) != committed.get(n))
    return ok and not stale, out + "".join(f"dqsstn/{n} is not what the notebooks export: run nbdev_export\n" for n in stale)

def first_pass(path, flags):
    "Run a notebook as nbdev_test does"
    from nbdev.config import get_config
    from nbdev.test import test_nb
    os.chdir(path.parent)
    return test_nb(path, get_config().tst_flags.split(), flags.split(), basepath=ROOT)[0]

def second_pass(path, flags):
    "Run a notebook by what the package exports, and record which lines of the package that reaches"
    from coverage import Coverage
    from second_pass import run_notebook
    measured = Coverage(data_suffix=True)
    try:
        with measured.collect(): return run_notebook(path, flags)
    finally: measured.save()

def into(file, check, args):
    "In a process of its own: run the check, with all that it prints into a file, and leave with the answer"
    for stream in (1, 2): os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND), stream)
    sys.exit(not check(*args))

def forked(check, *args, timeout=600):
    "Whether the check passed in a process of its own within `timeout` seconds, and what it printed"
    with tempfile.NamedTemporaryFile("r", errors="replace") as out:
        process = FORKS.Process(target=into, args=(out.name, check, args))
        process.start()
        process.join(timeout)
        late = process.is_alive()
        if late:
            process.kill()
            process.join()
        return process.exitcode == 0, out.read() + f"\nstopped after {timeout} s" * late

def report(name, check, *args, **kwargs):
    "Run one check, print how it went, return whether it passed"
    start = time.time()
    ok, out = check(*args, **kwargs)
    print(f"{'passed' if ok else 'FAILED'}  {name}  ({time.time() - start:.0f} s)" + ("" if ok else f"\n{out}"), flush=True)
    return ok

def run_pytest(runner, *args, flags="", timeout=600):
    "How many tests passed, failed and were skipped; prints what pytest prints"
    start = time.time()
    with tempfile.TemporaryDirectory() as tmp:
        xml = Path(tmp)/"tests.xml"
        unwanted = " and ".join(f"not {f}" for f in ("slow", "gpu") if f not in flags.split())
        ok, out = command(sys.executable, "-m", *runner, "-q", "--junitxml", xml, "-m", unwanted, *args, timeout=timeout)
        print(f"{out}pytest {' '.join(args)}  ({time.time() - start:.0f} s)", flush=True)
        if not xml.exists(): return 0, 1, 0
        suite = ElementTree.parse(xml).find("testsuite")  # noqa: S314  pytest has just written it
        n = {k: int(suite.get(k)) for k in ("tests", "failures", "errors", "skipped")}
    failed = max(n["failures"] + n["errors"], int(not ok))
    return max(n["tests"] - failed - n["skipped"], 0), failed, n["skipped"]

def coverage():
    "Whether enough of the package was reached, and how much of each module"
    command("coverage", "combine")
    ok, out = command("coverage", "report")
    print(out, end="")
    return ok, ""

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flags", default="", help="cells and tests to run that are skipped otherwise: 'slow', 'gpu', 'data' or several")
    parser.add_argument("--jobs", type=int, default=2, help="checks that run at once")
    args = parser.parse_args()
    limit = dict(timeout=7200 if args.flags else 900)
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as tmp, ThreadPoolExecutor(args.jobs) as pool:
        ENV["COVERAGE_FILE"] = f"{tmp}/coverage"
        os.environ |= ENV
        done = [report("nbdev_export", check_export), report("ruff", command, "ruff", "check", "--output-format", "concise", "nbs", "dqsstn", "tests", "scripts")]
        tests = pool.submit(run_pytest, ("coverage", "run", "-m", "pytest"), "--ignore", TIMED, "--ignore", SITE, "tests", flags=args.flags, **limit)
        passes = [(path, check) for path in sorted((ROOT/"nbs").glob("*.ipynb"), reverse=True) for check in (second_pass, first_pass)
                  if args.flags or path.name not in (*PAGES, *LONG * (check is first_pass))]  # in reverse: the short ones come last and fill both lanes
        passes = [pool.submit(report, f"{path.name}, {check.__name__.replace('_', ' ')}", forked, check, path, args.flags, **limit) for path, check in passes]
        site = pool.submit(run_pytest, ("pytest",), SITE, flags=args.flags, **limit)
        done += [p.result() for p in passes]
        counts = [tests.result(), site.result(), run_pytest(("pytest",), TIMED, flags=args.flags, **limit)]
        done.append(report("coverage", coverage))
    passed, failed, skipped = (sum(n) for n in zip(*counts))
    passed, failed = passed + done.count(True), failed + done.count(False)
    print(f"{skipped} skipped\n{passed} passed, {failed} failed")
    return int(failed > 0)

if __name__ == "__main__": sys.exit(main())
