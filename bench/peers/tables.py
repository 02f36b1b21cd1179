"""bench/results.json to bench/RESULTS.md. Every figure is a median of rounds or a ratio of two."""
import statistics

HEAD = """# chorus beside its peers

Made by `make bench-peers`; raw rows are in [results.json](results.json). Figures are medians of the
rounds named, in which chorus and its peers ran in turn on the same machine, threads and tokens.
"chorus is" tells how many times faster chorus is than the line. A peer's configuration that was not
among the best of the first round has that one round only, from this run or the one before. A part
that could not be run says so.

PyTorch's lines are named after what they are: eager or compiled (torch.compile); f32, autocast to
bf16, or bf16 throughout, optimiser states too; `chunked`, logits 512 rows at a time; `micro n`, at
most n rows at once. All of them: transformers' Llama, fused AdamW, attention through SDPA, tcmalloc
and large pages, logits at learned tokens only, rows sorted by length and padded on the right, where
causal attention needs no mask; for generate, a key/value cache and left padding.
"""


def which(row):
    """What tells apart the lines that one command prints."""
    if "config" in row:
        return row["config"]
    return f"{row['work']} {row['sequences']}" if "sequences" in row else row["work"]


def mid(row, key):
    values = [r[key] for r in row["rounds"] if r.get(key) is not None]
    return statistics.median(values) if values else None


def show(x, digits=3):
    if x is None:
        return "–"
    return f"{x:,.{digits}f}" if x < 10 else f"{x:,.1f}" if x < 100 else f"{x:,.0f}"


def table(head, lines):
    out = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    return "\n".join(out + ["| " + " | ".join(x) + " |" for x in lines]) + "\n"


def disturbed(w):
    """The largest share of the machine that others had during a run."""
    return max((r.get("others", 0) for row in w["rows"] for r in row["rounds"]), default=0)


def origin(w):
    m = w["machine"]
    v = m["versions"]
    text = (f"{m['date']}, commit {m['commit']}; {m['cpu']} ({' '.join(m['instructions'])}), "
            f"{m['threads']} of {m['cores']} cores, {m['memory_gb']:.0f} GB; "
            f"PyTorch {v.get('torch', '–')}, transformers {v.get('transformers', '–')}. ")
    others = disturbed(w)
    return text + ("The machine was quiet." if others < 0.03 else
                   f"Not a quiet machine: others had up to {others:.0%} of it in a round.")


def not_run(w):
    return "".join(f"\nNot run: {k} ({v}).\n" for k, v in w["not_run"].items())


def own_row(w, label="chorus"):
    return next((r for r in w["rows"] if r["label"] == label), None)


def best(w, key="per_s", **wanted):
    """The fastest line of a peer, among those that ran in all rounds if there are any."""
    rows = [r for r in w["rows"] if r["side"] != "chorus" and mid(r, key) is not None
            and all(r["rounds"][0].get(k) == v for k, v in wanted.items())]
    most = max((len(r["rounds"]) for r in rows), default=0)
    return max((r for r in rows if len(r["rounds"]) == most), key=lambda r: mid(r, key),
               default=None)


def claim(text, value, aim, digits=2):
    """One line: what was reached, what was aimed at."""
    if value is None:
        return f"- {text}: not run; aim {aim}\n"
    mark = "reached" if value >= aim else "not reached"
    if "share of the roof" in text and value > 1.05:
        mark = "nothing shown, for no roof can be passed: it was measured too low"
    return f"- {text}: **{value:.{digits}f}**; aim {aim}: {mark}\n"


def ratio(a, b):
    return a / b if a and b else None


def speed_table(w, key, unit):
    """Lines of a work, chorus first, then by speed."""
    own = own_row(w)
    mine = mid(own, key) if own else None
    rows = sorted((r for r in w["rows"] if mid(r, key)), key=lambda r: (
        r["side"] != "chorus", -mid(r, key)))
    return table(["", unit, "chorus is", "peak GB", "loss", "rounds"], [[
        r["label"] if r["side"] != "chorus" else f"**{r['label']}**", show(mid(r, key), 1),
        "" if r["side"] == "chorus" else f"{show(ratio(mine, mid(r, key)), 2)} x",
        show(mid(r, "peak_gb"), 2), f"{mid(r, 'loss'):.4f}" if mid(r, "loss") else "–",
        str(len(r["rounds"]))]
        for r in rows if r["label"] != "chorus, roof"])


def section(w, body):
    return f"### {w['title']}\n\n{origin(w)}\n\n{body}{not_run(w)}\n"


def train(works):
    text = "## 1. Training\n\n"
    w = works.get("plain")
    if not w:
        return text + "Not run.\n\n"
    key, body = "tokens_per_s", ""
    own, roof = own_row(w), own_row(w, "chorus, roof")
    mine = mid(own, key) if own else None
    body += speed_table(w, key, "tok/s") + "\n"
    limit = mid(roof, "roof_tokens_per_s") if roof else None
    if limit:
        body += (f"The roof, this model's matrix products alone, measured in the same run: "
                 f"{show(limit)} tok/s.\n\n")
    f32 = best(w, key, f32_states=True)
    top = best(w, key)
    body += claim("share of the roof reached", mid(roof, "of_roof") if roof else None, 0.75)
    body += claim("over the best PyTorch with f32 optimiser states",
                  ratio(mine, mid(f32, key) if f32 else None), 1.4)
    body += claim("over the best PyTorch of any", ratio(mine, mid(top, key) if top else None),
                  1.25)
    text += section(w, body)
    w = works.get("plain-answers")
    return text + (section(w, speed_table(w, key, "tok/s")) if w else "")


def forest(works):
    text = "## 2. The forest: SFT(IA) and CAT\n\n"
    aims = {"sft": 2.5, "sft train.sampling=grouped": 4, "cat:6": 6, "cat:16": 10}
    for name, aim in aims.items():
        w = works.get(name)
        if not w:
            text += f"{name}: not run.\n\n"
            continue
        top, own = best(w), own_row(w)
        unit = "examples/s" if name.startswith("sft") else "groups/s"
        value = ratio(mid(own, "per_s") if own else None, mid(top, "per_s") if top else None)
        body = speed_table(w, "per_s", unit) + "\n"
        if own:
            r = own["rounds"][0]
            body += (f"{r['tokens']:,} tokens, of which the forest computes {r['rows']:,} rows "
                     f"({r['tokens'] / r['rows']:.1f} tokens a row).\n\n")
        text += section(w, body + claim("over the best PyTorch", value, aim))
    return text


def decode(works):
    text = "## 3. Decoding and measuring\n\n"
    w = works.get("decode")
    if w:
        text += section(w, decode_body(w))
    else:
        text += "Decoding: not run.\n\n"
    w = works.get("measure")
    return text + (section(w, measure_body(w)) if w else "Measuring: not run.\n\n")


def decode_body(w):
    own = {r["rounds"][0]["sequences"]: r for r in w["rows"]
           if r["side"] == "chorus" and r["rounds"][0]["work"] == "decode"}
    lines, claims = [], ""
    for n, mine in sorted(own.items()):
        lines.append([f"**chorus**, {n}", show(mid(mine, "per_s"), 1),
                      show(mid(mine, "of_roof"), 2) + " " + mine["rounds"][0]["bound"], "",
                      str(len(mine["rounds"]))])
        peers = [r for r in w["rows"] if r["side"] != "chorus" and
                 r["rounds"][0].get("work") == "decode" and r["rounds"][0].get("sequences") == n]
        for r in sorted(peers, key=lambda r: -mid(r, "per_s")):
            lines.append([r["label"], show(mid(r, "per_s"), 1), "",
                          f"{show(ratio(mid(mine, 'per_s'), mid(r, 'per_s')), 2)} x",
                          str(len(r["rounds"]))])
        llama = max((mid(r, "per_s") for r in peers if r["side"] == "llama"), default=None)
        claims += claim(f"{n} sequences: share of the roof ({mine['rounds'][0]['bound']})",
                        mid(mine, "of_roof"), 0.85 if n == 1 else 0.65) if n != 8 else ""
        claims += claim(f"{n} sequences: over llama.cpp's best", ratio(mid(mine, "per_s"), llama),
                        1 if n == 1 else 1.7) if n != 8 else ""
    reading = [r for r in w["rows"] if r["rounds"][0].get("work") == "prompt"]
    for r in reading:
        lines.append([f"{'**chorus**' if r['side'] == 'chorus' else r['label']}, reading 512",
                      show(mid(r, "per_s"), 1), show(mid(r, "of_roof"), 2), "",
                      str(len(r["rounds"]))])
    return table(["", "tok/s", "of the roof", "chorus is", "rounds"], lines) + "\n" + claims


def measure_body(w):
    own = own_row(w)
    mine = mid(own, "per_s") if own else None
    body = speed_table(w, "per_s", "answers/s") + "\n"
    if own:
        r = own["rounds"][0]
        body += (f"{r['prompts']} prompts of {r['prompt_tokens']:,} tokens, {r['prompt_rows']:,} "
                 f"of them unique; {r['new_tokens']:,} tokens written. The roof, products alone on "
                 f"the unique tokens, is {show(mid(own, 'roof_per_s'))} answers/s.\n\n")
        body += claim("share of the roof", ratio(mine, mid(own, "roof_per_s")), 0.7)
    for text, aim, part in (("llama.cpp by hand with shared prefixes", 1.3, "shared"),
                            ("llama-server", 2.5, "server"),
                            ("transformers' generate", 4, "transformers")):
        peers = [mid(r, "per_s") for r in w["rows"] if part in r["label"]]
        body += claim(f"over {text}", ratio(mine, max(peers, default=None)), aim)
    return body


def memory(works):
    text = "## 4. Peak memory of full fine-tuning, 8 x 256\n\n"
    w = works.get("plain")
    if not w:
        return text + "Not run.\n\n"
    own = own_row(w)
    rows = sorted((r for r in w["rows"] if mid(r, "peak_gb") and r["label"] != "chorus, roof"),
                  key=lambda r: mid(r, "peak_gb"))
    f32 = [r for r in rows if r["rounds"][0].get("f32_states")]
    mine = mid(own, "peak_gb") if own else None
    body = table(["", "peak GB", "optimiser states"], [
        [r["label"], show(mid(r, "peak_gb"), 2),
         "bf16" if r["rounds"][0].get("f32_states") is False else "f32"] for r in rows]) + "\n"
    if mine:
        body += (f"- chorus: **{mine:.2f} GB**; aim below 3.0: "
                 f"{'reached' if mine < 3 else 'not reached'}\n")
    if mine and f32:
        share = mine / mid(f32[0], "peak_gb")
        body += (f"- of the smallest PyTorch with f32 states ({f32[0]['label']}): **{share:.2f}**; "
                 f"aim 0.67 at most: {'reached' if share <= 2 / 3 else 'not reached'}\n")
    return text + body + "\n"


def growth(raw):
    text = "## 5. How cost grows\n\n"
    c = raw.get("cost")
    if not c:
        return text + "Not run.\n\n"
    text += "![tok/s and peak memory](../docs/cost.png)\n\n"
    for name, part in c["sweeps"].items():
        text += f"### {part['title']}\n\n" + table(
            [part["what"], "tokens an update", "rows computed", "tok/s", "GFLOP/s", "peak GB"],
            [[str(r["x"]), show(r["tokens"], 0), show(r["rows"], 0), show(r["tokens_per_s"], 1),
              show(r["gflops"], 0), show(r["peak_gb"], 2)] for r in part["points"]])
        text += f"\n{part['verdict']}\n\n"
    return text


def page(raw):
    works = raw["works"]
    return (HEAD + "\n" + train(works) + forest(works) + decode(works) + memory(works)
            + growth(raw)).rstrip() + "\n"
