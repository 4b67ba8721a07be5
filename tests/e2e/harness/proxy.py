"""A fake Bedrock with TLS under Bedrock's own names, and an agent in proxy mode before it that has no AWS credentials."""

import json
import pathlib
import re
import shutil
import ssl
import tempfile

from . import certificates, store, wire
from .aws import eventually
from .processes import REGION, Agent, FakeBedrock, configuration


def hosts_of(region: str = REGION) -> list[str]:
    """AWS's names of a Region's Bedrock runtime: plain, FIPS, dual-stack, FIPS dual-stack."""
    return [f"bedrock-runtime.{region}.amazonaws.com", f"bedrock-runtime-fips.{region}.amazonaws.com",
            f"bedrock-runtime.{region}.api.aws", f"bedrock-runtime-fips.{region}.api.aws"]


HOST = hosts_of()[0]


class ProxyStack:
    """`proxy`: keys of [proxy]. `names`: what the fake's certificate is for. `tables`, `settings`: of the agent's configuration.
    `wrapper`: what runs both programs."""

    def __init__(self, bedrock_options: tuple = (), region: str = REGION, proxy: dict | None = None, names: list[str] | None = None,
                 tables: dict | None = None, wrapper: list | None = None, days: int = 2, **settings):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="invlog-e2e-"))
        self.region, self.host = region, hosts_of(region)[0]
        self.authority = certificates.CertificateAuthority(self.folder / "upstream")
        certificate = self.authority.issue(*(hosts_of(region) if names is None else names), days=days)
        self.bedrock = FakeBedrock(self.folder, "--tls", *certificate, *bedrock_options, wrapper=wrapper)
        self.state = self.folder / "state"
        self.agent_options = {"credentials": {}, "wrapper": wrapper, "region": region, "ca_bundle": str(self.authority.certificate),
                              "tables": {"proxy": {"listen": "127.0.0.1:0", "connect_to": f"127.0.0.1:{self.bedrock.port}", **(proxy or {})},
                                         **(tables or {})}, **settings}
        before = self.folder / "before.toml"  # the authority is made for the names that are configured
        before.write_text(configuration({"agent": {"region": region, "state_dir": str(self.state)},
                                         "proxy": {"hosts": (proxy or {}).get("hosts", [])}}))
        store.invlog("ca", "init", "--config", before)
        self.ca = self.state / "ca.pem"
        self.start_agent()

    def start_agent(self) -> None:
        log = self.folder / "agent.stderr"
        before = len(log.read_text()) if log.exists() else 0  # what an agent before this one said
        self.agent = Agent(self.folder, "", **self.agent_options)
        self.port = int(eventually(lambda: re.search(r"proxy: listening on 127\.0\.0\.1:(\d+)\n", self.agent.errors()[before:]), 10)[1])

    def trust(self, *alpn: str) -> ssl.SSLContext:
        """Settings of a client that trusts the agent's authority, and no other."""
        return wire.trust(self.ca, alpn or ("http/1.1",))

    def open(self, *alpn: str, host: str = "") -> ssl.SSLSocket:
        """TLS to Bedrock through CONNECT."""
        return wire.intercepted(self.port, host or self.host, self.trust(*alpn))

    def open_transparent(self, *alpn: str, host: str = "") -> ssl.SSLSocket:
        """TLS without CONNECT: the name in the client's hello decides."""
        return wire.transparent(self.port, host or self.host, self.trust(*alpn))

    def events(self, kind: str) -> list[dict]:
        """What the store says of events of this kind: their details."""
        return [json.loads(row["details"]) for row in store.rows(self.agent.store, f"SELECT details FROM event WHERE kind = '{kind}' ORDER BY id")]

    def status(self) -> dict:
        """status.json, which is written once a second."""
        file = self.state / "status.json"
        eventually(file.exists)
        return json.loads(file.read_text())

    def __enter__(self) -> "ProxyStack":
        return self

    def __exit__(self, kind, error, trace) -> None:
        said = self.agent.errors()
        try:
            if kind is None:
                code = self.agent.stop()
                assert code == 0, f"the agent ended with code {code}: {self.agent.errors()}"
            else:
                self.agent.kill()
                error.add_note("the agent's log ends with:\n" + said[-3000:])
        finally:
            self.agent.kill()
            self.bedrock.kill()
            shutil.rmtree(self.folder, ignore_errors=True)
