"""Proxy mode: whom it refuses, what it passes on unread, and what it does when something is wrong with either side."""

import contextlib
import json
import os
import socket
import ssl
import subprocess
import threading
import time

from harness import certificates, store, wire
from harness.aws import eventually
from harness.client import converse_body, target
from harness.processes import on_own_hosts
from harness.proxy import HOST, ProxyStack
from harness.signing import sign
from harness.skip import need_root
from test_admin import ADMIN, url_of
from test_upstream import CompanyProxy

SIDE_BY_SIDE = True
EVIL = HOST + ".evil.test"
ELSEWHERE = "bedrock-runtime.us-east-1.amazonaws.com"


def works(stack: ProxyStack) -> None:
    """Nothing that was refused before does harm to the next call."""
    with stack.open() as connection:
        assert wire.call(connection, HOST, target("converse"), converse_body("the next")).status == 200


def refused(stack: ProxyStack, authority: str, status: int = 403) -> str:
    """The message that CONNECT is refused with, in AWS's shape."""
    try:
        wire.connect(stack.port, authority).close()
    except wire.Refused as refusal:
        answer = refusal.answer
        assert answer.status == status and answer.header("x-amzn-ErrorType"), answer
        return answer.json()["message"]
    raise AssertionError(f"CONNECT {authority} was not refused")


def refusals(stack: ProxyStack) -> list[tuple]:
    return [(event["host"], event["port"], event["why"]) for event in stack.events("proxy-refused")]


class Echo:
    """Sends back what comes, and after its end a last word."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self.listener.accept()[0],), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(65536):
                connection.sendall(data)
            connection.sendall(b"the end")

    def check(self, connection: socket.socket, size: int = 3_000_000) -> None:
        """What goes through comes back, in both directions at once, and either end may end before the other."""
        data = os.urandom(size)
        sender = threading.Thread(target=lambda: (connection.sendall(data), connection.shutdown(socket.SHUT_WR)))
        sender.start()
        found = b""
        while piece := connection.recv(1 << 20):
            found += piece
        sender.join()
        connection.close()
        assert found == data + b"the end", f"{len(found)} bytes of {size + 7} came back"


@contextlib.contextmanager
def echo():
    server = Echo()
    try:
        yield server
    finally:
        server.listener.close()


def test_rogue_names_are_refused():
    with ProxyStack(proxy={"other_hosts": "refuse"}) as stack:
        for name in ("example.com", EVIL, "evil-" + HOST, "127.0.0.1"):
            assert name in refused(stack, f"{name}:443")
        refused(stack, f"{HOST}:22")
        for name in ("", "no-port", f"{HOST}:0", f"{HOST}:99999", f"{HOST}:443/path", f"user@{HOST}:443", f"{HOST}\x00.evil.test:443"):
            refused(stack, name, 400)
        told = [(name, 443, "other-host") for name in ("example.com", EVIL, "evil-" + HOST, "127.0.0.1")] + [(HOST, 22, "port")]
        eventually(lambda: refusals(stack) == told)
        works(stack)
        stack.bedrock.journal(1)
        store.wait_for(stack.agent.store, 1)


def test_other_regions_are_refused_with_an_event():
    with ProxyStack() as stack:
        names = [ELSEWHERE, "bedrock-runtime-fips.us-west-2.amazonaws.com", "bedrock-runtime.cn-north-1.amazonaws.com.cn",
                 "bedrock-runtime.eu-west-1.api.aws", "vpce-0123-abc.bedrock-runtime.eu-west-1.vpce.amazonaws.com"]
        for name in names:
            assert "eu-central-1" in refused(stack, f"{name}:443")
        for _ in range(3):
            refused(stack, f"{names[0]}:443")
        eventually(lambda: refusals(stack) == [(name, 443, "other-region") for name in names])  # of each at once, then once a minute
        assert eventually(lambda: stack.status()["proxy_refused"] == 8)
        works(stack)


def test_tunnels_are_blind_copies():
    with ProxyStack() as stack, echo() as server:
        server.check(wire.connect(stack.port, f"127.0.0.1:{server.port}"))
        server.check(wire.connect(stack.port, f"localhost:{server.port}"), 100)
        early = socket.create_connection(("127.0.0.1", stack.port), timeout=10)  # does not wait for the answer to CONNECT
        early.sendall(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\nHost: x\r\n\r\nearly".encode())
        reader = wire.Reader(early)
        assert reader.answer(has_body=False).status == 200 and reader.exactly(5) == b"early"
        early.close()
        status = eventually(lambda: (found := stack.status())["tunnels"] == 3 and found)
        assert eventually(lambda: stack.status()["tunnel_bytes"] >= 6_000_000), status
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        assert f"127.0.0.1:{port}" in refused(stack, f"127.0.0.1:{port}", 502)
        works(stack)
        assert len(store.wait_for(stack.agent.store, 1)) == 1, "a tunnel becomes no record"


def test_look_alikes_are_not_intercepted_and_other_regions_can_be_flagged():
    with echo() as server:
        with ProxyStack(proxy={"other_regions": "flag"}, wrapper=on_own_hosts(EVIL, ELSEWHERE)) as stack:
            server.check(wire.connect(stack.port, f"{EVIL}:{server.port}"), 1000)
            assert not stack.events("proxy-flagged")
            server.check(wire.connect(stack.port, f"{ELSEWHERE}:{server.port}"), 1000)
            event, = eventually(lambda: stack.events("proxy-flagged"))
            assert (event["host"], event["port"]) == (ELSEWHERE, server.port), event
            assert not stack.bedrock.journal()


def test_what_does_not_fit_the_name_of_connect_goes_nowhere():
    with ProxyStack() as stack:
        connection = wire.connect(stack.port, f"{HOST}:443")  # no TLS behind CONNECT
        body = json.dumps(converse_body("x")).encode()
        connection.sendall(wire.signed_head(HOST, target("converse"), body) + body)
        assert connection.recv(65536).startswith((b"HTTP/1.1 4", b"")), "plain HTTP was answered"
        connection.close()
        for name in ("example.com", ELSEWHERE, EVIL):
            context = stack.trust()
            context.check_hostname = False  # the test asks whether the agent minds, not whether the client does
            try:
                with wire.intercepted(stack.port, HOST, context, server_name=name) as connection:
                    answer = wire.call(connection, HOST, target("converse"), converse_body("x"))
                    raise AssertionError(f"{name} behind CONNECT {HOST} got {answer.status}")
            except (ssl.SSLError, ConnectionError, EOFError):
                pass
        for name in ("example.com", ELSEWHERE, EVIL, f"{HOST}:8443"):
            with stack.open() as connection:
                answer = wire.call(connection, name, target("converse"), converse_body("x"))
                assert 400 <= answer.status < 500 and answer.header("x-amzn-ErrorType"), (name, answer)
            with stack.open("h2") as connection:
                client = wire.Http2(connection)
                stream = client.start(name, target("converse"), sign_for(name))
                client.send(stream, b"{}", end=True)
                assert 400 <= client.finish(stream)[0] < 500, name
        for data in (b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                     b"CONNECT " + b"a" * 100_000 + b":443 HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello" + b"\0" * 40):
            answer = raw(stack, data)
            assert not answer.startswith(b"HTTP/1.1 2"), answer
        assert not stack.bedrock.journal(), "something was passed on"
        works(stack)


def sign_for(host: str) -> dict:
    return sign("bedrock", "POST", host, target("converse"), b"{}", {"content-type": "application/json"})


def raw(stack: ProxyStack, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", stack.port), timeout=10) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
            return connection.recv(65536)
        return b""


def test_half_open_clients_are_cut():
    hello = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        hello.wrap_bio(incoming, outgoing, server_hostname=HOST).do_handshake()
    first = outgoing.read()
    with ProxyStack(header_timeout="700ms", keep_alive_timeout="900ms") as stack:
        waiting = []
        for behind_connect, data in ((False, b""), (False, b"CONNECT bedr"), (False, first[:100]), (True, b""), (True, first[:100]), (True, first)):
            if behind_connect:
                connection = wire.connect(stack.port, f"{HOST}:443")
            else:
                connection = socket.create_connection(("127.0.0.1", stack.port), timeout=10)
            connection.sendall(data)
            waiting.append((behind_connect, data, connection))
        silent = stack.open()  # TLS, and then no request
        started = time.monotonic()
        for behind_connect, data, connection in waiting:
            with contextlib.suppress(ConnectionError):
                while connection.recv(65536):
                    pass
            connection.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            assert silent.recv(100) == b""
        assert time.monotonic() - started < 5
        works(stack)
        assert len(store.wait_for(stack.agent.store, 1)) == 1


def test_a_client_that_does_not_trust_the_authority_ends_cleanly():
    with ProxyStack() as stack:
        for stranger in (wire.trust(None), wire.trust(stack.authority.certificate)):
            try:
                wire.intercepted(stack.port, HOST, stranger).close()
                raise AssertionError("the client trusts a stranger")
            except ssl.SSLCertVerificationError:
                pass
        eventually(lambda: stack.status()["proxy_tls_failed"] >= 2)
        works(stack)
        stack.bedrock.journal(1)


def s_client(stack: ProxyStack, *options: object, text: str = "") -> str:
    command = ["openssl", "s_client", "-proxy", f"127.0.0.1:{stack.port}", "-connect", f"{HOST}:443", "-servername", HOST, "-CAfile", str(stack.ca),
               "-verify_return_error", "-verify_hostname", HOST, *map(str, options)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=20)
    return done.stdout + done.stderr


def test_renegotiation_old_tls_and_expired_leaves():
    with ProxyStack() as stack:
        assert "Verify return code: 0 (ok)" in s_client(stack, "-tls1_3", text="Q\n")
        assert "Verify return code: 0 (ok)" in s_client(stack, "-tls1_2", text="Q\n")
        said = s_client(stack, "-tls1_2", text="R\n")
        assert "RENEGOTIATING" in said and ("no renegotiation" in said or "alert" in said or "handshake failure" in said), said[-1500:]
        assert "Cipher is (NONE)" in s_client(stack, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        # A leaf is the client's to refuse once it has expired, and none lives for long.
        assert "certificate has expired" in s_client(stack, "-attime", int(time.time()) + 399 * 86_400)
        works(stack)


def test_no_tunnel_hides_who_calls():
    need_root("to call as another user than the agent's")
    with ProxyStack(tables={"policy": {"rules": ["deny global caller:nobody"]}, "admin": ADMIN}) as stack:
        for authority in (f"127.0.0.1:{stack.agent.port}", f"127.0.0.1:{stack.port}", f"localhost.:{stack.agent.port}", f"127.3.2.1:{stack.port}",
                          url_of(stack).removeprefix("http://")):
            assert "this agent itself" in refused(stack, authority)
        assert "link-local" in refused(stack, "169.254.169.254:80")
        eventually(lambda: [why for _, _, why in refusals(stack)] == ["own-address"] * 5 + ["link-local"])
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "curl", "-sS", "-o", "/dev/null", "-w", "%{http_connect}",
                               "--max-time", "5", "--proxytunnel", "-x", f"http://127.0.0.1:{stack.port}", "-d", "{}", f"{stack.agent.url}{target('converse')}"],
                              capture_output=True, text=True, timeout=20, cwd="/")
        assert done.stdout == "403", done
        works(stack)
        row, = store.wait_for(stack.agent.store, 1)
        assert row["caller"] == "root", row


def test_made_up_names_leave_for_new_ones():
    with ProxyStack() as stack:
        for number in range(70):
            with stack.open(host=f"vpce-{number}.bedrock-runtime.eu-central-1.vpce.amazonaws.com"):
                pass
        works(stack)


class ClientCertificates:
    """A TLS server that lets nobody in without a certificate of its own."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def serve(self, certificate, authority, version: ssl.TLSVersion) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_REQUIRED
        context.minimum_version = context.maximum_version = version

        def run() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = self.listener.accept()
                    with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as session:
                        session.recv(1)

        threading.Thread(target=run, daemon=True).start()


def test_an_upstream_that_wants_a_certificate_of_the_client_is_a_502():
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):  # the handshake tells, or what is read after it
        server = ClientCertificates()
        with contextlib.closing(server.listener), ProxyStack(proxy={"connect_to": f"127.0.0.1:{server.port}"}) as stack:
            server.serve(stack.authority.issue(HOST, label="mutual"), stack.authority.certificate, version)
            with stack.open() as connection:
                answer = wire.call(connection, HOST, target("converse"), converse_body("hello"))
            assert answer.status == 502 and answer.header("x-amzn-ErrorType"), answer
            assert "certificate required" in answer.json()["message"] or "handshake failure" in answer.json()["message"], answer.json()
            row, = store.wait_for(stack.agent.store, 1)
            assert row["status"] == 502, row


def test_upstreams_that_cannot_be_trusted_are_a_502():
    def check(stack: ProxyStack, words: str) -> None:
        """Both over HTTP/1.1 and over HTTP/2."""
        with stack.open() as connection, stack.open("h2") as another:
            answer = wire.call(connection, HOST, target("converse"), converse_body("x"))
            assert answer.status == 502 and answer.header("x-amzn-ErrorType") and words in answer.json()["message"].lower(), answer
            client = wire.Http2(another)
            assert client.finish(wire.Conversation(client, HOST).stream)[0] == 502
        rows = store.wait_for(stack.agent.store, 2)
        assert {row["status"] for row in rows} == {502}, rows
        assert not stack.bedrock.journal(), "a request was sent to a stranger"
    with ProxyStack(names=["bedrock-runtime.eu-west-1.amazonaws.com"]) as stack:
        check(stack, "hostname mismatch")
    with ProxyStack(days=-1) as stack:
        check(stack, "certificate")
    with ProxyStack() as stack:
        stack.agent.stop()
        stranger = certificates.CertificateAuthority(stack.folder / "stranger", "stranger")
        stack.agent_options["ca_bundle"] = str(stranger.certificate)
        stack.start_agent()
        check(stack, "certificate")
    with ProxyStack() as stack:
        stack.bedrock.kill()
        check(stack, "127.0.0.1")


def test_who_may_call_is_asked_at_connect():
    need_root("to run as another user than the ones that may call")
    with ProxyStack(allow_users=["nobody"]) as stack, echo() as server:
        for authority in (f"{HOST}:443", f"127.0.0.1:{server.port}"):
            assert "root" in refused(stack, authority)
        try:
            with stack.open_transparent() as connection:
                answer = wire.call(connection, HOST, target("converse"), converse_body("x"))
                assert answer.status == 403, answer
        except (ssl.SSLError, ConnectionError, EOFError):
            pass
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "curl", "-sS", "-o", "/dev/null",
                               "-w", "%{http_connect}", "--max-time", "5", "--proxytunnel", "-x", f"http://127.0.0.1:{stack.port}", "-d", "x", f"http://127.0.0.1:{server.port}/"],
                              capture_output=True, text=True, timeout=20, cwd="/")
        assert done.stdout == "200", done
        assert not stack.bedrock.journal()
        event, = eventually(lambda: stack.events("call-refused"))
        assert event["caller"] == "root"


def test_a_companys_proxy_is_on_the_way():
    proxy = CompanyProxy(0)
    try:
        with ProxyStack(proxy={"connect_to": ""}, credentials={"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}) as stack, echo() as server:
            proxy.service_port = stack.bedrock.port
            works(stack)
            with stack.open("h2") as connection:
                talk = wire.Conversation(wire.Http2(connection), HOST)
                assert talk.tell("x")["event"] and talk.end()[0] == 200
            assert set(proxy.targets) == {f"{HOST}:443"}
            proxy.service_port = server.port
            tunnelled = wire.connect(stack.port, "example.com:443")
            tunnelled.sendall(b"hello")
            assert wire.Reader(tunnelled).exactly(5) == b"hello" and proxy.targets[-1] == "example.com:443"
            tunnelled.close()
    finally:
        proxy.stop()
