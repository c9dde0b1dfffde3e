"""Type stubs for the modules that add methods to their classes with `@patch`, which a type checker does not see.

A stub `dqsstn/x.pyi` says what `dqsstn/x.py` does, with each patched method in its class. Of bodies it keeps what sets
attributes, from which a checker infers their types. A function that returns nothing returns None. Any other public one
has to say what it returns: tests/test_types.py holds it to that."""
import ast
import re
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent/"dqsstn"
HEAD = "# Made from {} by scripts/stubs.py, which `make export` runs: do not edit.\n"
KNOWN = dict(__init__="None", __len__="int", __repr__="str")
NOTHING = ast.Expr(ast.Constant(...))

def patch_of(node):
    "The keywords of a function's `@patch`; None if it has none"
    for decorator in getattr(node, "decorator_list", ()):
        call = decorator if isinstance(decorator, ast.Call) else ast.Call(decorator, [], [])
        if ast.unparse(call.func) == "patch": return {keyword.arg: keyword.value.value for keyword in call.keywords}
    return None

def own_nodes(nodes):
    "These nodes and what is in them, but for the bodies of functions"
    for node in nodes:
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.Lambda)): yield from own_nodes(ast.iter_child_nodes(node))

def setting(statements, first, known):
    "The statements that set new attributes of `first`, and those that set names; none if all attributes are known"
    def sets(node): return isinstance(getattr(node, "ctx", None), ast.Store)
    stored = [node for node in own_nodes(statements) if sets(node) and isinstance(node, ast.Attribute)]
    new = {node.attr for node in stored if ast.unparse(node.value) == first} - known
    known |= new
    def kept(statement): return any(sets(node) or isinstance(node, ast.FunctionDef) for node in own_nodes([statement]))
    return list(filter(kept, statements)) if new else []

def without_docstring(body): return body[1:] if ast.get_docstring(ast.Module(body, [])) is not None else body

def declaration(function, known):
    "The function's signature, with what sets attributes that are not known yet"
    nodes = list(own_nodes(function.body))
    answers = any(isinstance(n, (ast.Yield, ast.YieldFrom)) or (isinstance(n, ast.Return) and n.value) for n in nodes)
    returns = KNOWN.get(function.name, None if answers else "None")
    if returns and not function.returns: function.returns = ast.Name(returns)
    first = function.args.args[0].arg if function.args.args else None
    function.body = setting(without_docstring(function.body), first, known) or [NOTHING]
    return function

def as_method(function, keywords):
    "A patched function as it stands in its class"
    kind = {"as_prop": "property", "cls_method": "classmethod"}
    function.decorator_list = [d for d in function.decorator_list if not ast.unparse(d).startswith("patch")]
    function.decorator_list += [ast.Name(kind[name]) for name, value in keywords.items() if value]
    function.args.args[0].annotation = None
    return function

def wanted(node, used):
    "Is it neither a private function nor an import that nothing uses? An import loses the names that nothing uses"
    if isinstance(node, ast.FunctionDef): return node.name[0] != "_" or node.name in used
    if not isinstance(node, (ast.Import, ast.ImportFrom)): return True
    node.names = [alias for alias in node.names if (alias.asname or alias.name.partition(".")[0]) in used]
    return bool(node.names)

def stub(source):
    "The text of a module's stub; None if it patches nothing"
    tree = ast.parse(source)
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    patched = [(node, patch_of(node)) for node in tree.body if patch_of(node) is not None]
    if not patched: return None
    for function, keywords in patched:
        tree.body.remove(function)
        classes[function.args.args[0].annotation.id].body.append(as_method(function, keywords))
    for scope in (tree, *classes.values()):
        known, body = set(), without_docstring(scope.body) or [NOTHING]
        scope.body = [declaration(node, known) if isinstance(node, ast.FunctionDef) else node for node in body]
    named = [node for node in ast.walk(tree) if isinstance(node, (ast.Name, ast.Constant))]  # texts may be annotations
    used = {node.id if isinstance(node, ast.Name) else node.value for node in named}
    tree.body = [node for node in tree.body if wanted(node, used)]
    return re.sub(r":\n +\.\.\.\n", ": ...\n", ast.unparse(tree) + "\n")

def stubs(package=PACKAGE):
    "{path: text} of the stubs that a package should have"
    found = {path: stub(path.read_text()) for path in sorted(package.glob("*.py"))}
    return {path.with_suffix(".pyi"): HEAD.format(path.name) + text for path, text in found.items() if text}

def same(text, other):
    "Do two texts say the same? Versions of Python write it in slightly different ways"
    return ast.dump(ast.parse(text)) == ast.dump(ast.parse(other))

def main():
    made = stubs()
    for path in set(PACKAGE.glob("*.pyi")) - made.keys(): path.unlink()
    for path, text in made.items():
        if not path.exists() or not same(path.read_text(), text): path.write_text(text)

if __name__ == "__main__": main()
