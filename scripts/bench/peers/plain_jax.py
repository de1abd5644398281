#!/usr/bin/env python
# The peer that the benchmarks measure against: a Memorizing Transformer train step in plain JAX, independent of Engram.
# Taken from the peers that were handed to this project ("plain_jax.py"), where its README allows it to live here, so that the
# benchmarks run from a fresh clone. Added to it: `serve-cpu`, which does one step per line of input, so that steps of both sides can
# be interleaved. Compare time and memory with it, and values only where definitions agree.
"""plain_jax.py - plain-JAX Memorizing Transformer train step (benchmark peer; no flax/optax).

Pre-norm decoder-only LM, T5 relative bias, Transformer-XL cache (stop-gradient), one kNN memory
layer (L2-normalised q,k; learned per-head scale; per-head sigmoid gate; circular-buffer memory),
tied softmax, cross-entropy, Adafactor (factored second moments) - one jitted step, donated state.

  plain_jax.py lower       [--out step.mlir]
  plain_jax.py compile-tpu [--topology v5e:2x2] [--dp 1]
  plain_jax.py run-cpu     [--steps 3]
Common flags: --layers --d --heads --head-dim --mlp --seq --xl --memory --k --mem-layer --batch --vocab
  --compute bf16|f32 --mem-dtype bf16|f32 --topk approx|exact|hand --recall .95 --opt adafactor|sgd --remat
"""
import argparse, os, sys, time, json, re, functools
p = argparse.ArgumentParser()
p.add_argument("action", choices=["lower", "compile-tpu", "run-cpu", "serve-cpu"])
for n, d in dict(layers=12, d=1024, heads=8, head_dim=128, mlp=4096, seq=512, xl=512, memory=8192, k=32,
                 mem_layer=9, batch=8, vocab=32000, buckets=32, max_distance=128, steps=3, dp=1, seed=0).items():
    p.add_argument("--" + n.replace("_", "-"), type=int, default=d)
p.add_argument("--compute", default="bf16"); p.add_argument("--mem-dtype", default="bf16")
p.add_argument("--topk", default="approx", choices=["approx", "exact", "hand"]); p.add_argument("--bins", type=int, default=1024)
p.add_argument("--recall", type=float, default=0.95); p.add_argument("--opt", default="adafactor", choices=["adafactor", "sgd"])
p.add_argument("--bias", default="onehot", choices=["onehot", "gather"]); p.add_argument("--remat", action="store_true"); p.add_argument("--lr", type=float, default=1e-2)
p.add_argument("--topology", default="v5e:2x2"); p.add_argument("--out"); p.add_argument("--hlo-out")
p.add_argument("--peak-tflops", type=float, default=197.0); p.add_argument("--ghz", type=float, default=1.5); p.add_argument("--fixed-batch", action="store_true")
a = p.parse_args()
os.environ.setdefault("JAX_PLATFORMS", "cpu"); os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
os.environ.setdefault("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")
for _k, _v in dict(TPU_ACCELERATOR_TYPE="v5litepod-4", TPU_WORKER_HOSTNAMES="localhost", TPU_WORKER_ID="0").items(): os.environ.setdefault(_k, _v)
t_imp = time.time()
import numpy as np, jax, jax.numpy as jnp
from jax import lax
t_imp = time.time() - t_imp
CD = dict(bf16=jnp.bfloat16, f32=jnp.float32)[a.compute]; MD = dict(bf16=jnp.bfloat16, f32=jnp.float32)[a.mem_dtype]
B, S, X, M, H, Dh, D, F, V, K = a.batch, a.seq, a.xl, a.memory, a.heads, a.head_dim, a.d, a.mlp, a.vocab, a.k
assert M % S == 0 and 0 <= a.mem_layer < a.layers

# ---------------------------------------------------------------- parameters / state
def init_params(key):
    def nrm(key, shape, fan): return jax.random.normal(key, shape, jnp.float32) * (fan ** -0.5)
    ks = iter(jax.random.split(key, 8 * a.layers + 4))
    def layer(i):
        q = dict(ln1=jnp.ones((D,)), ln2=jnp.ones((D,)), wq=nrm(next(ks), (D, H * Dh), D), wk=nrm(next(ks), (D, H * Dh), D),
                 wv=nrm(next(ks), (D, H * Dh), D), wo=nrm(next(ks), (H * Dh, D), H * Dh),
                 w1=nrm(next(ks), (D, F), D), w2=nrm(next(ks), (F, D), F), relb=nrm(next(ks), (a.buckets, H), H))
        if i == a.mem_layer: q |= dict(gate=jnp.zeros((H,)), scale=jnp.full((H,), 10.0, jnp.float32))
        return q
    return dict(emb=nrm(next(ks), (V, D), D), lnf=jnp.ones((D,)), layers=[layer(i) for i in range(a.layers)])

def opt_init(params):
    def one(x):
        if a.opt == "sgd": return ()
        if x.ndim >= 2: return dict(r=jnp.zeros(x.shape[:-1]), c=jnp.zeros(x.shape[:-2] + x.shape[-1:]))
        return dict(v=jnp.zeros(x.shape))
    return jax.tree.map(one, params)

def init_state(key):
    params = init_params(key)
    z = lambda dt, *s: jnp.zeros(s, dt)
    return dict(params=params, opt=opt_init(params), step=jnp.zeros((), jnp.int32),
                xl=[dict(k=z(CD, B, X, H, Dh), v=z(CD, B, X, H, Dh)) for _ in range(a.layers)],
                mem=dict(k=z(MD, B, H, M, Dh), v=z(MD, B, H, M, Dh), filled=jnp.zeros((), jnp.int32), ptr=jnp.zeros((), jnp.int32)))

# ---------------------------------------------------------------- model
def rms(x, g):
    x = x.astype(jnp.float32)
    return (x * lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6) * g).astype(CD)
def l2(x):
    x32 = x.astype(jnp.float32)
    return (x32 * lax.rsqrt(jnp.sum(x32 * x32, -1, keepdims=True) + 1e-6)).astype(x.dtype)
def t5_buckets():                     # unidirectional; from iota in-graph (no big literals in the text)
    n = (lax.broadcasted_iota(jnp.int32, (S, S + X), 0) + X) - lax.broadcasted_iota(jnp.int32, (S, S + X), 1)
    mask = n >= 0; n = jnp.maximum(n, 0); me = a.buckets // 2
    big = me + (jnp.log(jnp.maximum(n, 1).astype(jnp.float32) / me) / np.log(a.max_distance / me) * (a.buckets - me)).astype(jnp.int32)
    b = jnp.where(n < me, n, jnp.minimum(big, a.buckets - 1))
    return (jax.nn.one_hot(b, a.buckets, dtype=CD) if a.bias == "onehot" else b), mask   # one-hot matmul, as flaxformer/meliad do
def bias(relb, buck):
    if a.bias == "onehot": return jnp.einsum("qkn,nh->hqk", buck, relb.astype(CD), preferred_element_type=jnp.float32)
    return jnp.transpose(relb[buck], (2, 0, 1))

def topk_idx(s):                      # s [..., N] -> idx [..., K]
    if a.topk == "exact": return lax.top_k(s, K)[1]
    if a.topk == "approx": return lax.approx_max_k(s, K, recall_target=a.recall)[1]
    N, L = s.shape[-1], a.bins; r = s.reshape(*s.shape[:-1], N // L, L)
    i = jnp.argmax(r, -2); v = jnp.max(r, -2)
    j = lax.top_k(v, K)[1]
    return jnp.take_along_axis(i, j, -1) * L + j

def knn_attend(q, mem, scale):        # q [B,S,H,Dh] (normalised); memory is not differentiated
    mk, mv = lax.stop_gradient(mem["k"]), lax.stop_gradient(mem["v"])
    qs = lax.stop_gradient(q).astype(MD)
    sc = jnp.einsum("bshd,bhmd->bhsm", qs, mk, preferred_element_type=jnp.float32)
    idx = topk_idx(sc)                                               # [B,H,S,K]
    take = jax.vmap(jax.vmap(lambda m, i: m[i]))                     # over B, H
    kk, vv = take(mk, idx).astype(CD), take(mv, idx).astype(CD)      # [B,H,S,K,Dh]
    l = jnp.einsum("bshd,bhskd->bhsk", q, kk, preferred_element_type=jnp.float32) * scale[None, :, None, None]
    l = jnp.where(idx < mem["filled"], l, -1e9)
    w = jax.nn.softmax(l, -1).astype(CD)
    out = jnp.einsum("bhsk,bhskd->bshd", w, vv)
    return jnp.where(mem["filled"] > 0, out, 0).astype(CD)

def block(i, w, x, xl, mem, bm):
    buck, mask = bm
    h = rms(x, w["ln1"])
    pr = lambda n: (h @ w[n].astype(CD)).reshape(B, S, H, Dh)
    q, k, v = pr("wq"), pr("wk"), pr("wv")
    is_mem = i == a.mem_layer
    if is_mem: q, k, sc = l2(q), l2(k), w["scale"]
    else: sc = jnp.full((H,), Dh ** -0.5)
    new = dict(k=lax.stop_gradient(jnp.concatenate([xl["k"], k], 1)[:, -X:]), v=lax.stop_gradient(jnp.concatenate([xl["v"], v], 1)[:, -X:]))
    kc = jnp.concatenate([lax.stop_gradient(xl["k"]), k], 1); vc = jnp.concatenate([lax.stop_gradient(xl["v"]), v], 1)
    l = jnp.einsum("bqhd,bkhd->bhqk", q, kc, preferred_element_type=jnp.float32) * sc[None, :, None, None]
    l = l + bias(w["relb"], buck)[None]
    l = jnp.where(mask, l, -1e9)
    o = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(l, -1).astype(CD), vc)
    if is_mem:
        g = jax.nn.sigmoid(w["gate"])[None, None, :, None].astype(CD)
        o = g * knn_attend(q, mem, sc) + (1 - g) * o
    x = x + (o.reshape(B, S, H * Dh) @ w["wo"].astype(CD))
    h = rms(x, w["ln2"])
    x = x + (jax.nn.gelu(h @ w["w1"].astype(CD)) @ w["w2"].astype(CD))
    return x, new, (lax.stop_gradient(k), lax.stop_gradient(v)) if is_mem else None

def loss_fn(params, xl, mem, tokens, targets):
    x = params["emb"][tokens].astype(CD) * (D ** 0.5)
    nxl, kv = [], None; bm = t5_buckets()
    for i, w in enumerate(params["layers"]):
        f = functools.partial(block, i)
        if a.remat: f = jax.checkpoint(f)
        x, c, m = f(w, x, xl[i], mem, bm)
        nxl.append(c); kv = m if m is not None else kv
    logits = jnp.einsum("bsd,vd->bsv", rms(x, params["lnf"]), params["emb"].astype(CD), preferred_element_type=jnp.float32)
    lse = jax.nn.logsumexp(logits, -1)
    ll = jnp.take_along_axis(logits, targets[..., None], -1)[..., 0]
    return jnp.mean(lse - ll), (nxl, kv)

def mem_update(mem, kv):
    k, v = (jnp.transpose(z, (0, 2, 1, 3)).astype(MD) for z in kv)   # [B,H,S,Dh]
    up = lambda m, z: lax.dynamic_update_slice(m, z, (0, 0, mem["ptr"], 0))
    return dict(k=up(mem["k"], k), v=up(mem["v"], v), ptr=(mem["ptr"] + S) % M, filled=jnp.minimum(mem["filled"] + S, M))

def opt_update(p_, g, s, step):
    if a.opt == "sgd": return p_ - a.lr * g, s
    t = step.astype(jnp.float32) + 1; b2 = 1 - t ** -0.8; g2 = g * g + 1e-30
    if p_.ndim >= 2:
        r = b2 * s["r"] + (1 - b2) * g2.mean(-1); c = b2 * s["c"] + (1 - b2) * g2.mean(-2)
        u = g * lax.rsqrt(r / r.mean(-1, keepdims=True))[..., None] * lax.rsqrt(c)[..., None, :]; s = dict(r=r, c=c)
    else:
        v = b2 * s["v"] + (1 - b2) * g2; u = g * lax.rsqrt(v); s = dict(v=v)
    u = u / jnp.maximum(1.0, jnp.sqrt(jnp.mean(u * u)))
    lr = a.lr * jnp.maximum(1e-3, jnp.sqrt(jnp.mean(p_ * p_)))
    return p_ - lr * u, s

def train_step(st, tokens, targets):
    (loss, (xl, kv)), g = jax.value_and_grad(loss_fn, has_aux=True)(st["params"], st["xl"], st["mem"], tokens, targets)
    fp, td = jax.tree.flatten(st["params"]); fg = td.flatten_up_to(g); fs = td.flatten_up_to(st["opt"])
    up = [opt_update(x, y, z, st["step"]) for x, y, z in zip(fp, fg, fs)]
    return dict(params=td.unflatten([u[0] for u in up]), opt=td.unflatten([u[1] for u in up]), step=st["step"] + 1,
                xl=xl, mem=mem_update(st["mem"], kv)), loss

# ---------------------------------------------------------------- actions
def shapes():
    st = jax.eval_shape(init_state, jax.random.key(0)); tok = jax.ShapeDtypeStruct((B, S), jnp.int32)
    return st, tok, tok
def model_flops(n_params):
    dense = 6 * B * S * (n_params - 0)                          # tied emb counted once (logits matmul)
    attn = 12 * a.layers * B * H * S * (S + X) * Dh             # 2 matmuls * 2 flop * 3 (fwd+bwd), no causal discount
    knn = 2 * B * H * S * M * Dh + 3 * 4 * B * H * S * K * Dh
    return dense + attn + knn
def main():
    st, tok, _ = shapes(); n = sum(int(np.prod(x.shape)) for x in jax.tree.leaves(st["params"]))
    r = dict(params_M=round(n / 1e6, 2), state_MB=round(sum(int(np.prod(x.shape)) * x.dtype.itemsize for x in jax.tree.leaves(st)) / 1e6, 1), jax_import_s=round(t_imp, 2), model_tflop=round(model_flops(n) / 1e12, 3))
    kw = {}
    if a.action == "compile-tpu":
        from jax.experimental import topologies
        from jax.sharding import Mesh, NamedSharding, PartitionSpec as P, SingleDeviceSharding
        devs = topologies.get_topology_desc(platform="tpu", topology_name=a.topology).devices[:a.dp]
        if a.dp == 1: sh = SingleDeviceSharding(devs[0]); ins = outs = None; kw = dict(in_shardings=sh, out_shardings=sh)
        else:
            mesh = Mesh(np.array(devs), ("data",)); rep = NamedSharding(mesh, P()); dat = NamedSharding(mesh, P("data"))
            ss = jax.tree.map(lambda _: rep, st); ss["xl"] = jax.tree.map(lambda _: dat, st["xl"]); ss["mem"] = dict(k=dat, v=dat, filled=rep, ptr=rep)
            kw = dict(in_shardings=(ss, dat, dat), out_shardings=(ss, rep))
    step = jax.jit(train_step, donate_argnums=0, **kw)
    if a.action in ("lower", "compile-tpu"):
        t = time.time(); tr = step.trace(st, tok, tok); r["trace_s"] = round(time.time() - t, 3)
        t = time.time(); lo = tr.lower(lowering_platforms=("tpu",)) if a.action == "lower" else tr.lower(); r["lower_s"] = round(time.time() - t, 3)
        t = time.time(); tx = lo.as_text(); r["as_text_s"] = round(time.time() - t, 3); r["stablehlo_bytes"] = len(tx); r["stablehlo_ops"] = len(re.findall(r"= \"?(?:stablehlo|chlo|func|call)", tx)); r["stablehlo_lines"] = tx.count("\n")
        if a.out: open(a.out, "w").write(tx)
    if a.action == "compile-tpu":
        t = time.time(); c = lo.compile(); r["compile_s"] = round(time.time() - t, 2)
        m = c.memory_analysis(); ca = c.cost_analysis(); h = c.as_text()
        if a.hlo_out: open(a.hlo_out, "w").write(h)
        r |= dict(arg_MB=m.argument_size_in_bytes / 1e6, out_MB=m.output_size_in_bytes / 1e6, alias_MB=m.alias_size_in_bytes / 1e6, temp_MB=m.temp_size_in_bytes / 1e6,
                  peak_MB=getattr(m, "peak_memory_in_bytes", 0) / 1e6, code_MB=m.generated_code_size_in_bytes / 1e6,
                  hlo_flops_T=ca["flops"] / 1e12, hlo_bytes_GB=ca["bytes accessed"] / 1e9, optimal_ms=ca["optimal_seconds"] * 1e3)
        ent = re.search(r"^ENTRY [^\n]*\{\n(.*?)^\}", h, re.S | re.M).group(1)
        r["hlo_est_ms"] = sum(int(z) for z in re.findall(r'"estimated_cycles":"?(\d+)', ent)) / a.ghz / 1e6
        for kx in ("hlo_est_ms", "optimal_ms"): r["mfu_" + kx] = round(model_flops(n) / a.dp / (r[kx] / 1e3) / 1e12 / a.peak_tflops, 3)
    if a.action == "run-cpu":
        t = time.time(); state = jax.block_until_ready(jax.jit(init_state)(jax.random.key(a.seed))); r["init_s"] = round(time.time() - t, 2)
        rng = np.random.default_rng(a.seed); ts, ls = [], []; fixed = None
        for i in range(a.steps):
            z = rng.integers(0, V, (B, S + 1)).astype(np.int32)
            if a.fixed_batch: fixed = z if fixed is None else fixed; z = fixed
            t = time.time(); state, loss = step(state, z[:, :-1], z[:, 1:]); ls.append(float(loss)); ts.append(round(time.time() - t, 4))
        r |= dict(losses=ls, step_s=ts, first_step_incl_compile_s=ts[0], steady_s=min(ts[1:]) if len(ts) > 1 else None)
    if a.action == "serve-cpu":
        state = jax.block_until_ready(jax.jit(init_state)(jax.random.key(a.seed))); rng = np.random.default_rng(a.seed)
        for _ in sys.stdin:
            z = rng.integers(0, V, (B, S + 1)).astype(np.int32)
            t = time.perf_counter(); state, loss = step(state, z[:, :-1], z[:, 1:]); loss = float(loss); jax.block_until_ready(state)
            print(json.dumps(dict(ms=(time.perf_counter() - t) * 1e3, loss=loss)), flush=True)
        return
    print(json.dumps(r, indent=1))
main()
