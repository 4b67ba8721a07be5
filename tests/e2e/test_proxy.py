"""Proxy mode: what a client sends to Bedrock arrives as it was sent, signature included, and so does the answer. The agent has no
AWS credentials here: whatever the fake accepts was signed by the client."""

import base64
import concurrent.futures
import hashlib
import json
import re
import signal
import socket
import ssl
from urllib.parse import urlsplit

from harness import event_stream, store, wire
from harness.aws import eventually
from harness.client import CLAUDE, claude_body, converse, converse_body, target
from harness.processes import ACCESS_KEY, BEARER_KEY, SECRET_KEY, Stack
from harness.proxy import HOST, ProxyStack, hosts_of
from harness.shared import shared_file
from harness.signing import sign

SONIC = "/model/amazon.nova-sonic-v1%3A0/invoke-with-bidirectional-stream"


def check_details(details: str | None, authorization: dict | str) -> None:
    """What a record says of the client's signature. `authorization`: the signed headers."""
    date = authorization["X-Amz-Date"]
    signed_at = f"{date[:4]}-{date[4:6]}-{date[6:11]}:{date[11:13]}:{date[13:]}"
    assert json.loads(details or "{}") == {"capture": "proxy", "signature": {"accessKeyId": ACCESS_KEY, "signedAt": signed_at}}, details


def odd_case(name: str) -> str:
    return "".join(letter.upper() if number % 3 == 1 else letter.lower() for number, letter in enumerate(name))


def test_recordings_pass_byte_for_byte_and_become_the_expected_records():
    file = shared_file("recordings/otel-botocore.ndjson")
    import expect_recordings
    recordings = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(recordings) == 74
    with ProxyStack(bedrock_options=("--replay", file), region="us-east-1") as stack:
        exchanged = []
        for number, recording in enumerate(recordings):
            if number % 10 == 0:  # the rest reuse the connection
                connection = stack.open()
            path, body = urlsplit(recording["url"]).path, base64.b64decode(recording["request_body"])
            headers = {name: value for name, value in recording["request_headers"].items() if name not in ("Content-Length", "X-Amz-Date")}
            signed = sign("bedrock", "POST", stack.host, path, body, headers, region="us-east-1")
            fields = [*signed.items(), ("Content-Length", str(len(body))), ("X-Fake", f"recording={number}"), ("x-empty", ""), ("X-Fake-Twice", "b"),
                      ("x-fake-twice", "a")]
            turn = number % len(fields)
            head = wire.head("POST", path, [(odd_case(name) if number % 2 else name, value) for name, value in fields[turn:] + fields[:turn]])
            answer = wire.exchange(connection, head, body)
            assert answer.status == recording["status"] and answer.body == base64.b64decode(recording["response_body"]), (recording["name"], answer)
            exchanged.append((signed, head, body, answer))
        for line, (signed, head, body, answer) in zip(stack.bedrock.journal(74), exchanged):
            assert line["request_head"].encode("latin-1") == head, (line["request_head"], head)
            assert line["response_head"].encode("latin-1") == answer.head, (line["response_head"], answer.head)
            assert line["body_sha256"] == hashlib.sha256(body).hexdigest() and line["response_sha256"] == hashlib.sha256(answer.body).hexdigest()
            assert line["authorization_sha256"] == hashlib.sha256(signed["Authorization"].encode()).hexdigest()
            assert (line["server_name"], line["version"]) == (stack.host, "1.1")
        rows, problems = store.wait_for(stack.agent.store, 74), []
        for row, recording, (signed, *_) in zip(rows, recordings, exchanged):
            check_details(row.pop("details"), signed)
            line = store.record(stack.agent.store, row["id"])
            assert not line.get("identity", {}).get("arn"), line["identity"]
            expect_recordings.check({**row, "details": None}, line, store.request(stack.agent.store, row["id"]),
                                    store.response(stack.agent.store, row["id"]), recording, problems)
        assert not problems, "\n".join(problems)
        store.prove(stack.agent.store)


def test_http2_goes_on_as_http2():
    with ProxyStack() as stack, stack.open("h2", "http/1.1") as connection:
        assert connection.selected_alpn_protocol() == "h2"
        client = wire.Http2(connection)
        sent = []
        for operation, text in (("converse", "x" * 200_000), ("converse-stream", "streamed")):
            body = json.dumps(converse_body(text)).encode()
            signed = sign("bedrock", "POST", HOST, target(operation), body, {"content-type": "application/json", "x-order": "1", "x-a": "2"})
            stream = client.start(HOST, target(operation), signed)
            client.send(stream, body, end=True)
            sent.append((signed, body, client.finish(stream)))
            assert sent[-1][2][0] == 200, sent[-1]
        for line, (signed, body, (_, answer)) in zip(stack.bedrock.journal(2), sent):
            assert (line["version"], line["alpn"], line["server_name"]) == ("2", "h2", HOST)
            assert line["headers"] == [[name.lower(), value] for name, value in signed.items()], line["headers"]
            assert line["body_sha256"] == hashlib.sha256(body).hexdigest() and line["response_sha256"] == hashlib.sha256(answer).hexdigest()
        rows = store.wait_for(stack.agent.store, 2)
        assert [(row["operation"], row["outcome"]) for row in rows] == [("Converse", "complete"), ("ConverseStream", "complete")]
        for row, (signed, *_) in zip(rows, sent):
            check_details(row["details"], signed)


def test_bidirectional_stream_passes_event_by_event():
    with ProxyStack() as stack, stack.open("h2") as connection:
        client = wire.Http2(connection)
        talks = [wire.Conversation(client, HOST), wire.Conversation(client, HOST)]  # two at once
        for text in ("one", "two", "three ☃"):
            for talk in talks:
                assert talk.tell(text) == {"event": {"textOutput": {"content": f"You said: {text}"}}}
        answers = [talk.end(signed) for talk, signed in zip(talks, (True, False))]
        lines = {tuple(line["frames_in"]): line for line in stack.bedrock.journal(2)}
        rows = store.wait_for(stack.agent.store, 2)
        assert {row["operation"] for row in rows} == {"InvokeModelWithBidirectionalStream"} and {row["outcome"] for row in rows} == {"complete"}
        for talk, (status, body), row in zip(talks, answers, rows):
            line = lines[tuple(talk.sent)]  # every frame as it was sent
            assert status == 200 and line["ending"] == "complete" and line["response_sha256"] == hashlib.sha256(body).hexdigest()
            assert json.loads(store.request(stack.agent.store, row["id"])) == talk.inputs
            assert json.loads(store.response(stack.agent.store, row["id"])) == event_stream.chunks(body)
            assert row["model"] == "amazon.nova-sonic-v1:0" and row["stream"] == 1
        store.prove(stack.agent.store)


def test_bidirectional_stream_that_breaks_is_recorded():
    with ProxyStack() as stack:
        with stack.open("h2") as connection:  # the client goes
            talk = wire.Conversation(wire.Http2(connection), HOST)
            talk.tell("one")
        row, = store.wait_for(stack.agent.store, 1)
        assert row["outcome"] == "client-closed" and json.loads(store.request(stack.agent.store, row["id"])) == talk.inputs
        assert stack.bedrock.journal(1)[0]["ending"] == "client-gone"
        with stack.open("h2") as connection:  # the model ends with an error
            client = wire.Http2(connection)
            talk = wire.Conversation(client, HOST, headers={"x-fake": "exception=1:modelStreamErrorException"})
            talk.tell("one")
            talk.send(talk.signer.sign(event_stream.chunk({"event": {"textInput": {"content": "two"}}})))
            client.send(talk.stream, b"", end=True)
            body = client.finish(talk.stream)[1]
            assert event_stream.frames(body)[-1][0][":exception-type"] == "modelStreamErrorException"
        assert "modelStreamErrorException" in store.wait_for(stack.agent.store, 2)[1]["error"]
        with stack.open("h2") as connection:  # a signature that does not fit is nobody's but the service's to refuse
            client = wire.Http2(connection)
            assert client.finish(wire.Conversation(client, HOST, secret="wrong").stream)[0] == 403
            talk = wire.Conversation(client, HOST)
            talk.tell("one")
            talk.signer.signature = "0" * 64
            talk.send(talk.signer.sign(event_stream.chunk({"event": {"textInput": {"content": "forged"}}})))
            client.send(talk.stream, b"", end=True)
            assert event_stream.frames(client.finish(talk.stream)[1])[-1][0][":exception-type"] == "validationException"


def test_bidirectional_stream_is_bounded_in_the_record_alone():
    with ProxyStack(max_recorded_response_size="1MiB", max_request_size="1MiB") as stack, stack.open("h2") as connection:
        talk = wire.Conversation(wire.Http2(connection), HOST)
        for turn in range(8):
            text = f"{turn} " + "large " * 30_000
            assert talk.tell(text) == {"event": {"textOutput": {"content": f"You said: {text}"}}}
        status, body = talk.end()
        line, = stack.bedrock.journal(1)
        assert status == 200 and line["ending"] == "complete" and line["frames_in"] == talk.sent
        assert line["response_sha256"] == hashlib.sha256(body).hexdigest() and len(body) > 1_900_000
        row, = store.wait_for(stack.agent.store, 1)
        assert row["truncated"] == 1, row
        for found, whole in ((store.request(stack.agent.store, 1), talk.inputs), (store.response(stack.agent.store, 1), event_stream.chunks(body))):
            assert len(found) < 1.5 * 2 ** 20
            events = json.loads(found)
            assert 1 <= len(events) < 8 and events == whole[:len(events)]
        store.prove(stack.agent.store)


def test_streams_are_passed_on_as_they_come():
    with ProxyStack() as stack, stack.open() as connection:
        body = json.dumps(converse_body("[[fake gap_ms=150]] one two three four")).encode()
        connection.sendall(wire.signed_head(HOST, target("converse-stream"), body) + body)
        reader = wire.Reader(connection)
        reader.until(b"\r\n\r\n")
        reader.exactly(200)
        assert not stack.bedrock.journal(), "the first bytes came only with the last"
        with stack.open() as late:  # a client that goes in the middle
            late.sendall(wire.signed_head(HOST, target("converse-stream"), body) + body)
            wire.Reader(late).exactly(200)
        rows = store.wait_for(stack.agent.store, 2)
        assert {row["outcome"] for row in rows} >= {"client-closed"}, rows


def test_bodies_of_every_form_pass():
    """Large, chunked, announced with Expect, none; a bearer key."""
    with ProxyStack() as stack, stack.open() as connection:
        large = json.dumps(converse_body("large " * 700_000 + "[[fake words=100000]]")).encode()
        answer = wire.call(connection, HOST, target("converse"), large)
        assert answer.status == 200 and len(answer.body) > 400_000
        body = json.dumps(claude_body("in chunks")).encode()
        signed = sign("bedrock", "POST", HOST, target("invoke", CLAUDE), body, {"Content-Type": "application/json"})
        chunked = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:10], body[10:])) + b"0\r\n\r\n"
        answer = wire.exchange(connection, wire.head("POST", target("invoke", CLAUDE), [*signed.items(), ("Transfer-Encoding", "chunked")]), chunked)
        assert answer.status == 200, answer
        body = json.dumps(converse_body("expected")).encode()
        connection.sendall(wire.signed_head(HOST, target("converse"), body, {"Expect": "100-continue"}))
        reader = wire.Reader(connection)
        assert reader.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        assert reader.answer().status == 200
        bearer = wire.head("POST", target("converse"), [("Host", HOST), ("Content-Type", "application/json"), ("Content-Length", str(len(body))),
                                                        ("Authorization", f"Bearer {BEARER_KEY}")])
        assert wire.exchange(connection, bearer, body).status == 200
        lines = stack.bedrock.journal(4)
        assert [line["body_bytes"] for line in lines[::2]] == [len(large), len(body)]
        rows = store.wait_for(stack.agent.store, 4)
        assert store.request(stack.agent.store, 1) == large and json.loads(rows[3]["details"])["capture"] == "proxy"
        assert ACCESS_KEY not in rows[3]["details"]


def test_every_name_of_the_region_is_intercepted_and_so_are_configured_ones():
    own = "bedrock.corp.example"
    with ProxyStack(proxy={"hosts": [own]}, names=[*hosts_of(), own]) as stack:
        for host in [*hosts_of(), own, HOST.upper()]:
            for connection in (stack.open(host=host), stack.open_transparent(host=host)):
                with connection:
                    assert wire.call(connection, host, target("converse"), converse_body("x")).status == 200, host
        assert {line["server_name"] for line in stack.bedrock.journal(12)} == {*hosts_of(), own}
        leaf = wire.trust(stack.ca)
        with wire.intercepted(stack.port, HOST, leaf) as connection:
            life = [ssl.cert_time_to_seconds(connection.getpeercert()[when]) for when in ("notBefore", "notAfter")]
            assert life[1] - life[0] <= 398 * 86_400


def test_transparent_connections_are_decided_by_their_server_name():
    with ProxyStack(proxy={"other_hosts": "refuse"}) as stack:
        for alpn in ("http/1.1", "h2"):
            with stack.open_transparent(alpn) as connection:
                if alpn == "h2":
                    client = wire.Http2(connection)
                    talk = wire.Conversation(client, HOST)
                    assert talk.tell("x")["event"] and talk.end()[0] == 200
                else:
                    assert wire.call(connection, HOST, target("converse"), converse_body("x")).status == 200
        for name in ("example.com", HOST + ".evil.test", "bedrock-runtime.us-east-1.amazonaws.com"):
            try:
                stack.open_transparent(host=name).close()
                raise AssertionError(f"{name} was taken")
            except ssl.SSLError as error:
                assert "UNRECOGNIZED_NAME" in str(error).upper().replace(" ", "_"), error
        assert len(eventually(lambda: len(stack.events("proxy-refused")) == 3 and stack.events("proxy-refused"))) == 3
        store.wait_for(stack.agent.store, 2)


def test_rotation_leaves_nobody_behind():
    """Programs that have the old ca.pem go on, and so do open connections; new programs trust the new one."""
    with ProxyStack() as stack, stack.open() as before:
        old = stack.folder / "old.pem"
        old.write_bytes(stack.ca.read_bytes())
        store.invlog("ca", "rotate", "--config", stack.agent.configuration)
        new = stack.folder / "new.pem"  # the new authority alone: ca.pem has the old one, too
        new.write_text(stack.ca.read_text().partition("-----END CERTIFICATE-----\n")[0] + "-----END CERTIFICATE-----\n")
        assert new.read_bytes() not in old.read_bytes()
        stack.agent.child.send_signal(signal.SIGHUP)

        def taken() -> bool:
            try:
                wire.intercepted(stack.port, HOST, wire.trust(new)).close()
                return True
            except ssl.SSLError:
                return False
        eventually(taken)
        replaced = "SELECT details FROM event WHERE kind = 'authority-replaced'"
        eventually(lambda: store.rows(stack.agent.store, replaced))
        event, = store.rows(stack.agent.store, replaced)
        assert json.loads(event["details"])["sha256"] in store.invlog("ca", "show", "--config", stack.agent.configuration)
        assert wire.call(before, HOST, target("converse"), converse_body("x")).status == 200
        for authority in (old, new, stack.ca):
            with wire.intercepted(stack.port, HOST, wire.trust(authority)) as connection:
                assert wire.call(connection, HOST, target("converse"), converse_body("x")).status == 200
        store.wait_for(stack.agent.store, 4)


def test_without_an_authority_there_is_no_proxy():
    with Stack(tables={"proxy": {"listen": "127.0.0.1:0"}}) as stack:
        assert "proxy: listening" not in stack.agent.errors()
        status = stack.agent.state / "status.json"
        eventually(status.exists)
        assert not json.loads(status.read_text()).get("proxy")


def test_no_secret_is_kept():
    token = "FwoGZXIvYXdzSECRETsessionTOKEN//////////EXAMPLE=="
    with ProxyStack(bedrock_options=("--session-token", token), log_level="trace") as stack:
        answers = []
        with stack.open() as connection, stack.open("h2") as another:
            answers += [wire.call(connection, HOST, target("converse"), converse_body("x"), token=token),
                        wire.call(connection, HOST, target("converse-stream"), converse_body("x"),
                                  {"X-Api-Key": "clientAPIKEY", "Cookie": "a=clientCOOKIE"}, token=token),
                        wire.call(connection, HOST, target("converse"), converse_body("x"), token="wrongTOKEN123456"),
                        wire.call(connection, HOST, target("converse") + "?X-Amz-Signature=querySIGNATURE&X-Amz-Credential=queryCREDENTIAL",
                                  converse_body("x"), token=token)]
            client = wire.Http2(another)
            talk = wire.Conversation(client, HOST, token=token)
            talk.tell("x")
            talk.end()
            assert [answer.status for answer in answers] == [200, 200, 403, 200]
        try:
            wire.connect(stack.port, "nobody.invalid:1", more="Proxy-Authorization: Basic clientPROXY\r\n")
        except wire.Refused as refused:
            answers.append(refused.answer)
        store.wait_for(stack.agent.store, 5)
        secrets = {SECRET_KEY, token, "wrongTOKEN123456", "clientAPIKEY", "clientCOOKIE", "clientPROXY", "querySIGNATURE", "queryCREDENTIAL",
                   *re.findall(r"Signature=([0-9a-f]{64})", stack.bedrock.journal_path.read_text())}
        secrets |= {line.strip() for line in (stack.state / "ca-key.pem").read_text().splitlines() if not line.startswith("-")}
        assert len(secrets) >= 8 + 5 + 3
        where = {"answers": b"".join(answer.head + answer.body for answer in answers if answer.status != 403),
                 "export": store.invlog("export", "--store", stack.agent.store).encode(),
                 "rows": json.dumps(store.rows(stack.agent.store, "SELECT *, invlog_request(id), invlog_response(id) FROM invocations", True),
                                    default=str).encode()}
        where |= {f"running {file.name}": file.read_bytes() for file in stack.state.iterdir() if file.is_file() and file.name != "ca-key.pem"}
        assert stack.agent.stop() == 0
        where |= {f"stopped {file.name}": file.read_bytes() for file in stack.state.iterdir() if file.is_file() and file.name != "ca-key.pem"}
        where |= {"stdout": stack.agent.output, "stderr": stack.agent.errors().encode()}
        found = [(name, secret) for name, content in where.items() for secret in secrets if secret.encode() in content]
        assert not found, f"secrets are kept: {found}"
        assert (stack.state / "ca-key.pem").stat().st_mode & 0o777 == 0o600


def test_policy_denies_inside_the_proxy():
    denied = "global.amazon.nova-2-lite-v1:0"
    with ProxyStack(tables={"policy": {"deny": ["global"]}}) as stack, stack.open() as connection:
        answer = wire.call(connection, HOST, target("converse", denied), converse_body("x"))
        assert answer.status == 403 and answer.header("x-amzn-ErrorType") == "AccessDeniedException"
        assert 'deny = "global"' in answer.json()["message"], answer
        with stack.open("h2") as another:
            client = wire.Http2(another)
            assert client.finish(wire.Conversation(client, HOST, model=denied.replace(":", "%3A")).stream)[0] == 403
        assert wire.call(connection, HOST, target("converse"), converse_body("x")).status == 200
        rows = store.wait_for(stack.agent.store, 3)
        assert [(row["outcome"], row["decision"]) for row in rows] == [("denied", "deny"), ("denied", "deny"), ("complete", "allow")]
        stack.bedrock.journal(1)


def test_one_port_serves_both_modes():
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with ProxyStack(proxy={"listen": address}, listen=address) as stack:
        assert stack.agent.port == stack.port
        with stack.open() as connection, stack.open_transparent("h2") as another:
            assert wire.call(connection, HOST, target("converse"), converse_body("by CONNECT")).status == 200
            client = wire.Http2(another)
            assert wire.Conversation(client, HOST).end()[0] == 200
        assert converse(stack.agent.url, "no credentials to sign with").status == 403
        rows = store.wait_for(stack.agent.store, 3)
        assert [json.loads(row["details"] or "{}").get("capture") for row in rows] == ["proxy", "proxy", None], rows


def test_the_rules_of_records_hold():
    """Durability, privacy and limits are endpoint mode's; what is passed on is never changed."""
    with ProxyStack(durability="strict", max_request_size="1MiB", tables={"privacy": {"redact": ["email"]}}) as stack:
        with stack.open() as connection, stack.open("h2") as another:
            answer = wire.call(connection, HOST, target("converse"), converse_body("ask ann@example.com"))
            assert answer.status == 200 and b"ann@example.com" in answer.body
            talk = wire.Conversation(wire.Http2(another), HOST)
            assert talk.tell("ask bob@example.com") == {"event": {"textOutput": {"content": "You said: ask bob@example.com"}}}
            assert talk.end()[0] == 200
        with stack.open() as connection:
            large = wire.signed_head(HOST, target("converse"), b"x" * 2_000_000)
            assert wire.exchange(connection, large, b"").status == 413
        assert stack.bedrock.journal(2)[1]["frames_in"] == talk.sent
        rows = eventually(lambda: (found := store.rows(stack.agent.store)) and len(found) >= 2 and found)
        for row in rows[:2]:
            for body in (store.request(stack.agent.store, row["id"]), store.response(stack.agent.store, row["id"])):
                assert b"[redacted:email]" in body and b"example.com" not in body, body
        store.prove(stack.agent.store)


def test_many_at_once():
    """200 calls on 40 connections, and 100 on one over HTTP/2: each gets its own answer."""
    with ProxyStack() as stack:
        def calls(name: int) -> list[bytes]:
            with stack.open() as connection:
                return [wire.call(connection, HOST, target("converse-stream" if turn % 2 else "converse"), converse_body(f"call {name}-{turn}")).body
                        for turn in range(5)]
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            for name, answers in enumerate(pool.map(calls, range(40))):
                for turn, answer in enumerate(answers):
                    assert (event_stream.text(answer) if turn % 2 else answer.decode()).find(f"You said: call {name}-{turn}") >= 0, answer
        with stack.open("h2") as connection:
            client, streams = wire.Http2(connection), []
            for number in range(100):
                body = json.dumps(converse_body(f"stream {number}")).encode()
                signed = sign("bedrock", "POST", HOST, target("converse"), body, {"content-type": "application/json"})
                streams.append(client.start(HOST, target("converse"), signed))
                client.send(streams[-1], body, end=True)
            for number, stream in enumerate(streams):
                status, answer = client.finish(stream)
                assert status == 200 and f"You said: stream {number}\"".encode() in answer
        rows = store.wait_for(stack.agent.store, 300, 20)
        assert {row["outcome"] for row in rows} == {"complete"}
