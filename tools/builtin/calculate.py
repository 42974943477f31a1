"""`calculate`: arithmetic, evaluated on the syntax tree, without `eval`."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from agentaudio.errors import ToolError
from agentaudio.tools.tool import tool

Number = int | float
MAX_EXPRESSION_CHARS = 500
MAX_EXPONENT = 1_000
MAX_DIGITS = 300

_BINARY: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[..., Number]] = {
    "sqrt": math.sqrt, "abs": abs, "round": round, "sin": math.sin, "cos": math.cos, "tan": math.tan,
    "log": math.log, "log10": math.log10, "exp": math.exp, "min": min, "max": max,
}  # fmt: skip
_CONSTANTS = {"pi": math.pi, "e": math.e}


@tool
def calculate(
    expression: Annotated[str, Field(description="Such as 17*23, (2+3)/4, 2**10 or sqrt(2).")],
) -> str:
    """Work out an arithmetic expression exactly."""
    if len(expression) > MAX_EXPRESSION_CHARS:
        raise ToolError(f"the expression has {len(expression)} characters; {MAX_EXPRESSION_CHARS} are enough")
    plain = expression.replace("^", "**").replace("×", "*").replace("÷", "/").strip()
    try:
        value = _value(ast.parse(plain, mode="eval").body)
    except ZeroDivisionError:
        raise ToolError(f"{expression} divides by zero") from None
    except (SyntaxError, ValueError, OverflowError, RecursionError, TypeError, MemoryError) as error:
        raise ToolError(f"cannot work out {expression!r}: {error}; write it like (2+3)*4") from None
    return f"{expression} = {_shown(value)}"


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=bool() | complex()):
            raise ValueError("only numbers are allowed")
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            a, b = _value(left), _value(right)
            # Without a bound, 9**9**9 would not end.
            if isinstance(op, ast.Pow) and (abs(b) > MAX_EXPONENT or abs(a) > 10**MAX_DIGITS):
                raise ValueError(f"the exponent is above {MAX_EXPONENT}")
            return _bounded(_BINARY[type(op)](a, b))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            return _bounded(_FUNCTIONS[name](*(_value(arg) for arg in args)))
        case _:
            raise ValueError(f"{ast.unparse(node)[:40]!r} is not arithmetic")


def _bounded(value: Number) -> Number:
    if isinstance(value, complex):
        raise ValueError("the result is not a real number")
    if isinstance(value, int) and value.bit_length() > MAX_DIGITS * 10 / 3:
        raise ValueError(f"the result has more than {MAX_DIGITS} digits")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("the result is not finite")
    return value


def _shown(value: Number) -> str:
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(value)
