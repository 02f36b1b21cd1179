"""What is measured: one function a part, each a list of works, each work a list of cases.

A case is a command that prints JSON lines (a peer's or chorus's own) and says which of them count
as what. In the first round all cases of a work run; `finalists` names those that go on, since a
configuration that is a third slower than the best one need not be timed three times.
"""
from runner import ROOT, VENV, our, torch_env

MODEL = "models/SmolLM2-135M-Instruct.Q4_1.gguf"
RECIPE = "examples/demo/demo.yaml"
PEERS = ROOT / "bench/peers"
TRAIN = ["eager-f32", "eager-autocast", "eager-bf16", "compile-f32", "compile-autocast",
         "compile-bf16", "compile-f32 chunked", "compile-autocast chunked"]
FOREST = ["eager-f32", "eager-f32 micro {half}", "compile-f32", "compile-autocast"]


class Plan:
    """Where programs and tokens are, and how long the benchmark may take."""

    def __init__(self, build, threads, updates, types):
        self.build, self.threads, self.updates = build, threads, updates
        self.types = types  # of llama.cpp's weights
        self.tokens = build / "bench/tokens"

    def chorus(self, program, *args):
        return {"id": "chorus", "side": "chorus", "env": our(self.threads),
                "cmd": [self.build / "bench" / program, *args]}

    def forest(self, work, *more, updates=None):
        """bench_forest on a work, which also leaves the tokens for the peers."""
        name = work.replace(":", "-").replace(",", "-") + "".join("-" + m.split("=")[1]
                                                                  for m in more)
        path = self.tokens / (name + ".json")
        case = self.chorus("bench_forest", RECIPE, work, updates or self.updates, path,
                           f"threads={self.threads}", *more)
        return case, path

    def torch(self, script, name, *args):
        return {"id": name, "side": "torch", "env": torch_env(self.threads),
                "cmd": [VENV, PEERS / script, *args, "--threads", self.threads]}

    def torch_train(self, config, tokens, updates, varied=False):
        """config: "compile-f32 chunked micro 16"; varied: updates differ in shape."""
        words = config.split()
        args = ["--config", words[0], "--updates", updates]
        if varied:  # compiled code is ready after the second shape; eager code needs a start only
            args += ["--warmup", 2] if "compile" in words[0] else ["--warm-groups", 2]
        args += ["--loss", "chunked"] if "chunked" in words else []
        args += ["--micro", words[words.index("micro") + 1]] if "micro" in words else []
        return self.torch("torch_train.py", config, tokens, *args)


def fastest(rows, n=1, f32_only=False):
    """Names of the n fastest peers of a first round."""
    able = [r for r in rows if r["side"] != "chorus" and r.get("per_s")]
    if f32_only:
        able = [r for r in able if r.get("f32_states")]
    return [r["id"] for r in sorted(able, key=lambda r: -r["per_s"])[:n]]


def train_finalists(rows):
    """The fastest with f32 states, the fastest at all, and the one that needs least memory."""
    f32 = [r for r in rows if r.get("f32_states") and r.get("peak_gb")]
    small = [min(f32, key=lambda r: r["peak_gb"])["id"]] if f32 else []
    return set(fastest(rows, 1, True) + fastest(rows, 1) + small)


def train(p):
    every, path = p.forest("plain:8,256,256", updates=2)
    roof = dict(p.chorus("bench_train", MODEL, 8, 256, 256, "auto", p.threads), id="chorus, roof")
    yield {"work": "plain", "title": "8 x 256 tokens, logits at every token",
           "cases": [every, roof] + [p.torch_train(c, path, 1) for c in TRAIN],
           "finalists": train_finalists}
    answers, path = p.forest("plain:8,256,16", updates=2)
    yield {"work": "plain-answers", "title": "8 x 256 tokens, logits at the last 16 of each only",
           "cases": [answers] + [p.torch_train(c, path, 1) for c in
                                 ("eager-f32", "compile-f32", "compile-autocast")],
           "finalists": train_finalists}


def forest_work(p, work, title, configs, *more, updates=None):
    updates = updates or p.updates
    case, path = p.forest(work, *more, updates=updates)
    return {"work": work + "".join(" " + m for m in more), "title": title,
            "cases": [case] + [p.torch_train(c, path, updates, True) for c in configs],
            "finalists": lambda rows: set(fastest(rows))}


def sft(p):
    configs = [c.format(half=4) for c in FOREST]
    yield forest_work(p, "sft", "SFT(IA) on the demo's tasks, sampling: independent", configs)
    yield forest_work(p, "sft", "SFT(IA) on the demo's tasks, sampling: grouped", configs,
                      "train.sampling=grouped")


def cat(p):
    for answers in (6, 16):
        yield forest_work(p, f"cat:{answers}", f"CAT, {answers} answers a prompt",
                          [c.format(half=4 * answers) for c in FOREST],
                          updates=2 if answers < 10 else 1)


def decode_finalists(rows):
    """transformers' better precision at each number of sequences, and all of llama.cpp's."""
    torch = sorted((r for r in rows if r["side"] == "torch"), key=lambda r: r["per_s"])
    best = {r["sequences"]: r["id"] for r in torch}
    return set(best.values()) | {r["id"] for r in rows if r["side"] == "llama"}


def decode(p):
    _, path = p.forest("write:plain:64,64,64", updates=1)
    write = p.chorus("bench_forest", RECIPE, "write:plain:64,64,64", 1, path)
    cases = [p.chorus("bench_decode", MODEL, "auto", p.threads, 1)]
    for n in (1, 8, 32, 64):
        for precision in ("f32", "bf16"):
            cases.append(p.torch("torch_generate.py", f"transformers {precision}, {n}", "decode",
                                 path, "--precision", precision, "--batch", n, "--repeat", 1))
    cases += [llama(p, kind, "decode", "--types", kind) for kind in p.types]
    yield {"work": "decode", "title": "64 prompt + 64 new tokens", "prepare": write,
           "cases": cases, "finalists": decode_finalists}


def measuring(p):
    case, path = p.forest("measure")
    cases = [case]
    for precision, batch in (("f32", 32), ("bf16", 16), ("bf16", 32), ("bf16", 64)):
        cases.append(p.torch("torch_generate.py", f"transformers {precision}, batches of {batch}",
                             "measure", path, "--precision", precision, "--batch", batch,
                             "--new", 12, "--every", max(1, 256 // batch)))
    cases += llama_measure(p, path)
    yield {"work": "measure", "title": "the demo's test set, answers/s", "cases": cases,
           "finalists": measure_finalists}


def llama(p, name, *args):
    """llama.cpp's half: bench/peers/llama/llama.py prints one JSON line a configuration."""
    return {"id": "llama.cpp " + name, "side": "llama", "env": {"THREADS": str(p.threads)},
            "cmd": ["python3", PEERS / "llama/llama.py", *args]}


def llama_measure(p, path):
    """By hand with shared prefixes, and its server with two orders of the requests."""
    for kind in p.types:
        for hold in ("64:1", "128:0"):
            yield llama(p, f"shared {kind} {hold}", "measure", path, "--types", kind, "--only",
                        "shared", "--hold", hold)
        for order in ("sorted", "file"):
            yield llama(p, f"server {kind} {order}", "measure", path, "--types", kind, "--only",
                        "server", "--order", order)


def measure_finalists(rows):
    """The fastest of each kind of peer."""
    return {fastest([r for r in rows if kind in r["id"]])[0]
            for kind in ("transformers", "shared", "server")
            if any(kind in r["id"] and r.get("per_s") for r in rows)}


PARTS = {"train": train, "sft": sft, "cat": cat, "decode": decode, "measure": measuring}
