"""Asks a store, with Python's SQLite and the extension, or through the command line."""

import json
import pathlib
import sqlite3
import subprocess
import time

from .processes import BUILD


def connect(path: pathlib.Path, extension: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    connection.row_factory = sqlite3.Row
    if extension:
        connection.enable_load_extension(True)
        connection.load_extension(str(BUILD / "invlog_sqlite"))
    return connection


def rows(path: pathlib.Path, sql: str = "SELECT * FROM invocations ORDER BY id", extension: bool = False) -> list[dict]:
    connection = connect(path, extension)
    try:
        return [dict(row) for row in connection.execute(sql)]
    finally:
        connection.close()


def wait_for(path: pathlib.Path, count: int, seconds: float = 20) -> list[dict]:
    """All invocations, as soon as there are `count`; fails if there are fewer in time, or more."""
    deadline = time.monotonic() + seconds
    found: list[dict] = []
    while time.monotonic() < deadline:
        if path.exists():
            found = rows(path)
            if len(found) >= count:
                break
        time.sleep(0.01)
    assert len(found) == count, f"{len(found)} records, not {count}: {[(row['operation'], row['outcome']) for row in found]}"
    return found


def wait_for_count(path: pathlib.Path, count: int, seconds: float = 20) -> None:
    """Until there are at least `count` records."""
    deadline = time.monotonic() + seconds
    while (found := rows(path, "SELECT count(*) AS n FROM record")[0]["n"]) < count:
        assert time.monotonic() < deadline, f"{found} records, not {count}"
        time.sleep(0.01)


def as_bytes(value: object) -> bytes:
    return value.encode() if isinstance(value, str) else b"" if value is None else bytes(value)


def request(path: pathlib.Path, identifier: int) -> bytes:
    return as_bytes(rows(path, f"SELECT invlog_request({identifier}) AS body", True)[0]["body"])


def response(path: pathlib.Path, identifier: int) -> bytes:
    return as_bytes(rows(path, f"SELECT invlog_response({identifier}) AS body", True)[0]["body"])


def record(path: pathlib.Path, identifier: int) -> dict:
    return json.loads(as_bytes(rows(path, f"SELECT invlog_record({identifier}) AS line", True)[0]["line"]))


def invlog(*arguments: object, code: int = 0) -> str:
    """Standard output of `invlog ARGUMENTS`, which must end with `code`."""
    done = subprocess.run([str(BUILD / "invlog"), *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, f"invlog {arguments[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def prove(path: pathlib.Path) -> None:
    """SQLite's integrity check and `invlog verify` find nothing."""
    assert rows(path, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    invlog("verify", "--store", path)
