"""The loops of `bin/damo bench rnn` in JAX and PyTorch (CPU, one thread), and their check values.

  loops_peer.py TASK jax|torch SECONDS      prints `TASK 1 1 steps_per_s`
  loops_peer.py check                       prints the check values, computed by NumPy in float64

TASK, in float32 but for the scalar:
  scalar:T           x <- 2.8 x (1 - x) from 0.3, float64; the last x
  tanh:N:T           h <- tanh(h W + x_t) from 0; the sum of the last h
  tanh-grad:N:T      that and its gradient by W
  lstm:N:B:T         an LSTM, inputs and states of N, a batch of B; the mean of all h
  lstm-grad:N:B:T    that and its gradient by the weights
Inputs and weights come from the hash of damo.bench.task, streams 30 (x), 31, 32 (weights), 33 (bias).
"""
import os
import sys
import time

for v in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[v] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"
import numpy as np

EXPECT = {"scalar:10000": 0.6428571428571429, "tanh:50:1000": 1.0614837429401063,
          "lstm:128:1:100": -0.003858036934441142, "lstm:128:32:100": -0.0016253906022175295}


def uni(s, shape, scale):
    n = int(np.prod(shape))
    z = (np.arange(n, dtype=np.uint64) * 0x9E3779B1 + s * 0x85EBCA77 + 0x165667B1) & 0xFFFFFFFF
    z = (z ^ (z >> 16)) * 0x7FEB352D & 0xFFFFFFFF
    z = (z ^ (z >> 15)) * 0x846CA68B & 0xFFFFFFFF
    z = z ^ (z >> 16)
    v = (z >> 8).astype(np.float64) * 2.0 ** -23 - 1.0
    return (v * scale).astype(np.float32).reshape(shape)


def tanh_data(n, t):
    return uni(30, (t, n), 1.0), uni(31, (n, n), np.sqrt(3.0 / n))


def lstm_data(n, b, t):
    r = np.sqrt(3.0 / n)
    return uni(30, (t, b, n), 1.0), uni(31, (n, 4 * n), r), uni(32, (n, 4 * n), r), uni(33, (4 * n,), 0.1)


# ---- check values

def tanh_loss(m, x, w):
    h = m.zeros(w.shape[0], x.dtype)
    for k in range(x.shape[0]):
        h = m.tanh(h @ w + x[k])
    return h.sum()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_loss(x, wx, wh, b):
    n = wh.shape[0]
    h = c = np.zeros(x.shape[1:])
    total = 0.0
    for k in range(x.shape[0]):
        z = x[k] @ wx + h @ wh + b
        c = sigmoid(z[:, n:2 * n]) * c + sigmoid(z[:, :n]) * np.tanh(z[:, 2 * n:3 * n])
        h = sigmoid(z[:, 3 * n:]) * np.tanh(c)
        total += h.sum()
    return total / (x.shape[0] * x.shape[1] * n)


def checks():
    print("tanh:50:1000", tanh_loss(np, *[a.astype(np.float64) for a in tanh_data(50, 1000)]))
    for b in (1, 32):
        print("lstm:128:%d:100" % b, lstm_loss(*[a.astype(np.float64) for a in lstm_data(128, b, 100)]))


# ---- peers: a function that performs a task once and returns its value

def with_jax(kind, sizes, grad):
    import jax
    import jax.numpy as jnp
    from jax import lax
    if kind == "scalar":
        jax.config.update("jax_enable_x64", True)
        t, = sizes
        f = jax.jit(lambda x: lax.fori_loop(0, t, lambda _, x: 2.8 * x * (1 - x), x))
        return lambda: float(f(0.3))
    if kind == "tanh":
        x, w = map(jnp.asarray, tanh_data(*sizes))
        params = (w,)

        def loss(params, x):
            return lax.scan(lambda h, x: (jnp.tanh(h @ params[0] + x), None), jnp.zeros(sizes[0]), x)[0].sum()
    else:
        x, *params = map(jnp.asarray, lstm_data(*sizes))
        n = sizes[0]

        def loss(params, x):
            wx, wh, b = params

            def cell(hc, xw):
                h, c = hc
                z = xw + h @ wh
                c = jax.nn.sigmoid(z[:, n:2 * n]) * c + jax.nn.sigmoid(z[:, :n]) * jnp.tanh(z[:, 2 * n:3 * n])
                h = jax.nn.sigmoid(z[:, 3 * n:]) * jnp.tanh(c)
                return (h, c), h
            zero = jnp.zeros(x.shape[1:])
            return lax.scan(cell, (zero, zero), x @ wx + b)[1].mean()
    if grad:
        g = jax.jit(jax.value_and_grad(loss))

        def run():
            value, grads = g(params, x)
            jax.block_until_ready(grads)
            return float(value)
        return run
    f = jax.jit(loss)
    return lambda: float(f(params, x))


def with_torch(kind, sizes, grad):
    import torch
    torch.set_num_threads(1)
    if kind == "scalar":
        t, = sizes

        def scalar(x: float, t: int) -> float:
            for _ in range(t):
                x = 2.8 * x * (1 - x)
            return x
        f = torch.jit.script(scalar)
        return lambda: f(0.3, t)
    if kind == "tanh":
        x, w = map(torch.tensor, tanh_data(*sizes))
        n = sizes[0]
        cell = torch.nn.RNN(n, n, bias=False)
        with torch.no_grad():
            cell.weight_ih_l0.copy_(torch.eye(n))
            cell.weight_hh_l0.copy_(w.T)
        cell.weight_ih_l0.requires_grad_(False)
        loss = lambda: cell(x)[1].sum()
        params = [cell.weight_hh_l0]
    else:
        x, wx, wh, b = map(torch.tensor, lstm_data(*sizes))
        n = sizes[0]
        cell = torch.nn.LSTM(n, n)
        with torch.no_grad():
            cell.weight_ih_l0.copy_(wx.T)
            cell.weight_hh_l0.copy_(wh.T)
            cell.bias_ih_l0.copy_(b)
            cell.bias_hh_l0.zero_()
        cell.bias_hh_l0.requires_grad_(False)
        loss = lambda: cell(x)[0].mean()
        params = [cell.weight_ih_l0, cell.weight_hh_l0, cell.bias_ih_l0]
    if grad:
        def run():
            value = loss()
            torch.autograd.grad(value, params)
            return float(value.detach())
        return run

    def forward():
        with torch.inference_mode():
            return float(loss())
    return forward


def main(task, program, seconds):
    kind, *sizes = task.split(":")
    sizes = list(map(int, sizes))
    grad = kind.endswith("-grad")
    kind = kind.removesuffix("-grad")
    run = {"jax": with_jax, "torch": with_torch}[program](kind, sizes, grad)
    value = run()
    expected = EXPECT.get(":".join([kind] + list(map(str, sizes))))
    ok = "" if expected is None or abs(value - expected) <= 2e-4 * abs(expected) else " MISMATCH"
    print("check %s %s value %.6f%s" % (task, program, value, ok), file=sys.stderr)
    t = time.perf_counter()
    run()
    n = max(1, int(0.1 / (time.perf_counter() - t)))
    times, start = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - start < seconds:
        t = time.perf_counter()
        for _ in range(n):
            run()
        times.append((time.perf_counter() - t) / n)
    times.sort()
    print("%s 1 1 %.1f  # %s best %.1f reps %d%s" % (task, sizes[-1] / times[len(times) // 2], program,
                                                     sizes[-1] / times[0], len(times), ok))


if __name__ == "__main__":
    checks() if sys.argv[1:] == ["check"] else main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
