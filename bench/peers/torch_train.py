"""Times PyTorch's update on the groups that chorus wrote, and prints one JSON line.

The maths is chorus's: full fine-tuning with AdamW, gradient norm clipped to 1, and the loss of
the work: -1/N sum of log P of the good answers' tokens and, where groups have bad answers, the
hinge of their mean log P over the good one's (src/align/objectives.c). Rows are padded on the
right to the longest of a micro-batch, micro-batches being cut from rows sorted by length.
"""
import argparse
import json
import resource
import statistics
import time

import torch
import torch.nn.functional as F

from gguf_model import Trunk

HEAD_ROWS = 512


def options():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("work", help="JSON that bench_forest wrote")
    p.add_argument("--config", default="eager-f32",
                   help="{eager,compile}-{f32,autocast,bf16}: where it runs, and in what")
    p.add_argument("--loss", default="full", choices=["full", "chunked"],
                   help="chunked: logits of 512 rows at a time, their gradient taken at once")
    p.add_argument("--micro", type=int, default=0, help="rows a micro-batch, 0: all of an update")
    p.add_argument("--updates", type=int, default=0, help="updates timed, 0: all in the file")
    p.add_argument("--warmup", type=int, default=1,
                   help="untimed updates; compiled, the second shape makes the code dynamic")
    p.add_argument("--warm-groups", type=int, default=0,
                   help="groups of an untimed update, 0: all; eager code needs few")
    p.add_argument("--round-to", type=int, default=1, help="row length to a multiple of this")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--matmul", default="highest", choices=["highest", "high", "medium"])
    return p.parse_args()


class ChunkedLogP(torch.autograd.Function):
    """log P of targets, a few hundred rows of logits at a time.

    The logits are made again in backward, so that no more than a chunk of them ever exists.
    """

    @staticmethod
    def forward(ctx, hidden, head, targets):
        with torch.no_grad():
            logp = torch.cat([log_p(h, head, t) for h, t in
                              zip(hidden.split(HEAD_ROWS), targets.split(HEAD_ROWS))])
        ctx.save_for_backward(hidden, head, targets)
        return logp

    @staticmethod
    def backward(ctx, dlogp):
        hidden, head, targets = ctx.saved_tensors
        dhidden, dhead = torch.empty_like(hidden), torch.zeros_like(head)
        for i in range(0, len(hidden), HEAD_ROWS):
            s = slice(i, i + HEAD_ROWS)
            g = torch.softmax(hidden[s] @ head.to(hidden.dtype).t(), -1, dtype=torch.float32)
            g.neg_()
            g[torch.arange(len(g)), targets[s]] += 1
            g = g.mul_(dlogp[s, None]).to(hidden.dtype)
            torch.mm(g, head.to(hidden.dtype), out=dhidden[s])
            dhead += g.t() @ hidden[s]
        return dhidden, dhead, None


def log_p(hidden, head, targets):
    """log P of each row's target, in f32."""
    logits = F.linear(hidden, head.to(hidden.dtype)).float()
    return -F.cross_entropy(logits, targets, reduction="none")


class Batch:
    """Rows of a micro-batch, padded, and where their answers' tokens stand."""

    def __init__(self, rows, round_to):
        longest = max(len(r["ids"]) - 1 for r in rows)
        longest = -(-longest // round_to) * round_to
        self.ids = torch.zeros(len(rows), longest, dtype=torch.long)
        at, targets, owner = [], [], []
        for i, r in enumerate(rows):
            n = len(r["ids"]) - 1
            self.ids[i, :n] = torch.tensor(r["ids"][:-1])
            answer = range(r["n_prompt"] - 1, n)
            at += [i * longest + k for k in answer]
            targets += r["ids"][r["n_prompt"]:]
            owner += [i] * len(answer)
        self.at, self.targets = torch.tensor(at), torch.tensor(targets)
        self.owner = torch.tensor(owner)
        if len(at) == self.ids.numel():
            self.at = None  # every row's logits are wanted
        self.n = len(rows)
        self.n_tok = torch.bincount(self.owner, minlength=self.n)


def hidden_at(trunk, ids, at):
    """Hidden states of the rows whose logits are wanted, and of no other."""
    hidden = trunk(ids).flatten(0, 1)
    return hidden if at is None else hidden[at]


def answer_log_p(trunk, ids, at, targets):
    return log_p(hidden_at(trunk, ids, at), trunk.head, targets)


def loss_of(total, n_tok, groups, n_good, margin=0.0, weight=1.0):
    """SFT of the good answers and the hinge of the bad ones; groups: index ranges of rows."""
    good = torch.tensor([g[0] for g in groups])
    loss = -total[good].sum() / n_good
    mean = total / n_tok
    gaps = [margin + mean[g[1:]] - mean[g[0]] for g in groups if len(g) > 1]
    if gaps:
        loss = loss + weight / len(groups) * torch.cat(gaps).clamp(min=0).sum()
    return loss


class Update:
    """One update: its groups cut into micro-batches of whole groups, longest rows together."""

    def __init__(self, groups, micro, round_to):
        groups = sorted(groups, key=lambda g: max(len(m["ids"]) for m in g["members"]))
        self.n_groups = len(groups)
        self.n_good = sum(len(g["members"][0]["ids"]) - g["members"][0]["n_prompt"]
                          for g in groups)
        self.tokens = sum(len(m["ids"]) - 1 for g in groups for m in g["members"])
        self.parts, rows, spans = [], [], []
        for g in groups:
            if rows and micro and len(rows) + len(g["members"]) > micro:
                self.parts.append((Batch(rows, round_to), spans))
                rows, spans = [], []
            spans.append(list(range(len(rows), len(rows) + len(g["members"]))))
            rows += g["members"]
        self.parts.append((Batch(rows, round_to), spans))


class Trainer:
    """A model, its optimiser, and one configuration to run them in."""

    def __init__(self, o, path):
        self.o = o
        self.run, self.precision = o.config.split("-")
        self.trunk = Trunk(path)
        if self.precision == "bf16":
            self.trunk.bfloat16()
        self.trunk.train()
        self.params = params = list(self.trunk.parameters())
        self.optimiser = torch.optim.AdamW(
            [{"params": [p for p in params if p.dim() > 1], "weight_decay": 0.01},
             {"params": [p for p in params if p.dim() == 1], "weight_decay": 0.0}],
            lr=1e-9, betas=(0.9, 0.999), eps=1e-8, fused=True)
        # The loss itself is a handful of numbers: compiling it would only bring recompilations.
        compiled = torch.compile if self.run == "compile" else lambda f: f
        if o.loss == "chunked":
            hidden = compiled(hidden_at)
            self.log_p = lambda trunk, ids, at, targets: ChunkedLogP.apply(
                hidden(trunk, ids, at), trunk.head, targets)
        else:
            self.log_p = compiled(answer_log_p)

    def part(self, b, spans, n_groups, n_good):
        logp = self.log_p(self.trunk, b.ids, b.at, b.targets).float()
        total = torch.zeros(b.n).index_add(0, b.owner, logp)
        return loss_of(total, b.n_tok, spans, n_good, weight=len(spans) / n_groups)

    def update(self, u):
        loss = 0.0
        for b, spans in u.parts:
            with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "autocast"):
                part = self.part(b, spans, u.n_groups, u.n_good)
            part.backward()
            loss += part.item()
        torch.nn.utils.clip_grad_norm_(self.params, 1.0, foreach=True)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return loss


def main():
    o = options()
    torch.set_num_threads(o.threads)
    torch.set_float32_matmul_precision(o.matmul)
    with open(o.work) as f:
        work = json.load(f)
    updates = [Update(u["groups"], o.micro, o.round_to) for u in work["updates"]]
    trainer = Trainer(o, work["model"])
    n = o.updates or len(updates)
    for i in range(o.warmup):
        groups = work["updates"][i % len(updates)]["groups"]
        trainer.update(Update(groups[:o.warm_groups or len(groups)], o.micro, o.round_to))
    seconds, losses, cpu = [], [], time.process_time()
    for i in range(n):
        start = time.perf_counter()
        losses.append(trainer.update(updates[i % len(updates)]))
        seconds.append(time.perf_counter() - start)
    share = (time.process_time() - cpu) / sum(seconds) / o.threads
    report(o, work, updates, losses[0], seconds, share)


def report(o, work, updates, loss, seconds, share):
    n = len(seconds)
    used = [updates[i % len(updates)] for i in range(n)]
    groups = sum(u.n_groups for u in used)
    padded = sum(b.ids.numel() for u in used for b, _ in u.parts)
    tokens = sum(u.tokens for u in used)
    config = " ".join([o.config] + (["chunked"] if o.loss == "chunked" else []) +
                      ([f"micro {o.micro}"] if o.micro else []) +
                      ([f"matmul {o.matmul}"] if o.matmul != "highest" else []))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({
        "peer": "PyTorch", "version": torch.__version__, "config": config, "work": work["work"],
        "f32_states": not o.config.endswith("-bf16"), "threads": o.threads,
        "per_s": groups / sum(seconds), "unit": "groups/s",
        "tokens_per_s": tokens / sum(seconds), "padding": round(1 - tokens / padded, 3),
        "update_s": statistics.median(seconds), "loss": loss, "cpu_share": round(share, 3),
        "peak_gb": round(peak / 1e9, 3)}))


if __name__ == "__main__":
    main()
