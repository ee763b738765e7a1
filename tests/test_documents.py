"""Documents run: `>>>` lines by pytest itself, their files and commands here, and the examples.

A Python block that begins with `# name.py` is a file. A console block shows commands and what they
print, `...` standing for anything. `python -m tests.test_documents` writes today's results into
every document.
"""

import doctest
import multiprocessing.process  # noqa: F401  before an example does: it would stay as __mp_main__
import os
import re
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PRINTED = {ROOT / "docs" / f"{name}.md": f"python -m docs.{name}" for name in ("api", "ops")}
DOCUMENTS = [ROOT / "README.md", *sorted(set((ROOT / "docs").glob("*.md")) - PRINTED.keys())]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SMALLER = {"character_model": ["64"], "ways_compared": ["16"]}  # what takes long, on less
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


def run(command, folder):
    """What a shell command prints, where `python` is this one."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, timeout=120, check=False,
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.stdout


def matches(expected, printed, options=doctest.ELLIPSIS):
    return doctest.OutputChecker().check_output(expected, printed, options)


def renewed(text):
    """A document with what its commands print today, where that is not what it shows."""
    with tempfile.TemporaryDirectory() as folder:

        def again(shown):
            command, expected = shown.groups()
            printed = run(command, folder)
            return shown[0] if matches(expected, printed) else f"$ {command}\n{printed}"

        def block(found):
            language, body = found.groups()
            if language == "python" and (name := re.match(r"# (\w+\.py)\n", body)):
                (Path(folder) / name[1]).write_text(body)
            if language == "console":
                body = COMMAND.sub(again, body)
            return f"```{language}\n{body}```"

        return BLOCK.sub(block, text)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_commands_of_a_document_print_what_it_shows(document):
    """A document that is not run tells how things were."""
    text = document.read_text()
    assert text == renewed(text)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_links_of_a_document_lead_somewhere(document):
    """Files move; links to them must follow."""
    prose = re.sub("`[^`\n]*`", "", document.read_text())
    targets = re.findall(r"\]\(([^)#:]+)\)", prose)
    assert [] == [t for t in targets if not (document.parent / t).exists()]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(example, tmp_path, monkeypatch, capfd):
    """Examples are what people copy first. In this process, which has imported all they need."""
    here, temporary, given = (tmp_path / name for name in ("here", "temporary", "given"))
    for folder in (here, temporary, given):
        folder.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    smaller = SMALLER.get(example.stem)
    monkeypatch.setattr(sys, "argv", [str(example), *([str(given), *smaller] if smaller else [])])
    runpy.run_path(str(example), run_name="__main__")
    printed, complaints = capfd.readouterr()
    assert printed and not complaints
    for picture in tmp_path.rglob("*.svg"):
        assert str(picture.with_suffix("")) in printed and "<text" in picture.read_text()
    assert [] == list(here.iterdir()), "an example writes where it is told, or where it says"


def test_every_document_and_example_is_found_from_the_readme():
    """What the README does not link is not read."""
    text = (ROOT / "README.md").read_text()
    files = [*DOCUMENTS[1:], *PRINTED, *EXAMPLES]
    assert [] == [f.name for f in files if f"({f.relative_to(ROOT).as_posix()})" not in text]


@pytest.mark.parametrize("document", PRINTED, ids=lambda path: path.name)
def test_a_document_that_is_printed_from_the_code_is_current(document):
    """docs/ops.md is printed from the records, docs/api.md from the docstrings."""
    assert document.read_text() == run(PRINTED[document], ROOT)


class Renewing(doctest.DocTestRunner):
    """Keeps what each `>>>` line printed in place of what was expected."""

    def report_failure(self, out, test, example, got):
        example.want = got


def with_results_of_today(text, name):
    parts = doctest.DocTestParser().parse(text, name)
    lines = [part for part in parts if isinstance(part, doctest.Example)]
    test = doctest.DocTest(lines, {"__name__": "__main__"}, name, name, 0, text)
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    Renewing(optionflags=options, verbose=False).run(test, out=sys.stderr.write)

    def written(part):
        first, *others = part.source.splitlines()
        prompts = [f">>> {first}", *(f"... {line}".rstrip() for line in others)]
        return "\n".join(prompts) + "\n" + part.want

    return "".join(part if isinstance(part, str) else written(part) for part in parts)


if __name__ == "__main__":
    for printed, command in PRINTED.items():
        printed.write_text(run(command, ROOT))
    for document in DOCUMENTS:
        text = with_results_of_today(document.read_text(), document.name)
        document.write_text(renewed(text))
