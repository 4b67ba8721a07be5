"""Proxy mode's part of `tests/bench/run`: the same calls, HTTP/1.1 over TLS on connections that are kept, go straight to the
upstream, through nginx's `stream` (which copies bytes and ends no TLS), through invlog's proxy mode and through mitmproxy
(which both end the client's TLS, read the call and begin TLS of their own). Invlog records each call besides."""

import os
import shutil
import subprocess

from measures import added_row, behind_row, cpu_of, row, say, stop
from servers import Agent, BenchError, Server, Upstream, free_port, nginx_binary

HOST = "bedrock-runtime.eu-central-1.amazonaws.com"


def openssl(folder, *arguments):
    run = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True)
    if run.returncode != 0:
        raise BenchError(f"openssl {arguments[0]}: {run.stderr.strip()[-500:]}")


def make_certificates(folder):
    """upstream.pem and upstream-key.pem for HOST, certified by upstream-ca.pem, whose key nobody needs again."""
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(folder, "req", "-x509", *new_key, "-days", "2", "-subj", "/CN=invlog bench", "-keyout", "upstream-ca-key.pem",
            "-out", "upstream-ca.pem")
    openssl(folder, "req", *new_key, "-subj", f"/CN={HOST}", "-keyout", "upstream-key.pem", "-out", "upstream.csr")
    with open(os.path.join(folder, "name.cnf"), "w", encoding="ascii") as extension:
        extension.write(f"subjectAltName=DNS:{HOST}\n")
    openssl(folder, "x509", "-req", "-in", "upstream.csr", "-CA", "upstream-ca.pem", "-CAkey", "upstream-ca-key.pem", "-days",
            "2", "-extfile", "name.cnf", "-out", "upstream.pem")


class TlsUpstream(Upstream):
    def __init__(self, build, folder):
        super().__init__(build, folder, "0", "upstream.pem", "upstream-key.pem")
        self.load_options = {"tls": HOST, "ca": os.path.join(folder, "upstream-ca.pem")}


STREAM_CONFIGURATION = """
daemon off;
worker_processes 1;
load_module {module};
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
{user}
events {{ worker_connections 4096; }}
stream {{
  tcp_nodelay on;
  server {{
    listen 127.0.0.1:{port};
    proxy_pass 127.0.0.1:{upstream};
    proxy_timeout 300s;
    proxy_buffer_size 64k;              # as much at once as invlog's tunnels; the default is 16k
  }}
}}
"""


class NginxStream(Server):
    def __init__(self, upstream, folder):
        module = "/usr/lib/nginx/modules/ngx_stream_module.so"
        if not os.path.exists(module):
            raise BenchError("nginx's stream module is not installed; `tests/install-dependencies bench` installs Debian's "
                             "libnginx-mod-stream")
        port = free_port()
        configuration = os.path.join(folder, "nginx.conf")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(STREAM_CONFIGURATION.format(module=module, folder=folder, port=port, upstream=upstream.port,
                                                   user="user root;" if os.geteuid() == 0 else ""))
        super().__init__("nginx", [nginx_binary(), "-p", folder, "-c", configuration, "-e", folder + "/nginx-error.log"],
                         folder)
        self.port = port
        self.load_options = upstream.load_options
        self.wait_for(self.accepts, "listening")


class Mitmproxy(Server):
    """mitmdump: no interface, nothing printed for a call, nothing kept of it. Asked for the upstream's address, since it
    resolves names itself; it verifies the certificate for the name in the client's hello."""

    def __init__(self, upstream, folder):
        authority = os.path.join(folder, "mitmproxy")
        self_port = free_port()
        super().__init__("mitmproxy", [
            shutil.which("mitmdump"), "--quiet", "--listen-host", "127.0.0.1", "--listen-port", str(self_port),
            "--set", f"confdir={authority}", "--set", f"ssl_verify_upstream_trusted_ca={folder}/upstream-ca.pem"], folder)
        self.port = self_port
        self.load_options = {"tls": HOST, "ca": os.path.join(authority, "mitmproxy-ca-cert.pem"),
                             "proxy_for": f"127.0.0.1:{upstream.port}"}
        self.wait_for(self.accepts, "listening", seconds=60)


class ProxyAgent(Agent):
    """The agent in proxy mode, with a certificate authority of its own."""

    def __init__(self, build, upstream, folder):
        state = os.path.join(folder, "invlog-state")
        made = subprocess.run([os.path.join(build, "invlog"), "ca", "init", "--region", "eu-central-1", "--state-dir", state],
                              capture_output=True, text=True)
        if made.returncode != 0:
            raise BenchError(f"invlog ca init: {made.stderr.strip()}")
        port = free_port()
        configuration = os.path.join(folder, "invlog.toml")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(f'[agent]\nca_bundle = "{folder}/upstream-ca.pem"\n'
                       f'[proxy]\nlisten = "127.0.0.1:{port}"\nconnect_to = "127.0.0.1:{upstream.port}"\n')
        super().__init__(build, upstream.port, folder, extra=("--config", configuration))
        self.port = port
        self.load_options = {"tls": HOST, "ca": os.path.join(state, "ca.pem"), "proxy_for": f"{HOST}:443"}
        self.wait_for(self.accepts, "listening as a proxy")


def cpu_row(what, results):
    cpu = {name: cpu_of(of)[0] for name, of in results.items() if name != "upstream"}
    _, parts = cpu_of(results["invlog"])
    threads = ", ".join(f"{name} {used:.1f}" for name, used in sorted(parts.items(), key=lambda part: -part[1])
                        if used >= 0.05)
    others = "".join(f", {name} {used:.1f} us" for name, used in cpu.items() if name != "invlog")
    return row(what, f"{cpu['invlog']:.1f} us ({threads}){others}", cpu_us=cpu)


def rows_of(title, results):
    rows = []
    for other in [name for name in results if name not in ("upstream", "invlog")]:
        for percentile in ("p50", "p99"):
            rows.append(added_row(f"proxy mode, {title}: latency added, {percentile}, against {other}", results,
                                  ("call_us", percentile), 1 if other == "mitmproxy" else None, other))
    return rows + [cpu_row(f"proxy mode, {title}: CPU per call", results),
                   behind_row(f"proxy mode, {title}: recorded", results)]


def proxy(bench, folder):
    make_certificates(folder)
    servers = []
    try:
        servers.append(TlsUpstream(bench.build, folder))
        servers.append(NginxStream(servers[0], folder))
        servers.append(ProxyAgent(bench.build, servers[0], folder))
        rows = []
        if shutil.which("mitmdump"):
            servers.append(Mitmproxy(servers[0], folder))
        else:
            rows.append(row("proxy mode against mitmproxy", "SKIPPED: mitmdump is not installed"))
        for name, body, calls_one, calls_many in (("1 KB", 1024, 1500, 3000), ("100 KB", 102400, 750, 1500)):
            for clients, calls in ((1, calls_one), (8, calls_many)):
                title = f"{name}, {clients} client{'s' if clients > 1 else ''}"
                say(f"bench: proxy mode, {title} ...")
                results = bench.compare(servers, bench.scaled(calls), body=body, connections=clients,
                                        warm_up=max(bench.scaled(calls) // 10, clients))
                rows += rows_of(title, results)
        return rows
    finally:
        stop(*reversed(servers))
