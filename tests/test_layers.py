"""The house: imports point to a lower floor only, and heavy packages stay where they belong."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

import graphc

ROOT = Path(graphc.__file__).parent
FILES = {path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py"))}

# The floor of every file or room. A file not listed stands on the floor of its innermost room.
FLOORS = {
    "wording.py": 0,
    "forms.py": 0,
    "printed.py": 0,
    "plan/__init__.py": 0,  # imports nothing: whoever wants what programs carry passes here
    "plan/carried": 0,  # NumPy functions in programs: they know nothing of graphc
    "lines.py": 0.1,
    "errors.py": 0.2,
    "misfits.py": 0.3,
    "folders.py": 0.3,
    "options.py": 0.3,
    "sizes.py": 0.5,  # the symbols that shapes are made of
    "parts.py": 1,
    "shapes": 1,
    "tensor_type.py": 1.5,
    "ir": 2,
    "meaning.py": 3,
    "ops": 4,
    "autodiff": 5,
    "binding.py": 5,
    "evaluate.py": 6,  # below the passes: fold computes with the reference interpreter
    "notation": 6,  # what the passes did is told in the user's terms
    "passes": 7,
    "records.py": 7,
    "plan": 8,
    "draw": 9,
    "check": 9,
    "objective.py": 9,
    "explain": 10,  # long ones are folded as pictures are
    "debug": 10,  # what went wrong, and what was measured, is drawn
    "profile.py": 10,
    "compile.py": 11,  # a compiled function draws and profiles itself
    "sparse": 12,
    "optim": 12,
    "tracing": 13,
    "__init__.py": 15,
    "cli": 16,
    "__main__.py": 17,
}

SYMPY = {"sizes.py", "meaning.py"}
SYMPY |= {f"shapes/{name}.py" for name in ("dims", "texts", "facts", "axes")}
SYMPY |= {"ops/elementwise.py", "ops/from_formula.py", "ops/special.py"}
SYMPY |= {"passes/exactly.py", "passes/formulas.py", "passes/simplify.py", "check/exact.py"}
SYMPY |= {"records.py", "cli/four_ways.py"}
# (file, other): the file knows a class of the other by its name alone, in annotations, since the
# other imports it. Each pair is a circle.
BY_NAME = {
    ("ir/building.py", "ir/op.py"),
    ("ir/node.py", "ir/op.py"),
}
OPTIONAL = {"networkx", "graphviz", "pygraphviz", "scipy", "rich"}


def room(file):
    """The folder of graphc that a file is in, however deep; its own name for one in none."""
    return Path(file).parts[0]


def places(file):
    """A file and the folders that it is in, from within."""
    return [file, *(folder.as_posix() for folder in Path(file).parents)]


def floor(file):
    known = next((FLOORS[place] for place in places(file) if place in FLOORS), None)
    assert known is not None, f"{file} stands on no floor: add it to FLOORS"
    return known


def imports(file):
    """What a file imports: (module, is inside a function, is for type checkers only)."""
    tree = ast.parse(FILES[file].read_text(encoding="utf-8"))
    package = ["graphc", *Path(file).parent.parts]
    found = []

    def visit(node, inside, for_types):
        if isinstance(node, ast.Import):
            found.extend((alias.name, inside, for_types) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                found.append((f"{module}.{alias.name}", inside, for_types))
        inside |= isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for_types = True
        for child in ast.iter_child_nodes(node):
            visit(child, inside, for_types)

    visit(tree, False, False)
    return found


def file_of(module):
    """The file of graphc that an imported name comes from; None for other packages."""
    parts = module.split(".")
    if parts[0] != "graphc":
        return None
    for end in range(len(parts), 0, -1):
        path = "/".join(parts[1:end])
        for candidate in (f"{path}.py", f"{path}/__init__.py".lstrip("/")):
            if candidate in FILES:
                return candidate
    raise AssertionError(f"no file for {module}")


def neighbours(file):
    """The files of graphc that a file imports when it runs."""
    return {f for m, _, for_types in imports(file) if not for_types and (f := file_of(m))} - {file}


@pytest.mark.parametrize("file", FILES)
def test_imports_point_to_a_lower_floor_or_to_the_same_room(file):
    """So that a file can be read knowing only what stands below it."""
    for other in neighbours(file):
        assert floor(other) < floor(file) or room(other) == room(file), f"{file} imports {other}"


def test_files_import_each_other_in_no_circle():
    """Inside a room too there is an order; graphlib raises CycleError with the circle."""
    # An __init__ gathers the names of its room: who imports a neighbour does not ask for them.
    order = list(graphlib.TopologicalSorter({f: neighbours(f) for f in FILES}).static_order())
    assert set(FILES) == set(order)


def test_few_files_know_each_other():
    """What is imported for annotations alone could be imported, but for a circle."""
    found = {(f, file_of(m)) for f in FILES for m, _, for_types in imports(f) if for_types}
    assert {(f, other) for f, other in found if other} == BY_NAME


def test_the_table_of_floors_names_only_what_exists():
    """A row for a file that is gone would claim an order that nobody keeps."""
    assert set(FLOORS) <= {place for file in FILES for place in places(file)}


@pytest.mark.parametrize("file", FILES)
def test_only_heavy_optional_packages_are_imported_inside_functions(file):
    """An import inside a function hides a circle, unless it spares people a package."""
    late = {module.split(".")[0] for module, inside, _ in imports(file) if inside}
    assert late <= OPTIONAL


@pytest.mark.parametrize("file", FILES)
def test_heavy_optional_packages_are_imported_inside_functions_only(file):
    """`import graphc` must not pay for what only drawing and viewing need."""
    early = {m.split(".")[0] for m, inside, for_types in imports(file) if not (inside or for_types)}
    assert not early & OPTIONAL


def test_sympy_is_imported_by_few_files():
    """Sizes, meanings, specifications, simplifying, explaining; the rest sees their results."""
    users = {f for f in FILES if any(m.split(".")[0] == "sympy" for m, _, _ in imports(f))}
    assert users == SYMPY


def test_what_programs_carry_knows_nothing_of_graphc():
    """Its functions are copied into programs that run where graphc is not installed."""
    files = [f for f in FILES if f.startswith("plan/carried/") and not f.endswith("__init__.py")]
    modules = {module for file in files for module, _, _ in imports(file)}
    others = {module for module in modules if not module.startswith("graphc.plan.carried.")}
    assert files
    assert {module.split(".")[0] for module in others} - {"numpy"} <= sys.stdlib_module_names


def test_importing_graphc_loads_no_drawing_and_no_graph_library():
    """In a fresh interpreter: what pictures and views need is loaded when they are asked for."""
    code = "import sys, graphc; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT.parent, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "graphc" in loaded
    assert not loaded & {"networkx", "graphviz", "pygraphviz", "scipy", "rich", "IPython"}


def test_every_public_name_is_listed_once_and_exists():
    """`from graphc import *` gives what the documentation speaks of."""
    assert len(set(graphc.__all__)) == len(graphc.__all__)
    assert [name for name in graphc.__all__ if not hasattr(graphc, name)] == []
