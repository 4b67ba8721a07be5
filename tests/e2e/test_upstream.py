"""The way to the service: TLS, a company's proxy, certificates that do not fit."""

import contextlib
import os
import pathlib
import select
import shutil
import socket
import tempfile
import threading

from harness import store
from harness.client import converse, converse_stream
from harness.processes import SIGNING, Agent, FakeBedrock, on_own_hosts
from test_fake import make_certificate


class CompanyProxy(threading.Thread):
    """Takes CONNECT only, notes where to, and leads everything to one port here."""

    def __init__(self, service_port: int):
        super().__init__(daemon=True)
        self.service_port = service_port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.targets = self.listener.getsockname()[1], []
        self.start()

    def run(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._tunnel, args=(client,), daemon=True).start()

    def _tunnel(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        method, target, _ = head.split(b" ", 2)
        if method != b"CONNECT":
            client.sendall(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            client.close()
            return
        self.targets.append(target.decode())
        service = socket.create_connection(("127.0.0.1", self.service_port))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        pair = {client: service, service: client}
        while True:
            for ready in select.select(list(pair), [], [])[0]:
                data = ready.recv(65536)
                if not data:
                    client.close()
                    service.close()
                    return
                pair[ready].sendall(data)

    def stop(self) -> None:
        self.listener.close()


class TlsStack:
    """A fake Bedrock with TLS, and agents as asked for."""

    def __enter__(self) -> "TlsStack":
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="invlog-e2e-"))
        make_certificate(self.folder)
        self.certificate = self.folder / "certificate.pem"
        self.bedrock = FakeBedrock(self.folder, "--tls", self.certificate, self.folder / "key.pem")
        self.url = f"https://127.0.0.1:{self.bedrock.port}"
        return self

    def agent(self, **options) -> Agent:
        return Agent(self.folder, self.url, **options)

    def __exit__(self, *_) -> None:
        self.bedrock.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def test_tls_upstream_with_a_bundle():
    with TlsStack() as stack:
        agent = stack.agent(ca_bundle=str(stack.certificate))
        assert converse(agent.url, "over TLS").status == 200
        assert converse_stream(agent.url, "over TLS").status == 200
        store.wait_for(agent.store, 2)
        assert agent.stop() == 0


def test_tls_upstream_that_cannot_be_trusted_is_refused():
    with TlsStack() as stack:
        agent = stack.agent()
        answer = converse(agent.url, "x")
        assert answer.status in (502, 503), answer
        row, = store.wait_for(agent.store, 1)
        assert row["outcome"] == "upstream-closed" and "certificate" in row["details"], row
        assert not stack.bedrock.journal_path.exists() or not stack.bedrock.journal_path.read_text(), "a request was sent to a stranger"
        agent.stop()


def test_tls_upstream_of_another_name_is_refused():
    with TlsStack() as stack:
        stack.url = f"https://localhost:{stack.bedrock.port}"  # the certificate is for 127.0.0.1
        agent = stack.agent(ca_bundle=str(stack.certificate))
        assert converse(agent.url, "x").status in (502, 503)
        store.wait_for(agent.store, 1)
        assert not stack.bedrock.journal_path.exists() or not stack.bedrock.journal_path.read_text()
        agent.stop()


def test_a_companys_proxy_is_used_and_no_proxy_excepts():
    with TlsStack() as stack:
        stack.url = "https://bedrock.test"  # a name that only the proxy can reach
        proxy = CompanyProxy(stack.bedrock.port)
        try:
            through = {**SIGNING, "HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
            agent = stack.agent(credentials=through, ca_bundle=str(stack.certificate))
            for _ in range(2):
                assert converse(agent.url, "by proxy").status == 200
            assert set(proxy.targets) == {"bedrock.test:443"}
            agent.stop()
            before = len(proxy.targets)
            agent = stack.agent(credentials={**through, "NO_PROXY": "example.com,bedrock.test"}, ca_bundle=str(stack.certificate))
            assert converse(agent.url, "without").status in (502, 503, 504)
            assert len(proxy.targets) == before, "NO_PROXY was not minded"
            agent.stop()
        finally:
            proxy.stop()


def test_an_address_that_does_not_answer_leaves_time_for_the_next():
    """Of the service's name's two addresses the first takes no connection: its queue is full."""
    with socket.create_server(("127.0.0.3", 0)) as good, socket.socket() as full, contextlib.ExitStack() as queue:
        port = good.getsockname()[1]
        full.bind(("127.0.0.2", port))
        full.listen(0)
        for _ in range(4):
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(("127.0.0.2", port))

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = good.accept()
                    with connection:
                        received = b""
                        while not received.endswith(b"}"):
                            received += connection.recv(65536)
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        threading.Thread(target=serve, daemon=True).start()
        folder = pathlib.Path(tempfile.mkdtemp(prefix="invlog-e2e-"))
        agent = Agent(folder, f"http://up.test:{port}", wrapper=on_own_hosts("up.test", addresses=("127.0.0.2", "127.0.0.3")), connect_timeout="3s")
        try:
            assert converse(agent.url, "x").status == 200
            assert agent.stop() == 0
        finally:
            agent.kill()
            shutil.rmtree(folder, ignore_errors=True)


def test_credentials_from_a_profile():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="invlog-e2e-"))
    bedrock = FakeBedrock(folder)
    try:
        (folder / ".aws").mkdir()
        (folder / ".aws/credentials").write_text("[default]\naws_access_key_id = AKIDWRONG\naws_secret_access_key = wrong\n\n[bedrock]\n"
                                                 f"aws_access_key_id = {SIGNING['AWS_ACCESS_KEY_ID']}\n"
                                                 f"aws_secret_access_key = {SIGNING['AWS_SECRET_ACCESS_KEY']}\n")
        os.chmod(folder / ".aws/credentials", 0o600)
        agent = Agent(folder, bedrock.url, credentials={"AWS_PROFILE": "bedrock"})
        assert converse(agent.url, "x").status == 200
        agent.stop()
        agent = Agent(folder, bedrock.url, credentials={})
        assert converse(agent.url, "x").json()["message"] == "The security token included in the request is invalid."
        agent.stop()
    finally:
        bedrock.kill()
        shutil.rmtree(folder, ignore_errors=True)
