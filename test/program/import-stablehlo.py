"""Functions that JAX exports as StableHLO text, with inputs, results and gradients, for import-stablehlo.test.ts.

Usage: import-stablehlo.py FOLDER. Writes FOLDER/index.json and FOLDER/arrays.bin: each array is a type, a shape and a place in the latter.
"""
import json
import os
import sys
from functools import partial
from pathlib import Path

# Each program runs once, so compiling counts.
os.environ["XLA_FLAGS"] = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax import export, lax  # noqa: E402

assert jax.default_backend() == "cpu"
rng = np.random.default_rng(7)


def floats(*shape, low=-1.0, high=1.0, dtype=np.float32):
    return rng.uniform(low, high, shape).astype(dtype)


def integers(*shape, low=0, high=10, dtype=np.int32):
    return rng.integers(low, high, shape).astype(dtype)


def key(seed):
    return np.array([0, seed], np.uint32)


def positive_definite(n):
    a = floats(n, n)
    return a @ a.T + n * np.eye(n, dtype=np.float32)


cases = []


def case(*args, name=None, tolerance=2e-5, gradient=True, platform=None, how="lower", x64=False):
    """Registers a function with the arguments it is exported for. Nested arguments become flat lists, as in the text."""

    def register(fn):
        cases.append(dict(name=name or fn.__name__, fn=fn, args=args, tolerance=tolerance, gradient=gradient, platform=platform, how=how, x64=x64))
        return fn

    return register


# Control flow

@case(floats(6), np.float32(0.3))
def cond(x, p):
    return lax.cond(p > 0, lambda x: jnp.sin(x) * p, lambda x: x**2, x)


@case(np.int32(1), floats(5))
def switch(i, x):
    return lax.switch(i, [jnp.sin, lambda x: x * x * x, lambda x: -x], x)


@case(floats(4, low=1, high=2), gradient=False)
def while_loop(x):
    return lax.while_loop(lambda s: jnp.sum(s[0]) < 100, lambda s: (s[0] * 1.7, s[1] + 1), (x, 0))


@case(floats(4), floats(4))
def fori_loop(x, y):
    return lax.fori_loop(0, 7, lambda i, c: c * 0.9 + jnp.sin(y) * i, x)


@case(floats(3), np.int32(5), gradient=False)
def fori_loop_unknown(x, n):
    return lax.fori_loop(2, n, lambda i, c: c * i + 1, x)


@case(floats(3), floats(6, 3), how="export")
def scan(carry, xs):
    def step(c, x):
        c = jnp.tanh(c * 0.5 + x)
        return c, (c * 2, x.sum())

    return lax.scan(step, carry, xs)


@case(floats(3), floats(6, 3))
def scan_reversed(carry, xs):
    return lax.scan(lambda c, x: (c * 0.8 + x * x, c), carry, xs, reverse=True)


@case(floats(2), floats(3, 4, 2))
def scan_nested(carry, xs):
    def outer(c, rows):
        c, ys = lax.scan(lambda c, x: (jnp.sin(c) + x, c * x), c, rows)
        return c, ys.sum(0)

    return lax.scan(outer, carry, xs)


@case(floats(8, 3), floats(3))
def scan_unrolled_with_remat(xs, w):
    return lax.scan(jax.checkpoint(lambda c, x: (jnp.tanh(c * w + x), c)), w, xs, unroll=2)


@case(floats(5, 3))
def associative_scan(x):
    return lax.associative_scan(jnp.multiply, x)


@case(floats(4, 3))
def map_rows(x):
    return lax.map(lambda row: jnp.exp(row) / row.sum(), x + 2)


# Sorting

@case(floats(3, 7))
def sort_last(x):
    return jnp.sort(x)


@case(integers(9, high=3), floats(9))
def sort_two_keys(k, v):
    return lax.sort((k, v, v * 2), num_keys=2)


@case(floats(7, 2))
def sort_descending(x):
    return jnp.sort(x, axis=0, descending=True)


@case(floats(4, 6), gradient=False)
def arg_sort(x):
    return jnp.argsort(x), jnp.argsort(-x, axis=0)


@case(floats(3, 10), how="export")
def top_k(x):
    return lax.top_k(x, 4)


@case(floats(6, 5))
def arg_max_median(x):
    return jnp.argmax(x, 1), jnp.median(x, axis=0), jnp.quantile(x, 0.3, axis=1)


# Gather and scatter

@case(floats(6, 4), np.array([[0, 5], [3, 3]], np.int32))
def take(x, i):
    return jnp.take(x, i, axis=0), x[i, 1], x[-1]


@case(floats(3, 5), integers(3, 2, high=5))
def take_along_axis(x, i):
    return jnp.take_along_axis(x, i, axis=1)


@case(floats(6, 3), np.array([4, 0, 4], np.int32), floats(3, 3))
def at_add(x, i, u):
    return x.at[i].add(u)


@case(floats(6, 3), np.array([4, 0, 2], np.int32), floats(3, 3), how="export")
def at_set(x, i, u):
    return x.at[i].set(u), x.at[1:3, ::2].set(0.0)


@case(floats(5, 3), np.array([4, 0, 2], np.int32), floats(3, 3))
def at_multiply_max(x, i, u):
    return x.at[i].multiply(u, unique_indices=True), x.at[i].max(u)


@case(floats(6, 5), np.int32(2), np.int32(4))
def dynamic_slices(x, i, j):
    part = lax.dynamic_slice(x, (i, j), (3, 2))
    return part, lax.dynamic_update_slice(x, part * 2, (j, i))


@case(floats(8, 2), np.array([0, 0, 1, 3, 3, 3, 2, 0], np.int32))
def segment_sum(x, ids):
    return jax.ops.segment_sum(x, ids, num_segments=5)


@case(integers(12, high=6), gradient=False)
def bincount_unique(x):
    return jnp.bincount(x, length=6), jnp.unique(x, size=6, fill_value=-1), jnp.nonzero(x > 2, size=4, fill_value=0)[0]


# Convolution and windows

convolve = partial(lax.conv_general_dilated, precision=lax.Precision.HIGHEST)


@case(floats(2, 3, 9), floats(4, 3, 3))
def convolution_1d(x, w):
    return convolve(x, w, (2,), "SAME", dimension_numbers=("NCH", "OIH", "NCH"))


@case(floats(1, 6, 7, 2), floats(3, 3, 2, 4))
def convolution_2d(x, w):
    return convolve(x, w, (1, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


@case(floats(1, 2, 9, 8), floats(3, 2, 3, 2))
def convolution_dilated(x, w):
    return convolve(x, w, (1, 1), [(2, 1), (0, 3)], rhs_dilation=(2, 3))


@case(floats(2, 6, 5, 5), floats(6, 2, 3, 3))
def convolution_grouped(x, w):
    return convolve(x, w, (1, 1), "VALID", feature_group_count=3)


@case(floats(1, 4, 4, 3), floats(3, 3, 3, 2))
def convolution_transposed(x, w):
    return lax.conv_transpose(x, w, (2, 2), "SAME", precision=lax.Precision.HIGHEST)


@case(floats(2, 6, 6, 3))
def pooling(x):
    largest = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return largest, lax.reduce_window(x, 0.0, lax.add, (1, 3, 3, 1), (1, 1, 1, 1), "SAME") / 9


@case(floats(3, 8, low=0.5, high=1.5))
def cumulative(x):
    return jnp.cumsum(x, 1), jnp.cumprod(x, 0), lax.cummax(x, 1), lax.cumlogsumexp(x, 1), lax.cumsum(x, 1, reverse=True)


# Linear algebra: as a TPU gets it, for on a CPU these are calls of LAPACK

@case(positive_definite(5), platform="tpu", how="export", tolerance=2e-4)
def cholesky(a):
    return lax.linalg.cholesky(a, symmetrize_input=True)


@case(np.tril(floats(5, 5)) + 3 * np.eye(5, dtype=np.float32), floats(5, 2), platform="tpu", how="export", tolerance=2e-4)
def triangular_solve(a, b):
    return lax.linalg.triangular_solve(a, b, left_side=True, lower=True), lax.linalg.triangular_solve(a, b.T, transpose_a=True, lower=True)


@case(positive_definite(4), floats(4), platform="tpu", how="export", tolerance=5e-4)
def gaussian_log_density(a, x):
    chol = jnp.linalg.cholesky(a)
    z = jax.scipy.linalg.solve_triangular(chol, x, lower=True)
    return -0.5 * z @ z - jnp.log(jnp.diag(chol)).sum()


@case(floats(3, 4), floats(4, 5), floats(5), tolerance=5e-5)
def matrix_products(a, b, v):
    return jnp.linalg.multi_dot([a, b, v]), jnp.outer(v, v), jnp.kron(a, b[:, :2]), jnp.trace(a @ b[:, :3])


@case(floats(2, 3, 4), floats(2, 4, 5), floats(5, 3))
def einsum(a, b, c):
    return jnp.einsum("bij,bjk,kl->bil", a, b, c), jnp.einsum("bij,bij->b", a, a), jnp.einsum("kik->i", a[:, :, :2])


# Fourier transforms and complex numbers

@case(floats(4, 12), tolerance=5e-5)
def fft_real(x):
    spectrum = jnp.fft.rfft(x)
    return jnp.fft.irfft(spectrum * 0.5, n=12), jnp.abs(spectrum[:, 1:3])


@case(floats(4, 6).astype(np.complex64) * np.complex64(1 + 0.5j), gradient=False, tolerance=5e-5)
def fft_complex(z):
    return jnp.fft.fft2(z), jnp.fft.ifft(z, axis=0), jnp.fft.fftshift(z)


@case(floats(3, 3).astype(np.complex64) + np.complex64(0.5j), floats(3), gradient=False)
def complex_arithmetic(z, x):
    return jnp.exp(z) @ z.T, jnp.conj(z) / (z + 2), jnp.angle(z), jnp.abs(z * x), jnp.sqrt(z), z**2


@case(floats(5), floats(5))
def complex_inside(x, y):
    z = lax.complex(x, y)
    return jnp.real(jnp.exp(z) * jnp.conj(z)), jnp.abs(z)


# Random numbers

@case(key(3), gradient=False, how="export")
def random_bits(key):
    a, b, c = jax.random.split(key, 3)
    return jax.random.bits(a, (3, 5)), jax.random.uniform(b, (7,)), jax.random.randint(c, (6,), -5, 100), jax.random.fold_in(key, 9)


@case(key(4), np.float32(2.0))
def random_normal(key, scale):
    return jax.random.normal(key, (3, 4)) * scale


@case(key(5), floats(6, 4), gradient=False)
def categorical(key, logits):
    return jax.random.categorical(key, logits), jax.random.bernoulli(key, 0.4, (9,))


@case(key(6), integers(12, high=100), gradient=False)
def permutation(key, x):
    return jax.random.permutation(key, x), jax.random.choice(key, x, (4,), replace=False)


@case(np.array([1, 2, 3, 4], np.uint32), gradient=False)
def rng_bit_generator_threefry(key):
    return lax.rng_bit_generator(key, (3, 5), algorithm=lax.RandomAlgorithm.RNG_THREE_FRY)


@case(np.array([1, 2, 3, 4], np.uint32), gradient=False)
def rng_bit_generator_philox(key):
    return lax.rng_bit_generator(key, (4, 3), algorithm=lax.RandomAlgorithm.RNG_PHILOX)


@case(key(8), np.float32(1.5), gradient=False, tolerance=1e-4)
def gamma_and_others(key, a):
    return jax.random.gamma(key, a, (3,)), jax.random.exponential(key, (4,)), jax.random.truncated_normal(key, -1.0, 1.0, (4,)), jax.random.gumbel(key, (3,))


# Functions of one number

@case(floats(11, low=-3, high=3))
def nn_functions(x):
    nn = jax.nn
    exact_gelu = partial(nn.gelu, approximate=False)
    functions = (nn.relu, nn.gelu, exact_gelu, nn.silu, nn.softplus, nn.elu, nn.selu, nn.leaky_relu, nn.mish, nn.hard_swish, nn.log_sigmoid)
    return [f(x) for f in functions] + [nn.glu(x[:10])]


@case(floats(4, 6, low=-3, high=3), integers(4, high=6))
def softmax_and_loss(x, labels):
    picked = jnp.take_along_axis(jax.nn.log_softmax(x), labels[:, None], axis=1)
    return jax.nn.softmax(x), jax.nn.logsumexp(x, axis=0), -picked.mean(), jax.nn.one_hot(labels, 6), jax.nn.standardize(x)


@case(floats(9, low=0.2, high=4), tolerance=1e-4)
def special_functions(x):
    s = jax.scipy.special
    return s.erf(x), s.erfc(x), s.gammaln(x), s.digamma(x), s.erfinv(x / 5), s.xlogy(x, x)


@case(floats(5, low=0.2, high=4))
def bessel_functions(x):
    return jax.scipy.special.i0e(x), jax.scipy.special.i1e(x)


@case(floats(7, low=0.2, high=2), floats(7, low=0.2, high=2), tolerance=1e-4, gradient=False)
def special_functions_of_two(a, x):
    s = jax.scipy.special
    return s.polygamma(1, x), s.zeta(x + 1.5, a), s.gammainc(a, x), s.gammaincc(a, x), s.betaln(a, x), s.ndtri(x / 3)


@case(floats(8, low=-0.9, high=0.9))
def inverse_functions(x):
    return jnp.arcsin(x), jnp.arccos(x), jnp.arctan(x), jnp.arcsinh(x), jnp.arctanh(x), jnp.arccosh(x + 2.5), jnp.sinh(x), jnp.cosh(x), jnp.tan(x)


@case(floats(8, low=0.5, high=2), floats(8, low=0.5, high=2))
def arithmetic(x, y):
    return x**y, jnp.cbrt(x), lax.rsqrt(x), jnp.hypot(x, y), jnp.arctan2(x, y), x % y, jnp.logaddexp(x, y), jnp.log2(x), jnp.expm1(x), jnp.sinc(x), jnp.nan_to_num(x)


@case(integers(8, low=-50, high=50), integers(8, low=1, high=9), gradient=False)
def integer_arithmetic(a, b):
    return a // b, a % b, jnp.gcd(a, b), a << 2, a >> 1, a ^ b, lax.population_count(a), lax.clz(b), jnp.power(b, 3), lax.shift_right_logical(a, b), jnp.bitwise_not(a)


@case(integers(6, high=255, dtype=np.uint8), integers(6, low=-100, high=100, dtype=np.int8), gradient=False)
def narrow_integers(a, b):
    return a.astype(jnp.int32) * 3, a * a, b.astype(jnp.float32) / 3, a.astype(jnp.int8) + b, (a > 100) & (b < 0), lax.bitcast_convert_type(a, jnp.int8)


@case(floats(5, 3, dtype=np.float64), floats(3, dtype=np.float64), x64=True, tolerance=1e-12)
def doubles(x, w):
    return jnp.tanh(x @ w), jnp.linalg.norm(x, axis=1), jnp.var(x)


@case(floats(8, 8).astype(jnp.bfloat16), floats(8).astype(jnp.bfloat16), tolerance=2**-6)
def bfloats(x, w):
    return jax.nn.silu(x @ w), x.sum(0, dtype=jnp.float32), x.astype(jnp.float16).max()


# Whole programs

@case(floats(3, 4), floats(5, 4))
def batched(x, y):
    distance = lambda a, b: jnp.sqrt(((a - b) ** 2).sum() + 0.1)
    table = jax.vmap(jax.vmap(distance, (None, 0)), (0, None))(x, y)
    return table, jax.vmap(jnp.convolve)(x[:, :3], y[:3, :2]), jax.vmap(lambda t, i: t[i])(x, jnp.array([0, 2, 3]))


@case(floats(6), gradient=False)
def derivatives_of_jax(x):
    f = lambda x: (jnp.sin(x) * x[::-1] ** 2).sum()
    return jax.grad(f)(x), jax.hessian(f)(x), jax.jvp(jnp.tanh, (x,), (x,))[1]


@case(floats(5), floats(5), gradient=False)
def custom_gradient(x, y):
    # What is exported is the function alone; its gradient rule stays in JAX.
    @jax.custom_vjp
    def clip_gradient(x):
        return x * 2

    clip_gradient.defvjp(lambda x: (clip_gradient(x), None), lambda _, d: (jnp.clip(d, -0.5, 0.5),))
    return clip_gradient(x) * y


@case(floats(6, 4), floats(4), name="shadowed.names-1")
def private_functions(x, w):
    normalised = jax.jit(lambda x: x / jnp.sqrt((x * x).sum(-1, keepdims=True)))
    return jax.jit(lambda x: normalised(normalised(x) * w))(x), jnp.where(x > 0, x, 0.0), jnp.clip(x, -0.5, 0.5)


width, heads, length, vocabulary, layers = 16, 2, 8, 13, 1


def transformer_parameters():
    def layer():
        return dict(qkv=floats(width, 3 * width) / 4, out=floats(width, width) / 4, up=floats(width, 32) / 4, down=floats(32, width) / 4, scale=floats(width, low=0.8, high=1.2))

    return dict(embedding=floats(vocabulary, width), position=floats(length, width), layers=[layer() for _ in range(layers)])


def transformer(p, tokens):
    x = p["embedding"][tokens] + p["position"]
    mask = jnp.tril(jnp.ones((length, length), bool))
    for layer in p["layers"]:
        h = jax.nn.standardize(x) * layer["scale"]
        q, k, v = jnp.split((h @ layer["qkv"]).reshape(-1, length, heads, 3 * width // heads), 3, axis=-1)
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / np.sqrt(width // heads)
        weights = jax.nn.softmax(jnp.where(mask, scores, -1e9))
        x = x + jnp.einsum("bhqk,bkhd->bqhd", weights, v).reshape(x.shape) @ layer["out"]
        x = x + jax.nn.gelu(x @ layer["up"]) @ layer["down"]
    return x @ p["embedding"].T


def transformer_loss(p, tokens):
    logits = transformer(p, tokens)
    picked = jnp.take_along_axis(jax.nn.log_softmax(logits[:, :-1]), tokens[:, 1:, None], axis=-1)
    return -picked.mean()


tokens = integers(2, length, high=vocabulary)
case(transformer_parameters(), tokens, how="export", gradient=False, tolerance=1e-4)(transformer)
case(transformer_parameters(), tokens, tolerance=1e-4)(transformer_loss)


@case(transformer_parameters(), transformer_parameters(), np.int32(3), tokens, gradient=False, tolerance=1e-4)
def train_step(p, momentum, step, tokens):
    loss, gradient = jax.value_and_grad(transformer_loss)(p, tokens)
    momentum = jax.tree.map(lambda m, g: 0.9 * m + g, momentum, gradient)
    rate = 0.01 / jnp.sqrt(step.astype(jnp.float32))
    return loss, jax.tree.map(lambda p, m: p - rate * m, p, momentum), momentum, step + 1


@case(floats(2, 5, 4), floats(4, 3 * 6), floats(6, 3 * 6), floats(3 * 6))
def recurrent_network(xs, w, u, b):
    def step(h, x):
        r, z, n = jnp.split(x @ w + b, 3, -1)
        hr, hz, hn = jnp.split(h @ u, 3, -1)
        z = jax.nn.sigmoid(z + hz)
        h = (1 - z) * jnp.tanh(n + jax.nn.sigmoid(r + hr) * hn) + z * h
        return h, h

    return lax.scan(step, jnp.zeros((2, 6)), xs.swapaxes(0, 1))


# Calls of LAPACK, which only a CPU has

@case(positive_definite(3), gradient=False)
def lapack(a):
    return jnp.linalg.eigh(a)


class Blob:
    def __init__(self, file):
        self.file, self.size = file, 0

    def add(self, array):
        array = np.asarray(array)
        place = dict(dtype=array.dtype.name, shape=list(array.shape), offset=self.size, length=array.nbytes)
        self.file.write(np.ascontiguousarray(array).tobytes())
        self.size += array.nbytes
        padding = -self.size % 16
        self.file.write(b"\0" * padding)
        self.size += padding
        return place


def is_float(x):
    return jnp.issubdtype(x.dtype, jnp.floating)


def weights_of(x):
    """What a result is multiplied with before everything is summed for the gradient."""
    return np.cos(np.arange(x.size)).reshape(x.shape).astype(x.dtype) if is_float(x) else np.zeros(x.shape, x.dtype)


def export_case(blob, name, fn, args, tolerance, gradient, platform, how, x64):
    leaves, tree = jax.tree.flatten(args)
    leaves = [np.asarray(leaf) for leaf in leaves]

    def flat(*leaves):
        return jax.tree.leaves(fn(*jax.tree.unflatten(tree, leaves)))

    flat.__name__ = name
    jitted = jax.jit(flat, keep_unused=True)
    if how == "export":
        text = export.export(jitted, platforms=[platform] if platform else None)(*leaves).mlir_module()
    else:
        text = jitted.lower(*leaves).as_text()
    record = dict(name=name, text=text, tolerance=tolerance)
    wrt = [i for i, leaf in enumerate(leaves) if is_float(leaf)] if gradient else []
    wide = jnp.float64 if x64 else jnp.float32

    def loss(*leaves):
        outputs = flat(*leaves)
        return sum((x * weights_of(x)).astype(wide).sum() for x in outputs if is_float(x)), outputs

    # One compilation for both.
    outputs, gradients = jax.jit(lambda *leaves: jax.grad(loss, argnums=wrt, has_aux=True)(*leaves)[::-1] if wrt else (flat(*leaves), []))(*leaves)
    record |= dict(inputs=[blob.add(x) for x in leaves], outputs=[blob.add(x) for x in outputs])
    if gradient:
        record |= dict(cotangents=[blob.add(weights_of(x)) for x in outputs], wrt=wrt, gradients=[blob.add(g) for g in gradients])
    return record


def main(folder):
    records = []
    with open(folder / "arrays.bin", "wb") as file:
        blob = Blob(file)
        for each in cases:
            with jax.enable_x64(each["x64"]):
                records.append(export_case(blob, **each))
    n, = export.symbolic_shape("n")
    open_shape = export.export(jax.jit(lambda x: x * 2))(jax.ShapeDtypeStruct((n, 3), jnp.float32)).mlir_module()
    (folder / "index.json").write_text(json.dumps(dict(cases=records, open_shape=open_shape)))


main(Path(sys.argv[1]))
