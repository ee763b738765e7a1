"""The faces of an explanation: plain text, Markdown, LaTeX."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..autodiff.backprop import cuts
from ..ir import OPS, Node
from ..notation import Term, aligned, number_text
from ..wording import counted, in_words
from . import reasons
from .derivation import Derivation, Formula, Step, added, gradient_by, parts, written
from .outline import Gap

_MOST_NAMES, _MOST_TARGETS, _MOST_CUTS = 12, 6, 5
# Arrays of more elements than this are described.
_MOST_ELEMENTS = 6
_WIDTH, _WIDEST_COLUMN, _SHORT = 96, 60, 40
_LONGEST = 240

WHAT_IS_DIFFERENTIATED = "it is what is differentiated"
RULE = (
    "∇v is the gradient of {z} by v. Every consumer c of v (a value computed from v directly) "
    "contributes ∇c times the derivative of c by v; ∇v is the sum."
)

Write = Callable[[Formula], str]
Told: TypeAlias = Sequence[Step | Gap]  # what is written out of a derivation


# -- what all faces tell -----------------------------------------------------------------------


def number(value: Any) -> str:
    """A value in a line: a number, a short array, or what a long one holds."""
    array = np.asarray(value)
    if array.ndim == 0:
        found = number_text(array.item())
    elif array.size <= _MOST_ELEMENTS:
        found = " ".join(np.array2string(array, precision=4, separator=", ").split())
    else:
        size = "×".join(map(str, array.shape))
        low, high = (number_text(f(array).item()) for f in (np.min, np.max))
        found = f"{size} numbers" + (f" from {low} to {high}" if low != high else f", all {low}")
    return found.replace("-", "−")


def _named(d: Derivation, nodes: Iterable[Node], write: Write = str) -> list[str]:
    names = d.names
    return [write(written(v, names)) for v in nodes]


def _title(d: Derivation, write: Write) -> str:
    (z,) = _named(d, [d.table.z], write)
    targets = in_words(_named(d, d.table.targets, write), _MOST_TARGETS)
    count = len(d)
    how = f", in {counted(count, 'step')} (Algorithm 6.6)" if count else ""
    return f"The gradient of {z} by {targets}{how}"


def _left_out(d: Derivation, write: Write) -> list[str]:
    """What Algorithm 6.5 leaves out, by name."""
    names, found = d.names, dict[str, list[Node]]()
    for v, reason in d.table.left_out(d.graph.nodes).items():
        if v in names and v not in d.table.targets and len(d):
            found.setdefault(reason, []).append(v)
    many = len(d.table.targets) > _MOST_TARGETS
    targets = "any target" if many else " or ".join(_named(d, d.table.targets, write))
    return [
        f"Left out (Algorithm 6.5): {in_words(_named(d, nodes, write))}, for "
        + (f"every path through {'it' if len(nodes) == 1 else 'them'} is cut."
           if reason.startswith("every") else
           f"{'it does' if len(nodes) == 1 else 'they do'} not depend on {targets}.")
        for reason, nodes in found.items()
    ]  # fmt: skip


def _dictionary(told: Told) -> str:
    """What the less usual functions mean that occur in the formulas."""
    words: dict[str, None] = {}
    for part in told:
        if not isinstance(part, Gap):
            formulas = [part.operation, part.built, part.simplified, *(s.rule for s in part.shares)]
            terms = (t for f in formulas if f is not None for t in parts(f.term))
            words |= {t.head: None for t in terms if t.kind == "call"}
    known = {word: _meaning(word) for word in words}
    said = [f"{word}{meaning}" for word, meaning in known.items() if meaning]
    return f"Here {in_words(said)}." if said else ""


def _meaning(word: str) -> str:
    """`(x) = ` and the formula of a function of x, where it says more than the function's name."""
    op = OPS.get("sigmoid" if word == "σ" else word)
    if op is None or op.meaning is None or len(op.meaning.variables) != 1:
        return ""
    formula = str(op.meaning.expr).replace("-", "−")
    says_more = not formula.lower().startswith((f"{op.name}(", "~"))
    return f"({op.meaning.variables[0]}) = {formula}" if says_more else ""


def _gradient(step: Step) -> Formula:
    return Formula(gradient_by(step.name.term))


def _made(d: Derivation, v: Node, write: Write) -> str:
    """`u = x * z`: a value with how it is computed."""
    name, made = Formula(d.names[v]), d.made(v)
    terms = name.term if made is None else Term("infix", "=", (name.term, made.term))
    return write(Formula(terms))


def _chain(step: Step) -> list[tuple[Formula, str]]:
    """The sum of a step in ever simpler forms, each with a word on how it came about."""
    chain = [(step.sum, "")]
    steps = ((step.built, "with what is found above"), (step.simplified, "simplified"))
    for formula, reason in () if step.more else steps:
        if str(formula) != str(chain[-1][0]):
            chain.append((formula, reason))
    return chain


def _in_numbers(step: Step) -> Formula | None:
    """The sum with numbers for names, where there is more to it than one number."""
    found = [s.numbers for s in step.shares if s.numbers is not None]
    if not found or len(found) < len(step.shares) + step.more:
        return None
    total = added(found)
    is_bare = total.term.kind == "number" or str(total) == number(step.slope)
    return None if is_bare else total


def _results(d: Derivation) -> list[tuple[Formula, Formula]]:
    """The whole gradients by the targets, as far as they can be written."""
    names = d.names
    found = [
        (Formula(gradient_by(names[t])), d.result(t))
        for t in d.table.targets[:_MOST_NAMES] if t in d.table
    ]  # fmt: skip
    return [(name, f) for name, f in found if f.is_whole and len(str(f)) <= _LONGEST]


def _stops(d: Derivation) -> list[str]:
    """Where no gradient passes, and which targets have none because of it."""
    missing = reasons.missing(d)
    if missing:
        return [reason[0].upper() + reason[1:] + "." for reason in missing.values()]
    edges, found = list(cuts(d.table.z, d.table.targets)), []
    for cut in edges[:_MOST_CUTS]:
        consumer, node = _named(d, [cut.consumer, cut.node])
        found.append(f"No gradient comes back from {consumer} to {node}: {cut.reason}.")
    more = len(edges) - _MOST_CUTS
    return found + [f"And {more} more such places (`.cuts`)."] * (more > 0)


# -- plain text --------------------------------------------------------------------------------


def text_of(d: Derivation, told: Told) -> str:
    """The derivation in plain text."""
    lines = [_title(d, str), ""]
    if len(d):
        lines += ["Forward", *_forward(d, told), ""]
        notes = [*_left_out(d, str), _dictionary(told)]
        lines[-1:] = [line for note in notes for line in _wrapped(note, 4)] + [""]
        lines += ["Backward", *_wrapped(RULE.format(z=_named(d, [d.table.z])[0]), 4), ""]
    for part in told:
        lines += [f"     … {part}"] if isinstance(part, Gap) else _step(d, part)
    results = _results(d)
    if results:
        lines += ["", "Altogether"]
        lines += [f"    {name} = {formula}" for name, formula in results]
    stops = _stops(d)
    if stops:
        lines += [""] * bool(len(d)) + ["Where no gradient passes"]
    for sentence in stops:
        lines += _wrapped(sentence, 4)
    return "\n".join(lines)


def _wrapped(sentence: str, indent: int) -> list[str]:
    margin = " " * indent
    return textwrap.wrap(
        sentence, _WIDTH, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False
    )


def _forward(d: Derivation, told: Told) -> list[str]:
    """How each value that has a step is computed, inputs first."""
    rows = []
    for part in reversed(told):
        if isinstance(part, Gap):
            rows.append(("⋮", "", "", ""))
            continue
        here = number(part.value) if part.value is not None else ""
        where = part.node.where.place if part.node.where and part.operation else ""
        made = f"{part.name} = {part.operation}" if part.operation else str(part.name)
        rows.append((made, repr(part.node.type), here, where))
    widths = [min(max(len(row[k]) for row in rows), _WIDEST_COLUMN) for k in range(4)]
    return [
        "    " + "   ".join(f"{c:{w}}" for c, w in zip(row, widths, strict=True) if w).rstrip()
        for row in rows
    ]


def _step(d: Derivation, step: Step) -> list[str]:
    name = f"∇{step.name}" if step.name.term.kind == "name" else str(_gradient(step))
    head, margin = f"{step.number:3}. ", "         "
    if not step.shares:
        return [f"{head}{name} = {step.sum}: {WHAT_IS_DIFFERENTIATED}."]
    users = list(dict.fromkeys(s.consumer for s in step.shares))
    if len(step.shares) == 1:
        lines = [f"{head}{name}: {step.name} goes into {_made(d, users[0], str)}"]
    else:
        into = _named(d, users) + [f"{step.more} more"] * bool(step.more)
        lines = [f"{head}{name}: {step.name} goes into {in_words(into)}"]
        made = [_made(d, s.consumer, str) for s in step.shares]
        width = min(max(map(len, made)), _WIDEST_COLUMN)
        for text, s in zip(made, step.shares, strict=True):
            lines.append(f"{margin}{text:{width}}   contributes   {s.rule}")
        if step.more:
            lines.append(f"{margin}and {step.more} more contribute likewise (`table.steps`)")
    lines += _equalities(f"{margin}{name}", step)
    for remark in reasons.remarks(d, step):
        lines += _wrapped(remark, len(margin))
    return lines


def _equalities(left: str, step: Step) -> list[str]:
    """The gradient and what it equals, each line with a word on how it came about."""
    chain = _chain(step)
    rows = [(str(formula), reason) for formula, reason in chain]
    if len(rows) == 2 and len(rows[0][0] + rows[1][0]) < _SHORT:
        rows = [(f"{rows[0][0]} = {rows[1][0]}", "")]
    if step.slope is not None:
        numbers, value = _in_numbers(step), number(step.slope)
        if numbers is not None:
            value = f"{numbers} = {value}"
        if value != str(chain[-1][0]):
            rows.append((value, ""))
    width = min(max((len(text) for text, reason in rows if reason), default=0), _WIDEST_COLUMN)
    margins = [left, *[" " * len(left)] * (len(rows) - 1)]
    return [
        f"{margin} = {text:{width}}   {reason}".rstrip()
        for margin, (text, reason) in zip(margins, rows, strict=True)
    ]


# -- Markdown ----------------------------------------------------------------------------------


def markdown_of(d: Derivation, told: Told) -> str:
    """The derivation as Markdown, formulas between dollars."""
    lines = [f"### {_title(d, _dollars)}", ""]
    if len(d):
        has_point = d.at is not None
        lines += ["**Forward**", "", f"| value | type |{' here |' * has_point}"]
        lines += ["|---|---|" + "---|" * has_point]
        for part in reversed(told):
            if isinstance(part, Gap):
                lines.append("| ⋮ | |" + " |" * has_point)
                continue
            here = f" {number(part.value)} |" if has_point else ""
            lines.append(f"| {_made(d, part.node, _dollars)} | `{part.node.type!r}` |{here}")
        lines += ["", *_left_out(d, _dollars), _dictionary(told), ""]
        lines += ["**Backward**", "", RULE.format(z=_named(d, [d.table.z], _dollars)[0]), ""]
    for part in told:
        lines += [f"- … {part}"] if isinstance(part, Gap) else _markdown_step(d, part)
    for name, formula in _results(d):
        lines += ["", f"$${name.latex} = {formula.latex}$$"]
    lines += [f"\n{sentence}" for sentence in _stops(d)]
    return "\n".join(lines)


def _dollars(formula: Formula) -> str:
    # A bar would end a cell of a table.
    return f"${formula.latex.replace('|', chr(92) + 'vert ')}$"


def _markdown_step(d: Derivation, step: Step) -> list[str]:
    chain = " = ".join(f.latex for f in [_gradient(step), *(f for f, _ in _chain(step))])
    if not step.shares:
        return [f"- **{step.number}.** ${chain}$: {WHAT_IS_DIFFERENTIATED}."]
    numbers = _in_numbers(step)
    if step.slope is not None and numbers is not None:
        chain += f" = {numbers.latex}"
    here = "" if step.slope is None else f", here {number(step.slope)}"
    users = dict.fromkeys(s.consumer for s in step.shares)
    into = in_words(_made(d, c, _dollars) for c in users)
    lines = [f"- **{step.number}.** {_dollars(step.name)} goes into {into}: ${chain}${here}."]
    if len(step.shares) > 1:
        for s in step.shares:
            (consumer,) = _named(d, [s.consumer], _dollars)
            lines.append(f"    - {consumer} contributes {_dollars(s.rule)}")
    return lines + [f"    - {remark}" for remark in reasons.remarks(d, step)]


# -- LaTeX -------------------------------------------------------------------------------------


def latex_of(d: Derivation, told: Told) -> str:
    """The derivation as aligned equations: the values, then the gradients."""
    rows = []
    for part in reversed(told):
        if isinstance(part, Gap):
            rows.append(r"&\;\;\vdots")
        elif part.operation is not None:
            rows.append(f"{part.name.latex} &= {part.operation.latex}")
    rows.append("&")
    for part in told:
        if isinstance(part, Gap):
            rows.append(r"&\;\;\vdots")
            continue
        chain = [f.latex for f, _ in _chain(part)]
        rows.append(f"{_gradient(part).latex} &= " + " = ".join(chain))
    return aligned(rows)
