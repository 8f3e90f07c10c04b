"""Expressions of a picture: parsed once into nested lists, which numpy evaluates here and a canvas in the browser.

A tree is a number, `["state", k]`, `["observation", k]`, or `[operation, tree, ...]`.
"""

import ast
from collections.abc import Mapping
from typing import Any

import numpy as np

Tree = float | list[Any]

BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%"}
COMPARE = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
OPERATIONS: dict[str, Any] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.mod,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
    "negative": np.negative,
    "abs": np.abs,
    "min": np.minimum,
    "max": np.maximum,
    "floor": np.floor,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "where": np.where,
}
ARGUMENTS = {"abs": 1, "floor": 1, "sqrt": 1, "sin": 1, "cos": 1, "min": 2, "max": 2, "where": 3}


def parse(expression: float | str, rows: Mapping[str, int]) -> Tree:
    """Return the tree of `expression`; `rows` says which state row a name is.

    Raises:
        ValueError: If it is not arithmetic over the names.
    """
    if not isinstance(expression, str):
        return float(expression)
    try:
        return _tree(ast.parse(expression, mode="eval").body, rows)
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"expression {expression!r}: {error}") from error


def _tree(node: ast.expr, rows: Mapping[str, int]) -> Tree:
    match node:
        case ast.Constant(value=float() | int() as value):
            return float(value)
        case ast.Name(id=name) if name in rows:
            return ["state", rows[name]]
        case ast.Name(id=name) if name.startswith("observation_") and name[12:].isdigit():
            return ["observation", int(name[12:])]
        case ast.Name(id=name):
            raise ValueError(f"{name!r} is no state row; there are: {', '.join(rows)}.")
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return ["negative", _tree(operand, rows)]
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in BINARY:
            return [BINARY[type(operator)], _tree(left, rows), _tree(right, rows)]
        case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in COMPARE:
            return [COMPARE[type(operator)], _tree(left, rows), _tree(right, rows)]
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if ARGUMENTS.get(name) == len(arguments):
            return [name, *(_tree(argument, rows) for argument in arguments)]
    raise ValueError(f"{ast.unparse(node)!r} is not part of a picture's arithmetic; see workbench_kernels.pictures.")


def evaluate(tree: Tree, state: np.ndarray, observation: np.ndarray) -> float:
    """Return the value of `tree` for a lane: `state` [S] and `observation` [O], float64."""
    if not isinstance(tree, list):
        return tree
    operation, *arguments = tree
    if operation == "state":
        return float(state[arguments[0]])
    if operation == "observation":
        return float(observation[arguments[0]])
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(OPERATIONS[operation](*(evaluate(argument, state, observation) for argument in arguments)))
