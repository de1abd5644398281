"""Reads what functions.ts prints and says how far each function is from the exact value, in units in the last place of its type.

Needs mpmath, which is no dependency of Engram: `pip install mpmath` in an environment of its own. With `--values N` it prints the exact values of
the first N arguments of each function instead, rounded to f64: test/host/function-values.jsonl was made so.
"""

import json
import math
import struct
import sys

import mpmath
from mpmath import mp

mp.prec = 400
EXACT = {
    "exp": mpmath.exp, "expm1": mpmath.expm1, "log": mpmath.log, "log1p": mpmath.log1p, "tanh": mpmath.tanh, "sqrt": mpmath.sqrt,
    "logistic": lambda x: 1 / (1 + mpmath.exp(-x)), "rsqrt": lambda x: 1 / mpmath.sqrt(x), "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "sin": mpmath.sin, "cos": mpmath.cos, "tan": mpmath.tan, "atan2": mpmath.atan2, "pow": mpmath.power, "acos": mpmath.acos, "acosh": mpmath.acosh,
    "asin": mpmath.asin, "asinh": mpmath.asinh, "atan": mpmath.atan, "atanh": mpmath.atanh, "cosh": mpmath.cosh, "sinh": mpmath.sinh,
    "erf": mpmath.erf, "erfc": mpmath.erfc, "erf_inv": mpmath.erfinv, "lgamma": lambda x: mpmath.log(abs(mpmath.gamma(x))) if x < 1e6 else mpmath.loggamma(x),
    "digamma": mpmath.digamma, "trigamma": lambda x: mpmath.zeta(2, x), "zeta": mpmath.zeta,
    "bessel_i1e": lambda x: mpmath.besseli(1, x) * mpmath.exp(-abs(x)) if abs(x) < 1e4 else None,
}
FORMATS = {"f64": (53, -1074), "f32": (24, -149)}


def number(bits):
    return struct.unpack("<d", int(bits, 16).to_bytes(8, "little"))[0]


def ulp(value, dtype):
    """The distance of representable numbers at `value`."""
    precision, smallest = FORMATS[dtype]
    if value == 0:
        return mpmath.ldexp(1, smallest)
    return mpmath.ldexp(1, max(int(mpmath.frexp(value)[1]) - precision, smallest))


def exact_value(name, args):
    """None where there is none, or where mpmath would take too long."""
    try:
        return EXACT[name](*map(mpmath.mpf, args))
    except (ZeroDivisionError, ValueError):
        return None


def values(line, count):
    """Arguments and exact values of the first cases, as bits of doubles."""
    rows = []
    for index in range(len(line["results"])):
        columns = [column[index] for column in line["args"]]
        exact = exact_value(line["name"], [number(bits) for bits in columns])
        if exact is not None and len(rows) < count:
            rows.append([*columns, struct.pack(">d", float(exact)).hex()])
    return {"name": line["name"], "rows": rows}


def measure(line):
    worst, place, absolute, skipped = mpmath.mpf(0), None, mpmath.mpf(0), 0
    for index, got in enumerate(map(number, line["results"])):
        args = [number(column[index]) for column in line["args"]]
        exact = exact_value(line["name"], args)
        if exact is None or not mpmath.isfinite(exact) or not math.isfinite(got):
            skipped += 1
            continue
        error = abs(mpmath.mpf(got) - exact)
        units = error / ulp(exact, line["dtype"])
        absolute = max(absolute, error / max(1, abs(exact)))
        if units > worst:
            worst, place = units, args
    return {"name": line["name"], "dtype": line["dtype"], "worst": float(worst), "at": place, "absolute": float(absolute), "skipped": skipped}


for text in sys.stdin:
    parsed = json.loads(text)
    count = int(sys.argv[2]) if sys.argv[1:2] == ["--values"] else 0
    print(json.dumps(values(parsed, count) if count else measure(parsed)), flush=True)
