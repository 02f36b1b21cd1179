"""llama.cpp beside chorus: one JSON line a configuration.

decode:  llama-batched-bench, 64 prompt + 64 new tokens at several numbers of sequences (random
         tokens, nothing chosen from the logits), and llama-bench, one prompt of 512.
measure: every prompt of a work file answered greedily, by llama_shared (libllama by hand) and by
         llama-server, asked over HTTP by as many clients as it has slots. The file may hold
         chorus's answers behind the prompts; how many are the same is printed beside.
"""
import argparse
import http.client
import json
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

OUT = Path(__file__).resolve().parents[3] / "third_party/peers-llama"
SEQUENCES = "1,8,32,64"


def options():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("what", choices=["decode", "measure"])
    p.add_argument("work", nargs="?", help="measure: JSON that bench_forest wrote")
    p.add_argument("--types", default="F32,BF16", help="of the weights: F32, F16, BF16")
    p.add_argument("--sequences", default=SEQUENCES, help="decode: at once")
    p.add_argument("--hold", default="64:1,128:0", help="by hand: sequences at once:unified cache")
    p.add_argument("--slots", default="16", help="the server's")
    p.add_argument("--order", default="file,sorted", help="of the requests to the server")
    p.add_argument("--flash", default="auto", choices=["auto", "on", "off"])
    p.add_argument("--only", choices=["shared", "server"])
    p.add_argument("--new", type=int, default=12)
    p.add_argument("--every", type=int, default=1, help="only each so many-th prompt")
    p.add_argument("--threads", type=int, default=int(os.environ.get("THREADS", "2")))
    p.add_argument("--dir", type=Path, default=OUT, help="where bin and models are")
    return p.parse_args()


def show(**row):
    print(json.dumps({"peer": "llama.cpp", **row}), flush=True)


def run(cmd):
    """stdout, and the most memory the command held in GB."""
    p = subprocess.Popen([str(c) for c in cmd], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         text=True)
    out = p.stdout.read()
    _, status, used = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode:
        sys.exit(f"{cmd[0]}: exit code {p.returncode}")
    return out, round(used.ru_maxrss * 1024 / 1e9, 3)


def decode(o, kind):
    model = o.dir / "models" / f"{kind}.gguf"
    threads = ["-t", o.threads, "-tb", o.threads]
    out, peak = run([o.dir / "bin/llama-batched-bench", "-m", model, "-c", 256 * 64, "-npp", 64,
                     "-ntg", 64, "-npl", o.sequences, "-fa", o.flash, *threads,
                     "--output-format", "jsonl"])
    for line in out.splitlines():
        if line.startswith("{"):
            r = json.loads(line)
            show(config=f"{kind.lower()}, {r['pl']} sequences", work="decode", sequences=r["pl"],
                 per_s=round(r["speed_tg"], 2), unit="tok/s", threads=o.threads,
                 read_per_s=round(r["speed_pp"], 2), peak_gb=peak)
    flash = {"auto": [], "on": ["-fa", 1], "off": ["-fa", 0]}[o.flash]
    out, peak = run([o.dir / "bin/llama-bench", "-m", model, "-p", 512, "-n", 0, "-r", 3, "-t",
                     o.threads, *flash, "-o", "json"])
    for r in json.loads(out):
        show(config=f"{kind.lower()}, prompt of 512", work="prompt", per_s=round(r["avg_ts"], 2),
             unit="tok/s", threads=o.threads, peak_gb=peak)


def same(answers, expected):
    """The share of answers that are chorus's; None when the file holds none."""
    if not any(expected):
        return None
    return round(sum(a == e for a, e in zip(answers, expected)) / len(expected), 4)


def by_hand(o, kind, hold, prompts, expected, stops):
    sequences, unified = hold.split(":")
    with tempfile.TemporaryDirectory() as tmp:
        text = [" ".join(map(str, ids)) for ids in [stops, *prompts]]
        (Path(tmp) / "prompts").write_text("\n".join(text) + "\n")
        out, _ = run([o.dir / "bin/llama_shared", o.dir / "models" / f"{kind}.gguf",
                      Path(tmp) / "prompts", f"threads={o.threads}", f"sequences={sequences}",
                      f"unified={unified}", f"max_new={o.new}",
                      f"flash={ {'auto': -1, 'on': 1, 'off': 0}[o.flash] }",
                      f"answers={tmp}/answers"])
        answers = [list(map(int, line.split()))
                   for line in (Path(tmp) / "answers").read_text().splitlines()]
    show(config=f"shared prefixes by hand, {kind.lower()}, {sequences} at once"
         + ("" if unified == "1" else ", a cache each"), work="measure", unit="answers/s",
         threads=o.threads, same_as_chorus=same(answers, expected), **json.loads(out))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(c, ids, new):
    body = {"prompt": ids, "n_predict": new, "temperature": 0, "cache_prompt": True,
            "return_tokens": True}
    c.request("POST", "/completion", json.dumps(body), {"Content-Type": "application/json"})
    return json.loads(c.getresponse().read())


def wait_until_ready(server, port):
    while server.poll() is None:
        try:
            c = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            c.request("GET", "/health")
            if c.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    sys.exit(f"llama-server: exit code {server.returncode}")


def ask_all(port, slots, prompts, order, new):
    """The answers' tokens, and seconds from the first request to the last answer."""
    todo, answers, errors = queue.SimpleQueue(), [None] * len(prompts), []
    for i in order:
        todo.put(i)

    def client():
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        try:
            while True:
                i = todo.get_nowait()
                answers[i] = ask(c, prompts[i], new)
        except queue.Empty:
            pass
        except (OSError, ValueError) as e:
            errors.append(e)

    threads = [threading.Thread(target=client) for _ in range(slots)]
    start = time.perf_counter()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    took = time.perf_counter() - start
    if errors or any("tokens" not in a for a in answers):
        sys.exit(f"llama-server: a request failed: {(errors or answers)[0]}")
    return answers, took


def serve(o, kind, slots, order, prompts, expected):
    """A fresh server, so that nothing is cached of an earlier round."""
    port = free_port()
    longest = max(map(len, prompts)) + o.new
    server = subprocess.Popen(
        [o.dir / "bin/llama-server", "-m", o.dir / "models" / f"{kind}.gguf", "-np", str(slots),
         "-c", str(slots * ((longest + 255) // 256 * 256)), "-t", str(o.threads), "-tb",
         str(o.threads), "-fa", o.flash, "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(server, port)
        indices = list(range(len(prompts)))
        if order == "sorted":
            indices.sort(key=lambda i: prompts[i])
        answers, took = ask_all(port, slots, prompts, indices, o.new)
        status = Path(f"/proc/{server.pid}/status").read_text()
        peak = int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e9
    finally:
        server.terminate()
        server.wait()
    # its answers come without the token that ended them
    n = [min(len(a["tokens"]) + 1, o.new) for a in answers]
    cut = [e[:len(a["tokens"])] for a, e in zip(answers, expected)]
    show(config=f"llama-server, {kind.lower()}, {slots} slots, requests "
         + ("sorted" if order == "sorted" else "in the order of the file"), work="measure",
         per_s=round(len(prompts) / took, 2), unit="answers/s", threads=o.threads,
         prompts=len(prompts), prompt_rows=sum(a["timings"]["prompt_n"] for a in answers),
         new_tokens=sum(n), peak_gb=round(peak, 3),
         same_as_chorus=same([a["tokens"] for a in answers], cut) if any(expected) else None)


def measure(o, kind):
    with open(o.work) as f:
        work = json.load(f)
    rows = [m for g in work["updates"][0]["groups"] for m in g["members"]][::o.every]
    prompts = [r["ids"][:r["n_prompt"]] for r in rows]
    expected = [r["ids"][r["n_prompt"]:] for r in rows]
    for hold in o.hold.split(",") if o.only != "server" else []:
        by_hand(o, kind, hold, prompts, expected, work["stops"])
    for slots in o.slots.split(",") if o.only != "shared" else []:
        for order in o.order.split(","):
            serve(o, kind, int(slots), order, prompts, expected)


def main():
    o = options()
    if o.what == "measure" and not o.work:
        sys.exit("measure: a work file is wanted")
    for kind in o.types.split(","):
        (decode if o.what == "decode" else measure)(o, kind)


if __name__ == "__main__":
    main()
