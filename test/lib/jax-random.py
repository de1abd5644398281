"""Draws that test/lib/random.test.ts compares with, as JSON: floats as the bits they have."""
import json

import jax

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

assert jax.config.jax_threefry_partitionable
key = jax.random.PRNGKey(42)
word = {2: np.uint16, 4: np.uint32, 8: np.uint64}


def bits(x):
    x = np.asarray(x)
    return [int(v) for v in (x.view(word[x.dtype.itemsize]) if x.dtype.kind != "u" else x).ravel()]


out = {"large_seed": bits(jax.random.PRNGKey(2**40 + 7))}
out["split"] = bits(jax.random.split(key, 3))
out["fold_in"] = bits(jax.random.fold_in(key, 7))
for width in (8, 16, 32, 64):
    out[f"u{width}"] = bits(jax.random.bits(key, (2, 3, 5), f"uint{width}"))
for name, dtype in (("f64", jnp.float64), ("f32", jnp.float32), ("f16", jnp.float16), ("bf16", jnp.bfloat16)):
    out[f"uniform_{name}"] = bits(jax.random.uniform(key, (2, 9), dtype))
out["range_f32"] = bits(jax.random.uniform(key, (40,), jnp.float32, -3.0, 5.0))
out["normal_f32"] = [float(v) for v in jax.random.normal(key, (500,), jnp.float32)]
out["normal_f64"] = [float(v) for v in jax.random.normal(key, (500,), jnp.float64)]
out["normal_bf16"] = [float(v) for v in jax.random.normal(key, (50,), jnp.bfloat16)]
print(json.dumps({k: [str(x) if isinstance(x, int) else x for x in v] for k, v in out.items()}))
