"""Expressions over one row, the obvious way: Python's own parser, None for null, three-valued logic."""
import ast
import datetime
import math


def compile_expression(text):
    return ast.parse(text.strip().replace("&&", " and ").replace("||", " or "), mode="eval").body


def number(value):
    return float(value) if isinstance(value, bool) else value


def finite(value):
    return value if value is None or math.isfinite(value) else None


def arithmetic(op, a, b):
    a, b = number(a), number(b)
    if a is None or b is None:
        return None
    try:
        if isinstance(op, ast.Add):
            return finite(a + b)
        if isinstance(op, ast.Sub):
            return finite(a - b)
        if isinstance(op, ast.Mult):
            return finite(a * b)
        if isinstance(op, ast.Div):
            return None if b == 0 else finite(a / b)
        if isinstance(op, ast.Mod):
            return None if b == 0 else math.fmod(a, b)
    except OverflowError:
        return None
    raise ValueError(f"operator {op}")


COMPARE = {ast.Lt: lambda a, b: a < b, ast.LtE: lambda a, b: a <= b, ast.Gt: lambda a, b: a > b, ast.GtE: lambda a, b: a >= b,
           ast.Eq: lambda a, b: a == b, ast.NotEq: lambda a, b: a != b}


def calendar(name, us, zone):
    moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(microseconds=us)
    local = moment.astimezone(zone)
    return {"hour": local.hour, "minute": local.minute, "weekday": local.weekday(), "weekend": local.weekday() >= 5,
            "day_of_month": local.day}[name]


def call(name, args, zone):
    if name in ("hour", "minute", "weekday", "weekend", "day_of_month"):
        return None if args[0] is None else calendar(name, args[0], zone)
    if name == "coalesce":
        return next((a for a in args if a is not None), None)
    if name == "is_null":
        return args[0] is None
    if any(a is None for a in args):
        return None
    args = [number(a) for a in args]
    return {"max": max, "min": min, "abs": abs, "sqrt": lambda x: None if x < 0 else math.sqrt(x), "floor": math.floor,
            "ceil": math.ceil}[name](*args)


def truth(value):
    return None if value is None else bool(value)


def logic(node, values):
    """and: false wins, then null; or: true wins, then null."""
    wins = isinstance(node.op, ast.Or)
    if any(v is wins for v in values):
        return wins
    return None if any(v is None for v in values) else not wins


def evaluate(node, names, zone):
    """names: name -> value of this row (`ts` in microseconds); absent = null."""
    def go(n):
        return evaluate(n, names, zone)
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return {"true": True, "false": False, "null": None}.get(node.id, names.get(node.id))
    if isinstance(node, ast.BinOp):
        return arithmetic(node.op, go(node.left), go(node.right))
    if isinstance(node, ast.UnaryOp):
        value = go(node.operand)
        if value is None:
            return None
        return not truth(value) if isinstance(node.op, ast.Not) else -value
    if isinstance(node, ast.BoolOp):
        return logic(node, [truth(go(v)) for v in node.values])
    if isinstance(node, ast.Compare):
        left, right = go(node.left), node.comparators[0]
        if isinstance(node.ops[0], ast.In):
            return None if left is None else left in [go(e) for e in right.elts]
        right = go(right)
        return None if left is None or right is None else COMPARE[type(node.ops[0])](left, right)
    if isinstance(node, ast.Call):
        return call(node.func.id, [go(a) for a in node.args], zone)
    raise ValueError(ast.dump(node))
