"""Attention to retrieved neighbours in plain JAX, forward and backward: the peer of `attention-tpu`.

    python retrieved_attention.py lower --out FILE [--slots 8] [--heads 8] [--queries 512] [--memory 8192] [--size 128] [--k 32]

Queries search the memory of their own slot and head with `approx_max_k`, gather the keys and values found, and attend to these alone; the
gradient goes to the queries. Writes StableHLO text for TPU.
"""
import argparse
import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from jax import lax  # noqa: E402


def attend(queries, keys, values, filled, k, recall):
    scores = jnp.einsum("bhsd,bhmd->bhsm", lax.stop_gradient(queries), keys, preferred_element_type=jnp.float32)
    scores = jnp.where(filled[:, None, None, :], scores, -jnp.inf)
    best, places = lax.approx_max_k(scores, k, recall_target=recall)
    take = jax.vmap(jax.vmap(lambda rows, at: rows[at]))
    found_keys, found_values = take(keys, places), take(values, places)
    logits = jnp.einsum("bhsd,bhskd->bhsk", queries, found_keys, preferred_element_type=jnp.float32)
    weights = jax.nn.softmax(jnp.where(best > -jnp.inf, logits, -1e9), -1).astype(queries.dtype)
    return jnp.einsum("bhsk,bhskd->bhsd", weights, found_values)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["lower"])
    parser.add_argument("--out", required=True)
    for name, default in dict(slots=8, heads=8, queries=512, memory=8192, size=128, k=32).items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--recall", type=float, default=0.95)
    options = parser.parse_args()

    def both_ways(queries, keys, values, filled, cotangent):
        out, pullback = jax.vjp(lambda q: attend(q, keys, values, filled, options.k, options.recall), queries)
        return out, pullback(cotangent)[0]

    queries = jax.ShapeDtypeStruct((options.slots, options.heads, options.queries, options.size), jnp.bfloat16)
    memory = jax.ShapeDtypeStruct((options.slots, options.heads, options.memory, options.size), jnp.bfloat16)
    filled = jax.ShapeDtypeStruct((options.slots, options.memory), jnp.bool_)
    lowered = jax.jit(both_ways).trace(queries, memory, memory, filled, queries).lower(lowering_platforms=("tpu",))
    with open(options.out, "w", encoding="utf-8") as file:
        file.write(lowered.as_text())


main()
