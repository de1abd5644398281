"""The models once more in plain JAX, in f64, from the equations of the papers, for test/models/jax-reference.test.ts.

There is no step and no state here: the whole stream of a slot is read at once, and masks over all pairs of its tokens say what a token may
look at in its own segment, in the cache, and in the memory. What an approximate search finds is given as data. Reads cases as JSON (configuration, parameters, segments, and a weight for every
logit), and writes for each the logits of every segment and the gradient, by every parameter, of the weighted sum of all logits. Keys and values
of earlier segments are constants for it, as the papers have it.

Letters: b slots, t tokens that look, u tokens that are looked at, h heads, d head size.
"""
import json
import math
import os
import sys

# A program is run once: it had better be compiled fast.
os.environ["XLA_FLAGS"] = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true --xla_disable_hlo_passes=constant_folding"
import jax  # noqa: E402

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

constant = jax.lax.stop_gradient


def norm(p, x):
    if "bias" in p:
        x = x - x.mean(-1, keepdims=True)
    y = x / jnp.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * p["scale"]
    return y + p["bias"] if "bias" in p else y


def unit(x):
    return x / jnp.sqrt((x * x).sum(-1, keepdims=True) + 1e-6)


def activation(name, x):
    if name == "relu":
        return jnp.where(x > 0, x, 0.0)
    return 0.5 * x * (1 + jnp.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def feed_forward(config, p, x):
    return activation(config["activation"], x @ p["input"] + p["inputBias"]) @ p["output"] + p["outputBias"]


def softmax_where(mask, scores):
    """Softmax over the last axis among what the mask has; zeros where it has nothing."""
    some = mask.any(-1, keepdims=True)
    largest = constant(jnp.where(mask, scores, -1e300).max(-1, keepdims=True))
    parts = jnp.where(mask, jnp.exp(jnp.where(mask, scores - largest, 0.0)), 0.0)
    return jnp.where(some, parts / jnp.where(some, parts.sum(-1, keepdims=True), 1.0), 0.0)


class Stream:
    """Which token may look at which, from the lengths of the segments and the starts of documents. All masks are [b,t,u]."""

    def __init__(self, config, steps):
        lengths = [len(step["tokens"][0]) for step in steps]
        first = np.repeat(np.cumsum([0, *lengths])[:-1], lengths)
        place = np.arange(sum(lengths))
        document = np.repeat(np.cumsum([step["start"] for step in steps], 0), lengths, 0).T
        same_document = document[:, :, None] == document[:, None, :]
        back = first[None, :, None] - place[None, None, :]
        self.lengths = lengths
        self.tokens = np.concatenate([step["tokens"] for step in steps], 1)
        self.distance = place[:, None] - place[None, :]
        self.own_segment = first[:, None] == first[None, :]
        self.local = same_document & (self.distance >= 0)[None] & (back <= config["cacheLength"])
        self.memory = same_document & (back >= 1) & (back <= config.get("memorySize", 0))
        self.back = back


def bucket(distance, buckets, reach):
    half = buckets // 2
    if distance < half:
        return max(distance, 0)
    return min(buckets - 1, half + math.floor(half * math.log(distance / half) / math.log(reach / half)))


def sines_and_cosines(distance, width):
    angles = [distance / 10000 ** (2 * m / width) for m in range(width // 2)]
    return [math.sin(a) for a in angles] + [math.cos(a) for a in angles]


def of_each_pair(stream, function):
    return np.array([[function(int(d)) for d in row] for row in stream.distance])


def content_scores(stream, queries, keys):
    """Earlier segments' keys are constants: [b,h,t,u]."""
    live, kept = (jnp.einsum("bthd,buhd->bhtu", queries, k) for k in (keys, constant(keys)))
    return jnp.where(stream.own_segment, live, kept)


def local_scores(config, p, layer, stream, queries, keys, scale):
    heads = scale[:, None, None]
    if config["positions"] == "t5":
        buckets = of_each_pair(stream, lambda d: bucket(d, config["positionBuckets"], config["positionDistance"]))
        return heads * content_scores(stream, queries, keys) + layer["positionBias"][buckets].transpose(2, 0, 1)
    biases = layer.get("queryBiases") or p["queryBiases"]
    rows = of_each_pair(stream, lambda d: sines_and_cosines(d, config["width"]))
    position_keys = jnp.einsum("tuw,wn->tun", rows, layer["positionKey"]).reshape(*rows.shape[:2], config["heads"], config["headSize"])
    if "scale" in layer["attention"]:
        position_keys = unit(position_keys)
    content = content_scores(stream, queries + biases["content"], keys)
    return heads * (content + jnp.einsum("bthd,tuhd->bhtu", queries + biases["position"], position_keys))


def remembered(config, stream, queries, keys, values, scale, found):
    """Attention to the nearest places of the memory, or to those that were found: [b,t,h,d]. Everything in it is a constant, the search too."""
    keys, values = constant(keys), constant(values)
    scores = scale[:, None, None] * jnp.einsum("bthd,buhd->bhtu", queries, keys)
    mask = jnp.broadcast_to(stream.memory[:, None], scores.shape)
    ranked = jnp.argsort(jnp.argsort(-jnp.where(mask, constant(scores), -jnp.inf), -1), -1)
    nearest = ranked < config["neighbours"] if found is None else found
    return jnp.einsum("bhtu,buhd->bthd", softmax_where(nearest & mask, scores), values)


def places_found(stream, ages):
    """bool[b,h,t,u] from how many tokens before a segment each place found was written, [b,h,s,k] for each segment."""
    ages = np.concatenate([np.array(each["data"]).reshape(each["shape"]) for each in ages], 2)
    found = ((ages[..., None] == stream.back[:, None, :, None, :]) & (ages > 0)[..., None]).any(3)
    assert not (found & ~stream.memory[:, None]).any(), "a place was found that the slot may not read"
    assert found.sum() == (ages > 0).sum(), "a place was found twice"
    return found


def attention(config, p, layer, stream, x, remembers, found):
    a = layer["attention"]
    queries, keys, values = ((x @ a[name]).reshape(*x.shape[:2], config["heads"], config["headSize"]) for name in ("query", "key", "value"))
    scale = jnp.full(config["heads"], config["headSize"] ** -0.5)
    if "scale" in a:
        queries, keys, scale = unit(queries), unit(keys), a["scale"]
    weights = softmax_where(stream.local[:, None], local_scores(config, p, layer, stream, queries, keys, scale))
    out = jnp.einsum("bhtu,buhd->bthd", weights * stream.own_segment, values)
    out += jnp.einsum("bhtu,buhd->bthd", weights * ~stream.own_segment, constant(values))
    if remembers:
        gate = jax.nn.sigmoid(layer["memoryGate"])[:, None]
        mixed = gate * remembered(config, stream, queries, keys, values, scale, found) + (1 - gate) * out
        out = jnp.where(stream.memory.any(-1)[:, :, None, None], mixed, out)
    return out.reshape(*x.shape[:2], -1) @ a["output"]


def residual(config, p, x, branch):
    if config["normPlacement"] == "pre":
        return x + branch(norm(p, x))
    return norm(p, x + branch(x))


def logits_of(config, p, stream, found):
    """[b,t,V]; `found` is what each memory layer's search found, where it is not the nearest."""
    x = p["embedding"][stream.tokens]
    for index, layer in enumerate(p["layers"]):
        remembers = config.get("memorySize", 0) > 0 and index + 1 in config["memoryLayers"]
        given = found[config["memoryLayers"].index(index + 1)] if remembers and found else None
        x = residual(config, layer["attentionNorm"], x, lambda y: attention(config, p, layer, stream, y, remembers, given))
        x = residual(config, layer["feedForwardNorm"], x, lambda y: feed_forward(config, layer["feedForward"], y))
    if "finalNorm" in p:
        x = norm(p["finalNorm"], x)
    return x @ p["head"] if "head" in p else x @ p["embedding"].T / math.sqrt(config["width"])


def arrays(tree):
    if isinstance(tree, dict) and set(tree) == {"shape", "data"}:
        return jnp.array(tree["data"], jnp.float64).reshape(tree["shape"])
    if isinstance(tree, dict):
        return {key: arrays(value) for key, value in tree.items()}
    return [arrays(value) for value in tree] if isinstance(tree, list) else tree


def numbers(tree):
    return jax.tree.map(lambda x: np.asarray(x).ravel().tolist(), tree)


def solve(case):
    config, stream = case["config"], Stream(case["config"], case["steps"])
    weights = jnp.concatenate([arrays(each) for each in case["weights"]], 1)

    found = [places_found(stream, ages) for ages in case.get("found", [])]

    def loss(p):
        logits = logits_of(config, p, stream, found)
        return (weights * logits).sum(), logits

    gradient, logits = jax.jit(jax.grad(loss, has_aux=True))(arrays(case["parameters"]))
    segments = jnp.split(logits, np.cumsum(stream.lengths)[:-1], 1)
    return {"logits": [numbers(each) for each in segments], "gradient": numbers(gradient)}


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        cases = json.load(file)
    json.dump({name: solve(case) for name, case in cases.items()}, sys.stdout)
