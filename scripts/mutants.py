"""Generate the mutants of a Python file: copies with a single small fault each.

Most faults come from the operators of cosmic-ray. `_dropped` adds two kinds that it lacks: removed
statements and removed keyword arguments. Excluded are faults without an effect (in annotations, protocols and log
messages), and unlikely replacements of operators, which nearly any test notices.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

_COMPARISONS = ("Eq_NotEq", "NotEq_Eq", "Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt", "Gt_GtE", "Gt_LtE", "GtE_Gt",
                "GtE_Lt", "Is_IsNot", "IsNot_Is")  # fmt: skip
_BINARY = ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Mul", "Mod_Mul", "Pow_Mul", "BitOr_BitAnd",
           "BitAnd_BitOr", "BitXor_BitAnd", "LShift_RShift", "RShift_LShift")  # fmt: skip
OPERATORS = (
    *(f"core/ReplaceComparisonOperator_{name}" for name in _COMPARISONS),
    *(f"core/ReplaceBinaryOperator_{name}" for name in _BINARY),
    "core/ReplaceUnaryOperator_USub_UAdd", "core/ReplaceUnaryOperator_Delete_USub",
    "core/ReplaceUnaryOperator_Delete_Not", "core/AddNot", "core/ReplaceTrueWithFalse", "core/ReplaceFalseWithTrue",
    "core/ReplaceAndWithOr", "core/ReplaceOrWithAnd", "core/ReplaceBreakWithContinue",
    "core/ReplaceContinueWithBreak", "core/ExceptionReplacer", "core/NumberReplacer", "core/RemoveDecorator",
    "core/ZeroIterationForLoop",
)  # fmt: skip
_OPPOSITES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A file with one fault.

    line: of the fault, from 1
    was, became: the lines that differ, before and after
    source: the whole file, with the fault
    """

    line: int
    was: str
    became: str
    source: str


def mutants_of(source: str) -> list[Mutant]:
    """All mutants of `source`, ordered by line. Faults with the same effect appear once."""
    found: dict[str, Mutant] = {}
    for mutated in (*_replaced(source), *_dropped(source)):
        try:
            effect = _effect(mutated)
        except SyntaxError:
            continue
        if effect != _effect(source):
            found.setdefault(effect, _mutant(source, mutated))
    return sorted(found.values(), key=lambda mutant: mutant.line)


def _replaced(source: str) -> Iterator[str]:
    nodes = list(ast_nodes(get_ast(source)))
    for name in OPERATORS:
        operator = get_operator(name)()
        for occurrence in range(sum(len(list(operator.mutation_positions(node))) for node in nodes)):
            try:
                mutated = mutate_code(source, operator, occurrence)
            except AttributeError:  # ExceptionReplacer fails on dotted names
                continue
            if mutated is not None:
                yield mutated


def _dropped(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await | ast.Yield):
            yield _without(source, node, "pass")
        elif isinstance(node, ast.AugAssign):
            yield _without(source, node, "pass")
        elif isinstance(node, ast.Assign) and all(isinstance(t, ast.Attribute | ast.Subscript) for t in node.targets):
            yield _without(source, node, "pass")
        elif isinstance(node, ast.Call):
            for number, keyword in enumerate(node.keywords):
                if keyword.arg is not None and not _is_flag(keyword.value):
                    others = node.keywords[:number] + node.keywords[number + 1 :]
                    yield _without(source, node, ast.unparse(ast.Call(node.func, node.args, others)))


def _without(source: str, node: ast.stmt | ast.expr, replacement: str) -> str:
    lines = source.encode().splitlines(keepends=True)  # ast counts columns in bytes
    assert node.end_lineno is not None and node.end_col_offset is not None
    before = b"".join(lines[: node.lineno - 1]) + lines[node.lineno - 1][: node.col_offset]
    after = lines[node.end_lineno - 1][node.end_col_offset :] + b"".join(lines[node.end_lineno :])
    return (before + replacement.encode() + after).decode()


def _is_flag(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, bool)  # removed is inverted, or has no effect


class _Visible(ast.NodeTransformer):
    """Removes what no test can detect: annotations, log messages, slots, protocols, and the spelling of negations."""

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        if any(ast.unparse(base).startswith("Protocol") for base in node.bases):
            for member in node.body:
                if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
                    member.decorator_list = []  # a type, which nothing runs
        return self.generic_visit(node)

    def visit_arguments(self, node: ast.arguments) -> ast.AST:
        node.args, node.posonlyargs = [*node.posonlyargs, *node.args, *node.kwonlyargs], []
        node.kwonlyargs, node.defaults, node.kw_defaults = [], [*node.defaults, *filter(None, node.kw_defaults)], []
        return self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> ast.AST | None:
        return None if node.arg == "slots" else self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        inner = node.operand
        if isinstance(node.op, ast.Not) and isinstance(inner, ast.Compare) and len(inner.ops) == 1:
            opposite = _OPPOSITES.get(type(inner.ops[0]))
            if opposite is not None:
                return self.generic_visit(ast.Compare(inner.left, [opposite()], inner.comparators))
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            if isinstance(call.func.value, ast.Name) and call.func.value.id == "log":
                return ast.Pass()
        return self.generic_visit(node)


def _effect(source: str) -> str:
    return ast.dump(_Visible().visit(ast.parse(source)))


def _mutant(source: str, mutated: str) -> Mutant:
    before, after = source.splitlines(), mutated.splitlines()
    start = next(
        (n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    was, became = before[start : len(before) - end], after[start : len(after) - end]
    return Mutant(start + 1, _joined(was), _joined(became), mutated)


def _joined(lines: list[str]) -> str:
    return " ".join(line.strip() for line in lines)
