"""Compiles the StableHLO programs on standard input (a JSON list of texts) for the CPU; prints for each what XLA made of it."""
import json
import re
import sys

import jax
from jax.extend.backend import get_backend
from jaxlib import xla_client

backend = get_backend("cpu")
devices = xla_client.DeviceList(tuple(jax.devices("cpu")[:1]))
found = []
for text in json.load(sys.stdin):
    hlo = backend.compile_and_load(text, devices, xla_client.CompileOptions()).hlo_modules()[0].to_string()
    calls = set(re.findall(r'custom_call_target="([^"]+)"', hlo))
    found.append(sorted(calls | ({"sort"} if re.search(r"\bsort\(", hlo) else set())))
print(json.dumps(found))
