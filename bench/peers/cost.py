"""How the cost of an update grows: sequence length, answers a prompt, batch, threads.

Each point is a process of its own, so that its peak memory is its own. Random texts, but for the
answers a prompt, where CAT groups of the demo's tasks are trained.
"""
from runner import NotRun, ROOT, measure

RECIPE = "examples/demo/demo.yaml"
LENGTHS = [128, 512, 1024, 2048, 4096]
ANSWERS = [1, 4, 16]
BATCHES = [1, 4, 16, 64]


def point(plan, x, work, threads, *more):
    case = plan.chorus("bench_forest", RECIPE, work, 1, "-", f"threads={threads}", *more)
    case["env"]["OMP_NUM_THREADS"] = str(threads)
    r = measure(case)[0]
    return {"x": x, "threads": threads, "tokens": r["tokens"] / r["updates"],
            "rows": r["rows"] / r["updates"], "update_s": r["update_s"],
            **{k: r[k] for k in ("tokens_per_s", "gflops", "peak_gb", "others")}}


def verdict(points):
    """Does the rate of operations hold where there is enough work to fill a product?"""
    rates = [p["gflops"] for p in points]
    if len(rates) < 2:
        return ""
    top = max(rates[:-1])
    fall = 1 - rates[-1] / top
    if fall <= 0.1:
        return (f"Nothing grows faster than the maths: the last point runs at {rates[-1]:.0f} "
                f"GFLOP/s, the best one before it at {top:.0f}.")
    return (f"The last point runs at {rates[-1]:.0f} GFLOP/s, {fall:.0%} below the best one before "
            f"it ({top:.0f}): that much faster than the maths does time grow there.")


def sweep(plan, say):
    plans = {
        "length": ("One sequence, its length", "tokens a sequence", LENGTHS,
                   lambda x: (f"plain:1,{x},{x}", "train.max_rows=4096")),
        "answers": ("Answers a prompt (CAT, 8 prompts)", "answers", ANSWERS,
                    lambda x: (f"cat:{x}" if x > 1 else "sft",)),
        "batch": ("Batch of sequences of 128 tokens", "sequences", BATCHES,
                  lambda x: (f"plain:{x},128,128",)),
        "threads": ("Threads, 8 x 256 tokens", "threads", list(range(1, plan.threads + 1)),
                    lambda x: ("plain:8,256,256",)),
    }
    sweeps = {}
    for name, (title, what, xs, work) in plans.items():
        points = []
        for x in xs:
            threads = x if name == "threads" else plan.threads
            try:
                points.append(point(plan, x, work(x)[0], threads, *work(x)[1:]))
                say(f"cost, {name} {x}: {points[-1]['tokens_per_s']:.0f} tok/s, "
                    f"{points[-1]['peak_gb']:.2f} GB")
            except NotRun as e:
                say(f"cost, {name} {x}: not run: {e}")
        sweeps[name] = {"title": title, "what": what, "points": points,
                        "verdict": verdict(points)}
    draw(sweeps, ROOT / "docs/cost.png")
    return {"sweeps": sweeps}


def draw(sweeps, path):
    """Four columns, speed above and memory below; both axes from 0 but the logarithmic one."""
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(2, len(sweeps), figsize=(12, 5), sharex="col", layout="constrained")
    for k, part in enumerate(sweeps.values()):
        x = [p["x"] for p in part["points"]]
        for row, (key, label) in enumerate((("tokens_per_s", "tokens a second"),
                                            ("peak_gb", "peak memory, GB"))):
            a = axes[row][k]
            a.plot(x, [p[key] for p in part["points"]], "o-", color="#2a6f97")
            a.set_xscale("log", base=2)
            a.set_xticks(x, [str(v) for v in x])
            a.set_ylim(bottom=0)
            a.grid(alpha=0.3)
            if k == 0:
                a.set_ylabel(label)
        axes[0][k].set_title(part["title"], fontsize=10)
        axes[1][k].set_xlabel(part["what"])
    fig.savefig(path, dpi=110)
