"""The command line: commands.txt holds commands with their whole output and exit code.

`python tests/test_cli.py` prints the file anew, for reading before it is kept.
"""

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import graphc as gc
from graphc import cli
from graphc.cli.main import COMMANDS, parser

FILE = Path(__file__).with_name("commands.txt")

# The files that the commands speak of. Their names of inputs are not those of other tests: a value
# that exists keeps the line that made it.
FILES = {
    "train.py": """\
import graphc as gc

n, d = gc.dims("n d")
rows = gc.input("rows", (n, d))
label = gc.input("label", (n,))
slope = gc.input("slope", (d,))
score = rows @ slope
loss = gc.mean(gc.softplus(-label * score)) + 0.01 * gc.sum(slope**2)

def parts():
    print("a remark of the file")
    return {"loss": loss, "score": score}

def scaled(factor):
    return factor * loss

if __name__ == "__main__":
    raise SystemExit("this is not run")
""",
    "marked.py": "\ufeffimport graphc as gc\nx = gc.input('x', ())\nz = x * x\n",
    "two.py": """\
import graphc as gc

at = gc.input("at")
first, second = gc.exp(at), gc.sin(at)
both = [first, second]
""",
    "kinked.py": """\
import graphc as gc

level = gc.input("level")
bent = gc.abs(level) + level**2
stepped = gc.floor(level)
""",
    "counted.py": """\
import graphc as gc

counts = gc.input("counts", (3,), "int64")
number = gc.sum(counts)
""",
    "shapes.py": """\
import graphc as gc

rows = gc.input("rows", ("n", "d"))
score = rows @ gc.input("other", ("h",))
""",
    "breaks.py": """\
import math

def helper(a):
    return "é", math.sqrt(a)

value = 3; other = helper(-1.0)
""",
    "open.py": "x = (1,\ny = 2\n",
    "stops.py": 'raise SystemExit("no data")\n',
    "empty.py": "x = 1\n",
    "loss.py": 'import graphc as gc\n\nloss_ = gc.exp(gc.input("in_loss"))\n',
}


def records():
    """(command, output) for each paragraph of the file that is no heading."""
    for part in re.split(r"\n(?=\$ |# )", FILE.read_text(encoding="utf-8").strip()):
        if part.startswith("$ "):
            command, _, output = part.partition("\n")
            yield command[2:], output.rstrip("\n")


def run(command):
    """What a command prints, on both streams together, and its exit code, in this process."""
    said = io.StringIO()
    words = shlex.split(command)
    assert words.pop(0) == "graphc"
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = cli.main(words)
    return f"{said.getvalue().rstrip()}\n[{code}]".lstrip("\n")


@contextlib.contextmanager
def folder():
    """A folder with the files, as the current one."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        for file, text in FILES.items():
            Path(file).write_text(text, encoding="utf-8")
        np.save("rows.npy", np.arange(6.0).reshape(3, 2))
        yield Path(name)


def matches(expected, printed):
    """Whether it reads so, `...` standing for anything."""
    return doctest.OutputChecker().check_output(expected, printed, doctest.ELLIPSIS)


CASES = list(records())


@pytest.mark.parametrize(("command", "output"), CASES, ids=[c for c, _ in CASES])
def test_a_command_answers_like_this(command, output):
    """The whole output, errors included, and the exit code: 0 fine, 1 a check failed, 2 misuse."""
    with folder():
        said = run(command)
    assert matches(output, said), said


DOCUMENT = FILE.parent.parent / "docs" / "command-line.md"


def shown():
    """(command, output) of the document, in order; its Python blocks are files."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for language, body in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if language == "python":
            FILES[body.split("\n")[0].removeprefix("# ")] = body
        for part in re.split(r"\n(?=\$ )", body.rstrip()) if language == "shell" else ():
            command, _, output = part.partition("\n")
            yield command[2:], output


@pytest.mark.parametrize(("command", "output"), SHOWN := list(shown()), ids=[c for c, _ in SHOWN])
def test_the_document_shows_what_commands_answer(command, output):
    """In this process: a new one for each would take longer than all other documents."""
    with folder():
        said = run(command).rpartition("\n")[0]
    assert matches(output, said), said


QUIZ = "exp(x*z) + x*z/log(x) + sin(log(x))/(x*z)"


def test_the_quiz_formula_has_its_derivatives_in_four_ways():
    """By hand: y = 412.19, dy/dx = 1208.38, dy/dz = 809.71."""
    said = run(f'graphc derive "{QUIZ}" --wrt x,z --at x=2,z=3')
    assert said.endswith("[0]") and "y = 412.19" in said
    for name, expected in (("dy/dx", "1208.38"), ("dy/dz", "809.71")):
        row = next(line.split() for line in said.splitlines() if line.startswith(name))
        assert [expected] * 4 == [f"{float(number):.2f}" for number in row[1:5]]
        assert float(row[5]) < 1e-8


def test_what_compile_writes_runs_alone_and_agrees():
    """The program needs NumPy, and no graphc."""
    with folder() as here:
        assert run("graphc compile train.py:loss --wrt slope -o made").endswith("[0]")
        assert (here / "made" / "train_loss.svg").read_text().startswith("<svg")
        code = (
            "import sys; sys.modules['graphc'] = None\n"
            "import train_loss, numpy as np\n"
            "out = train_loss.loss(np.eye(2), np.array([1., -1.]), np.array([.5, .25]))\n"
            "print(float(out['loss']), out['grad_slope'].tolist())"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=here / "made", capture_output=True, text=True,
            check=True,
        )  # fmt: skip
    loss, gradient = done.stdout.split(" ", 1)
    a, b = 1 / (1 + np.exp(0.5)), 1 / (1 + np.exp(-0.25))
    expected = (np.logaddexp(0, -0.5) + np.logaddexp(0, 0.25)) / 2 + 0.01 * (0.25 + 0.0625)
    np.testing.assert_allclose(float(loss), expected)
    np.testing.assert_allclose(eval(gradient), [-a / 2 + 0.01, b / 2 + 0.005])


def test_the_file_that_was_given_is_not_written_over():
    """`a.py` with a variable that makes the program's name `a_b.py`, where that is the file."""
    with folder() as here:
        (here / "a.py").write_text(FILES["two.py"])
        (here / "a_first.py").symlink_to(here / "a.py")
        said = run("graphc compile a.py:first")
        assert "is not written over" in said and said.endswith("[2]")
        assert FILES["two.py"] == (here / "a.py").read_text()


def test_a_wrong_gradient_fails_the_check():
    """An op of the user's own with a wrong sign: exit code 1, and the node is named."""
    text = (
        "import graphc as gc, sympy as sp\n"
        "from graphc.meaning import x\n"
        'soft = gc.elementwise("cli_soft", sp.sinh(x), numpy="np.sinh(x0)", like=gc_like, '
        "d=[-sp.cosh(x)])\n"
        'level = gc.input("level")\n'
        "wrong = soft(level) * 2\n"
    ).replace("gc_like", "__import__('numpy').sinh")
    with folder() as here:
        (here / "wrong.py").write_text(text)
        done = subprocess.run(
            [sys.executable, "-m", "graphc", "check", "wrong.py:wrong", "--wrt", "level"],
            capture_output=True, text=True, check=False, cwd=here,
        )  # fmt: skip
    assert 1 == done.returncode, done
    assert "wrong" in done.stdout and "cli_soft" in done.stdout and "Traceback" not in done.stderr


def test_the_module_is_the_command_and_a_closed_pipe_is_no_error():
    """`graphc ops | head -n 1`"""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{sys.executable} -m graphc ops | head -n 1"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (0, "Elementwise\n", "") == (done.returncode, done.stdout, done.stderr)


def test_a_traceback_is_shown_only_when_asked_for():
    """People see one paragraph; who needs more asks."""
    with folder():
        assert "Traceback" not in run("graphc compile breaks.py")
        assert "Traceback" in run("graphc compile breaks.py --traceback")
        assert "Traceback" in run("graphc derive x.y --traceback")


def test_a_mistake_of_graphc_itself_is_one_paragraph_too(monkeypatch):
    """Nobody is to face a traceback without asking for it."""
    monkeypatch.setattr("graphc.cli.derive.explain", lambda *_, **__: {}["gone"])
    assert run("graphc derive x*2") == (
        "graphc derive: a mistake of graphc itself (--traceback shows it): KeyError:\n'gone'\n[2]"
    )


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_help_fits_a_screen(command):
    """24 lines of 80 columns."""
    lines = run(f"graphc {command} --help").splitlines()[:-1]
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    assert "usage: graphc" in lines[0]


def test_every_command_has_a_record():
    """What is not in the file is not shown to work."""
    told = {shlex.split(command)[1] for command, _ in CASES if command != "graphc"}
    assert set(COMMANDS) <= told
    assert parser().prog == "graphc"


class Terminal(io.StringIO):
    """A stream that somebody watches."""

    def isatty(self):
        return True


@pytest.mark.parametrize(
    "command",
    [f'derive "{QUIZ}" --at x=2,z=3', "ops relu", "ops", "check train.py:loss --wrt slope",
     "compile train.py:loss --show", "draw train.py:loss --tree"],
)  # fmt: skip
def test_on_a_terminal_there_are_tables_and_colours(command, monkeypatch):
    """rich draws where somebody watches; the words are the same."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("NO_COLOR", raising=False)
    said = Terminal()
    with folder():
        plain = run(f"graphc {command}")
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
            assert 0 == cli.main(shlex.split(command))
    assert "\x1b[" in said.getvalue() and "\x1b[" not in plain


def test_a_bench_without_its_folder_says_where_it_is(monkeypatch):
    """It comes with the source, not with the installed package."""
    monkeypatch.setattr("graphc.cli.inspection._benchmarks", lambda: None)
    said = run("graphc bench")
    assert said.startswith("graphc bench: the benchmarks are not here") and said.endswith("[2]")


def test_a_bench_runs_the_benchmarks_with_their_own_options(monkeypatch):
    """What follows is theirs."""
    called = []

    def done(command, **options):
        called.append((command[1:], options["cwd"]))
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(subprocess, "run", done)
    assert run("graphc bench --only chain").endswith("[1]")
    root = Path(gc.__file__).parent.parent
    assert [(["-m", "benchmarks", "--only", "chain"], root)] == called


def main():
    """Print commands.txt with what is said today."""
    parts = []
    with folder():
        for part in re.split(r"\n(?=\$ |# )", FILE.read_text(encoding="utf-8").strip()):
            command, _, output = part.partition("\n")
            if command.startswith("$ "):
                output, said = output.rstrip(), run(command[2:])
                parts.append(f"{command}\n{output if matches(output, said) else said}\n")
            else:
                parts.append(f"{command}\n")
    os.write(1, "\n".join(parts).encode())


if __name__ == "__main__":
    main()
