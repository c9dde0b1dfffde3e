"""Two ways to run a notebook as a test, each time in a process of its own.

The first pass runs the cells as nbdev_test does. The second pass runs them as users meet the package: its imports and
an import of its names from `dqsstn` replace each exported cell, so the same assertions judge the package itself."""
import ast
import importlib
import json
import os
import signal
import subprocess
import symtable
import sys
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXPORTED = {"export", "exports", "exporti"}
IMPORTS = ("coverage", "fastai.callback.fp16", "fastai.callback.training", "gymnasium", "hypothesis",
           "matplotlib.pyplot", "nbdev.test", "pandas", "scipy.stats", "seaborn", "sklearn.datasets", "timm",
           "torchvision")  # but not dqsstn
SECONDS = 1800  # after which a notebook is thought to hang, on a slow and busy machine

def is_patch(node):
    "Is it a function that @patch puts into a class? Its name is nobody's, and the module has put it there"
    decorators = [d.func if isinstance(d, ast.Call) else d for d in getattr(node, "decorator_list", [])]
    return any(isinstance(d, ast.Name) and d.id == "patch" for d in decorators)

def as_import(source, module):
    "The imports of an exported cell, and one of every name that it defines"
    nodes = ast.parse(source).body
    imports = [ast.unparse(node) for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))]
    patches = {node.name for node in nodes if is_patch(node)}
    symbols = symtable.symtable(source, module, "exec").get_symbols()
    defined = {s.get_name() for s in symbols if s.is_assigned() and not s.is_imported()}
    if names := sorted(defined - patches): imports.append(f"from dqsstn.{module} import {', '.join(names)}")
    return "\n".join(imports)

def first_pass(path, skip):
    "Whether the notebook runs through as nbdev_test runs it"
    from nbdev.test import test_nb
    return test_nb(path, skip, basepath=ROOT)[0]

def second_pass(path, skip):
    "Whether the notebook runs through by what the package exports; cells that nbdev_test skips are skipped"
    from execnb.shell import CaptureShell
    from fastcore.xtras import working_directory
    from nbdev.process import NBProcessor
    sys.path.insert(0, str(ROOT))
    nb = NBProcessor(path, process=True).nb
    directives = [getattr(cell, "directives_", None) or {} for cell in nb.cells]
    modules = [d["default_exp"][0] for d in directives if "default_exp" in d]
    for cell, d in zip(nb.cells, directives):
        if EXPORTED & d.keys(): cell.source = as_import(cell.source, *modules)
    def skipped(cell):
        d = directives[cell.idx_]
        return cell.cell_type != "code" or set(skip) & d.keys() or d.get("eval:", [""])[0].lower() == "false"
    shell = CaptureShell(path)
    try:
        with working_directory(path.parent): shell.run_all(nb, exc_stop=True, preproc=skipped)
    except Exception:
        print(shell.prettytb(path.name), file=sys.stderr)
        return False
    return True

PASSES = {check.__name__: check for check in (first_pass, second_pass)}

def answer(check, path, skip, log, measured):
    "Run a notebook, with what it prints in a file; `measured`: record which lines of the package it reaches"
    signal.alarm(SECONDS)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream in (1, 2): os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    if not measured: return PASSES[check](Path(path), skip)
    from coverage import Coverage
    coverage = Coverage(data_suffix=True)
    with coverage.collect(): passed = PASSES[check](Path(path), skip)
    coverage.save()
    return passed

def serve():
    "Import what notebooks need; then fork for each request, and answer with the child's exit code"
    for name in IMPORTS: importlib.import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if not child: sys.exit(not answer(**json.loads(line)))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)

@contextmanager
def server():
    "A function that runs a notebook in a process of its own, with the arguments of `answer`, and returns its exit code"
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with subprocess.Popen([sys.executable, __file__], cwd=ROOT, **pipes) as process:
        def run(**request):
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            return int(process.stdout.readline())
        yield run
        process.stdin.close()

if __name__ == "__main__": serve()
