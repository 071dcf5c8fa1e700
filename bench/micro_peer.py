"""The kernels of `bin/damo bench micro` in NumPy, JAX and PyTorch: a server that the benchmark asks
over a pipe, so that their repetitions and Damo's take turns.

  micro_peer.py THREADS PROCESSORS      runs on these processors, such as 0,1

It prints `ready NAME=VERSION …`, then answers each line:
  make KERNEL ARGUMENT …   a kernel on arguments such as f32:60x784:-1:1 (dtype, shape, range; data
                           from the hash of damo.bench.task, streams 1, 2, …); answers
                           `made NAME=CHECK …`, the programs that have it, and the check of their results
  time NAME SECONDS        answers `NANOSECONDS`, the least of a few batches that take so long together
What goes wrong is answered as `error …`.
"""
import os
import sys
import time

THREADS = int(sys.argv[1]) if len(sys.argv) > 1 else 1
if len(sys.argv) > 2 and sys.argv[2] and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {int(p) for p in sys.argv[2].split(",")})
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = str(THREADS)
if THREADS == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"
import numpy as np

VERSIONS = {"numpy": np.__version__}
try:
    import torch
    import torch.nn.functional as F
    torch.set_num_threads(THREADS)
    torch.set_num_interop_threads(1)
    VERSIONS["torch"] = torch.__version__
except ImportError:
    torch = None
try:
    import jax
    import jax.numpy as jnp
    jax.config.update("jax_enable_x64", True)
    VERSIONS["jax"] = jax.__version__
except ImportError:
    jax = None
try:
    from scipy import special
    from scipy.special import erf, expit
except ImportError:
    special = erf = expit = None

# ---- data and checks


def hashed(stream, i):
    z = (i * 0x9E3779B1 + (stream * 0x85EBCA77 + 0x165667B1)) & 0xFFFFFFFF
    z = (z ^ (z >> 16)) * 0x7FEB352D & 0xFFFFFFFF
    z = (z ^ (z >> 15)) * 0x846CA68B & 0xFFFFFFFF
    return z ^ (z >> 16)


def numbers(stream, n, dtype, lo, hi):
    whole = dtype[0] in "iu"
    out = np.empty(n, dtype)
    for at in range(0, n, 32768):
        h = hashed(stream, np.arange(at, min(n, at + 32768), dtype=np.uint64))
        if whole:
            out[at:at + 32768] = (h % np.uint64(hi - lo)).astype(np.int64) + lo
        else:
            out[at:at + 32768] = (h >> 8).astype(np.float64) * 2.0 ** -24 * (hi - lo) + lo
    return out


NUMPY_DTYPES = {"f32": "f4", "f64": "f8", "i64": "i8", "i32": "i4", "i8": "i1", "u8": "u1",
                "bf16": "f4", "f16": "f2"}


def argument(stream, text):
    dtype, shape, lo, hi = text.split(":")
    shape = [int(k) for k in shape.split("x") if k]
    lo, hi = (int(lo), int(hi)) if dtype[0] in "iu" else (float(lo), float(hi))
    n = int(np.prod(shape)) if shape else 1
    return dtype, numbers(stream, n, NUMPY_DTYPES[dtype], lo, hi).reshape(shape)


def check(outputs):
    """The same sum of samples as in damo.bench.micro.data, over the sum of their magnitudes."""
    total = size = 0.0
    for x in outputs:
        x = x.ravel()
        x = x[::max(1, len(x) // 4096)].astype(np.float64)
        w = np.arange(len(x)) % 7 + 1.0
        total, size = total + float((x * w).sum()), size + float((np.abs(x) * w).sum())
    return "%.9g/%.9g" % (total, size)


def arrays(result):
    for x in result if isinstance(result, (tuple, list)) else (result,):
        if torch is not None and isinstance(x, torch.Tensor):
            x = x.detach().to(torch.float32 if x.dtype == torch.bfloat16 else x.dtype).numpy()
        x = np.asarray(x)
        yield x if x.dtype.kind in "fiub" else x.astype(np.float32)


# ---- kernels: name -> (NumPy, JAX, PyTorch), None where a program has no such thing

K = {}


def same(name, f):
    K[name] = (f, f, f)


def lib(name, np_f, jax_f, torch_f):
    K[name] = (np_f, jax_f, torch_f)


J, T = (jnp if jax else None), torch
lib("add", np.add, lambda x, y: x + y, lambda x, y: torch.add(x, y))


def ten(maximum):
    return lambda x, y: (maximum(((x + y) * 0.5 - y + 1.0) * x, 0.1) + y) * 0.25 - x


lib("chain10", ten(np.maximum), ten(lambda a, b: J.maximum(a, b)), ten(lambda a, b: torch.clamp(a, min=b)))
lib("where", lambda x, y: np.where(x > 0, x, y), lambda x, y: J.where(x > 0, x, y),
    lambda x, y: torch.where(x > 0, x, y))
same("mask", lambda x, y: (x > 0) & (y < 0.5))
lib("pow", np.power, lambda x, y: J.power(x, y), lambda x, y: torch.pow(x, y))
same("plus1", lambda x: x + 1)
for name in ("tanh", "exp", "log", "sqrt"):
    lib(name, getattr(np, name), lambda x, n=name: getattr(J, n)(x), lambda x, n=name: getattr(T, n)(x))
lib("sigmoid", expit, lambda x: jax.nn.sigmoid(x), lambda x: torch.sigmoid(x))
lib("gelu", erf and (lambda x: 0.5 * x * (1 + erf(x * np.float32(0.70710678)))),
    lambda x: jax.nn.gelu(x, approximate=False), lambda x: F.gelu(x))
lib("cast64", lambda x: x.astype(np.float64), lambda x: x.astype(J.float64), lambda x: x.double())
same("three", lambda x, y, z: x * y + z)
same("scalar", lambda x: x + 1)
same("mixed", lambda x, y, i: x * y + i)
same("arith", lambda x, y: x * y + (x - 3))
same("bits", lambda x, y: (x & y) ^ (x >> 3))
same("mod7", lambda x: x % 7)
same("quot7", lambda x: x // 7)
same("modn", lambda x, y: x % y)
same("quotn", lambda x, y: x // y)
same("mods", lambda x, y: x % y)
same("shifts", lambda x, y: x >> y)
same("outeradd", lambda x, y: x + y)


# names of functions in NumPy or SciPy, in jax.numpy or another module, in PyTorch
NAMES = {name: name for name in ("exp2 expm1 log2 log10 log1p sin cos tan sinh cosh hypot reciprocal floor round trunc "
                                 "sign abs maximum isnan").split()}
NAMES.update(asin="arcsin", acos="arccos", atan="arctan", asinh="arcsinh", acosh="arccosh", atanh="arctanh",
             atan2="arctan2")
for name, theirs in NAMES.items():
    lib(name, getattr(np, theirs), lambda *x, n=theirs: getattr(J, n)(*x), lambda *x, n=name: getattr(T, n)(*x))
for name in ("erf", "erfc", "erfinv", "gammaln", "digamma"):
    lib(name, special and getattr(special, name), lambda x, n=name: getattr(jax.scipy.special, n)(x),
        lambda x, n=name: getattr(torch.special, n)(x))
for name in ("softplus", "silu", "elu", "selu", "relu"):
    lib(name, None, lambda x, n=name: getattr(jax.nn, n)(x), lambda x, n=name: getattr(F, n)(x))
K["relu"] = (lambda x: np.maximum(x, 0), *K["relu"][1:])
lib("gelutanh", None, lambda x: jax.nn.gelu(x), lambda x: F.gelu(x, approximate="tanh"))


def torch_gelugrad(x):
    x = x.detach().requires_grad_()
    y = F.gelu(x)
    return y, torch.autograd.grad(y.sum(), x)[0]


def jax_gelugrad(x):
    y, back = jax.vjp(lambda x: jax.nn.gelu(x, approximate=False), x)
    return y, back(J.ones_like(y))[0]


lib("gelugrad", None, jax_gelugrad, torch_gelugrad)
lib("rsqrt", lambda x: 1 / np.sqrt(x), lambda x: jax.lax.rsqrt(x), lambda x: torch.rsqrt(x))
same("div", lambda x, y: x / y)
lib("clip", lambda x: x.clip(-1, 1), lambda x: J.clip(x, -1, 1), lambda x: torch.clamp(x, -1, 1))
lib("iclip", lambda x: x.clip(-7, 1000), lambda x: J.clip(x, -7, 1000), lambda x: torch.clamp(x, -7, 1000))
for name in ("lt", "ilt"):
    same(name, lambda x, y: x < y)
same("eq0", lambda x: x == 0)
lib("where01", lambda x: np.where(x > 0, x.dtype.type(1), x.dtype.type(0.5)), lambda x: J.where(x > 0, 1.0, 0.5).astype(x.dtype),
    lambda x: torch.where(x > 0, 1.0, 0.5).to(x.dtype))
same("fmod", lambda x, y: x % y)
same("fmod1", lambda x: x % 0.7)
for name, theirs in (("cast32", "float32"), ("casti32", "int32"), ("casti64", "int64"), ("castu8", "uint8"),
                     ("castbool", "bool"), ("castbf16", "bfloat16"), ("castf16", "float16"), ("icast32", "float32"),
                     ("icast64", "float64"), ("icasti32", "int32"), ("icasti64", "int64")):
    lib(name, theirs != "bfloat16" and (lambda x, t=theirs: x.astype(t)), lambda x, t=theirs: x.astype(t),
        lambda x, t=theirs: x.to(getattr(torch, t)))

for name in ("sum", "mean"):
    lib(name, getattr(np, name), lambda x, n=name: getattr(J, n)(x), lambda x, n=name: getattr(T, n)(x))
lib("isum", lambda x: x.sum(dtype=x.dtype), lambda x: x.sum(dtype=x.dtype), lambda x: x.sum(dtype=x.dtype))
lib("var", np.var, lambda x: J.var(x), lambda x: torch.var(x, correction=0))
for name in ("max", "argmax", "argmin"):
    same(name, lambda x, n=name: getattr(x, n)())
same("imax", lambda x: x.max())
same("iargmax", lambda x: x.argmax())
same("anysum", lambda x: (x > 0).sum())
for axis in (0, 1):
    same("sum%d" % axis, lambda x, a=axis: x.sum(a))
    same("argmax%d" % axis, lambda x, a=axis: x.argmax(a))
    lib("max%d" % axis, lambda x, a=axis: x.max(a), lambda x, a=axis: x.max(a), lambda x, a=axis: x.amax(a))
    lib("var%d" % axis, lambda x, a=axis: x.var(a), lambda x, a=axis: x.var(a),
        lambda x, a=axis: x.var(a, correction=0))

for name in ("sort", "isort"):
    lib(name, np.sort, lambda x: J.sort(x), lambda x: torch.sort(x)[0])
lib("argsort", np.argsort, lambda x: J.argsort(x), lambda x: torch.argsort(x))
lib("topk10", lambda x: np.sort(np.partition(x, -10)[-10:])[::-1], lambda x: jax.lax.top_k(x, 10)[0],
    lambda x: torch.topk(x, 10)[0])


def np_argtopk(x):
    i = np.argpartition(x, -10)[-10:]
    return i[np.argsort(-x[i])]


lib("argtopk10", np_argtopk, lambda x: jax.lax.top_k(x, 10)[1], lambda x: torch.topk(x, 10)[1])
lib("sort1", lambda x: np.sort(x, 1), lambda x: J.sort(x, 1), lambda x: torch.sort(x, 1)[0])
lib("topk5-1", lambda x: np.sort(np.partition(x, -5, 1)[:, -5:], 1)[:, ::-1],
    lambda x: jax.lax.top_k(x, 5)[0], lambda x: torch.topk(x, 5, 1)[0])
lib("cumsum", np.cumsum, lambda x: J.cumsum(x), lambda x: torch.cumsum(x, 0))
lib("cumsum1", lambda x: np.cumsum(x, 1), lambda x: J.cumsum(x, 1), lambda x: torch.cumsum(x, 1))
lib("cumlogsumexp", np.logaddexp.accumulate, lambda x: jax.lax.cumlogsumexp(x),
    lambda x: torch.logcumsumexp(x, 0))


def np_softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def np_logsumexp(x):
    m = x.max(1, keepdims=True)
    return np.log(np.exp(x - m).sum(1)) + m[:, 0]


lib("softmax0", lambda x: np_softmax(x.T).T, lambda x: jax.nn.softmax(x, 0), lambda x: torch.softmax(x, 0))
lib("softmax", np_softmax, lambda x: jax.nn.softmax(x, -1), lambda x: torch.softmax(x, -1))
lib("logsoftmax", lambda x: x - np_logsumexp(x)[:, None], lambda x: jax.nn.log_softmax(x, 1),
    lambda x: torch.log_softmax(x, 1))
lib("logsumexp", np_logsumexp, lambda x: jax.nn.logsumexp(x, 1), lambda x: torch.logsumexp(x, 1))


def np_cegrad(x, y):
    p, k = np_softmax(x), np.arange(len(y))
    loss = -np.log(p[k, y]).mean()
    p[k, y] -= 1
    p /= len(y)
    return loss, p


def jax_cegrad(x, y):
    def loss(x):
        return J.mean(jax.nn.logsumexp(x, 1) - J.take_along_axis(x, y[:, None], 1)[:, 0])
    return jax.value_and_grad(loss)(x)


def torch_cegrad(x, y):
    x = x.detach().requires_grad_()
    loss = F.cross_entropy(x, y)
    return loss, torch.autograd.grad(loss, x)[0]


lib("cegrad", np_cegrad, jax_cegrad, torch_cegrad)


def np_ln(x, g, b):
    d = x - x.mean(1, keepdims=True)
    return d / np.sqrt((d * d).mean(1, keepdims=True) + 1e-5) * g + b


def jax_ln(x, g, b):
    return (x - x.mean(1, keepdims=True)) * jax.lax.rsqrt(x.var(1, keepdims=True) + 1e-5) * g + b


def torch_ln(x, g, b):
    return F.layer_norm(x, (x.shape[1],), g, b)


def torch_lngrad(x, g, b, u):
    x, g, b = [q.detach().requires_grad_() for q in (x, g, b)]
    return torch.autograd.grad((u * torch_ln(x, g, b)).sum(), (x, g, b))


lib("ln", np_ln, jax_ln, torch_ln)
lib("lngrad", None, lambda x, g, b, u: jax.grad(lambda *p: J.sum(u * jax_ln(*p)), (0, 1, 2))(x, g, b), torch_lngrad)

lib("transpose", lambda x: np.ascontiguousarray(x.T), lambda x: x.T, lambda x: x.t().contiguous())
for name, axes in (("permute021", (0, 2, 1)), ("permute210", (2, 1, 0))):
    lib(name, lambda x, a=axes: np.ascontiguousarray(x.transpose(a)), lambda x, a=axes: x.transpose(a),
        lambda x, a=axes: x.permute(a).contiguous())
lib("roll1", lambda x: np.roll(x, 3, 1), lambda x: J.roll(x, 3, 1), lambda x: torch.roll(x, 3, 1))
lib("pad", lambda x: np.pad(x, ((1, 2), (3, 4))), lambda x: J.pad(x, ((1, 2), (3, 4))),
    lambda x: F.pad(x, (3, 4, 1, 2)))
lib("repeat0", lambda x: np.repeat(x, 3, 0), lambda x: J.repeat(x, 3, 0),
    lambda x: torch.repeat_interleave(x, 3, 0))
lib("tile", lambda x: np.tile(x, (2, 3)), lambda x: J.tile(x, (2, 3)), lambda x: torch.tile(x, (2, 3)))
lib("any1", lambda x: (x > 0.9).any(1), lambda x: (x > 0.9).any(1), lambda x: (x > 0.9).any(1))
lib("prod1", lambda x: x.prod(1), lambda x: x.prod(1), lambda x: x.prod(1))
lib("addt", lambda x, y: x + y.T, lambda x, y: x + y.T, lambda x, y: x + y.t())
lib("expt", lambda x: np.exp(x.T, order="C"), lambda x: J.exp(x.T), lambda x: torch.exp(x.t().contiguous()))
lib("multsum", lambda x, y: (x * y.T).sum(), lambda x, y: (x * y.T).sum(), lambda x, y: (x * y.t()).sum())
lib("multsum1", lambda x, y: (x * y.T).sum(1), lambda x, y: (x * y.T).sum(1), lambda x, y: (x * y.t()).sum(1))
for axis in (0, 1):
    lib("concat%d" % axis, lambda x, y, a=axis: np.concatenate([x, y], a),
        lambda x, y, a=axis: J.concatenate([x, y], a), lambda x, y, a=axis: torch.cat([x, y], a))
lib("take", lambda x, i: x[i], lambda x, i: x[i], lambda x, i: torch.index_select(x, 0, i))
lib("takedot", lambda x, i, v: (x[i] * v).sum(1), lambda x, i, v: (x[i] * v).sum(1),
    lambda x, i, v: (torch.index_select(x, 0, i) * v).sum(1))


def np_inc(x, i, v):
    y = x.copy()
    np.add.at(y, i, v)
    return y


lib("bag", lambda x, i: x[i].sum(1), lambda x, i: x[i].sum(1),
    lambda x, i: F.embedding_bag(i, x, mode="sum"))


def np_embed(w, i, v):
    y = w.copy()
    np.add.at(y, i, np.float32(-0.02) * (w[i] - v))
    return y


lib("embed-step", np_embed, lambda w, i, v: w.at[i].add(-0.02 * (w[i] - v)),
    lambda w, i, v: w.index_add(0, i, torch.index_select(w, 0, i) - v, alpha=-0.02))
for name in ("incat", "incat-rows"):
    lib(name, np_inc, lambda x, i, v: x.at[i].add(v), lambda x, i, v: x.index_add(0, i, v))

# ---- products

for name in ("gemm", "vecmat", "matvec"):
    same(name, lambda x, y: x @ y)
lib("gemm-i8", lambda x, y: x.astype("i4") @ y.astype("i4"),
    lambda x, y: jax.lax.dot(x, y, preferred_element_type=J.int32), lambda x, y: torch._int_mm(x, y))
same("gemm-bt", lambda x, y: x @ y.T)
same("gemm-at", lambda x, y: x.T @ y)
lib("update", lambda w, x, d: w - np.float32(0.01) * (x.T @ d) if w.dtype == np.float32 else w - 0.01 * (x.T @ d),
    lambda w, x, d: w - 0.01 * (x.T @ d), lambda w, x, d: torch.addmm(w, x.t(), d, alpha=-0.01))
lib("dense", lambda x, w, b: np.tanh(x @ w + b), lambda x, w, b: J.tanh(x @ w + b),
    lambda x, w, b: torch.tanh(torch.addmm(b, x, w)))
lib("ger", lambda w, x, y: w - np.float32(0.01) * np.outer(x, y), lambda w, x, y: w - 0.01 * J.outer(x, y),
    lambda w, x, y: torch.addr(w, x, y, alpha=-0.01))
lib("batched", np.matmul, lambda x, y: x @ y, lambda x, y: torch.bmm(x, y))
lib("batched-bt", lambda x, y: np.matmul(x, y.transpose(0, 2, 1)), lambda x, y: J.einsum("bij,bkj->bik", x, y),
    lambda x, y: torch.bmm(x, y.transpose(1, 2)))
lib("scores", lambda x, y: np_softmax(np.matmul(x, y.transpose(0, 2, 1)) * np.float32(0.125)),
    lambda x, y: jax.nn.softmax(J.einsum("bij,bkj->bik", x, y) * 0.125, -1),
    lambda x, y: torch.softmax(torch.bmm(x, y.transpose(1, 2)) * 0.125, -1))

# ---- the server


def in_jax(f, args):
    given = [J.asarray(a).astype(J.bfloat16) if t == "bf16" else J.asarray(a) for t, a in args]
    g = jax.jit(f)
    return lambda: jax.block_until_ready(g(*given))


def in_torch(f, args):
    given = [torch.as_tensor(a).to(torch.bfloat16) if t == "bf16" else torch.as_tensor(a) for t, a in args]
    return lambda: f(*given)


def made(kernel, texts):
    """{program: (call, check)} of a kernel, of those programs that have it."""
    args = [argument(i + 1, text) for i, text in enumerate(texts)]
    np_f, jax_f, torch_f = K[kernel]
    calls = {}
    if np_f and not any(t == "bf16" for t, _ in args):
        plain = [a[()] if a.ndim == 0 else a for _, a in args]
        calls["numpy"] = lambda: np_f(*plain)
    if jax and jax_f:
        calls["jax"] = in_jax(jax_f, args)
    if torch and torch_f:
        calls["torch"] = in_torch(torch_f, args)
    return {k: (f, check(arrays(f()))) for k, f in calls.items()}


def least(f, seconds):
    """Nanoseconds a call: the least of batches of about a quarter of the time, at least two of them."""
    def batch(n):
        start = time.perf_counter()
        for _ in range(n):
            f()
        return (time.perf_counter() - start) / n
    one = batch(1)
    n = max(1, min(100000, int(seconds / 4 / max(1e-9, batch(1 if one > 1e-4 else 20)))))
    times, stop = [], time.perf_counter() + seconds
    while len(times) < 2 or time.perf_counter() < stop:
        times.append(batch(n))
    return min(times) * 1e9


def answer(words, now):
    if words[0] == "make":
        now.clear()
        now.update(made(words[1], words[2:]))
        return " ".join(["made"] + ["%s=%s" % (k, c) for k, (_, c) in now.items()])
    return "%.1f" % least(now[words[1]][0], float(words[2]))


def serve():
    now = {}
    print("ready", *["%s=%s" % v for v in VERSIONS.items()], flush=True)
    for line in sys.stdin:
        try:
            print(answer(line.split(), now), flush=True)
        except Exception as e:
            print("error", type(e).__name__, " ".join(str(e).split())[:200], flush=True)


if __name__ == "__main__":
    serve()
