"""The fake Bedrock itself: what it accepts and refuses. No agent."""

import base64
import datetime
import hashlib
import hmac
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager

from harness import certificates, event_stream, signing, wire
from harness.client import CLAUDE, MODEL, call, claude_body, converse, converse_body, target
from harness.processes import ACCESS_KEY, BEARER_KEY, REPOSITORY, SECRET_KEY, FakeBedrock
from harness.shared import shared_file
from harness.signing import sign as sign_as_client

sys.path.insert(0, str(REPOSITORY / "tests/fakes"))
from bedrock import sigv4 as fake_sigv4  # noqa: E402
from bedrock.exchange import Request  # noqa: E402

BEARER = {"Authorization": f"Bearer {BEARER_KEY}"}


@contextmanager
def fake_bedrock(*options):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="invlog-e2e-"))
    bedrock = FakeBedrock(folder, *options)
    try:
        yield bedrock
    finally:
        bedrock.kill()
        shutil.rmtree(folder)


def sign(bedrock: FakeBedrock, path: str, canonical_path: str, body: bytes, secret: str = SECRET_KEY, key: str = ACCESS_KEY,
         minutes: int = 0) -> dict:
    """A client's signature, with the canonical path spelt out by the test."""
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    date, scope = f"{moment:%Y%m%dT%H%M%SZ}", f"{moment:%Y%m%d}/eu-central-1/bedrock/aws4_request"
    canonical = f"POST\n{canonical_path}\n\nhost:127.0.0.1:{bedrock.port}\nx-amz-date:{date}\n\nhost;x-amz-date\n{hashlib.sha256(body).hexdigest()}"
    signature = b"AWS4" + secret.encode()
    for part in scope.split("/"):
        signature = hmac.new(signature, part.encode(), "sha256").digest()
    to_sign = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return {"X-Amz-Date": date, "Authorization": f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders=host;x-amz-date, "
            f"Signature={hmac.new(signature, to_sign.encode(), 'sha256').hexdigest()}"}


def test_fake_accepts_a_right_signature_and_no_other():
    body = json.dumps(converse_body("hello")).encode()
    encoded, raw = "/model/eu.amazon.nova-2-lite-v1%3A0/converse", "/model/eu.amazon.nova-2-lite-v1:0/converse"
    twice, once = encoded.replace("%", "%25"), encoded
    with fake_bedrock() as bedrock:
        def outcome(path, **how):
            answer = call(bedrock.url, path, body, sign(bedrock, path, body=body, **how))
            return answer.status, (answer.header("x-amzn-ErrorType") or "").partition(":")[0]
        assert outcome(encoded, canonical_path=twice) == (200, "")
        assert outcome(raw, canonical_path=once) == (200, "")
        assert outcome(encoded, canonical_path=encoded) == (403, "InvalidSignatureException")
        assert outcome(raw, canonical_path=raw) == (403, "InvalidSignatureException")
        assert outcome(encoded, canonical_path=twice, secret="wrong") == (403, "InvalidSignatureException")
        assert outcome(encoded, canonical_path=twice, key="AKIDOTHER") == (403, "UnrecognizedClientException")
        assert outcome(encoded, canonical_path=twice, minutes=-6) == (403, "InvalidSignatureException")
        assert outcome(encoded, canonical_path=twice, minutes=4) == (200, "")
        changed = call(bedrock.url, encoded, body + b" ", sign(bedrock, encoded, twice, body))
        assert changed.status == 403 and "The Canonical String for this request should have been" in changed.json()["message"]
        assert call(bedrock.url, encoded, body).header("x-amzn-ErrorType").startswith("MissingAuthenticationTokenException:")
        assert call(bedrock.url, encoded, body, {"Authorization": "Bearer no"}).status == 403


def test_fake_agrees_with_the_official_signature_vectors():
    checked = 0
    for line in shared_file("vectors/sigv4.ndjson").read_text().splitlines():
        case = json.loads(line)
        context = case["context"]
        if not context["normalize"] or "header_signed_request" not in case:
            continue
        wire = case["header_signed_request"].encode().decode("latin-1")
        head, _, body = wire.partition("\n\n")
        first, *lines = head.split("\n")
        method, _, rest = first.partition(" ")
        headers = []
        for text in lines:
            if text.startswith((" ", "\t")):
                continue  # folded headers are obsolete and not accepted by this server's parser
            name, _, value = text.partition(":")
            headers.append((name, value))
        if any(text.startswith((" ", "\t")) for text in lines):
            continue
        request = Request(method, rest.rpartition(" ")[0], headers, body.encode("latin-1"), "1.1")
        verifier = fake_sigv4.Verifier(context["credentials"]["access_key_id"], context["credentials"]["secret_access_key"],
                                       context["credentials"].get("token") or "", "us-east-1", "service")
        verifier.verify(request, request.header("authorization"),
                        datetime.datetime(2015, 8, 30, 12, 36, tzinfo=datetime.timezone.utc))
        checked += 1
    assert checked >= 20, checked


def test_fake_checks_models_bodies_and_paths():
    with fake_bedrock() as bedrock:
        def message(path, body, **headers):
            answer = call(bedrock.url, path, body, {**BEARER, **headers})
            return answer.status, answer.json().get("message", "")
        assert message(target("converse", "does-not-exist"), converse_body("x")) == (400, "The provided model identifier is invalid.")
        assert "on-demand throughput" in message(target("converse", "amazon.nova-2-lite-v1:0"), converse_body("x"))[1]
        assert message(target("converse"), {"messages": []})[1].startswith("A conversation must start with a user message.")
        assert message(target("converse"), {"messages": [{"role": "user", "content": []}]})[1].startswith("The content field in the Message")
        assert message(target("converse"), {"messages": 1})[0] == 400
        assert message(target("converse"), b"{")[0] == 400
        assert message(target("converse"), converse_body("x"), **{"Content-Type": "text/plain"})[0] == 400
        assert message(target("invoke", CLAUDE), {"messages": []})[1].endswith("required key [anthropic_version] not found")
        assert message(target("speak"), converse_body("x"))[0] == 404
        arn = "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/" + MODEL
        assert message(target("converse", arn), converse_body("x"))[0] == 200
        assert message(target("converse"), converse_body("x"), **{"x-fake": "misspelt=1"})[0] == 400


def test_fake_answers_depend_on_the_request_alone():
    with fake_bedrock() as bedrock:
        one, two = (converse(bedrock.url, "the same", BEARER).body for _ in range(2))
        assert one == two and b"You said: the same" in one
        assert converse(bedrock.url, "another", BEARER).body != one


def test_fake_streams_frames_and_breaks_them_on_request():
    with fake_bedrock() as bedrock:
        def stream(directive):
            return call(bedrock.url, target("converse-stream"), converse_body("one two three"), {**BEARER, "x-fake": directive})
        whole = stream("")
        kinds = [headers[":event-type"] for headers, _ in event_stream.frames(whole.body)]
        assert kinds[0] == "messageStart" and kinds[-2:] == ["messageStop", "metadata"]
        assert event_stream.text(whole.body) == "You said: one two three"
        assert event_stream.frames(stream("exception=3:throttlingException").body)[-1][0] == {
            ":exception-type": "throttlingException", ":content-type": "application/json", ":message-type": "exception"}
        cut = stream("cut=2:20")
        assert cut.broken and len(cut.body) < len(whole.body) and whole.body.startswith(cut.body)
        for damage in ("crc=1", "prelude_crc=1", "flip=1"):
            try:
                event_stream.frames(stream(damage).body)
                raise AssertionError(f"{damage} did no damage")
            except ValueError:
                pass
        tiny = stream("chunk_bytes=7")
        assert tiny.body == whole.body


def test_fake_replays_recordings():
    file = shared_file("recordings/otel-botocore.ndjson")
    recordings = [json.loads(line) for line in file.read_text().splitlines()]
    with fake_bedrock("--replay", file, "--no-auth") as bedrock:
        for number in (0, 20, 61):
            recording = recordings[number]
            answer = call(bedrock.url, recording["url"].split(".com", 1)[1], base64.b64decode(recording["request_body"]),
                          {"x-fake": f"recording={number}"})
            assert answer.status == recording["status"]
            assert answer.body == base64.b64decode(recording["response_body"])
            assert answer.header("x-amzn-RequestId") == recording["response_headers"]["x-amzn-RequestId"]


def test_fake_speaks_http2_and_tls():
    with fake_bedrock() as bedrock:
        def curl(*options):
            done = subprocess.run(["curl", "-sS", "-o", "/dev/stderr", "-w", "%{http_version} %{http_code}", "-H", "Content-Type: application/json",
                                   "-H", f"Authorization: Bearer {BEARER_KEY}", "-d", json.dumps(converse_body("hi")), *options],
                                  capture_output=True, text=True, timeout=20)
            return done.stdout, done.stderr
        version, body = curl("--http2-prior-knowledge", bedrock.url + target("converse"))
        assert version == "2 200" and "You said: hi" in body
    folder = pathlib.Path(tempfile.mkdtemp(prefix="invlog-e2e-"))
    try:
        make_certificate(folder)
        with fake_bedrock("--tls", folder / "certificate.pem", folder / "key.pem") as bedrock:
            url = bedrock.url.replace("http:", "https:") + target("converse")
            assert curl("--cacert", folder / "certificate.pem", "--http1.1", url)[0] == "1.1 200"
            assert curl("--cacert", folder / "certificate.pem", url)[0] == "2 200"
    finally:
        shutil.rmtree(folder)


def make_certificate(folder: pathlib.Path) -> None:
    """certificate.pem and key.pem for 127.0.0.1 and bedrock.test, self-signed."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-keyout", folder / "key.pem", "-out", folder / "certificate.pem", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1,DNS:bedrock.test"], check=True, capture_output=True)


HOST = "bedrock-runtime.eu-central-1.amazonaws.com"


@contextmanager
def fake_with_tls(*options):
    """The fake under Bedrock's own name, and the file of the authority that says so."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="invlog-e2e-"))
    try:
        authority = certificates.CertificateAuthority(folder)
        with fake_bedrock("--tls", *authority.issue(HOST), *options) as bedrock:
            yield bedrock, authority.certificate
    finally:
        shutil.rmtree(folder)


def open_tls(bedrock: FakeBedrock, authority: pathlib.Path, *alpn: str):
    return wire.trust(authority, alpn).wrap_socket(socket.create_connection(("127.0.0.1", bedrock.port), timeout=10), server_hostname=HOST)


def test_fake_journals_what_the_wire_had():
    body = json.dumps(converse_body("hello")).encode()
    with fake_with_tls() as (bedrock, authority), open_tls(bedrock, authority, "http/1.1") as connection:
        signed = sign_as_client("bedrock", "POST", HOST, target("converse"), body, {"content-TYPE": "application/json"})
        head = wire.head("POST", target("converse"), [("Content-Length", str(len(body))), ("X-Order", " b"), *signed.items(), ("x-order", "a")])
        answer = wire.exchange(connection, head, body)
        assert answer.status == 200, answer
        line, = bedrock.journal(1)
        assert line["request_head"].encode("latin-1") == head and line["response_head"].encode("latin-1") == answer.head
        assert line["body_sha256"] == hashlib.sha256(body).hexdigest() and line["response_sha256"] == hashlib.sha256(answer.body).hexdigest()
        assert line["authorization_sha256"] == hashlib.sha256(signed["Authorization"].encode()).hexdigest()
        assert (line["server_name"], line["alpn"]) == (HOST, "http/1.1")
        other = wire.call(connection, "127.0.0.1", target("converse"), body)
        assert other.status == 200, "a signature covers the host that the client names"


def test_fake_answers_a_bidirectional_stream_while_it_is_sent():
    with fake_with_tls() as (bedrock, authority), open_tls(bedrock, authority, "h2") as connection:
        client = wire.Http2(connection)
        for number, signed_end in enumerate((True, False), 1):
            talk = wire.Conversation(client, HOST)
            for text in ("one", "two", "three"):
                assert talk.tell(text) == {"event": {"textOutput": {"content": f"You said: {text}"}}}
            status, body = talk.end(signed_end)
            assert status == 200 and len(event_stream.frames(body)) == 3
            line = bedrock.journal(number)[-1]
            assert line["ending"] == "complete" and line["frames_in"] == talk.sent and len(line["frames_out"]) == 3
            assert line["response_sha256"] == hashlib.sha256(body).hexdigest()
        over_http1 = call_over_http1(bedrock, authority)
        assert over_http1.status == 400 and "HTTP/2" in over_http1.json()["message"]


def call_over_http1(bedrock: FakeBedrock, authority: pathlib.Path) -> wire.RawAnswer:
    with open_tls(bedrock, authority, "http/1.1") as connection:
        return wire.call(connection, HOST, "/model/amazon.nova-sonic-v1%3A0/invoke-with-bidirectional-stream", b"")


def test_fake_refuses_a_bidirectional_streams_wrong_frames():
    calls: list = []

    def ending(spoil, **how) -> tuple[int, str]:
        """Of a stream whose second event is what `spoil` makes of it."""
        calls.append(spoil)
        client = wire.Http2(open_tls(bedrock, authority, "h2"))
        with client.socket:
            talk = wire.Conversation(client, HOST, **how)
            if client.status(talk.stream) != 200:
                return client.finish(talk.stream)[0], ""
            talk.tell("one")
            talk.send(spoil(talk.signer, event_stream.chunk({"event": {"textInput": {"content": "two"}}})))
            client.send(talk.stream, b"", end=True)
            status, body = client.finish(talk.stream)
            last = event_stream.frames(body)[-1][0]
            return status, bedrock.journal(len(calls))[-1]["ending"] + ("" if last[":message-type"] == "event" else " " + last[":exception-type"])

    def flip(frame: bytes, at: int) -> bytes:
        return frame[:at] + bytes([frame[at] ^ 1]) + frame[at:][1:]

    def forged(signer: signing.EventSigner, event: bytes) -> bytes:
        signer.signature = "0" * 64
        return signer.sign(event)

    def behind_the_end(signer: signing.EventSigner, event: bytes) -> bytes:
        return signer.sign(b"") + signer.sign(event)

    with fake_with_tls() as (bedrock, authority):
        assert ending(lambda signer, event: signer.sign(event)) == (200, "complete")
        for spoil, words in ((lambda signer, event: flip(signer.sign(event), 9), "prelude"), (lambda signer, event: flip(signer.sign(event), -1), "CRC of an event"),
                             (lambda signer, event: signer.sign(flip(event, -1)), "CRC of an event"), (forged, "signature does not match"),
                             (lambda signer, event: event, ":chunk-signature"), (behind_the_end, "behind the one that ends"),
                             (lambda signer, event: signer.sign(event)[:-1], "middle of an event")):
            status, found = ending(spoil)
            assert status == 200 and words in found and found.endswith("validationException"), (words, found)
        assert ending(None, secret="wrong")[0] == 403
        assert ending(None, model="amazon.nova-micro-v1%3A0")[0] == 400
