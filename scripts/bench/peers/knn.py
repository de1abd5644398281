"""Nearest neighbours in plain JAX: the peer of `knn-tpu` and `knn-cpu`.

    python knn.py lower --out FILE --queries 64,512,128 --database 64,8192,128 [--dtype bf16] [--k 32] [--recall 0.95] [--exact]
    python knn.py time PROGRAM.mlir --queries 256,64 --database 8192,64 [--k 32] [--rounds 60]

`lower` writes StableHLO text for TPU of the product and `approx_max_k` (or `top_k`). `time` runs on the CPU, turn by turn, the given program and
the product with `top_k`, and prints the milliseconds of both as JSON. Needs PYTHONPATH=scripts/runner for `time`.
"""
import argparse
import json
import os
import statistics
import time

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax import lax  # noqa: E402


def search(queries, database, k, recall, exact):
    batch = tuple(range(database.ndim - 2))
    numbers = (((queries.ndim - 1,), (database.ndim - 1,)), (batch, batch))
    scores = lax.dot_general(queries, database, numbers, preferred_element_type=jnp.float32)
    return lax.top_k(scores, k) if exact else lax.approx_max_k(scores, k, recall_target=recall)


def main():
    sizes = lambda text: tuple(int(size) for size in text.split(","))  # noqa: E731
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["lower", "time"])
    parser.add_argument("program", nargs="?")
    parser.add_argument("--out")
    parser.add_argument("--queries", type=sizes, required=True)
    parser.add_argument("--database", type=sizes, required=True)
    parser.add_argument("--dtype", default="f32", choices=["f32", "bf16"])
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--recall", type=float, default=0.95)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--exact", action="store_true")
    options = parser.parse_args()
    dtype = jnp.bfloat16 if options.dtype == "bf16" else jnp.float32
    peer = jax.jit(lambda q, d: search(q, d, options.k, options.recall, options.exact))
    if options.action == "lower":
        types = [jax.ShapeDtypeStruct(shape, dtype) for shape in (options.queries, options.database)]
        with open(options.out, "w", encoding="utf-8") as file:
            file.write(peer.trace(*types).lower(lowering_platforms=("tpu",)).as_text())
        return

    from engram_runner.device import Device

    device = Device("cpu", 0)
    with open(options.program, encoding="utf-8") as file:
        program, _ = device.compile("search", file.read(), ())
    random = np.random.default_rng(0)
    arrays = [random.standard_normal(shape, np.float32) for shape in (options.queries, options.database)]
    ours, theirs = [device.put(array) for array in arrays], [jnp.asarray(array) for array in arrays]
    run = {"engram": lambda: device.get(device.execute(program, ours)[-1]), "peer": lambda: np.asarray(peer(*theirs)[-1])}
    # Both run once before the clock does; they must find the same.
    found = {name: np.sort(call(), axis=-1) for name, call in run.items()}
    same = float(np.mean(found["engram"] == found["peer"]))
    times = {name: [] for name in run}
    for _ in range(options.rounds):
        for name, call in run.items():
            begin = time.perf_counter()
            call()
            times[name].append(1e3 * (time.perf_counter() - begin))
    print(json.dumps({**{name: statistics.median(all_) for name, all_ in times.items()}, "same": same}))


main()
