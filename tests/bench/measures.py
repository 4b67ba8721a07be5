"""What `tests/bench/run` measures. Each function returns rows of the printed table.

How latency is compared: the same calls go directly to the upstream, through nginx and through the agent, in turn, in
several rounds, the order rotated. What a proxy adds is its percentile less the direct one of the same round; the ratio
is taken round by round, and its median is what counts. Nothing is pinned to a core; all three meet the same noise.
After every round the store must hold as many records as calls were made through the agent, or the bench fails.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from servers import Agent, BenchError, Nginx, Server, Upstream


def row(what, measured, bar="", ok=None, **numbers):
    return {"what": what, "measured": measured, "bar": bar, "ok": ok, "numbers": numbers}


def say(text):
    print(text, file=sys.stderr, flush=True)


class Bench:
    def __init__(self, build, quick):
        self.build = build
        self.quick = quick
        self.rounds = 3 if quick else 7
        self.raw = []  # every single run, for bench.json

    def scaled(self, calls):
        return max(calls // 5, 50) if self.quick else calls

    def load(self, server, calls, **options):
        """Runs the load client against `server`; its numbers, and the server's CPU time per call by thread."""
        command = [os.path.join(self.build, "bench/bench_load"), "--port", str(server.port), "--calls", str(calls)]
        for name, value in {**server.load_options, **options}.items():
            command += ["--" + name.replace("_", "-")] + ([] if value is True else [str(value)])
        before = server.cpu_us()
        run = subprocess.run(command, capture_output=True, text=True)
        server.check_alive()
        if run.returncode != 0:
            raise BenchError(f"{' '.join(command)} against {server.name}: {run.stderr.strip()} {run.stdout.strip()}")
        result = json.loads(run.stdout)
        if isinstance(server, Agent):
            result["behind_s"] = server.wait_until_recorded(result["completed"])
        after = server.cpu_us()
        result["cpu_us_per_call"] = {name: round((used - before.get(name, 0)) / result["completed"], 3)
                                     for name, used in after.items()}
        self.raw.append({"server": server.name, "calls": calls, "options": options, "result": result})
        return result

    def compare(self, servers, calls, **options):
        """Interleaved rounds: {server name: [result of each round]}."""
        results = {server.name: [] for server in servers}
        for turn in range(self.rounds):
            for offset in range(len(servers)):
                server = servers[(turn + offset) % len(servers)]
                results[server.name].append(self.load(server, calls, **options))
        return results


def median_of(results, *path):
    values = []
    for result in results:
        for key in path:
            result = result[key]
        values.append(result)
    return statistics.median(values)


def cpu_of(results):
    """Median CPU time per call in µs: (in all, {thread: part})."""
    names = results[0]["cpu_us_per_call"]
    parts = {name: statistics.median(result["cpu_us_per_call"].get(name, 0) for result in results) for name in names}
    return statistics.median(sum(result["cpu_us_per_call"].values()) for result in results), parts


def added(results, server, path):
    """What `server` adds in each round, in µs."""
    return [median_of([proxied], *path) - median_of([direct], *path)
            for proxied, direct in zip(results[server], results["upstream"])]


def added_row(what, results, path, bar, other="nginx"):
    """One row: what the agent adds over what another proxy adds."""
    theirs, agent = added(results, other, path), added(results, "invlog", path)
    ratios = sorted(mine / its for mine, its in zip(agent, theirs) if its > 0)
    numbers = {f"{other}_added_us": statistics.median(theirs), "invlog_added_us": statistics.median(agent),
               "direct_us": median_of(results["upstream"], *path), "ratios": [round(ratio, 3) for ratio in ratios]}
    bar_text = f"<= {bar}x {other}" if bar else ""
    if len(ratios) * 2 <= len(theirs):
        return row(what, f"{other} added nothing measurable: too much noise", bar_text, False if bar else None, **numbers)
    ratio = statistics.median(ratios)
    text = (f"{ratio:.2f}x {other} ({ratios[0]:.2f}-{ratios[-1]:.2f}): {numbers['invlog_added_us']:+.0f} us, "
            f"{other} {numbers[f'{other}_added_us']:+.0f} us")
    return row(what, text, bar_text, ratio <= bar if bar else None, ratio=ratio, **numbers)


def cpu_row(what, results):
    nginx, _ = cpu_of(results["nginx"])
    agent, parts = cpu_of(results["invlog"])
    threads = ", ".join(f"{name} {used:.1f}" for name, used in sorted(parts.items(), key=lambda part: -part[1])
                        if used >= 0.05)
    return row(what, f"{agent:.1f} us ({threads}), nginx {nginx:.1f} us", invlog_cpu_us=agent, nginx_cpu_us=nginx,
               invlog_threads=parts)


def behind_row(what, results):
    worst = max(result["behind_s"] for result in results["invlog"])
    calls = sum(result["completed"] for result in results["invlog"])
    return row(what, f"all {calls:,} calls on record; last one {worst * 1e3:.0f} ms after its answer at worst",
               calls=calls, worst_s=worst)


def latency(bench, folder):
    upstream = Upstream(bench.build, folder)
    nginx = agent = None
    try:
        nginx = Nginx(upstream.port, folder)
        agent = Agent(bench.build, upstream.port, folder)
        servers = [upstream, nginx, agent]
        rows = []
        for name, body, bars, calls_one, calls_many in (("1 KB", 1024, (1.5, 2.0), 6000, 40000),
                                                        ("100 KB", 102400, (3.0, 3.0), 3000, 10000)):
            for clients, calls in ((1, calls_one), (32, calls_many)):
                title = f"{name}, {clients} client{'s' if clients > 1 else ''}"
                say(f"bench: {title} ...")
                results = bench.compare(servers, bench.scaled(calls), body=body, connections=clients,
                                        warm_up=bench.scaled(calls) // 10)
                rows.append(added_row(f"{title}: latency added, p50", results, ("call_us", "p50"), bars[0]))
                rows.append(added_row(f"{title}: latency added, p99", results, ("call_us", "p99"), bars[1]))
                if clients > 1:
                    rows.append(throughput_row(title, results))
                rows.append(cpu_row(f"{title}: CPU per call", results))
                rows.append(behind_row(f"{title}: recorded", results))
        say("bench: 1 KB at 2,000 calls/s ...")
        results = bench.compare(servers, bench.scaled(3000), body=1024, connections=32, rate=2000)
        rows.append(added_row("1 KB, 2,000 calls/s paced: latency added, p50", results, ("call_us", "p50"), None))
        rows.append(added_row("1 KB, 2,000 calls/s paced: latency added, p99", results, ("call_us", "p99"), None))
        rows.append(cpu_row("1 KB, 2,000 calls/s paced: CPU per call", results))
        say("bench: 100 KB, nothing repeated ...")
        results = bench.compare(servers, bench.scaled(1500), body=102400, unique=True)
        rows.append(added_row("100 KB of new text each, 1 client: latency added, p50", results, ("call_us", "p50"), None))
        rows.append(cpu_row("100 KB of new text each, 1 client: CPU per call", results))
        return rows
    finally:
        stop(agent, nginx, upstream)


def throughput_row(title, results):
    ratios = sorted(mine["calls_per_second"] / theirs["calls_per_second"]
                    for mine, theirs in zip(results["invlog"], results["nginx"]))
    ratio = statistics.median(ratios)
    rates = {name: median_of(of, "calls_per_second") for name, of in results.items()}
    return row(f"{title}: calls/s", f"{ratio:.2f}x nginx ({ratios[0]:.2f}-{ratios[-1]:.2f}): {rates['invlog']:,.0f}, "
               f"nginx {rates['nginx']:,.0f}, direct {rates['upstream']:,.0f}", ">= 1x nginx", ratio >= 1,
               ratio=ratio, rates=rates)


def streams(bench, folder):
    upstream = Upstream(bench.build, folder)
    nginx = agent = None
    try:
        nginx = Nginx(upstream.port, folder)
        agent = Agent(bench.build, upstream.port, folder)
        servers = [upstream, nginx, agent]
        rows = []
        for clients, bar in ((1, 1.5), (32, None)):
            title = f"stream, {clients} client{'s' if clients > 1 else ''}"
            say(f"bench: {title} ...")
            results = bench.compare(servers, bench.scaled(200 * clients), stream=True, connections=clients, frames=5,
                                    delay=2000, warm_up=10 * clients)
            rows.append(added_row(f"{title}: time to first byte added, p50", results, ("first_byte_us", "p50"), bar))
            rows.append(added_row(f"{title}: time to first byte added, p99", results, ("first_byte_us", "p99"), None))
            rows.append(added_row(f"{title}: delay of each frame added, p50", results, ("frame_lag_us", "p50"), None))
            worst = median_of(results["invlog"], "frame_lag_us", "p99")
            rows.append(row(f"{title}: frames 2 ms apart, none waits for the next",
                            f"p99 {worst:.0f} us under way, direct "
                            f"{median_of(results['upstream'], 'frame_lag_us', 'p99'):.0f} us", frame_lag_p99_us=worst))
            rows.append(cpu_row(f"{title}: CPU per stream of 9 frames", results))
        return rows
    finally:
        stop(agent, nginx, upstream)


def stop(*servers):
    for server in servers:
        if isinstance(server, Server):
            server.stop()


def in_folder(measure, bench):
    """Runs `measure` in a temporary folder; when it fails, what the servers logged is shown."""
    with tempfile.TemporaryDirectory(prefix="invlog-bench-") as folder:
        begin = time.monotonic()
        rows = measure(bench, folder)
        say(f"bench: {measure.__name__} took {time.monotonic() - begin:.0f} s")
        return rows
