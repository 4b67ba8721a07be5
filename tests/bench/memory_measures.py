"""The part of `tests/bench/run` that looks at resident memory: of an agent that only records; of one that has also made a
call of its own, which loads libcurl and all that comes with it; and of one that delivers what it records to S3 and
CloudWatch Logs."""

import os
import threading

from delivery_sink import DeliverySink
from export_measures import cloudwatch_logs, s3
from measures import row, say, stop
from servers import Agent, BenchError, Upstream

BAR_MB = 32.0
STREAMS = 200


def memory(bench, folder):
    sink = DeliverySink()
    try:
        return (agent_memory(bench, folder, "memory", "", BAR_MB) +
                agent_memory(bench, folder, "memory, libcurl loaded", f'[aws]\nbedrock_endpoint = "{sink.url}"\n', BAR_MB) +
                agent_memory(bench, folder, "memory, delivering", s3(sink.url, "gzip") + cloudwatch_logs(sink.url), None))
    finally:
        sink.stop()


def agent_memory(bench, folder, title, tables, bar):
    name = "invlog-" + title.replace(",", "").replace(" ", "-")
    config = os.path.join(folder, name + ".toml")
    with open(config, "w", encoding="utf-8") as file:
        file.write('[agent]\naccount_id = "111122223333"\n' + tables)
    upstream, agent = Upstream(bench.build, folder), None
    try:
        agent = Agent(bench.build, upstream.port, folder, name=name, extra=("--config", config))
        at_start, _ = agent.memory_mb()
        calls = 20_000 if bench.quick else 100_000
        say(f"bench: {title} after {calls:,} calls ...")
        bench.load(agent, calls, body=1024, connections=32)
        after_calls, peak_calls = agent.memory_mb()
        say(f"bench: {title}, {STREAMS} streams open ...")
        in_streams = during_streams(bench, agent)
        at_end, peak = agent.memory_mb()
        if upstream.statistics()["peak_streams"] < STREAMS:
            raise BenchError(f"the {STREAMS} streams were not open at the same time")
    finally:
        stop(agent, upstream)

    def judged(what, measured, resident, **numbers):
        return row(what, f"{resident:.1f} MB {measured}", f"<= {bar:.0f} MB" if bar else "", resident <= bar if bar else None,
                   resident_mb=resident, **numbers)
    return [judged(f"{title}: resident after {calls:,} calls of 1 KB", f"(at start {at_start:.1f}, peak so far {peak_calls:.1f})",
                   after_calls, at_start_mb=at_start, peak_mb=peak_calls),
            judged(f"{title}: resident during {STREAMS} concurrent streams", f"(afterwards {at_end:.1f}, peak {peak:.1f})",
                   in_streams, afterwards_mb=at_end, peak_mb=peak)]


def during_streams(bench, agent):
    """The largest resident size seen while the streams were open, in MB."""
    streaming, samples = threading.Event(), []

    def sample():
        while not streaming.wait(0.05):
            samples.append(agent.memory_mb()[0])
    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        bench.load(agent, STREAMS, connections=STREAMS, stream=True, frames=10 if bench.quick else 50, delay=100_000)
    finally:
        streaming.set()
        sampler.join()
    return max(samples)
