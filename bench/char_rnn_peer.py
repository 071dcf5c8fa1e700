"""The model of examples/char_rnn.clj in PyTorch (CPU, one thread), with its cells of torch.nn: the
same text, split, streams, windows, distribution of first weights, clipping and Adam.

  char_rnn_peer.py FILE simple|lstm|gru HIDDEN BATCH WINDOW STEPS RATE EVERY
"""
import math
import sys
import time

import torch
import torch.nn.functional as F

torch.set_num_threads(1)
torch.manual_seed(1)
file, cell = sys.argv[1:3]
hidden, batch, window, steps = map(int, sys.argv[3:7])
rate, every = float(sys.argv[7]), int(sys.argv[8])
text = open(file).read()
alphabet = sorted(set(text))
index = {c: k for k, c in enumerate(alphabet)}
split = 9 * len(text) // 10


def streams(part):
    n = len(part) // batch
    return torch.tensor([index[c] for c in part[:n * batch]]).view(batch, n).t().contiguous()


training, validation = streams(text[:split]), streams(text[split:])
rnn = {"simple": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](len(alphabet), hidden)
with torch.no_grad():
    rnn.bias_ih_l0.zero_().requires_grad_(False)
out = torch.nn.Linear(hidden, len(alphabet))
params = [p for p in [*rnn.parameters(), *out.parameters()] if p.requires_grad]


def reading(ids, state):
    hs, state = rnn(F.one_hot(ids[:-1], len(alphabet)).float(), state)
    return F.cross_entropy(out(hs).flatten(0, 1), ids[1:].flatten()), state


def detached(state):
    return tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()


def validate():
    state, total, count = None, 0.0, (len(validation) - 1) // window
    with torch.no_grad():
        for k in range(count):
            loss, state = reading(validation[k * window:(k + 1) * window + 1], state)
            total += loss.item()
    return total / count


optimizer = torch.optim.Adam(params, lr=rate)
count, seconds, state = (len(training) - 1) // window, 0.0, None
for step in range(steps):
    k = step % count
    start = time.perf_counter()
    state = None if k == 0 else detached(state)
    loss, state = reading(training[k * window:(k + 1) * window + 1], state)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(params, 5.0)
    optimizer.step()
    seconds += time.perf_counter() - start
    if (step + 1) % every == 0 or step + 1 == steps:
        v = validate()
        print("step %d  validation: perplexity %.3f, %.3f bits per character  (%.1f s)"
              % (step + 1, math.exp(v), v / math.log(2), seconds), flush=True)
