"""`invlog report` as a browser shows and prints it: Debian's Chromium, headless, without a network."""

import json
import os
import pathlib
import re
import shutil
import sqlite3
import struct
import subprocess
import zlib

from harness import store
from harness.client import CLAUDE, call, claude_body, converse, converse_stream, target
from harness.processes import Stack
from harness.skip import Skipped

WIDTH, HEIGHT = 1200, 2400


def chromium(folder: pathlib.Path, page: pathlib.Path, *options: str) -> str:
    """What Chromium says, its console among it."""
    program = shutil.which("chromium")
    if not program:
        if os.environ.get("CI"):
            raise AssertionError("chromium is missing: tests/install-dependencies check")
        raise Skipped("chromium is not installed")
    done = subprocess.run([program, "--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND",
                           f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr", "--v=0", "--no-first-run",
                           *options, page.as_uri()], capture_output=True, text=True, timeout=120,
                          env={"PATH": os.environ["PATH"], "HOME": str(folder)})
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stderr


def rows_of(png: bytes) -> list[bytes]:
    """The lines of pixels of a PNG with 8 bits a channel and no interlacing, 3 or 4 bytes a pixel."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, data = 8, b""
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at:at + 8])
        body = png[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, color, _, _, interlace = struct.unpack(">IIBBBBB", body)
            assert (width, height) == (WIDTH, HEIGHT) and depth == 8 and color in (2, 6) and interlace == 0
        data += body if kind == b"IDAT" else b""
        at += 12 + length
    pixel = 3 if color == 2 else 4
    raw, size, before, lines = zlib.decompress(data), width * pixel, bytearray(width * pixel), []
    for row in range(height):
        method, line = raw[row * (size + 1)], bytearray(raw[row * (size + 1) + 1:(row + 1) * (size + 1)])
        for x in range(size) if method else ():
            left = line[x - pixel] if x >= pixel else 0
            up, corner = before[x], before[x - pixel] if x >= pixel else 0
            if method == 1:
                add = left
            elif method == 2:
                add = up
            elif method == 3:
                add = (left + up) // 2
            else:
                base = left + up - corner
                add = min((left, up, corner), key=lambda value: abs(base - value))
            line[x] = (line[x] + add) & 255
        lines.append(bytes(line))
        before = line
    return lines


def looked_at(folder: pathlib.Path, page: pathlib.Path) -> tuple[int, int]:
    """(different lines of pixels, different colours) of a screenshot."""
    picture = folder / "report.png"
    said = chromium(folder, page, f"--screenshot={picture}", f"--window-size={WIDTH},{HEIGHT}")
    complaints = [line for line in said.splitlines() if "CONSOLE" in line or "net::ERR" in line]
    assert not complaints, complaints
    lines = rows_of(picture.read_bytes())
    pixel = len(lines[0]) // WIDTH
    colours = {line[x * pixel:x * pixel + 3] for line in lines for x in range(0, WIDTH, 3)}
    return len(set(lines)), len(colours)


def printed_pages(folder: pathlib.Path, page: pathlib.Path) -> int:
    file = folder / "report.pdf"
    chromium(folder, page, f"--print-to-pdf={file}", "--no-pdf-header-footer")
    data = file.read_bytes()
    assert data.startswith(b"%PDF-")
    return max(map(int, re.findall(rb"/Type\s*/Pages.{0,200}?/Count (\d+)", data, re.S)), default=0)


def some_traffic(stack: Stack) -> int:
    hostile = "<script>alert(1)</script>|=cmd()"
    for number in range(6):
        converse(stack.agent.url, f"question {number}")
        converse_stream(stack.agent.url, f"stream {number}")
    call(stack.agent.url, target("invoke", CLAUDE), claude_body("hello"))
    call(stack.agent.url, target("converse", hostile), {"messages": []})
    store.wait_for(stack.agent.store, 14)
    return 14


def add_trail(path: pathlib.Path) -> None:
    """As if CloudTrail had been looked at."""
    connection = sqlite3.connect(path, timeout=10)
    with connection:
        connection.execute("INSERT INTO trail SELECT id, iif(id % 3, 'eu-west-1', 'eu-north-1'), started_at, 'e' || id, id = 5 FROM record WHERE id < 10")
        connection.execute("INSERT INTO reconciliation SELECT 1, max(started_at), 'lookup', min(started_at), max(started_at), 9, 9, 0, 5, 1 FROM record")
        connection.execute("INSERT INTO unseen_call SELECT 'u1', started_at, 'r', 'Converse', 'm', 'arn:aws:iam::123456789012:user/<b>', '10.0.0.1', '', '' FROM record WHERE id = 1")
    connection.close()


def test_report_shows_and_prints():
    with Stack(account_id="123456789012") as stack:
        calls = some_traffic(stack)
        at = ("--store", stack.agent.store)
        add_trail(stack.agent.store)
        page = stack.folder / "report.html"
        store.invlog("report", *at, "--verify", "--format", "html", "--output", page)
        html = page.read_text()
        assert "<script" not in html and "&lt;script&gt;alert(1)" in html and "is whole" in html
        lines, colours = looked_at(stack.folder, page)
        assert lines > 300 and colours > 50, (lines, colours)
        assert printed_pages(stack.folder, page) >= 2

        report = json.loads(store.invlog("report", *at, "--format", "json"))
        sums, = store.rows(stack.agent.store, "SELECT count(*) AS calls, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens FROM record")
        assert sums["calls"] == calls and sums == {name: report["total"][name] for name in sums}
        assert sum(row["calls"] for row in report["flows"]) == sum(row["calls"] for row in report["days"]) == calls
        assert report["cloudtrail"]["records_with_event"] == 9 and report["cloudtrail"]["outside"] == 1
        assert "\neu.amazon.nova-2-lite-v1:0," in store.invlog("report", *at, "--format", "csv", "--table", "models")
        assert "&lt;script&gt;alert(1)&lt;/script&gt;\\|=cmd()" in store.invlog("report", *at)


def test_report_of_an_empty_store_shows():
    with Stack() as stack:
        page = stack.folder / "report.html"
        store.invlog("report", "--store", stack.agent.store, "--format", "html", "--output", page)
        assert "There are no calls in this period." in page.read_text()
        lines, colours = looked_at(stack.folder, page)
        assert lines > 100 and colours > 10, (lines, colours)
        assert printed_pages(stack.folder, page) >= 1
