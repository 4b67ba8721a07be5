"""Each operation through the agent: the client gets what the service said, the store gets the record."""

import base64
import gzip
import json
import os
import pwd
import socket
import subprocess
import time

from harness import event_stream, store
from harness.client import CLAUDE, MODEL, call, claude_body, connect, converse, converse_body, converse_stream, target
from harness.processes import BEARER_KEY, SIGNING, Stack


def journal(stack: Stack, count: int = 0) -> list[dict]:
    """What arrived at the service, oldest first. It writes a line after its answer: waits until there are `count`."""
    deadline, lines = time.monotonic() + 3, []
    while time.monotonic() < deadline:
        lines = stack.bedrock.journal_path.read_text().splitlines() if stack.bedrock.journal_path.exists() else []
        if len(lines) >= count:
            break
        time.sleep(0.01)
    return [json.loads(line) for line in lines]


def check_row(row: dict, operation: str, model: str, answer, **expected) -> None:
    expected = {"operation": operation, "model": model, "status": answer.status, "outcome": "complete", "error": None,
                "request_id": answer.header("x-amzn-RequestId"), "source_region": "eu-central-1", **expected}
    actual = {name: row[name] for name in expected}
    assert actual == expected, f"{actual} is not {expected}"
    assert row["latency_ms"] >= row["first_byte_ms"] > 0


def test_converse_becomes_a_record():
    with Stack(account_id="123456789012") as stack:
        body = json.dumps(converse_body("What is the capital of Slovakia?", requestMetadata={"team": "search"})).encode()
        answer = call(stack.agent.url, target("converse"), body)
        assert answer.status == 200 and not answer.broken
        assert answer.json()["output"]["message"]["content"] == [{"text": "You said: What is the capital of Slovakia?"}]
        usage = answer.json()["usage"]
        row, = store.wait_for(stack.agent.store, 1)
        check_row(row, "Converse", MODEL, answer, stop_reason="end_turn", stream=0, input_tokens=usage["inputTokens"],
                  output_tokens=usage["outputTokens"])
        assert store.request(stack.agent.store, 1) == body and store.response(stack.agent.store, 1) == answer.body
        record = store.record(stack.agent.store, 1)
        assert record["schemaType"] == "ModelInvocationLog" and record["schemaVersion"] == "1.0"
        assert (record["operation"], record["modelId"], record["region"]) == ("Converse", MODEL, "eu-central-1")
        assert record["accountId"] == "123456789012" and "identity" not in record and "inferenceRegion" not in record
        assert record["requestMetadata"] == {"team": "search"}
        assert record["input"]["inputBodyJson"] == json.loads(body) and record["output"]["outputBodyJson"] == answer.json()
        assert record["input"]["inputTokenCount"] == usage["inputTokens"]
        assert record["output"]["outputTokenCount"] == usage["outputTokens"]


def test_converse_stream_is_assembled_in_the_record():
    tools = {"tools": [{"toolSpec": {"name": "find_flight", "inputSchema": {"json": {
        "type": "object", "properties": {"origin": {"type": "string"}, "seats": {"type": "integer"}}}}}}]}
    with Stack() as stack:
        text = "Please use a tool: Bratislava, \u017dilina \u2603"
        answer = converse_stream(stack.agent.url, text, toolConfig=tools)
        assert answer.status == 200 and event_stream.text(answer.body) == "I will use find_flight."
        row, = store.wait_for(stack.agent.store, 1)
        check_row(row, "ConverseStream", MODEL, answer, stop_reason="tool_use", stream=1)
        assembled = json.loads(store.response(stack.agent.store, 1))
        # The same request without streaming is answered with the same content.
        whole = converse(stack.bedrock.url, text, {"Authorization": f"Bearer {BEARER_KEY}"}, toolConfig=tools).json()
        assert assembled["output"] == whole["output"] and assembled["stopReason"] == "tool_use"
        assert assembled["usage"] == whole["usage"] and assembled["metrics"] == whole["metrics"]
        assert (row["input_tokens"], row["output_tokens"]) == (whole["usage"]["inputTokens"], whole["usage"]["outputTokens"])


def test_invoke_model_becomes_a_record_for_each_vendor():
    bodies = {CLAUDE: claude_body("hello"),
              "eu.amazon.nova-lite-v1:0": {"messages": converse_body("hello")["messages"], "inferenceConfig": {"max_new_tokens": 50}},
              "amazon.titan-text-express-v1": {"inputText": "hello"}, "amazon.titan-embed-text-v2:0": {"inputText": "hello"},
              "meta.llama3-1-70b-instruct-v1:0": {"prompt": "hello"}, "mistral.mistral-7b-instruct-v0:2": {"prompt": "hello"}}
    with Stack() as stack:
        answers = [call(stack.agent.url, target("invoke", model), body) for model, body in bodies.items()]
        rows = store.wait_for(stack.agent.store, len(bodies))
        for row, (model, body), answer in zip(rows, bodies.items(), answers):
            tokens = [int(answer.header(f"X-Amzn-Bedrock-{name}-Token-Count") or -1) for name in ("Input", "Output")]
            check_row(row, "InvokeModel", model, answer, stream=0, input_tokens=tokens[0],
                      output_tokens=None if tokens[1] < 0 else tokens[1])
            assert store.response(stack.agent.store, row["id"]) == answer.body
            assert json.loads(store.request(stack.agent.store, row["id"])) == body


def test_invoke_model_stream_is_an_array_of_chunks_in_the_record():
    models = {CLAUDE: claude_body("hello", system=[{"type": "text", "text": "long " * 50, "cache_control": {"type": "ephemeral"}}]),
              "amazon.titan-text-express-v1": {"inputText": "hello"},
              "eu.amazon.nova-lite-v1:0": {"messages": converse_body("hello")["messages"]}}
    with Stack() as stack:
        answers = [call(stack.agent.url, target("invoke-with-response-stream", model), body) for model, body in models.items()]
        rows = store.wait_for(stack.agent.store, len(models))
        for row, model, answer in zip(rows, models, answers):
            chunks = [json.loads(base64.b64decode(json.loads(payload)["bytes"])) for _, payload in event_stream.frames(answer.body)]
            metrics = chunks[-1]["amazon-bedrock-invocationMetrics"]
            check_row(row, "InvokeModelWithResponseStream", model, answer, stream=1, input_tokens=metrics["inputTokenCount"],
                      output_tokens=metrics["outputTokenCount"])
            assert json.loads(store.response(stack.agent.store, row["id"])) == chunks
        assert rows[0]["cache_write_tokens"] == 63 and rows[0]["cache_read_tokens"] == 0


def test_openai_paths_become_records():
    chat = {"model": "openai.gpt-oss-20b-1:0", "messages": [{"role": "user", "content": "hello"}]}
    responses = {"model": "openai.gpt-oss-20b-1:0", "input": "hello", "store": False}
    with Stack() as stack:
        cases = [("ChatCompletions", "/openai/v1/chat/completions", chat), ("Responses", "/openai/v1/responses", responses),
                 ("ChatCompletions", "/openai/v1/chat/completions", {**chat, "stream": True, "stream_options": {"include_usage": True}}),
                 ("Responses", "/openai/v1/responses", {**responses, "stream": True})]
        answers = [call(stack.agent.url, path, body) for _, path, body in cases]
        rows = store.wait_for(stack.agent.store, len(cases))
        for row, (operation, _, body), answer in zip(rows, cases, answers):
            check_row(row, operation, "openai.gpt-oss-20b-1:0", answer, stream=int(body.get("stream", False)),
                      input_tokens=2, output_tokens=4)
            assert row["status"] == 200 and json.loads(store.request(stack.agent.store, row["id"])) == body


def test_model_ids_arrive_encoded_raw_and_as_arns():
    arn = "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/" + MODEL
    with Stack() as stack:
        paths = (target("converse"), f"/model/{MODEL}/converse", target("converse", arn), target("converse").replace("%3A", "%3a"))
        for number, path in enumerate(paths, start=1):
            assert call(stack.agent.url, path, converse_body("x")).status == 200
            assert journal(stack, number)[-1]["target"] == path, "the path was changed on its way"
        assert [row["model"] for row in store.wait_for(stack.agent.store, 4)] == [MODEL, MODEL, arn, MODEL]


def test_other_paths_pass_without_a_record():
    with Stack() as stack:
        answer = call(stack.agent.url, target("count-tokens", CLAUDE), {"input": {"converse": converse_body("hello")}})
        assert (answer.status, answer.body) == (200, b'{"inputTokens":2}')
        assert call(stack.agent.url, "/no/such/path?a=1&b=%20", b"", method="GET").status == 404
        assert journal(stack, 2)[-1]["target"] == "/no/such/path?a=1&b=%20"
        converse(stack.agent.url, "a record")
        store.wait_for(stack.agent.store, 1)


def test_headers_pass_in_both_directions():
    with Stack() as stack:
        answer = converse(stack.agent.url, "x", {"X-Custom-Header": "Value; with=parts", "User-Agent": "my-app/1.0", "TE": "trailers",
                                                 "Connection": "keep-alive, X-Hop", "X-Hop": "1", "x-fake": "trailer=1"})
        assert answer.status == 200
        sent = {name.lower(): value for name, value in journal(stack, 1)[-1]["headers"]}
        assert sent["x-custom-header"] == "Value; with=parts" and sent["user-agent"] == "my-app/1.0"
        assert "x-hop" not in sent, "a hop-by-hop header passed"
        assert sent["host"] == f"127.0.0.1:{stack.bedrock.port}"
        assert [name for name, _ in journal(stack)[-1]["headers"]].count("X-Custom-Header") == 1, "a header's case was changed"
        connection = socket.create_connection(("127.0.0.1", stack.agent.port))
        body = json.dumps(converse_body("x")).encode()
        connection.sendall(f"POST {target('converse')} HTTP/1.1\r\nHost: a\r\nx-fake: trailer=1\r\nContent-Type: application/json\r\n"
                           f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        raw = b""
        while data := connection.recv(65536):
            raw += data
        connection.close()
        assert b"x-fake-trailer: at the end\r\n\r\n" in raw, raw


def test_bearer_key_passes_untouched_and_unsigned():
    with Stack(credentials={}) as stack:
        answer = converse(stack.agent.url, "hello", {"Authorization": f"Bearer {BEARER_KEY}"})
        assert answer.status == 200
        names = [name.lower() for name, _ in journal(stack, 1)[0]["headers"]]
        assert ["Authorization", f"Bearer {BEARER_KEY}"] in journal(stack)[0]["headers"] and "x-amz-date" not in names
        store.wait_for(stack.agent.store, 1)
        assert converse(stack.agent.url, "hello", {"Authorization": "Bearer wrong"}).status == 403
        assert store.wait_for(stack.agent.store, 2)[1]["error"] == "AccessDeniedException"


def test_without_credentials_the_answer_says_what_to_do():
    with Stack(credentials={}) as stack:
        answer = converse(stack.agent.url, "hello")
        assert answer.status == 403 and answer.header("x-amzn-ErrorType"), answer
        message = answer.json()["message"]
        assert "AWS_ACCESS_KEY_ID" in message or "AWS_BEARER_TOKEN_BEDROCK" in message, message
        row, = store.wait_for(stack.agent.store, 1)
        assert (row["outcome"], row["status"]) == ("denied", 403)
        assert not journal(stack), "a request without credentials was forwarded"


def test_a_clients_own_signature_is_replaced():
    with Stack() as stack:
        answer = converse(stack.agent.url, "x", {"Authorization": "AWS4-HMAC-SHA256 Credential=AKIDOTHER/20200101/eu-central-1/bedrock/aws4_request, "
                                                 "SignedHeaders=host, Signature=00", "X-Amz-Date": "20200101T000000Z",
                                                 "X-Amz-Security-Token": "other", "X-Amz-Content-SHA256": "00"})
        assert answer.status == 200, answer.body


def test_session_token_is_sent_and_signed():
    with Stack(bedrock_options=("--session-token", "a/session+token=="),
               credentials={**SIGNING, "AWS_SESSION_TOKEN": "a/session+token=="}) as stack:
        assert converse(stack.agent.url, "x").status == 200


def test_unix_socket_names_the_caller():
    with Stack() as stack:
        path = stack.folder / "invlog.sock"
        stack.restart_agent(listen=["127.0.0.1:0", f"unix:{path}"])
        done = subprocess.run(["curl", "-sS", "--unix-socket", path, "-H", "Content-Type: application/json", "-d", json.dumps(converse_body("by socket")),
                               "http://localhost" + target("converse")], capture_output=True, text=True, timeout=20)
        assert "You said: by socket" in done.stdout, done
        row, = store.wait_for(stack.agent.store, 1)
        assert row["caller"] in (pwd.getpwuid(os.getuid()).pw_name, str(os.getuid())), row
        assert row["caller_pid"], "the socket's peer is not in the record"


def test_request_bodies_chunked_empty_large_and_expecting_100():
    with Stack() as stack:
        large = json.dumps(converse_body("large " * 200_000)).encode()
        file = stack.folder / "body.json"
        file.write_bytes(large)
        for options in (["-H", "Transfer-Encoding: chunked"], ["-H", "Expect: 100-continue"], ["-H", "Expect:"]):
            done = subprocess.run(["curl", "-sS", "-v", "-H", "Content-Type: application/json", *options, "--data-binary", f"@{file}",
                                   stack.agent.url + target("converse")], capture_output=True, timeout=20)
            assert b"You said: large large" in done.stdout, done.stderr[-500:]
            if "Expect: 100-continue" in options:
                assert b"100 Continue" in done.stderr
        for identifier in (1, 2, 3):
            store.wait_for(stack.agent.store, 3)
            assert store.request(stack.agent.store, identifier) == large
        assert call(stack.agent.url, target("converse"), b"").status == 400


def test_request_over_the_bound_is_refused_in_aws_shape():
    with Stack(max_request_size="100kB") as stack:
        connection = socket.create_connection(("127.0.0.1", stack.agent.port))
        connection.sendall(f"POST {target('converse')} HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\nExpect: 100-continue\r\n\r\n".encode())
        said = connection.recv(65536)
        connection.close()
        assert said.startswith(b"HTTP/1.1 413 ") and b'"message"' in said, said
        done = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Transfer-Encoding: chunked", "-H", "Expect:", "--data-binary", "@-",
                               stack.agent.url + target("converse")], input=b"x" * 200_000, capture_output=True, timeout=20)
        assert done.stdout == b"413", done
        assert all(row["outcome"] == "error" and row["status"] == 413 for row in store.wait_for(stack.agent.store, 2))
        # One whose client leaves before the request is whole went nowhere, either.
        with socket.create_connection(("127.0.0.1", stack.agent.port)) as connection:
            connection.sendall(f"POST {target('converse')} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf".encode())
        store.wait_for(stack.agent.store, 3)
        report = json.loads(store.invlog("report", "--store", stack.agent.store, "--format", "json"))
        assert report["total"]["calls"] == 3 and not any(flow["sent"] for flow in report["flows"]), report["flows"]


def test_keep_alive_and_pipelined_requests():
    with Stack() as stack:
        connection = connect(stack.agent.url)
        for number in range(20):
            answer = call(stack.agent.url, target("converse"), converse_body(f"call {number}"), connection=connection)
            assert f"You said: call {number}\"".encode() in answer.body
        connection.close()
        pipe = socket.create_connection(("127.0.0.1", stack.agent.port))
        requests = b""
        for number in range(5):
            body = json.dumps(converse_body(f"piped {number}")).encode()
            last = "close" if number == 4 else "keep-alive"
            requests += (f"POST {target('converse')} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnection: {last}\r\n"
                         f"Content-Length: {len(body)}\r\n\r\n").encode() + body
        pipe.sendall(requests)
        said = b""
        while data := pipe.recv(65536):
            said += data
        places = [said.find(f"You said: piped {number}".encode()) for number in range(5)]
        assert places == sorted(places) and -1 not in places, said
        store.wait_for(stack.agent.store, 25)
        peers = {line["peer"] for line in journal(stack, 25)}
        assert len(peers) < 10, f"{len(peers)} upstream connections for 25 sequential calls"


def test_request_metadata_header_and_sdk_headers_are_recorded():
    with Stack() as stack:
        answer = call(stack.agent.url, target("invoke", CLAUDE), claude_body("x"), {
            "x-amz-user-agent": "aws-sdk-js/3", "X-Amzn-Bedrock-Request-Metadata": '{"team":"search"}', "amz-sdk-invocation-id": "3e4b1e9c-9a5e-4b43-a4f5-111111111111"})
        assert answer.status == 200, answer
        row, = store.wait_for(stack.agent.store, 1)
        assert json.loads(row["request_metadata"]) == {"team": "search"}
        assert row["sdk_invocation_id"] == "3e4b1e9c-9a5e-4b43-a4f5-111111111111"


def test_compressed_answers_pass_as_they_are_and_are_decoded_in_the_record():
    with Stack() as stack:
        answer = converse(stack.agent.url, "squeeze", {"x-fake": "gzip=1", "Accept-Encoding": "gzip"})
        assert answer.header("Content-Encoding") == "gzip" and b"You said: squeeze" in gzip.decompress(answer.body)
        stream = converse_stream(stack.agent.url, "squeeze", {"x-fake": "gzip=1"})
        rows = store.wait_for(stack.agent.store, 2)
        assert store.response(stack.agent.store, 1) == gzip.decompress(answer.body)
        assert json.loads(store.response(stack.agent.store, 2))["output"] == json.loads(gzip.decompress(answer.body))["output"]
        assert rows[1]["stop_reason"] == "end_turn" and len(stream.body) > 0
