"""What a type checker knows of the library: stubs show it the methods that `@patch` adds."""
import ast
import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import dqsstn
from dqsstn.data import Items

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT/"scripts"))
from stubs import PACKAGE, same, stub, stubs

SCRIPT = ROOT/"tests"/"user_script.py"
# Strict, but for what fastai, matplotlib and a bare `dict` leave unknown: `assert_type` says what has to be known
RULES = dict(typeCheckingMode="strict", reportMissingTypeStubs=False, reportUnknownMemberType=False,
             reportUnknownVariableType=False, reportUnknownArgumentType=False)
WRONG = {
    "a method that is not there": ("env.stepp(state, action)", "reportAttributeAccessIssue", '"stepp"'),
    "an action by its name": ('env.step(state, "left")', "reportArgumentType", '"Tensor"'),
    "a property that is called": ("env.n_actions()", "reportCallIssue", '"int"'),
    "an argument too few": ("env.reset()", "reportCallIssue", '"index"'),
    "a misspelt parameter": ("ImageBank(items, source_sise=64)", "reportCallIssue", '"source_sise"'),
    "a state for a tensor": ("torch.relu(env.step(state, action))", "reportArgumentType", '"State"')}
EXAMPLE = """import torch
from dqsstn.data import ImageBank, Items
from dqsstn.env import State, ViewEnv

def use(env: ViewEnv, state: State, action: torch.Tensor, items: Items, bank: ImageBank) -> None:
    print({})
"""

def check(folder):
    "What pyright says of the scripts in a folder: (file name, rule, message) of each error"
    config = folder/"pyrightconfig.json"
    config.write_text(json.dumps(RULES | dict(extraPaths=[str(ROOT)])))
    command = [sys.executable, "-m", "pyright", "--project", config, "--pythonpath", sys.executable, "--outputjson"]
    said = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)
    assert said["summary"]["filesAnalyzed"] == len(list(folder.glob("*.py")))
    errors = [d for d in said["generalDiagnostics"] if d["severity"] == "error"]
    return [(Path(d["file"]).name, d.get("rule", ""), d["message"]) for d in errors]

def test_stubs_are_what_the_script_writes():
    made, there = stubs(), {path: path.read_text() for path in PACKAGE.glob("*.pyi")}
    stale = sorted(path.name for path in made | there if not same(made.get(path, ""), there.get(path, "")))
    assert not stale, f"{', '.join(stale)}: run make export"
    assert PACKAGE/"env.pyi" in made

def test_annotations_name_what_is_there():
    "An annotation in quotes is checked by nobody until the site reads it"
    lazy = dict(Items=Items)  # scripts/docs.py supplies it, too: the command line starts without torch
    for info in pkgutil.iter_modules(dqsstn.__path__):
        if info.name == "__main__": continue
        module = importlib.import_module(f"dqsstn.{info.name}")
        own = [value for value in vars(module).values() if getattr(value, "__module__", "") == module.__name__]
        methods = [m for value in own if isinstance(value, type) for m in vars(value).values()]
        for function in filter(inspect.isfunction, own + methods):
            if function.__qualname__.endswith("Config.__init__"): continue  # pydantic's
            inspect.signature(function, globals=vars(module) | lazy, eval_str=True)

def test_a_stub_puts_methods_into_their_class():
    text = stub('''"A module"
from fastcore.basics import patch

class Box:
    "A box"
    def __init__(self, side: int):
        "Of one size"
        if side < 0: raise ValueError
        self.side = side

@patch(as_prop=True)
def area(self: Box) -> int:
    "Of a side"
    return self.side ** 2

@patch(cls_method=True)
def unit(cls: Box) -> "Box": return cls(1)

@patch
def grow(self: Box, by: int = 1):
    self.side += by

def _unused(): pass
''')
    assert same(text, '''class Box:
    def __init__(self, side: int) -> None:
        self.side = side
    @property
    def area(self) -> int: ...
    @classmethod
    def unit(cls) -> "Box": ...
    def grow(self, by: int = 1) -> None: ...
''')
    assert stub("def f(x): return x") is None

def test_public_functions_say_what_they_return():
    silent = []
    for path in stubs():
        tree = ast.parse(path.read_text())
        for scope in (tree, *(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_")):
            functions = [node for node in scope.body if isinstance(node, ast.FunctionDef)]
            silent += [f"{path.stem}: {f.name}" for f in functions if f.name[0] != "_" and not f.returns]
    assert not silent

def test_a_users_script(tmp_path):
    (tmp_path/"script.py").write_text(SCRIPT.read_text())
    assert check(tmp_path) == []

def test_mistakes_are_found(tmp_path):
    for k, (code, _, _) in enumerate(WRONG.values()): (tmp_path/f"wrong{k}.py").write_text(EXAMPLE.format(code))
    errors = check(tmp_path)
    for k, (what, (_, rule, word)) in enumerate(WRONG.items()):
        found = [(r, message) for file, r, message in errors if file == f"wrong{k}.py"]
        assert len(found) == 1 and found[0][0] == rule and word in found[0][1], (what, found)
