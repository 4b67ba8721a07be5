"""What [privacy] takes out never reaches a file: the state directory is searched byte by byte, and decompressed."""

import base64
import gzip
import json
import socket
import time

from harness import store
from harness.client import call, claude_body, converse, converse_body, converse_stream, target
from harness.processes import Stack

SECRETS = ["ada.lovelace@example.org", "DE89370400440532013000", "4111 1111 1111 1111", "AKIAIOSFODNN7PLANTED", "order-4711-x"]
TEXT = "Please repeat: " + ", ".join(SECRETS)
PRIVACY = {"privacy": {"redact": ["email", "iban", "phone", "payment-card", "aws-key", "bearer-token"], "redact_patterns": ["order-[0-9]+-x"]}}


def forms(secret: str) -> list[bytes]:
    """As it may stand in a file; of base64 the part that is the same wherever it begins in a chunk of three bytes."""
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in secret)
    encoded = [base64.b64encode(b"x" * shift + secret.encode())[4 if shift else 0:-4] for shift in range(3)]
    return [secret.encode(), escaped.encode(), *encoded]


def found_in(stack) -> list:
    state = {file.name: file.read_bytes() for file in stack.agent.state.rglob("*") if file.is_file()}
    state["export"] = store.invlog("export", "--store", stack.agent.store).encode()
    state["rows"] = json.dumps(store.rows(stack.agent.store, "SELECT *, invlog_request(id), invlog_response(id) FROM invocations", True),
                               default=str).encode()
    for row in store.rows(stack.agent.store, "SELECT id FROM invocations"):
        state[f"bodies {row['id']}"] = store.request(stack.agent.store, row["id"]) + store.response(stack.agent.store, row["id"])
    return [(name, secret) for name, content in state.items() for secret in SECRETS if any(form in content for form in forms(secret))]


def make_traffic(url: str) -> list:
    escaped = json.dumps(converse_body(TEXT)).replace("@", "\\u0040").encode()
    return [converse(url, TEXT), converse_stream(url, TEXT), converse_stream(url, TEXT, {"x-fake": "cut=3:5"}),
            call(url, target("converse"), escaped, {"Content-Type": "application/json"}),
            call(url, target("invoke"), claude_body(TEXT)), call(url, target("invoke-with-response-stream"), claude_body(TEXT)),
            call(url, target("converse"), b'{"messages": [{"' + TEXT.encode(), {"Content-Type": "application/json"}),
            call(url, target("converse"), b'{"messages": [{"bytes": "' + base64.b64encode(TEXT.encode()), {"Content-Type": "application/json"}),
            converse(url, "hello", requestMetadata={"by": SECRETS[0]})]


def test_no_planted_secret_is_kept_and_the_application_sees_its_answers():
    with Stack() as plain:
        expected = [answer.status for answer in make_traffic(plain.agent.url)]
        told = converse(plain.agent.url, TEXT).body
        store.wait_for(plain.agent.store, len(expected) + 1)
        assert found_in(plain), "the search finds nothing where everything is kept"
    for durability in ("group", "strict"):
        with Stack(tables=PRIVACY, durability=durability) as stack:
            answers = make_traffic(stack.agent.url)
            assert [answer.status for answer in answers] == expected
            assert json.loads(answers[0].body)["output"] == json.loads(told)["output"], "the answer was changed"
            rows = store.wait_for(stack.agent.store, len(answers))
            assert not found_in(stack), found_in(stack)
            assert b"[redacted:email]" in store.request(stack.agent.store, 1)
            assert rows[0]["input_tokens"] and rows[0]["output_tokens"]
            stack.agent.stop()
            assert not found_in(stack), found_in(stack)
            store.prove(stack.agent.store)


def test_a_killed_agent_leaves_no_secret_in_the_early_copy_of_a_request():
    with Stack(tables=PRIVACY, durability="strict") as stack:
        make_traffic(stack.agent.url)
        body = json.dumps(converse_body("[[fake delay_ms=20000]] " + TEXT)).encode()
        client = socket.create_connection(("127.0.0.1", stack.agent.port))
        client.sendall(f"POST {target('converse')} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        deadline = time.monotonic() + 5
        while not store.rows(stack.agent.store, "SELECT 1 FROM intent") and time.monotonic() < deadline:
            time.sleep(0.01)
        assert store.rows(stack.agent.store, "SELECT 1 FROM intent")
        stack.agent.kill()
        client.close()
        assert not found_in(stack), found_in(stack)
        stack.start_agent()
        row = store.wait_for(stack.agent.store, 10)[-1]
        assert row["outcome"] == "interrupted", row
        assert b"[redacted:iban]" in store.request(stack.agent.store, row["id"])
        assert not found_in(stack), found_in(stack)


def test_metadata_only_keeps_sizes_and_digests():
    with Stack(tables={"privacy": {"metadata_only": True}}) as stack:
        make_traffic(stack.agent.url)
        row = store.wait_for(stack.agent.store, 9)[0]
        assert row["input_tokens"] and row["status"] == 200
        for identifier in range(1, 7):
            assert store.request(stack.agent.store, identifier).startswith(b'"[omitted application/json '), identifier
            assert store.response(stack.agent.store, identifier).startswith(b'"[omitted '), identifier


def test_a_small_request_in_which_millions_of_things_match_is_omitted_whole():
    with Stack(tables={"privacy": {"redact": ["email"], "text": False}}) as stack:
        for many in (b'{"messages":[{"content":"' + b"a@b.cd " * 3_000_000 + b'"}]}', b'{"messages":[' + b'"a",' * 1_000_000 + b'"a"]}'):
            assert call(stack.agent.url, target("converse"), gzip.compress(many, 1), {"Content-Type": "application/json", "Content-Encoding": "gzip"}).status
        store.wait_for(stack.agent.store, 2)
        # The first has one text, which is omitted before it is searched.
        assert store.request(stack.agent.store, 1).startswith(b'{"messages":[{"content":"[omitted text ')
        assert store.request(stack.agent.store, 2).startswith(b'"[omitted application/json 4000')
    with Stack(tables={"privacy": {"redact": ["email"]}}) as stack:
        many = b'{"messages":[{"content":"' + b"a@b.cd " * 3_000_000 + b'"}]}'
        assert call(stack.agent.url, target("converse"), gzip.compress(many, 1), {"Content-Type": "application/json", "Content-Encoding": "gzip"}).status
        store.wait_for(stack.agent.store, 1)
        assert store.request(stack.agent.store, 1).startswith(b'"[omitted application/json 2100')


def test_privacy_test_shows_what_would_be_kept():
    with Stack() as stack:
        folder = stack.folder
        (folder / "p.toml").write_text('[privacy]\nredact = ["email"]\n')
        (folder / "body.json").write_text('{"a":"to u@example.org"}')
        told = json.loads(store.invlog("privacy", "test", folder / "body.json", "--config", folder / "p.toml", "--json"))
        assert told == {"matches": {"email": 1}, "body": {"a": "to [redacted:email]"}}
        assert store.invlog("privacy", "test", folder / "body.json", "--config", folder / "p.toml") == '{"a":"to [redacted:email]"}\n'
        (folder / "p.toml").write_text('[privacy]\nredact_paths = ["$..customer"]\n')
        (folder / "body.json").write_text('{"messages":[],"requestMetadata":{"customer":"Jane"}}')
        told = json.loads(store.invlog("privacy", "test", folder / "body.json", "--config", folder / "p.toml", "--json"))
        assert told["requestMetadata"] == {"customer": "[redacted:path 1]"} == told["body"]["requestMetadata"]
