"""All recorded exchanges with the real service, replayed through the agent: same bytes to the client, every derivable
field in the record (expect_recordings.py says which and from where)."""

import base64
import json
from urllib.parse import urlsplit

from harness import store
from harness.client import call
from harness.processes import Stack
from harness.shared import shared_file


def test_recordings_pass_through_and_become_the_expected_records():
    file = shared_file("recordings/otel-botocore.ndjson")
    import expect_recordings
    recordings = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(recordings) == 74
    with Stack(bedrock_options=("--replay", file), region="us-east-1") as stack:
        for number, recording in enumerate(recordings):
            headers = {name: value for name, value in recording["request_headers"].items() if name.lower() != "content-length"}
            answer = call(stack.agent.url, urlsplit(recording["url"]).path, base64.b64decode(recording["request_body"]),
                          {**headers, "x-fake": f"recording={number}"}, content_type=None)
            assert answer.status == recording["status"], (recording["name"], answer)
            assert answer.body == base64.b64decode(recording["response_body"]), recording["name"]
            for name, value in recording["response_headers"].items():
                if name.lower() not in ("connection", "date", "transfer-encoding", "content-length"):
                    assert answer.header(name) == value, (recording["name"], name)
        rows = store.wait_for(stack.agent.store, len(recordings))
        problems = []
        for row, recording in zip(rows, recordings):
            expect_recordings.check(row, store.record(stack.agent.store, row["id"]), store.request(stack.agent.store, row["id"]),
                                    store.response(stack.agent.store, row["id"]), recording, problems)
        assert not problems, "\n".join(problems)
        store.prove(stack.agent.store)
