"""The store's part of `tests/bench/run`: bench_store's measurements as rows, and `invlog usage` over a million records."""

import json
import os
import statistics
import subprocess
import time

from measures import row, say
from servers import BenchError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# name, what it is, least ratio to raw bodies, least factor to gzip, most CPU per byte as a share of gzip's
SIZES = (
    ("tau", "τ-bench corpus", 60, 4, 1 / 3),
    ("coding8", "coding agent, 8 conversations", 180, 40, 1 / 20),
    ("coding32", "coding agent, 32 conversations", 120, None, None),
)


def bench_store(bench, name, environment=None):
    command = [os.path.join(bench.build, "bench/bench_store"), name]
    say(f"bench: bench_store {name} ...")
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **(environment or {})})
    if run.returncode != 0:
        raise BenchError(f"{' '.join(command)}: {run.stderr.strip()}")
    result = json.loads(run.stdout)
    bench.raw.append({"store": name, "result": result})
    return result


def size_rows(bench, name, title, least_ratio, least_factor, most_cpu):
    result = bench_store(bench, name)
    if result["problems"]:
        raise BenchError(f"bench_store {name}: the store it wrote has {result['problems']} problems")
    against_raw, against_gzip = result["ratio"], result["times_smaller_than_gzip"]
    cpu = result["cpu_share_of_gzip"]
    kilobytes = result["bytes_per_call"] / 1000
    return [
        row(f"{title}, {kilobytes:.0f} KB a call: whole file against raw bodies", f"{against_raw:.0f}x smaller",
            f">= {least_ratio}x", against_raw >= least_ratio, **result),
        row(f"{title}: whole file against gzip -6 in batches of 5 MB", f"{against_gzip:.1f}x smaller "
            f"(gzip {result['gzip_ratio']:.1f}x)", f">= {least_factor}x" if least_factor else "",
            against_gzip >= least_factor if least_factor else None),
        row(f"{title}: writer's CPU per byte against gzip -6", f"1/{1 / cpu:.1f} "
            f"({result['writer_mb_per_cpu_second']:.0f} MB/s, gzip {result['gzip_mb_per_cpu_second']:.0f} MB/s)",
            f"<= 1/{1 / most_cpu:.0f}" if most_cpu else "", cpu <= most_cpu if most_cpu else None),
    ]


def store(bench, _folder):
    rows = []
    for name, title, *bars in SIZES:
        corpus = os.path.join(os.environ.get("INVLOG_SHARED") or os.path.join(ROOT, "../shared"),
                              "corpora/tau-airline.json")
        if name == "tau" and not os.path.exists(corpus):
            rows.append(row(title, f"SKIPPED: {corpus} is not there (set INVLOG_SHARED)"))
            continue
        rows += size_rows(bench, name, title, *bars)
    small = bench_store(bench, "small")
    rate = small["records_per_second"]
    rows.append(row(f"small records ({small['bytes_per_call'] / 1000:.1f} KB), synchronous=FULL",
                    f"{rate:,.0f}/s, {small['writer_cpu_us_per_record']:.0f} us CPU each", ">= 5,000/s", rate >= 5000,
                    **small))
    read = bench_store(bench, "read")
    for name, title in (("coding", "250 KB calls"), ("small", "2 KB calls")):
        p95 = read[f"{name}_p95_ms"]
        rows.append(row(f"one body read back at random, nothing cached ({title}), p95",
                        f"{p95:.1f} ms (p50 {read[f'{name}_p50_ms']:.1f}, worst {read[f'{name}_max_ms']:.1f})",
                        "<= 20 ms", p95 <= 20, **read))
    return rows


def usage(bench, folder):
    path = os.path.join(folder, "usage.db")
    result = bench_store(bench, "usage", {"INVLOG_BENCH_USAGE_STORE": path})
    if not os.path.exists(path):
        raise BenchError("bench_store usage left no store behind")
    rows = []
    for title, least, command in (
            ("invlog usage --by model", 1, ["usage", "--by", "model"]),
            ("invlog report", 2, ["report", "--format", "html", "--from", "2000-01-01"])):
        seconds = command_seconds([os.path.join(bench.build, "invlog"), *command, "--store", path])
        median = statistics.median(seconds)
        rows.append(row(f"{title} over {result['records']:,} records", f"{median:.2f} s (first {seconds[0]:.2f} s)",
                        f"<= {least} s", median <= least, seconds=seconds, **result))
    return rows


def command_seconds(command):
    """How long each of five runs took."""
    seconds = []
    for _ in range(5):
        begin = time.monotonic()
        run = subprocess.run(command, capture_output=True, text=True)
        seconds.append(time.monotonic() - begin)
        if run.returncode != 0 or "claude" not in run.stdout:
            raise BenchError(f"{' '.join(command)}: {run.stderr.strip()} {run.stdout.strip()[-1000:]}")
    return seconds
