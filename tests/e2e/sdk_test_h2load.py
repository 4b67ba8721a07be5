"""h2load (Debian's nghttp2-client, which `make check` installs) against the agent: many streams on few connections."""

import json
import subprocess

from harness import store
from harness.client import converse_body, target
from harness.processes import Stack


def test_h2load_multiplexes():
    with Stack() as stack:
        body = stack.folder / "body.json"
        body.write_text(json.dumps(converse_body("load")))
        url = stack.agent.url + target("converse")
        for options in (["-c", "4", "-m", "16"], ["--h1", "-c", "8"]):
            done = subprocess.run(["h2load", "-n", "1000", *options, "-d", body, "-H", "content-type: application/json", url],
                                  capture_output=True, text=True, timeout=50, check=True)
            assert "1000 succeeded, 0 failed" in done.stdout, done.stdout
        rows = store.wait_for(stack.agent.store, 2000, seconds=10)
        assert {(row["operation"], row["status"], row["outcome"]) for row in rows} == {("Converse", 200, "complete")}
        store.prove(stack.agent.store)
