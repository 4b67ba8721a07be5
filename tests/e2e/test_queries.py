"""The command line and the README's examples, on a live and on a stopped agent's store."""

import csv
import io
import json
import re
import shutil
import subprocess
import threading

from harness import store
from harness.client import CLAUDE, call, claude_body, converse, converse_stream, target
from harness.processes import BUILD, REPOSITORY, Stack


def some_calls(stack: Stack) -> None:
    converse(stack.agent.url, "order 4711 please")
    converse_stream(stack.agent.url, "a stream")
    call(stack.agent.url, target("invoke", CLAUDE), claude_body("hello"))
    call(stack.agent.url, target("converse", "does-not-exist"), {"messages": []})
    store.wait_for(stack.agent.store, 4)


def readme_examples() -> list[str]:
    """The README's `sh` blocks that run sqlite3, one command each."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (REPOSITORY / "README.md").read_text(), re.S | re.M)
    commands = [command for block in blocks for command in re.split(r"\n(?=sqlite3 )", block.strip())]
    return [command for command in commands if command.startswith("sqlite3")]


def test_readme_fleet_query_is_the_one_that_duckdb_runs():
    """sdk_test_delivery runs exporters/duckdb.sql over the objects of three hosts."""
    query, = re.findall(r"^```sql\n(.*?)^```", (REPOSITORY / "README.md").read_text(), re.S | re.M)
    assert "FROM invocation\n" in query and (REPOSITORY / "exporters/duckdb.sql").read_text().endswith(query)


def test_readme_sqlite3_examples_run_as_written():
    commands = readme_examples()
    assert len(commands) >= 3 and any(".load" in command for command in commands) and any(".load" not in command for command in commands)
    with Stack() as stack:
        some_calls(stack)
        (stack.agent.state / "build").symlink_to(BUILD)
        for moment in ("running", "stopped"):
            for command in commands:
                done = subprocess.run(["bash", "-c", command], cwd=stack.agent.state, capture_output=True, text=True, timeout=20)
                assert done.returncode == 0 and done.stdout.strip() and not done.stderr, f"{moment}: {command}\n{done.stdout}{done.stderr}"
                if ".load" in command:
                    assert "order 4711 please" in done.stdout and '"schemaType":"ModelInvocationLog"' in done.stdout, done.stdout
                elif "GROUP BY" in command:
                    assert "eu.amazon.nova-2-lite-v1:0" in done.stdout
            if moment == "running":
                stack.agent.stop()
        stack.agent = type(stack.agent)(stack.folder, stack.bedrock.url)


def test_readme_backup_ends_while_the_agent_records_and_can_be_put_back():
    command, = re.findall(r"`(\(umask [^`]*VACUUM INTO[^`]*)`", (REPOSITORY / "README.md").read_text())
    with Stack() as stack:
        some_calls(stack)
        ended = threading.Event()

        def calls() -> None:
            while not ended.is_set():
                converse(stack.agent.url, "meanwhile")

        caller = threading.Thread(target=calls)
        caller.start()
        backup = stack.folder / "backup"
        backup.mkdir()
        try:
            subprocess.run(["bash", "-c", command.replace("/backup", str(backup))], cwd=stack.agent.state, check=True, timeout=30)
        finally:
            ended.set()
            caller.join()
        copy = backup / stack.agent.store.name
        assert copy.stat().st_mode & 0o777 == 0o600
        store.prove(copy)
        kept = store.rows(copy, "SELECT count(*) AS n FROM record")[0]["n"]
        assert kept >= 4
        stack.agent.kill()  # its log stays
        for end in ("-wal", "-shm"):
            stack.agent.store.with_name(stack.agent.store.name + end).unlink(missing_ok=True)
        shutil.copy(copy, stack.agent.store)
        stack.agent = type(stack.agent)(stack.folder, stack.bedrock.url)
        assert converse(stack.agent.url, "after it").status == 200
        store.wait_for_count(stack.agent.store, kept + 1)
        store.prove(stack.agent.store)


def test_query_formats():
    with Stack() as stack:
        some_calls(stack)
        sql = "SELECT id, operation, input_tokens, error FROM invocations ORDER BY id"
        table = store.invlog("query", "--store", stack.agent.store, sql)
        assert "operation" in table and "ConverseStream" in table
        found = store.invlog("query", "--json", "--state-dir", stack.agent.state, sql)
        rows = json.loads(found) if found.lstrip().startswith("[") else [json.loads(line) for line in found.splitlines()]
        assert [row["operation"] for row in rows] == ["Converse", "ConverseStream", "InvokeModel", "Converse"]
        assert rows[0]["error"] is None and rows[3]["error"] == "ValidationException"
        read = list(csv.DictReader(io.StringIO(store.invlog("query", "--csv", "--config", stack.agent.configuration, sql))))
        assert [row["operation"] for row in read] == [row["operation"] for row in rows]
        body = store.invlog("query", "--csv", "--store", stack.agent.store, "SELECT invlog_request(1) ->> '$.messages[0].content[0].text' AS t")
        assert "order 4711 please" in body
        for wrong in ("DELETE FROM record", "SELECT nothing", "CREATE TABLE x(y)"):
            done = subprocess.run([BUILD / "invlog", "query", "--store", stack.agent.store, wrong], capture_output=True, text=True)
            assert done.returncode in (1, 2) and done.stderr, wrong
        assert len(store.rows(stack.agent.store)) == 4


def test_show_tail_search_usage_status_verify_export():
    with Stack(account_id="123456789012") as stack:
        some_calls(stack)
        at = ("--store", stack.agent.store)
        first = store.rows(stack.agent.store)[0]
        by_id, by_request = store.invlog("show", *at, "1"), store.invlog("show", *at, first["request_id"])
        assert by_id == by_request and "Converse" in by_id and "order 4711" in by_id
        assert json.loads(store.invlog("show", *at, "--record", "1")) == store.record(stack.agent.store, 1)
        assert store.invlog("show", *at, "--request", "1").rstrip("\n").encode() == store.request(stack.agent.store, 1)
        assert store.invlog("show", *at, "--response", "1").rstrip("\n").encode() == store.response(stack.agent.store, 1)
        store.invlog("show", *at, "999", code=1)
        assert len(store.invlog("tail", *at).strip().splitlines()) >= 4
        assert "4711" in store.invlog("search", *at, "order 4711")
        found = "SELECT group_concat(id) AS ids FROM invocations WHERE invlog_contains(id, 'order 4711')"
        assert store.rows(stack.agent.store, found, True)[0]["ids"].startswith("1"), "the extension, in another program"
        for by in ("model", "day", "caller"):
            assert store.invlog("usage", *at, "--by", by).strip()
        assert "eu.amazon.nova-2-lite-v1:0" in store.invlog("usage", *at, "--by", "model")
        assert "4" in store.invlog("status", *at)
        store.invlog("verify", *at)
        lines = store.invlog("export", *at).splitlines()
        assert [json.loads(line)["operation"] for line in lines] == ["Converse", "ConverseStream", "InvokeModel", "Converse"]
        file = stack.folder / "export.ndjson"
        store.invlog("export", *at, "--output", file)
        assert file.read_text().splitlines() == lines
        assert store.invlog("export", *at, "--output", "-").splitlines() == lines
        store.invlog("nonsense", code=2)


def test_tail_follows():
    with Stack() as stack:
        converse(stack.agent.url, "first")
        store.wait_for(stack.agent.store, 1)
        follower = subprocess.Popen([BUILD / "invlog", "tail", "-f", "--store", stack.agent.store], stdout=subprocess.PIPE, text=True)
        try:
            follower.stdout.readline()
            timer = threading.Timer(10, follower.kill)
            timer.start()
            call(stack.agent.url, target("invoke", CLAUDE), claude_body("second"))
            seen = ""
            while "InvokeModel" not in seen:
                line = follower.stdout.readline()
                assert line, f"tail -f ended, or showed nothing in 10 s: {seen}"
                seen += line
            timer.cancel()
        finally:
            follower.kill()
            follower.wait()
            follower.stdout.close()


def test_queries_work_while_the_agent_writes():
    with Stack() as stack:
        converse(stack.agent.url, "first")
        store.wait_for(stack.agent.store, 1)
        stop, problems, counts = threading.Event(), [], []

        def load() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                if converse(stack.agent.url, f"load {number} " + "word " * 300).status != 200:
                    problems.append("a call failed")

        threads = [threading.Thread(target=load) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(8):
                found = store.rows(stack.agent.store, "SELECT count(*) AS n, sum(length(invlog_request(id))) AS bytes FROM "
                                   "(SELECT id FROM invocations ORDER BY id DESC LIMIT 20)", True)[0]
                assert found["bytes"] > 0
                counts.append(store.rows(stack.agent.store, "SELECT count(*) AS n FROM record")[0]["n"])
                store.invlog("usage", "--store", stack.agent.store, "--by", "model")
                store.invlog("verify", "--store", stack.agent.store)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert not problems and counts == sorted(counts) and counts[-1] > counts[0], (problems, counts)
        store.prove(stack.agent.store)


def test_store_of_a_stopped_agent_is_read_only_fine():
    with Stack() as stack:
        some_calls(stack)
        stack.agent.stop()
        copy = stack.folder / "copy"
        shutil.copytree(stack.agent.state, copy)
        assert "ConverseStream" in store.invlog("query", "--state-dir", copy, "SELECT operation FROM invocations")
        store.prove(copy / "eu-central-1.db")
        stack.agent = type(stack.agent)(stack.folder, stack.bedrock.url)
