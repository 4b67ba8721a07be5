"""CloudTrail's part of `tests/bench/run`: how long `invlog reconcile` takes over a folder of a trail's files, and how much
memory, against `gzip -dc | wc -c` over the same files."""

import gzip
import os
import subprocess
import tempfile
import time

from measures import row, say
from servers import BenchError
from store_measures import bench_store

FILES = 200
EVENT = ('{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROAICFHPEXAMPLE:i-%05d","arn":'
         '"arn:aws:sts::111122223333:assumed-role/application-%02d/i-%05d","accountId":"111122223333","accessKeyId":"ASIAIOSFODNN7EXAMPLE",'
         '"sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAICFHPEXAMPLE","arn":"arn:aws:iam::111122223333:role/application",'
         '"accountId":"111122223333","userName":"application"},"attributes":{"creationDate":"2026-11-01T00:00:00Z","mfaAuthenticated":"false"}}},'
         '"eventTime":"%s","eventSource":"bedrock.amazonaws.com","eventName":"Converse","awsRegion":"eu-central-1","sourceIPAddress":"10.0.%d.%d",'
         '"userAgent":"Boto3/1.40.1 md/Botocore#1.40.1 ua/2.1 os/linux#6.1.0 md/arch#x86_64 lang/python#3.11.2","requestParameters":{"modelId":'
         '"eu.amazon.nova-2-lite-v1:0"},"responseElements":null,"additionalEventData":{"inferenceRegion":"%s"},"requestID":"%s","eventID":"%s",'
         '"readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management",'
         '"tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":'
         '"bedrock-runtime.eu-central-1.amazonaws.com"}}')
REGIONS = ("eu-central-1", "eu-west-1", "eu-north-1")


def uuid(number, kind):
    scattered = (number * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    return f"{scattered >> 32:08x}-{scattered >> 16 & 0xffff:04x}-4{kind:03x}-8000-{scattered & 0xffff:04x}{number:08x}"


def write_trail(folder, records, events):
    """Every record has its event but for one in a hundred; what is more than the records was never seen."""
    per_file = -(-events // FILES)
    raw = 0
    for file in range(FILES):
        lines = []
        for number in range(file * per_file, min(events, (file + 1) * per_file)):
            when, request = records[number] if number < len(records) else (records[-1][0], uuid(number, 1))
            if number % 100 == 7:
                request = uuid(number, 2)
            time_text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when // 1_000_000))
            lines.append(EVENT % (number % 500, number % 40, number % 500, time_text, number % 4, number % 250, REGIONS[number % 3], request,
                                  uuid(number, 3)))
        text = '{"Records":[' + ",".join(lines) + "]}"
        raw += len(text)
        name = f"111122223333_CloudTrail_eu-central-1_20261101T{file:04d}Z_bench.json.gz"
        with gzip.open(os.path.join(folder, name), "wb", compresslevel=6) as out:
            out.write(text.encode())
    return raw


def give_request_ids(store):
    """The bench's records have none: they get one each, straight into the table (no digest is looked at here)."""
    import sqlite3
    connection = sqlite3.connect(store)
    rows = connection.execute("SELECT id, started_at FROM record ORDER BY id").fetchall()
    records = [(started_at, uuid(identifier, 1)) for identifier, started_at in rows]
    connection.executemany("UPDATE record SET request_id = ?, status = 200, operation = coalesce(operation, 1) WHERE id = ?",
                           ((bytes.fromhex(request.replace("-", "")), identifier)
                            for (identifier, _), (_, request) in zip(rows, records)))
    connection.commit()
    connection.close()
    return records


def resident_peak(pid):
    """MB so far. Not ru_maxrss, which for a child begins with what this program had when it was started."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return next((int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:")), 0.0)
    except OSError:
        return 0.0


def peak_and_seconds(command, environment):
    """(standard output, wall seconds, peak resident MB, looked at every 20 ms) of one child."""
    begin = time.monotonic()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as error:
        child = subprocess.Popen(command, stdout=output, stderr=error, env=environment)
        peak = 0.0
        while child.poll() is None:
            peak = max(peak, resident_peak(child.pid))
            time.sleep(0.02)
        seconds = time.monotonic() - begin
        output.seek(0), error.seek(0)
        if child.returncode != 0:
            raise BenchError(f"{' '.join(command)}: {error.read().decode(errors='replace')[-2000:]}")
        return output.read(), seconds, peak


def reconcile(bench, folder):
    events = bench.scaled(1_000_000)
    store, trail = os.path.join(folder, "eu-central-1.db"), os.path.join(folder, "trail")
    os.makedirs(trail)
    bench_store(bench, "usage", {"INVLOG_BENCH_USAGE_STORE": store})
    say("bench: writing CloudTrail's files ...")
    records = give_request_ids(store)
    raw = write_trail(trail, records, events)
    say("bench: reconcile ...")
    invlog = [os.path.join(bench.build, "invlog"), "reconcile", "--store", store, "--cloudtrail", trail]
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": folder}
    runs = {}
    for name in ("first", "again"):
        output, seconds, peak = peak_and_seconds(invlog, environment)
        runs[name] = (seconds, peak, output.decode())
    _, unpack, _ = peak_and_seconds(["sh", "-c", f"gzip -dc {trail}/*.gz | wc -c"], environment)
    found = runs["first"][2]
    if f"{events:,}" not in found:
        raise BenchError(f"reconcile did not see {events} calls:\n{found[:2000]}")
    os.remove(store)
    seconds, peak = runs["first"][:2]
    return [row(f"reconcile, {events:,} events of CloudTrail, {len(records):,} records", f"{seconds:.1f} s, {peak:.0f} MB resident; again {runs['again'][0]:.1f} s",
                "<= 30 s, <= 200 MB", seconds <= 30 and peak <= 200, seconds=seconds, peak_mb=peak, again_seconds=runs["again"][0],
                events=events, records=len(records), raw_bytes=raw),
            row("reconcile against `gzip -dc | wc -c` of the same files", f"{seconds / unpack:.2f}x of {unpack:.1f} s", unpack_seconds=unpack)]
