"""Delivery's part of `tests/bench/run`: how fast `invlog ship --once` drains a store to a sink on loopback, what that
costs against gzip -6 of the same record lines, and whether capture notices destinations that are down."""

import json
import os
import resource
import shutil
import subprocess
import time

from delivery_sink import DeliverySink
from measures import median_of, row, say, stop
from servers import Agent, BenchError, Upstream, free_port
from store_measures import bench_store

LEAST_MB_PER_SECOND = 50
# bench_store's corpus, what it is
CORPORA = (("write-tau", "τ-bench corpus"), ("write-coding8", "coding agent, 8 conversations"))
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
               "AWS_EC2_METADATA_DISABLED": "true"}


def s3(endpoint, compression):
    return (f'[exporters.s3]\nbucket = "bench"\nendpoint = "{endpoint}"\npath_style = true\nregion_attested = true\n'
            f'compression = "{compression}"\n')


def cloudwatch_logs(endpoint):
    return f'[exporters.cloudwatch_logs]\nlog_group = "/invlog/bench"\nendpoint = "{endpoint}"\nregion_attested = true\n'


def timed(command, **options):
    """(result, wall seconds, CPU seconds) of a child process."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    run = subprocess.run(command, capture_output=True, **options)
    seconds, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if run.returncode != 0:
        raise BenchError(f"{' '.join(command)}: {(run.stderr or b'').decode(errors='replace').strip()[-2000:]}")
    return run, seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def environment(folder):
    return {"PATH": os.environ.get("PATH", ""), "HOME": folder, **CREDENTIALS}


def lines_and_gzip(bench, folder, store):
    """The record lines' bytes, their size and CPU time under gzip -6."""
    lines = os.path.join(folder, "lines.ndjson")
    timed([os.path.join(bench.build, "invlog"), "export", "--store", store, "--output", lines])
    _, _, cpu = timed(["gzip", "-6", "-k", "-f", lines])
    sizes = os.path.getsize(lines), os.path.getsize(lines + ".gz")
    os.remove(lines), os.remove(lines + ".gz")
    return *sizes, cpu


def ship(bench, folder, store, configuration):
    """Drains a fresh copy of the store; `invlog ship --once --json`'s account of it, wall and CPU seconds."""
    state = os.path.join(folder, "state")
    shutil.rmtree(state, ignore_errors=True)
    os.makedirs(state)
    shutil.copy(store, state)
    config = os.path.join(folder, "invlog.toml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(f'[agent]\nregion = "eu-central-1"\nstate_dir = "{state}"\naccount_id = "111122223333"\n{configuration}')
    run, seconds, cpu = timed([os.path.join(bench.build, "invlog"), "ship", "--once", "--timeout", "1m", "--json", "--config", config],
                              env=environment(folder))
    destination = json.loads(run.stdout)["destinations"][0]
    return destination, seconds, cpu


def export(bench, folder):
    rows = []
    sink = DeliverySink()
    try:
        for corpus, title in CORPORA:
            store = os.path.join(folder, "eu-central-1.db")
            written = bench_store(bench, corpus, {"INVLOG_BENCH_STORE": store})
            line_bytes, gzip_bytes, gzip_cpu = lines_and_gzip(bench, folder, store)
            for name, configuration in (("S3, gzip", s3(sink.url, "gzip")), ("S3, zstd", s3(sink.url, "zstd")),
                                        ("CloudWatch Logs", cloudwatch_logs(sink.url))):
                say(f"bench: export of {corpus} to {name} ...")
                runs = []
                for _ in range(1 if bench.quick else 3):
                    sink.take_counts()
                    destination, seconds, cpu = ship(bench, folder, store, configuration)
                    requests, sent = sink.take_counts()
                    if destination["records"] != written["records"]:
                        raise BenchError(f"{name}: {destination['records']} of {written['records']} records were delivered")
                    runs.append((seconds, cpu, requests, sent))
                seconds, cpu, requests, sent = sorted(runs)[len(runs) // 2]
                rate, records = line_bytes / 1e6 / seconds, written["records"]
                rows.append(row(
                    f"export, {title}, {name}: record lines drained", f"{rate:.0f} MB/s, {records / seconds:,.0f} records/s",
                    f">= {LEAST_MB_PER_SECOND} MB/s", rate >= LEAST_MB_PER_SECOND, seconds=seconds, records=records,
                    line_bytes=line_bytes, requests=requests, sent_bytes=sent, cpu_seconds=cpu))
                rows.append(row(
                    f"export, {title}, {name}: cost", f"{cpu / records * 1e6:.0f} us CPU a record, {cpu / gzip_cpu:.2f}x of "
                    f"gzip -6; {sent / records:,.0f} bytes shipped a record, {sent / gzip_bytes:.2f}x of gzip -6",
                    cpu_us_per_record=cpu / records * 1e6, gzip_cpu_seconds=gzip_cpu, gzip_bytes=gzip_bytes))
            os.remove(store)
        return rows
    finally:
        sink.stop()


def outage(bench, folder):
    """The same calls through an agent without exporters and through one whose destinations refuse every connection."""
    upstream = Upstream(bench.build, folder)
    agents = []
    try:
        agents.append(Agent(bench.build, upstream.port, folder, name="invlog-alone"))
        closed = f"http://127.0.0.1:{free_port()}"
        config = os.path.join(folder, "down.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write('[agent]\naccount_id = "111122223333"\n' + s3(closed, "gzip") + cloudwatch_logs(closed))
        agents.append(Agent(bench.build, upstream.port, folder, name="invlog-down", extra=("--config", config)))
        say("bench: destinations down ...")
        results = bench.compare(agents, bench.scaled(6000), body=1024, connections=1, warm_up=bench.scaled(600))
        rows = []
        for percentile, bar in (("p50", 1.1), ("p99", None)):
            alone, down = (median_of(results[agent.name], "call_us", percentile) for agent in agents)
            rows.append(row(f"1 KB, 1 client, every destination down: latency of a call, {percentile}",
                            f"{down / alone:.2f}x of an agent without exporters: {down:.0f} us, {alone:.0f} us",
                            f"<= {bar}x" if bar else "", down / alone <= bar if bar else None, alone_us=alone, down_us=down))
        return rows
    finally:
        stop(*agents, upstream)
