"""The models of `bin/damo bench models` in JAX or PyTorch, a server as bench/step_peer.py:

  models_peer.py jax|torch THREADS
  make MODEL        `made LOSS`, the mean of the first five steps; damo.bench.models.nets says what they are
  time SECONDS      nanoseconds a step, of as many steps as take about so long
"""
import os
import sys
import time

LIBRARY, THREADS = sys.argv[1], sys.argv[2]
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = THREADS
if THREADS == "1":
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"
import numpy as np

if LIBRARY == "jax":
    import jax
    import jax.numpy as jnp
    VERSION = jax.__version__
else:
    import torch
    import torch.nn.functional as F
    torch.set_num_threads(int(THREADS))
    VERSION = torch.__version__

RATE, WIDTH, HEADS, LENGTH = 0.01, 256, 4, 128

# ---- data and parameters, as damo.bench.models.nets has them


def h32(s, i):
    z = (i * 0x9E3779B1 + (s * 0x85EBCA77 + 0x165667B1)) & 0xFFFFFFFF
    z = (z ^ (z >> 16)) * 0x7FEB352D & 0xFFFFFFFF
    z = (z ^ (z >> 15)) * 0x846CA68B & 0xFFFFFFFF
    return z ^ (z >> 16)


def uniform(s, shape, scale):
    v = (h32(s, np.arange(int(np.prod(shape)), dtype=np.uint64)) >> 8).astype(np.float64) * 2.0 ** -23 - 1.0
    return (v * scale).astype(np.float32).reshape(shape)


def dense_parameters(name, i, o):
    return [("w%s" % name, (i, o), "weights"), ("b%s" % name, (o,), "zeros")]


def norm_parameters(name):
    return [("g%s" % name, (WIDTH,), "ones"), ("s%s" % name, (WIDTH,), "zeros")]


def attention_parameters(k):
    return norm_parameters("a%d" % k) + sum((dense_parameters("%s%d" % (n, k), WIDTH, WIDTH) for n in "qkvo"), [])


def block_parameters(k):
    return (attention_parameters(k) + norm_parameters("m%d" % k) + dense_parameters("u%d" % k, WIDTH, 4 * WIDTH)
            + dense_parameters("d%d" % k, 4 * WIDTH, WIDTH))


def values(parameters):
    make = {"weights": lambda i, s: uniform(41 + i, s, s[0] ** -0.5), "zeros": lambda i, s: np.zeros(s, np.float32),
            "ones": lambda i, s: np.ones(s, np.float32)}
    return {name: make[kind](i, shape) for i, (name, shape, kind) in enumerate(parameters)}


# ---- formulas

if LIBRARY == "jax":
    def norm(p, n, x):
        d = x - x.mean(-1, keepdims=True)
        return d * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-5) * p["g" + n] + p["s" + n]

    def dense(p, n, x):
        return x @ p["w" + n] + p["b" + n]

    def transpose(x, *axes):
        return x.transpose(axes)

    def cross_entropy(x, y):
        return jnp.mean(jax.nn.logsumexp(x, 1) - jnp.take_along_axis(x, y[:, None], 1)[:, 0])
    softmax, tanh = jax.nn.softmax, jnp.tanh

    def convolved(x, w):
        return jax.lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=("NCHW", "OIHW", "NCHW"))

    def pooled(x):
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    def relu(x):
        return jnp.maximum(x, 0)

    def gelu(x):
        return jax.nn.gelu(x, approximate=False)
else:
    def norm(p, n, x):
        return F.layer_norm(x, (WIDTH,), p["g" + n], p["s" + n])

    def dense(p, n, x):
        return torch.addmm(p["b" + n], x, p["w" + n])

    def transpose(x, *axes):
        return x.permute(*axes)

    def softmax(x):
        return torch.softmax(x, -1)
    tanh, gelu, cross_entropy, relu, convolved = torch.tanh, F.gelu, F.cross_entropy, F.relu, F.conv2d

    def pooled(x):
        return F.max_pool2d(x, 2)


def attention(p, k, batch, x):
    a, part = norm(p, "a%d" % k, x), WIDTH // HEADS
    q, key, v = [transpose(dense(p, "%s%d" % (n, k), a).reshape(batch, LENGTH, HEADS, part), 0, 2, 1, 3) for n in "qkv"]
    s = softmax((q @ transpose(key, 0, 1, 3, 2)) * part ** -0.5)
    return x + dense(p, "o%d" % k, transpose(s @ v, 0, 2, 1, 3).reshape(batch * LENGTH, WIDTH))


def block(p, k, x):
    x = attention(p, k, 8, x)
    return x + dense(p, "d%d" % k, gelu(dense(p, "u%d" % k, norm(p, "m%d" % k, x))))


def blocks(n):
    def loss(p, x):
        for k in range(n):
            x = block(p, k, x)
        return (x * x).mean()
    return [uniform(40, (8 * LENGTH, WIDTH), 1.0)], sum((block_parameters(k) for k in range(n)), []), loss


def attention_layer():
    def loss(p, x):
        y = attention(p, 0, 1, x)
        return (y * y).mean()
    return [uniform(40, (LENGTH, WIDTH), 1.0)], attention_parameters(0), loss


def autoencoder():
    def loss(p, x):
        h = x
        for n in "012":
            h = tanh(dense(p, n, h))
        d = dense(p, "3", h) - x
        return (d * d).mean()
    widths = [784, 256, 64, 256, 784]
    return [uniform(40, (128, 784), 1.0)], sum((dense_parameters(k, *widths[k:k + 2]) for k in range(4)), []), loss


def perceptron():
    def loss(p, x, y):
        return cross_entropy(dense(p, "1", tanh(dense(p, "0", x))), y)
    labels = (h32(2, np.arange(1024, dtype=np.uint64)) % 10).astype(np.int64)
    return [uniform(40, (1024, 784), 1.0), labels], dense_parameters("0", 784, 500) + dense_parameters("1", 500, 10), loss


def lenet():
    def loss(p, x, y):
        h = x.reshape(20, 1, 28, 28)
        for n in "01":
            h = relu(pooled(convolved(h, p["k" + n]) + p["c" + n]))
        return cross_entropy(dense(p, "3", relu(dense(p, "2", h.reshape(20, 800)))), y)
    labels = (h32(2, np.arange(20, dtype=np.uint64)) % 10).astype(np.int64)
    kernels = [("k0", (20, 1, 5, 5), "weights"), ("c0", (20, 1, 1), "zeros"),
               ("k1", (50, 20, 5, 5), "weights"), ("c1", (50, 1, 1), "zeros")]
    return [uniform(40, (20, 784), 1.0), labels], kernels + dense_parameters("2", 800, 500) + dense_parameters("3", 500, 10), loss


MODELS = {"attention": attention_layer, "block": lambda: blocks(1), "blocks-12": lambda: blocks(12),
          "autoencoder": autoencoder, "mlp-1024": perceptron, "lenet": lenet}

# ---- steps


def jax_step(inputs, parameters, loss):
    kept = {"p": {k: jnp.asarray(v) for k, v in parameters.items()}}
    xs = [jnp.asarray(x) for x in inputs]

    def step(p, *xs):
        l, g = jax.value_and_grad(loss)(p, *xs)
        return l, {k: p[k] - RATE * g[k] for k in p}
    f = jax.jit(step, donate_argnums=0)

    def run():
        l, kept["p"] = f(kept["p"], *xs)
        return float(l)
    return run


def torch_step(inputs, parameters, loss):
    p = {k: torch.tensor(v, requires_grad=True) for k, v in parameters.items()}
    xs, all_p = [torch.as_tensor(x) for x in inputs], list(p.values())

    def run():
        l = loss(p, *xs)
        g = torch.autograd.grad(l, all_p)
        with torch.no_grad():
            torch._foreach_add_(all_p, g, alpha=-RATE)
        return l.item()
    return run


KEPT = {}


def made(model):
    KEPT.clear()
    inputs, parameters, loss = MODELS[model]()
    KEPT["run"] = (jax_step if LIBRARY == "jax" else torch_step)(inputs, values(parameters), loss)
    return "made %.7g" % (sum(KEPT["run"]() for _ in range(5)) / 5)


def timed(seconds):
    times, start = 0, time.perf_counter()
    while times == 0 or time.perf_counter() - start < seconds:
        KEPT["run"]()
        times += 1
    return (time.perf_counter() - start) * 1e9 / times


print("ready %s=%s" % (LIBRARY, VERSION), flush=True)
for line in sys.stdin:
    words = line.split()
    try:
        print(made(words[1]) if words[0] == "make" else "%.1f" % timed(float(words[1])), flush=True)
    except Exception as e:
        print("error", type(e).__name__, " ".join(str(e).split())[:200], flush=True)
