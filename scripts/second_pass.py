"""Run notebooks as users meet the package: each exported cell is replaced by its own imports and an import of its names from `dqsstn`.

nbdev_test runs the exported cells, whatever the package holds; here the same assertions judge the package itself.
`python scripts/second_pass.py nbs/01_env.ipynb` runs one notebook and shows where it fails."""
import argparse
import ast
import symtable
import sys
from pathlib import Path

from execnb.shell import CaptureShell
from fastcore.xtras import working_directory
from nbdev.config import get_config
from nbdev.process import NBProcessor

EXPORTED = {"export", "exports", "exporti"}

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
    names = sorted(s.get_name() for s in symbols if s.is_assigned() and not s.is_imported() and s.get_name() not in patches)
    return "\n".join([*imports, *([f"from dqsstn.{module} import {', '.join(names)}"] if names else [])])

def run_notebook(path, flags=""):
    "Whether the notebook, its exported cells replaced, runs through; cells that nbdev_test skips are skipped. A failure is shown on standard error"
    path, config = Path(path).absolute(), get_config()
    skip = set(config.tst_flags.split()) - set(flags.split())
    sys.path.insert(0, str(config.config_path))
    nb = NBProcessor(path, process=True).nb
    directives = [getattr(cell, "directives_", None) or {} for cell in nb.cells]
    modules = [d["default_exp"][0] for d in directives if "default_exp" in d]
    for cell, d in zip(nb.cells, directives):
        if EXPORTED & d.keys(): cell.source = as_import(cell.source, *modules)
    def skipped(cell):
        d = directives[cell.idx_]
        return cell.cell_type != "code" or skip & d.keys() or d.get("eval:", [""])[0].lower() == "false"
    shell = CaptureShell(path)
    try:
        with working_directory(path.parent): shell.run_all(nb, exc_stop=True, preproc=skipped)
    except Exception:
        print(shell.prettytb(path.name), file=sys.stderr)
        return False
    return True

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--flags", default="", help="cells to run that are skipped otherwise: 'slow', 'gpu', 'data' or several")
    args = parser.parse_args()
    return int(not all([run_notebook(path, args.flags) for path in args.notebooks]))

if __name__ == "__main__": sys.exit(main())
