"""Reads StableHLO programs with jaxlib's own parser and prints them again, for jaxlib-reads.test.ts.

Standard input: a JSON list of lists of texts, each list one program in several forms. Standard output: for each program either
{"error": ...}, or jaxlib's print of it in generic form from each text ("generic"), and in pretty form from the first ("pretty").
"""
import json
import sys

from jax._src.interpreters import mlir
from jax._src.lib.mlir import ir


def print_of(module, generic):
    return module.operation.get_asm(print_generic_op_form=generic, large_elements_limit=2**31, enable_debug_info=False)


def read(texts):
    try:
        modules = [ir.Module.parse(text) for text in texts]
    except Exception as error:
        return dict(error=str(error))
    return dict(generic=[print_of(module, True) for module in modules], pretty=print_of(modules[0], False))


with mlir.make_ir_context():
    json.dump([read(texts) for texts in json.load(sys.stdin)], sys.stdout)
