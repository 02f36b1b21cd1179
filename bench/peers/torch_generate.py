"""Times transformers' generate (greedy, key/value cache, left padding) on prompts of a work file.

decode: new tokens a second behind the prompts' first one, as chorus counts them: the time of
        reading the prompts (generate with one new token) is taken off.
measure: answers a second to every prompt, in batches of prompts sorted by length. The file holds
        chorus's answers behind the prompts; how many are the same is printed beside.
"""
import argparse
import json
import resource
import statistics
import time

import torch

from gguf_model import read_gguf, transformers_model


def options():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("what", choices=["decode", "measure"])
    p.add_argument("work", help="JSON that bench_forest wrote")
    p.add_argument("--precision", default="f32", choices=["f32", "bf16"])
    p.add_argument("--compile", action="store_true", help="a static cache and a compiled forward")
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--new", type=int, default=64)
    p.add_argument("--every", type=int, default=1, help="measure: only each so many-th batch")
    p.add_argument("--repeat", type=int, default=3)
    p.add_argument("--threads", type=int, default=2)
    return p.parse_args()


def load(path, precision, compiled):
    model = transformers_model(*read_gguf(path)).eval()
    if precision == "bf16":
        model.bfloat16()
    model.config.use_cache = True
    model.generation_config.use_cache = True
    if compiled:
        model.generation_config.cache_implementation = "static"
        model.forward = torch.compile(model.forward, dynamic=True)
    return model


def padded(rows):
    """Left padding: the last token of every prompt stands in the last column."""
    longest = max(map(len, rows))
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros(len(rows), longest, dtype=torch.long)
    for i, r in enumerate(rows):
        ids[i, longest - len(r):] = torch.tensor(r)
        mask[i, longest - len(r):] = 1
    return ids, mask


def generate(model, rows, new, stops):
    """The new tokens of each row, stop token included."""
    ids, mask = padded(rows)
    with torch.inference_mode():
        out = model.generate(input_ids=ids, attention_mask=mask, do_sample=False,
                             max_new_tokens=new, eos_token_id=list(stops) or None, pad_token_id=0)
    answers = []
    for a in out[:, ids.shape[1]:].tolist():
        end = next((i + 1 for i, t in enumerate(a) if t in stops), len(a))
        answers.append(a[:end])
    return answers


def timed(f):
    start = time.perf_counter()
    f()
    return time.perf_counter() - start


def decode(o, model, prompts):
    rows = prompts[:o.batch]
    generate(model, rows, 2, ())
    speeds, reading = [], []
    for _ in range(o.repeat):
        read = timed(lambda: generate(model, rows, 1, ()))
        whole = timed(lambda: generate(model, rows, o.new, ()))
        speeds.append(len(rows) * (o.new - 1) / (whole - read))
        reading.append(sum(map(len, rows)) / read)
    return {"per_s": statistics.median(speeds), "unit": "tok/s",
            "read_tokens_per_s": statistics.median(reading)}


def measure(o, model, prompts, expected, stops):
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    batches = [order[i:i + o.batch] for i in range(0, len(order), o.batch)]
    batches = batches[(o.every - 1) // 2::o.every]
    generate(model, [prompts[i] for i in batches[0]], 2, stops)
    same = n = 0
    start = time.perf_counter()
    for b in batches:
        answers = generate(model, [prompts[i] for i in b], o.new, stops)
        n += len(b)
        same += sum(a == expected[i] for a, i in zip(answers, b))
    took = time.perf_counter() - start
    return {"per_s": n / took, "unit": "answers/s", "answers": n, "same_as_chorus": same / n}


def main():
    o = options()
    torch.set_num_threads(o.threads)
    with open(o.work) as f:
        work = json.load(f)
    rows = [m for g in work["updates"][0]["groups"] for m in g["members"]]
    model = load(work["model"], o.precision, o.compile)
    if o.what == "decode":
        result = decode(o, model, [r["ids"][:-1] for r in rows])
    else:
        result = measure(o, model, [r["ids"][:r["n_prompt"]] for r in rows],
                         [r["ids"][r["n_prompt"]:] for r in rows], work["stops"])
    import transformers
    print(json.dumps({
        "peer": "transformers", "version": transformers.__version__,
        "config": f"{'compile' if o.compile else 'eager'}-{o.precision} batch {o.batch}",
        "work": o.what, "sequences": o.batch, "threads": o.threads, **result,
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 3)}))


if __name__ == "__main__":
    main()
