"""The engine's formulas as trees of lists, which the browser writes in symbols and with numbers (``step.js``)."""

import ast
from functools import cache
from typing import Any

OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "^", ast.Gt: ">", ast.USub: "negative"}

Tree = str | float | list[Any]


@cache
def assignment(line: str) -> tuple[str, Tree]:
    """The name and the tree of a line such as ``velocity = momentum * velocity - learning_rate * gradient``."""
    name, _, formula = line.partition(" = ")
    return name, tree(formula)


@cache
def tree(formula: str) -> Tree:
    """A formula as a tree: a name, a number, or an operator or a function with its operands, as ``["+", "z", 1]``."""
    return _tree(ast.parse(formula, mode="eval").body)


def _tree(node: ast.expr) -> Tree:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.BinOp(left=left, op=op, right=right):
            return [OPERATORS[type(op)], _tree(left), _tree(right)]
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return [OPERATORS[type(op)], _tree(left), _tree(right)]
        case ast.UnaryOp(op=op, operand=operand):
            return [OPERATORS[type(op)], _tree(operand)]
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return [name, *map(_tree, arguments)]
        case ast.IfExp(test=test, body=body, orelse=other):
            return ["if", _tree(test), _tree(body), _tree(other)]
    raise ValueError(f"a formula has no {ast.unparse(node)}")
