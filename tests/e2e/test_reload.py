"""conf.d, check-config, config --effective, and SIGHUP: a good file changes the next call, a bad one changes nothing and says why."""

import json
import os
import signal
import subprocess
import time

from harness import delivery, store
from harness.aws import eventually
from harness.client import call, converse, converse_body, target
from harness.processes import BUILD, Stack, configuration
from test_admin import ADMIN, metrics

SIDE_BY_SIDE = True
GLOBAL = "global.amazon.nova-2-lite-v1:0"


def say(stack: Stack, text: str = "Hello") -> int:
    return call(stack.agent.url, target("converse", GLOBAL), converse_body(text)).status


def reload(stack: Stack, said: str) -> str:
    """SIGHUP, and the new lines of the log as soon as one of them has the text."""
    before = len(stack.agent.errors())
    stack.agent.child.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        lines = stack.agent.errors()[before:]
        if said in lines and lines.endswith("\n"):
            return lines
        time.sleep(0.01)
    raise AssertionError(f"the agent did not say {said!r}: {stack.agent.errors()[before:]}")


def write(stack: Stack, name: str, tables: dict | str) -> None:
    file = stack.folder / "conf.d" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(tables if isinstance(tables, str) else configuration(tables))


def events(stack: Stack, kind: str, count: int) -> list[dict]:
    deadline = time.monotonic() + 5
    while True:
        found = store.rows(stack.agent.store, f"SELECT details FROM event WHERE kind = '{kind}' ORDER BY id")
        if len(found) >= count or time.monotonic() > deadline:
            assert len(found) == count, found
            return [json.loads(row["details"]) for row in found]
        time.sleep(0.02)


def test_a_good_file_changes_the_next_call_and_a_bad_one_nothing():
    with Stack() as stack:
        assert say(stack) == 200
        write(stack, "10-policy.toml", {"policy": {"deny": ["global"]}, "agent": {"log_level": "debug"}})
        said = reload(stack, "policy")
        assert "agent.log_level, [policy]" in said, said
        assert say(stack) == 403
        assert events(stack, "configuration-reloaded", 1) == [{"changed": ["agent.log_level", "[policy]"], "needs_restart": []}]

        # Bad: the old one stays whole, also what is good in the new one.
        write(stack, "20-bad.toml", '[policy]\ndeny = []\n[privacy]\nmetadata_only = true\nredcat = ["email"]\n')
        said = reload(stack, "refused")
        bad = f"{stack.folder}/conf.d/20-bad.toml:5:1: "
        assert bad in said and 'did you mean "redact"?' in said and said.count("refused") == 1, said
        assert say(stack, "kept") == 403
        assert b"kept" in store.request(stack.agent.store, len(store.wait_for(stack.agent.store, 3)))
        assert events(stack, "configuration-refused", 1)[0]["reason"].startswith(bad)
        assert stack.agent.child.poll() is None

        # What needs a restart is named, and the rest taken.
        write(stack, "20-bad.toml", {"agent": {"listen": "127.0.0.1:1", "queue_size": "8MiB"}, "privacy": {"metadata_only": True}})
        said = reload(stack, "needs a restart")
        assert "agent.listen, agent.queue_size" in said and "privacy.metadata_only" in said, said
        assert say(stack, "not kept") == 403
        assert b"not kept" not in store.request(stack.agent.store, len(store.wait_for(stack.agent.store, 4)))

        for file in (stack.folder / "conf.d").iterdir():
            file.unlink()
        said = reload(stack, "[policy]")
        assert "removed: [policy], [privacy]" in said and "warning" in said, said
        assert say(stack) == 200
        store.wait_for(stack.agent.store, 5)
        assert "nothing in it has changed" in reload(stack, "nothing in it has changed")


def test_what_can_be_read_only_once_is_refused():
    with Stack(tables={"policy": {"deny": ["global"]}}) as stack:
        folder = stack.folder / "conf.d"
        folder.mkdir()
        os.mkfifo(folder / "1.toml")
        assert f"{folder}/1.toml: it is no regular file" in reload(stack, "refused")
        (folder / "1.toml").unlink()
        text = stack.agent.configuration.read_text()
        stack.agent.configuration.write_text("")
        assert f"{stack.agent.configuration} is empty" in reload(stack, "refused")
        stack.agent.configuration.write_text(text)
        assert "nothing in it has changed" in reload(stack, "nothing in it has changed")
        assert say(stack) == 403
        assert stack.agent.stop() == 0


def test_many_signals_under_load_lose_no_call():
    with Stack(tables={"policy": {"deny": ["global"]}}) as stack:
        for number in range(40):
            write(stack, "1.toml", {"privacy": {"sample_bodies": 1 if number % 2 else 0}, "policy": {"mode": ("enforce", "observe")[number % 2]}})
            stack.agent.child.send_signal(signal.SIGHUP)
            assert converse(stack.agent.url, f"call {number}").status == 200
        store.wait_for(stack.agent.store, 40)
        assert stack.agent.stop() == 0
        store.prove(stack.agent.store)


def test_a_destination_can_come_while_the_agent_runs():
    with delivery.Delivery(s3=None, logs=None) as stack:
        assert converse(stack.agent.url, "before").status == 200
        write(stack, "s3.toml", {"exporters.s3": delivery.to_s3(stack.aws.url, batch_age="200ms")})
        reload(stack, "[exporters.s3]")
        assert converse(stack.agent.url, "after").status == 200
        deadline = time.monotonic() + 15
        rows = []
        while time.monotonic() < deadline and not (rows and rows[0]["cursor"] == 2):
            rows = store.rows(stack.agent.store, "SELECT destination, cursor FROM delivery")
            time.sleep(0.05)
        assert rows == [{"destination": "s3", "cursor": 2}], rows


def test_metrics_follow_a_reload():
    with delivery.Delivery(s3=None, logs=None, more={"admin": ADMIN, "retention": {"max_size": "1GiB"}}) as stack:
        assert converse(stack.agent.url, "before").status == 200
        seen = metrics(stack)[1]
        assert seen["invlog_store_limit_bytes"] == 1 << 30 and not any(name.startswith("invlog_delivery_") for name in seen), seen
        write(stack, "s3.toml", {"exporters.s3": delivery.to_s3(stack.aws.url, batch_age="200ms"), "retention": {"max_size": "2GiB"}})
        reload(stack, "[exporters.s3]")

        def delivered():
            seen = metrics(stack)[1]
            assert seen.get('invlog_delivery_records_total{destination="s3"}') == 1, seen
            return seen
        assert eventually(delivered)["invlog_store_limit_bytes"] == 2 << 30
        (stack.folder / "conf.d/s3.toml").unlink()
        reload(stack, "[exporters.s3]")
        seen = metrics(stack)[1]
        assert seen["invlog_store_limit_bytes"] == 1 << 30 and not any(name.startswith("invlog_delivery_") for name in seen), seen


def run(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run([str(part) for part in (BUILD / "invlog", *arguments)], capture_output=True, text=True, timeout=20, env={"HOME": "/nonexistent"})


def test_check_config_and_the_effective_configuration():
    with Stack() as stack:
        options = ("--config", stack.agent.configuration)
        write(stack, "10.toml", {"retention": {"max_age": "7d"}})
        done = run("check-config", *options)
        assert done.returncode == 0 and not done.stderr, done
        assert f"read {stack.agent.configuration}\nread {stack.folder}/conf.d/10.toml\n" in done.stdout, done
        shown = run("config", "--effective", *options)
        assert f'max_age = "7d"  # {stack.folder}/conf.d/10.toml:2:11' in shown.stdout, shown
        assert 'log_level = "info"  # default' in shown.stdout, shown
        again = stack.folder / "again/invlog.toml"
        again.parent.mkdir()
        again.write_text(shown.stdout)
        assert run("check-config", "--config", again).returncode == 0
        effective = json.loads(run("config", "--effective", "--json", *options).stdout)
        assert effective["retention"]["max_age"] == {"value": "7d", "from": f"{stack.folder}/conf.d/10.toml:2:11"}, effective
        write(stack, "20.toml", '[agent]\nlisten = 1\nqueue_size = "1"\n')
        done = run("check-config", "--json", *options)
        problems = json.loads(done.stdout)["problems"]
        assert done.returncode == 2 and len(problems) == 2 and all("20.toml:" in problem for problem in problems), done
        assert run("config").returncode == 2
