"""`make bench-peers`: chorus and its peers in turn, medians and ratios into bench/RESULTS.md.

Raw rows are kept in bench/results.json by work, so that parts can be run one at a time
(PARTS=train,sft,cat,decode,measure,cost); RESULTS.md is always made anew from all of them.
BENCH_LOCK=FILE makes every measured command take turns with others that lock the file.
"""
import argparse
import json
import signal
import sys
import time
from fnmatch import fnmatch
from pathlib import Path

import cost
import parts
import tables
from runner import ROOT, NotRun, machine, measure

RAW = ROOT / "bench/results.json"


def options():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--parts", default="train,sft,cat,decode,measure,cost")
    p.add_argument("--build", type=Path, default=ROOT / "build")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--updates", type=int, default=4, help="timed updates of SFT and CAT")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--works", help="only these, of the parts: plain,sft,cat:6,...")
    p.add_argument("--peers", help="only these: eager-f32,compile-*,... (or with ; between)")
    p.add_argument("--types", default="F32,BF16", help="of llama.cpp's weights")
    p.add_argument("--again", action="store_true",
                   help="of the peers, only the finalists of the run before; the rest is kept")
    p.add_argument("--tables", action="store_true", help="only RESULTS.md, from results.json")
    return p.parse_args()


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def note(rows, case, got):
    """Adds what a command printed to the rows of its work, one row a label."""
    for g in got:
        label = case["id"] if len(got) == 1 else f"{case['id']} {tables.which(g)}"
        row = next((r for r in rows if r["label"] == label), None)
        if not row:
            row = {"label": label, "id": case["id"], "side": case["side"], "rounds": []}
            rows.append(row)
        row["rounds"].append(g)


def first_round(rows):
    """What `finalists` looks at."""
    return [dict(r["rounds"][0], id=r["id"], side=r["side"]) for r in rows if r["rounds"]]


def kept(w, before):
    """From the run before: its finalists, and the rows of those that were none."""
    go_on = w["finalists"](first_round(before["rows"]))
    known = {r["id"] for r in before["rows"]}
    go_on |= {c["id"] for c in w["cases"] if c["id"] not in known}
    return go_on, [r for r in before["rows"] if r["side"] != "chorus" and r["id"] not in go_on]


def run_work(w, rounds, keep, before=None):
    """All cases once (or, given the run before, its finalists), then finalists and chorus in
    turn. keep is called with what there is after each round: a run that is ended loses no more."""
    rows, failed, go_on = [], {}, None
    if w.get("prepare"):
        measure(w["prepare"], prints=False)
    if before:
        go_on, rows = kept(w, before)
    for k in range(rounds):
        for case in w["cases"]:
            own = case["side"] == "chorus"
            if case["id"] in failed or (go_on is not None and not own and case["id"] not in go_on):
                continue
            try:
                got = measure(case)
                note(rows, case, got)
                say(f"round {k + 1}, {w['work']}, {case['id']}: "
                    + ", ".join(f"{g.get('per_s') or g.get('tokens_per_s')}" for g in got))
            except (NotRun, OSError) as e:
                failed[case["id"]] = str(e)
                say(f"{w['work']}, {case['id']}: not run: {e}")
                if own:
                    break
        if go_on is None:
            go_on = w["finalists"](first_round(rows))
        keep({"title": w["title"], "rows": rows, "not_run": failed})


def write(raw):
    RAW.write_text(json.dumps(raw, indent=1) + "\n")
    (ROOT / "bench/RESULTS.md").write_text(tables.page(raw))


def main():
    o = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a child is ended as well
    raw = json.loads(RAW.read_text()) if RAW.exists() else {"works": {}}
    plan = parts.Plan(o.build.resolve(), o.threads, o.updates, o.types.split(","))
    plan.tokens.mkdir(parents=True, exist_ok=True)
    here = machine(o.threads)
    for part in [] if o.tables else o.parts.split(","):
        if part == "cost":
            raw["cost"] = dict(cost.sweep(plan, say), machine=here)
            continue
        for w in parts.PARTS[part](plan):
            if o.works and w["work"] not in o.works.split(","):
                continue
            if o.peers:
                names = o.peers.split(";" if ";" in o.peers else ",")
                w["cases"] = [c for c in w["cases"] if c["side"] == "chorus"
                              or any(fnmatch(c["id"], n) for n in names)]
            before = raw["works"].get(w["work"]) if o.again else None

            def keep(got, work=w["work"], part=part):
                raw["works"][work] = dict(got, part=part, machine=here)
                write(raw)

            run_work(w, o.rounds, keep, before)
    write(raw)
    say("bench/RESULTS.md is written")


if __name__ == "__main__":
    main()
