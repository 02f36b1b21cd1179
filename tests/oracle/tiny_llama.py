"""Writes tests/data/tiny: two tiny Llama GGUFs and what plain PyTorch says of them.

    python tests/oracle/tiny_llama.py [OUTPUT_DIR]        needs torch, numpy, gguf

Log P of every target, gradients of the mean loss (and of a hinge loss) for every tensor, in float64; ten AdamW
steps in float32. Every sequence is run alone, without padding, so that nothing is shared with what is tested but
the formulas. Run by hand when a fixture must change; the output is committed.

Per variant: NAME.gguf, NAME.json (sequences and references) and NAME[.hinge].grad, which is float32 little-endian,
the tensors one after the other as the JSON's list `tensors` says.
"""

import json
import math
import os
import sys

import numpy as np
import torch

from tiny_model import TINY, UNTIED, V, rope_factors, shapes, weights, write_gguf

HERE = os.path.dirname(os.path.abspath(__file__))


def rms_norm(x, w, eps):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps) * w


class Bf16(torch.autograd.Function):
    """Rounds to bf16 on the way forward and on the way back."""

    @staticmethod
    def forward(ctx, x):
        return x.bfloat16().to(x.dtype)

    @staticmethod
    def backward(ctx, g):
        return g.bfloat16().to(g.dtype)


def exact(x):
    return x


def rotate(x, d):
    """x (T, heads, D): the pair (2i, 2i+1) turns by position * scale * base^(-2i/D) / factor_i."""
    T = x.shape[0]
    i = np.arange(d.D // 2)
    factors = rope_factors(d)
    freq = d.rope_scale * d.rope_base ** (-2.0 * i / d.D)
    if factors is not None:
        freq = freq / factors.astype(np.float64)
    angle = torch.from_numpy(np.outer(np.arange(T), freq)).to(x.dtype)[:, None, :]
    a, b = x[..., 0::2], x[..., 1::2]
    c, s = torch.cos(angle), torch.sin(angle)
    return torch.stack((a * c - b * s, a * s + b * c), -1).reshape(x.shape)


def attention(x, w, b, d, r):
    T = x.shape[0]
    q = r(rotate(r(x @ r(w[b + "attn_q.weight"]).T).view(T, d.H, d.D), d))
    k = r(rotate(r(x @ r(w[b + "attn_k.weight"]).T).view(T, d.G, d.D), d))
    v = r(x @ r(w[b + "attn_v.weight"]).T).view(T, d.G, d.D)
    k = k.repeat_interleave(d.H // d.G, dim=1)
    v = v.repeat_interleave(d.H // d.G, dim=1)
    score = torch.einsum("qhd,khd->hqk", q, k) / math.sqrt(d.D)
    future = torch.ones(T, T, dtype=torch.bool).triu(1)
    p = torch.softmax(score.masked_fill(future, -math.inf), -1)
    o = r(torch.einsum("hqk,khd->qhd", p, v).reshape(T, d.H * d.D))
    return r(o @ r(w[b + "attn_output.weight"]).T)


def logits(w, d, ids, r):
    """(T, V). r rounds what a bf16 device keeps in bf16: matrices and activations, not the residual stream."""
    x = w["token_embd.weight"][torch.tensor(ids)]
    for i in range(d.L):
        b = f"blk.{i}."
        x = x + attention(r(rms_norm(x, w[b + "attn_norm.weight"], d.norm_eps)), w, b, d, r)
        n = r(rms_norm(x, w[b + "ffn_norm.weight"], d.norm_eps))
        gate, up = r(n @ r(w[b + "ffn_gate.weight"]).T), r(n @ r(w[b + "ffn_up.weight"]).T)
        h = r(torch.nn.functional.silu(gate) * up)
        x = x + r(h @ r(w[b + "ffn_down.weight"]).T)
    x = r(rms_norm(x, w["output_norm.weight"], d.norm_eps))
    return x @ r(w["token_embd.weight" if d.tied else "output.weight"]).T


def log_p(w, d, seq, r=exact):
    """log P of every answer token of a sequence."""
    ids, n_prompt = seq["ids"], seq["n_prompt"]
    lp = torch.log_softmax(logits(w, d, ids, r), -1)
    at = torch.arange(n_prompt - 1, len(ids) - 1)
    return lp[at, torch.tensor(ids[n_prompt:])]


def sft_loss(w, d, seqs, r=exact):
    lp = [log_p(w, d, s, r) for s in seqs]
    return -sum(x.sum() for x in lp) / sum(x.numel() for x in lp)


def hinge_loss(w, d, good, bad, lam):
    """RRHF's form: lambda * sum of max(0, p(bad) - p(good)), p the mean log P, and SFT on the good answer."""
    p_good = log_p(w, d, good).mean()
    p_bad = [log_p(w, d, b).mean() for b in bad]
    return lam * sum(torch.relu(p - p_good) for p in p_bad) - p_good, p_good, p_bad


def sequences(seed):
    """Sequences that share what real ones do: a head, a whole prompt under two answers; one twice, one the prefix
    of another, an answer of one token, one that shares nothing."""
    rng = np.random.default_rng(seed)

    def some(n):
        return [int(t) for t in rng.integers(3, V, n)]

    head, prompt = [1] + some(6), some(5)
    answer = some(4) + [2]
    a = head + prompt
    out = [
        (a + answer, len(a)),
        (a + some(7) + [2], len(a)),
        (a + [answer[0], 2], len(a)),
        (head + some(11) + some(3) + [2], len(head) + 11),
        (head + some(3) + [2], len(head) + 3),
        (a + answer[:3], len(a)),
        (a + answer, len(a)),
        (some(3) + some(20), 3),
        ([5, 2], 1),
    ]
    return [{"ids": ids, "n_prompt": n} for ids, n in out]


def parameters(w, dtype):
    return {k: torch.from_numpy(x.astype(np.float64)).to(dtype).requires_grad_() for k, x in w.items()}


def write_gradients(p, path):
    """Sets every gradient to None afterwards. Refuses one that is zero: it would prove nothing."""
    for name, x in p.items():
        assert x.grad is not None and x.grad.abs().max() > 1e-4, f"{name}: no gradient worth comparing"
    flat = np.concatenate([x.grad.numpy().ravel() for x in p.values()])
    flat.astype("<f4").tofile(path)
    for x in p.values():
        x.grad = None


def bf16_gap(d, w, seqs, p):
    """How far bf16 alone moves the gradients that p holds: the worst tensor's max |difference| / max |gradient|."""
    q = parameters(w, torch.float64)
    sft_loss(q, d, seqs, Bf16.apply).backward()
    return max(((q[n].grad - p[n].grad).abs().max() / p[n].grad.abs().max()).item() for n in p)


def rate(o, t):
    """The learning rate of step t as train/train.h describes it."""
    warm = math.ceil(o["warmup_ratio"] * o["steps"])
    if t < warm:
        return o["lr"] * (t + 1) / warm
    low = o["lr"] * o["min_lr_ratio"]
    return low + (o["lr"] - low) * 0.5 * (1 + math.cos(math.pi * (t - warm) / (o["steps"] - warm)))


def adamw_losses(d, w, seqs, batches, o, dtype):
    """Loss of each step's batch before its update, and of the whole set after the last one; gradient norms."""
    p = parameters(w, dtype)
    matrices = [x for x in p.values() if x.dim() > 1]
    norms = [x for x in p.values() if x.dim() == 1]
    opt = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": o["weight_decay"]}, {"params": norms, "weight_decay": 0.0}],
        lr=0.0, betas=(o["beta1"], o["beta2"]), eps=o["eps"])
    losses, norm_list = [], []
    for t, batch in enumerate(batches):
        for group in opt.param_groups:
            group["lr"] = rate(o, t)
        opt.zero_grad()
        loss = sft_loss(p, d, [seqs[i] for i in batch])
        loss.backward()
        norm_list.append(float(torch.nn.utils.clip_grad_norm_(list(p.values()), o["clip"])))
        opt.step()
        losses.append(loss.item())
    with torch.no_grad():
        return losses + [sft_loss(p, d, seqs).item()], norm_list


def adamw_reference(d, w, seqs):
    o = {"steps": 10, "lr": 0.005, "min_lr_ratio": 0.1, "warmup_ratio": 0.1, "beta1": 0.9, "beta2": 0.95,
         "eps": 1e-8, "weight_decay": 0.1, "clip": 1.0}
    n = len(seqs)
    whole = [list(range(n))] * o["steps"]
    turns = [[(3 * t + i) % n for i in range(3)] for t in range(o["steps"])]
    runs = []
    for batches in (whole, turns):
        losses, norms = adamw_losses(d, w, seqs, batches, o, torch.float32)
        exact, _ = adamw_losses(d, w, seqs, batches, o, torch.float64)
        gap = max(abs(a - b) / abs(b) for a, b in zip(losses, exact))
        assert gap < 2e-5, f"float32 strays from float64 by {gap}: no reference to 1e-4"
        print(f"  AdamW losses {losses[0]:.4f} .. {losses[-1]:.4f}, clip norms {norms[0]:.2f} .. {norms[-1]:.2f}, "
              f"float32 against float64 {gap:.1e}")
        runs.append({"batches": batches, "losses": losses, "norms": norms})
    return {"opts": o, "rates": [rate(o, t) for t in range(o["steps"])], "runs": runs}


def hinge_reference(d, w, seqs, path):
    """One good answer and two bad ones under one prompt: a pair whose hinge is on and one whose hinge is off."""
    trio = [0, 1, 2]
    with torch.no_grad():
        plain = {k: torch.from_numpy(x.astype(np.float64)) for k, x in w.items()}
        trio.sort(key=lambda i: log_p(plain, d, seqs[i]).mean().item())
    bad, good = [trio[0], trio[2]], trio[1]
    p = parameters(w, torch.float64)
    loss, p_good, p_bad = hinge_loss(p, d, seqs[good], [seqs[i] for i in bad], 1.0)
    assert sum(x > p_good for x in p_bad) == 1
    loss.backward()
    write_gradients(p, path)
    return {"good": good, "bad": bad, "lambda": 1.0, "loss": loss.item(), "p_good": p_good.item(),
            "p_bad": [x.item() for x in p_bad], "hinge_on": 1}


def tensor_list(d):
    at, out = 0, []
    for name, shape in shapes(d).items():
        rows, cols = (1, shape[0]) if len(shape) == 1 else shape
        out.append({"name": name, "at": at, "rows": rows, "cols": cols})
        at += rows * cols
    return out


def make(d, out):
    print(d.name)
    w, seqs = weights(d), sequences(d.seed + 7)
    write_gguf(d, w, os.path.join(out, d.name + ".gguf"))
    p = parameters(w, torch.float64)
    ref = {"dims": {"L": d.L, "C": d.C, "H": d.H, "G": d.G, "D": d.D, "F": d.F, "V": V},
           "tensors": tensor_list(d), "sequences": seqs,
           "logp": [log_p(p, d, s).tolist() for s in seqs]}
    loss = sft_loss(p, d, seqs)
    loss.backward()
    gap = bf16_gap(d, w, seqs, p)
    assert gap < 0.015, f"bf16 moves the gradients by {gap}: a bar of 0.02 would judge rounding, not kernels"
    write_gradients(p, os.path.join(out, d.name + ".grad"))
    ref["loss"] = loss.item()
    if d.tied:
        ref["hinge"] = hinge_reference(d, w, seqs, os.path.join(out, d.name + ".hinge.grad"))
        ref["adamw"] = adamw_reference(d, w, seqs)
    print(f"  loss {ref['loss']:.6f}, V {V}, uniform would be {math.log(V):.4f}, bf16 gap {gap:.4f}")
    with open(os.path.join(out, d.name + ".json"), "w", encoding="utf-8") as f:
        json.dump(ref, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    target = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "data", "tiny")
    os.makedirs(target, exist_ok=True)
    for dims in (TINY, UNTIED):
        make(dims, target)
