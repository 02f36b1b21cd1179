"""Runs one measured command at a time and notes what else kept the machine busy meanwhile."""
import fcntl
import json
import os
import platform
import re
import statistics
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / "third_party/peers-venv/bin/python"
QUIET, TRIES = 0.1, 2  # others' share of the machine above which a run is tried again
TCMALLOC = "libtcmalloc_minimal.so.4"


class NotRun(Exception):
    """A measurement that could not be made; the reason is shown in its place."""


held = {"file": None, "since": 0.0}


@contextmanager
def turn():
    """BENCH_LOCK=FILE: takes turns with others who lock the same file before they use the CPU.

    One turn is as many commands as begin within BENCH_HOLD seconds.
    """
    path, most = os.environ.get("BENCH_LOCK"), float(os.environ.get("BENCH_HOLD", "60"))
    if path and not held["file"]:
        held["file"] = open(path, "a")
        fcntl.flock(held["file"], fcntl.LOCK_EX)
        held["since"] = time.monotonic()
    try:
        yield
    finally:
        if held["file"] and time.monotonic() - held["since"] > most:
            held["file"].close()
            held["file"] = None


def busy_seconds():
    """CPU seconds that the whole machine has been busy since it started."""
    with open("/proc/stat") as f:
        t = [int(x) for x in f.readline().split()[1:9]]
    return (sum(t) - t[3] - t[4]) / os.sysconf("SC_CLK_TCK")


def run_once(cmd, env, seconds):
    """Exit code, stdout, stderr's last line, CPU seconds of the child, wall seconds."""
    start = time.monotonic()
    p = subprocess.Popen([str(c) for c in cmd], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         env={**os.environ, **env}, cwd=ROOT, text=True, start_new_session=True)
    before = os.times()
    try:
        out, err = p.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, 9)
        p.communicate()
        raise NotRun(f"not done within {seconds} s") from None
    finally:
        if p.poll() is None:
            os.killpg(p.pid, 9)
    after = os.times()
    cpu = after.children_user - before.children_user
    cpu += after.children_system - before.children_system
    last = err.strip().splitlines()[-1] if err.strip() else ""
    return p.returncode, out, last, cpu, time.monotonic() - start


def attempt(case, seconds, prints):
    """The JSON lines that a case's command prints, each with `others`: the share of the machine
    that other programs had while it ran."""
    with turn():
        busy = busy_seconds()
        code, out, last, cpu, wall = run_once(case["cmd"], case.get("env", {}), seconds)
        busy = busy_seconds() - busy
    rows = [json.loads(x) for x in out.splitlines() if x.startswith("{")]
    if code or (prints and not rows):
        raise NotRun(f"exit code {code}: {last[:200] or 'printed nothing'}")
    for r in rows:
        r["others"] = round(max(0.0, busy - cpu) / (wall * os.cpu_count()), 3)
    return rows


def measure(case, seconds=1200, prints=True):
    """What a case's command prints; a second try when other programs disturb it.

    prints False: a command that only leaves a file.
    """
    tries = []
    while len(tries) < TRIES:
        tries.append(attempt(case, seconds, prints))
        if not prints or tries[-1][0]["others"] < QUIET:
            break
    return min(tries, key=lambda rows: rows[0]["others"] if rows else 0)


def our(threads):
    """Environment of chorus's own programs: src/cli/main.c sets the same for itself."""
    return {"GOMP_SPINCOUNT": "2000", "OMP_NUM_THREADS": str(threads)}


def torch_env(threads):
    """As PyTorch's tuning guide has it: tcmalloc, large pages, and a cache for compiled code."""
    env = {"OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false",
           "HF_HUB_OFFLINE": "1", "THP_MEM_ALLOC_ENABLE": "1",
           "TORCHINDUCTOR_CACHE_DIR": str(ROOT / "third_party/peers-cache")}
    found = re.search(r"=> (\S*/%s)$" % re.escape(TCMALLOC),
                      subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True,
                                     text=True).stdout, re.M)
    if found:
        env["LD_PRELOAD"] = found.group(1)
    return env


def command_text(cmd):
    r = subprocess.run(cmd, capture_output=True, text=True, cwd=ROOT)
    return r.stdout.strip()


def machine(threads):
    """What a reader needs to judge the figures."""
    info = Path("/proc/cpuinfo").read_text()
    flags = set(re.search(r"^flags\s*: (.*)$", info, re.M).group(1).split())
    shown = [f for f in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f in flags]
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text()).group(1))
    python = command_text([VENV, "-c", "import torch, transformers as t, platform as p; "
                           "print(torch.__version__, t.__version__, p.python_version())"])
    commit = os.environ.get("BENCH_COMMIT")  # when the build is not of what is checked out
    commit = commit or command_text(["git", "rev-parse", "--short", "HEAD"])
    dirty = command_text(["git", "status", "--porcelain", "--untracked-files=no", "src"])
    return {"cpu": re.search(r"^model name\s*: (.*)$", info, re.M).group(1).strip(),
            "cores": os.cpu_count(), "instructions": shown, "memory_gb": round(memory / 1e6, 1),
            "threads": threads, "system": platform.platform(),
            "versions": dict(zip(("torch", "transformers", "python"), python.split())),
            "commit": commit + (" with changes not committed" if dirty else ""),
            "date": time.strftime("%Y-%m-%d"), "load_before": os.getloadavg()[0]}


def median_of(rows, key):
    """Median over rounds; None when there is nothing to take it of."""
    values = [r[key] for r in rows if r.get(key) is not None]
    return statistics.median(values) if values else None
