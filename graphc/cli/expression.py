"""Expressions as people type them, read safely: names, numbers, operators and known functions.

Python's own parser makes the tree; nothing in it is ever executed. What is not arithmetic is
refused with the column where it stands.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Callable, Collection
from typing import Any, NoReturn

from ..errors import ArgumentError, GraphcError
from ..ir import FUNCTIONS, OPS, Node
from ..ops.leaves import constant, input
from ..wording import did_you_mean

# More than anybody types, and less than would take long.
_LONGEST, _DEEPEST = 4096, 100
# So much of a long expression is shown around a mistake.
_WINDOW = 64

_BINARY: dict[type[ast.AST], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("add", lambda a, b: a + b),
    ast.Sub: ("subtract", lambda a, b: a - b),
    ast.Mult: ("multiply", lambda a, b: a * b),
    ast.Div: ("divide", lambda a, b: a / b),
    ast.Pow: ("power", lambda a, b: a**b),
}
_COMPARISONS: dict[type[ast.AST], str] = {
    ast.Lt: "less", ast.LtE: "less_equal", ast.Gt: "greater", ast.GtE: "greater_equal",
    ast.Eq: "equal", ast.NotEq: "not_equal",
}  # fmt: skip
# How some people call what has another name here.
_ALIASES = {
    "ln": "log", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2",
    "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "max": "maximum", "min": "minimum",
    "fabs": "abs", "pow": "power", "ceiling": "ceil",
}  # fmt: skip
# What is made of operations, element by element.
_COMPOSED = ("gelu", "log_ndtr", "ndtr")
CONSTANTS = {"pi": math.pi, "e": math.e}


def functions() -> dict[str, Callable[..., Node]]:
    """The functions that an expression may call, by the names people type."""
    own = {
        name: FUNCTIONS[name] for name, op in OPS.items()
        if op.family == "elementwise" and op.meaning is not None and name != "stop_gradient"
    }  # fmt: skip
    own |= {name: FUNCTIONS[name] for name in _COMPOSED}
    return own | {alias: own[name] for alias, name in _ALIASES.items()}


class ExpressionError(ArgumentError):
    """An expression that is not arithmetic: what is wrong, and a caret under where."""

    def __init__(self, sentence: str, text: str, column: int) -> None:
        super().__init__(sentence)
        self.where = None
        self.text, self.column = text, column

    def __str__(self) -> str:
        shown = "".join(c if c.isprintable() else "?" for c in self.text)
        start = max(0, min(self.column - _WINDOW // 2, len(shown) - _WINDOW))
        piece = shown[start : start + _WINDOW]
        before, after = "…" * (start > 0), "…" * (start + _WINDOW < len(shown))
        caret = " " * (len(before) + self.column - start) + "^"
        return f"{self.sentence}\n    {before}{piece}{after}\n    {caret}"


def parse(text: str, variables: Collection[str] = ()) -> Node:
    """The node of an expression in scalar inputs; `variables` are names that are no constants.

    >>> from graphc import evaluate
    >>> float(evaluate(parse("exp(x*z) / sqrt(x)"), {"x": 4.0, "z": 0.0}))
    0.5
    >>> parse("__import__('os')")
    Traceback (most recent call last):
        ...
    graphc.cli.expression.ExpressionError: there is no function __import__
        __import__('os')
        ^
    """
    return _Reader(text, variables).node


class _Reader:
    """Turns the tree of one expression into nodes."""

    def __init__(self, text: str, variables: Collection[str]) -> None:
        self.text, self.variables = text, variables
        self.functions = functions()
        self._refuse_what_is_too_much()
        value = self._read(self._tree().body, 0)
        self.node: Node = value if isinstance(value, Node) else self._constant(value)

    def refuse(self, sentence: str, at: ast.AST | int) -> NoReturn:
        column = at
        if not isinstance(at, int):
            # Columns are counted in bytes of UTF-8, carets in characters.
            encoded = self.text.encode()[: at.col_offset]  # type: ignore[attr-defined]
            column = len(encoded.decode(errors="ignore"))
        raise ExpressionError(sentence, self.text, column)  # type: ignore[arg-type]

    def _refuse_what_is_too_much(self) -> None:
        if not self.text.strip():
            self.refuse("the expression is empty", 0)
        if len(self.text) > _LONGEST:
            reason = f"the expression has {len(self.text):,} characters, and {_LONGEST:,} is most"
            self.refuse(reason, 0)
        depth = 0
        for column, c in enumerate(self.text):
            if not c.isprintable() or c == "#":
                self.refuse(f"the expression holds the character {ascii(c)}", column)
            depth += (c in "([{") - (c in ")]}")
            if depth > _DEEPEST:
                self.refuse(f"parentheses are nested more than {_DEEPEST} deep", column)

    def _tree(self) -> ast.Expression:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(self.text.strip(), mode="eval")
        except SyntaxError as error:
            lead = len(self.text) - len(self.text.lstrip())
            column = min(max((error.offset or 1) - 1 + lead, 0), len(self.text))
            self._hint()
            self.refuse(f"this is no expression: {error.msg}", column)
        except (RecursionError, MemoryError, ValueError):
            self.refuse(f"the expression is nested more than {_DEEPEST} deep", 0)

    def _hint(self) -> None:
        """Say what people often mean by what Python does not read."""
        product = re.search(r"\d(?=[A-Za-z_(])|\)(?=\s*[\w(])", self.text)
        if product:
            told = "this is no expression: a product is written with a *, as in 2*x"
            self.refuse(told, product.end())
        equals = re.search(r"(?<![=<>!])=(?!=)", self.text)
        if equals:
            told = "an expression holds no =: values are given with --at, as in --at x=2"
            self.refuse(told, equals.start())

    def _read(self, e: ast.expr, depth: int) -> Node | float:
        """A node, or a number while all is known."""
        if depth > _DEEPEST:
            self.refuse(f"the expression is nested more than {_DEEPEST} deep", e)
        match e:
            case ast.Constant(value=bool() | complex() | str() | bytes() | None):
                self.refuse("an expression holds real numbers and names, nothing else", e)
            case ast.Constant(value=int() | float() as number):
                return self._number(number, e)
            case ast.Name(id=name):
                return self._name(name, e)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=inner):
                value = self._read(inner, depth + 1)
                return -value if isinstance(sign, ast.USub) else value
            case ast.BinOp(op=sign) if type(sign) in _BINARY:
                return self._chain(e, depth)
            case ast.Compare(left=left, ops=[sign], comparators=[right]):
                if type(sign) not in _COMPARISONS:
                    self.refuse("numbers are compared by <, <=, >, >=, == and !=", e)
                both = [self._read(left, depth + 1), self._read(right, depth + 1)]
                return self._call(FUNCTIONS[_COMPARISONS[type(sign)]], both, e)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords):
                return self._function(name, arguments, keywords, e, depth)
        self.refuse(_refusal(e), e)

    def _chain(self, e: ast.expr, depth: int) -> Node | float:
        """a + b + c + ..., from the left, however many there are."""
        later = []
        while isinstance(e, ast.BinOp) and type(e.op) in _BINARY:
            later.append(e)
            e = e.left
        value = self._read(e, depth + 1)
        for operation in reversed(later):
            other = self._read(operation.right, depth + 1)
            value = self._binary(type(operation.op), value, other, operation)
        return value

    def _number(self, number: float, e: ast.expr) -> float:
        try:
            value = float(number)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            self.refuse("this number is larger than any float, which ends at 1.8e308", e)
        return value

    def _name(self, name: str, e: ast.expr) -> Node | float:
        if name in CONSTANTS and name not in self.variables:
            return CONSTANTS[name]
        if name in self.functions and name not in self.variables:
            self.refuse(f"{name} is a function: write {name}(...)", e)
        if name.startswith("_"):
            self.refuse(f"a name begins with a letter, and {name} does not", e)
        return input(name, ())

    def _binary(
        self, sign: type[ast.AST], a: Node | float, b: Node | float, e: ast.BinOp
    ) -> Node | float:
        name, arithmetic = _BINARY[sign]
        if isinstance(a, Node) or isinstance(b, Node):
            return self._call(FUNCTIONS[name], [a, b], e)
        try:
            value = arithmetic(a, b)
        except ZeroDivisionError:
            self.refuse("this divides by zero", e)
        except OverflowError:
            value = math.inf
        if isinstance(value, complex):
            self.refuse("this power of a negative number is not real", e)
        return self._number(value, e)

    def _function(
        self, name: str, arguments: list[ast.expr], keywords: list[Any], e: ast.expr, depth: int
    ) -> Node:
        if name not in self.functions:
            hint = did_you_mean(name, self.functions, before="; ")
            if name in self.variables or len(name) == 1:
                hint = f": for a product write {name}*(...)"
            self.refuse(f"there is no function {name}{hint}", e)
        if keywords:
            self.refuse(f"{name} takes its arguments by position", keywords[0].value)
        if any(isinstance(a, ast.Starred) for a in arguments):
            self.refuse(f"{name} takes its arguments one by one", e)
        values = [self._read(a, depth + 1) for a in arguments]
        return self._call(self.functions[name], values, e)

    def _call(self, function: Callable[..., Node], values: list[Any], e: ast.expr) -> Node:
        nodes = [v if isinstance(v, Node) else self._constant(v) for v in values]
        try:
            return function(*nodes)
        except GraphcError as error:
            self.refuse(error.sentence, e)

    def _constant(self, number: float) -> Node:
        return constant(number)


def _refusal(e: ast.expr) -> str:
    """Why something that Python can say is no arithmetic."""
    match e:
        case ast.BinOp(op=ast.BitXor()):
            return "^ is no power here: write x**2"
        case ast.BinOp(op=ast.MatMult()):
            return "the names of an expression are numbers, which @ does not multiply: write *"
        case ast.Attribute():
            return "an expression has no attributes: there is nothing behind a dot"
        case ast.Call():
            return "only a function's name can be called"
        case ast.Compare():
            return "numbers are compared two at a time: use logical_and(a < b, b < c)"
        case ast.BoolOp() | ast.UnaryOp():
            return "truth values are joined by logical_and, logical_or and logical_not"
        case ast.IfExp():
            return "a choice is written where(condition, a, b)"
        case ast.Lambda() | ast.JoinedStr() | ast.NamedExpr():
            return f"an expression holds no {_KINDS[type(e)]}"
    return "this is not arithmetic: an expression is made of names, numbers, operators, functions"


_KINDS: dict[type[ast.AST], str] = {
    ast.Lambda: "lambda", ast.JoinedStr: "f-string", ast.NamedExpr: "assignment",
}  # fmt: skip
