"""A program of ../shared/peers/python as a server, so that its repetitions and Damo's take turns.

  step_peer.py FILE VARIANT THREADS     FILE is jax_peer.py or torch_peer.py, VARIANT one of its own

It says `ready NAME=VERSION`, then answers each line of its input:
  make TASK BATCH   `made LOSS`, the mean over the first steps of that task
  time SECONDS      nanoseconds an example, of as many steps as take about so long
  end               ends
The programs run as they are; only the function of theirs that times is replaced by one that keeps
what it was to time.
"""
import importlib.metadata
import os
import runpy
import sys
import time

FILE, VARIANT, THREADS = sys.argv[1:4]
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = THREADS
sys.path.insert(0, os.path.dirname(os.path.abspath(FILE)))
import harness
import spec

KEPT = {}


def keep(name, task, threads, batch, per_step, run, check_steps, check_units, *rest):
    KEPT.update(run=run, per_step=per_step, at=check_steps, loss=run(0, check_steps) / check_units)


def once(f):
    kept = {}

    def call(*args):
        if args not in kept:
            kept[args] = f(*args)
        return kept[args]
    return call


harness.bench = keep
spec_data, spec_weights = once(spec.data), once(spec.weights)
spec.data = lambda: tuple(a.copy() for a in spec_data())
spec.weights = lambda task: [(w.copy(), b.copy()) for w, b in spec_weights(task)]


def made(task, batch):
    KEPT.clear()
    sys.argv = [FILE, task, THREADS, batch, VARIANT, "1"]
    runpy.run_path(FILE, run_name="__main__")
    return "made %.6f" % KEPT["loss"]


def timed(seconds):
    def steps(n):
        start = time.perf_counter()
        KEPT["run"](KEPT["at"], n)
        KEPT["at"] += n
        return time.perf_counter() - start
    one = steps(1)
    if one >= seconds:
        return one * 1e9 / KEPT["per_step"]
    n = int(seconds / one)
    if n > 20:
        n = max(1, int(seconds * (n // 10) / steps(n // 10)))
    return steps(n) * 1e9 / (n * KEPT["per_step"])


def answer(words):
    if words[0] == "make":
        return made(words[1], words[2])
    return "%.3f" % timed(float(words[1]))


def serve():
    library = os.path.basename(FILE).split("_")[0]
    try:
        print("ready %s=%s" % (library, importlib.metadata.version(library)), flush=True)
    except importlib.metadata.PackageNotFoundError:
        print("error no", library, "here", flush=True)
        return
    for line in sys.stdin:
        try:
            print(answer(line.split()), flush=True)
        except Exception as e:
            print("error", type(e).__name__, " ".join(str(e).split())[:200], flush=True)


serve()
