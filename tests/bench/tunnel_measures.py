"""What a tunnel costs (`[proxy] other_hosts = "tunnel"`): bytes go straight to a peer, through nginx's `stream`, which is
nothing but a copy from one socket to the other, and through a tunnel of invlog's, in turn, in several rounds."""

import socket
import statistics
import struct
import threading
import time

from measures import row, say, stop
from proxy_measures import NginxStream, ProxyAgent, make_certificates
from servers import BenchError, Upstream

MIB = 1 << 20
ORDER = struct.Struct("<cQ")  # u(p), d(own) or e(cho), and how many bytes


def read_exactly(connection, count):
    """Reads and forgets `count` bytes."""
    buffer = memoryview(bytearray(MIB))
    while count:
        read = connection.recv_into(buffer[:min(count, MIB)])
        if not read:
            raise BenchError(f"a connection ended {count:,} bytes early")
        count -= read


class Peer:
    """Takes one order a connection: swallows bytes and says so, sends bytes, or echoes single bytes."""

    def __init__(self):
        self.name = "direct"
        self.load_options = {}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:  # stopped
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    @staticmethod
    def _serve(connection):
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                kind, count = ORDER.unpack(connection.recv(ORDER.size, socket.MSG_WAITALL))
                if kind == b"u":
                    read_exactly(connection, count)
                    connection.sendall(b"!")
                elif kind == b"d":
                    send(connection, count)
                else:
                    for _ in range(count):
                        connection.sendall(connection.recv(1))
            except (OSError, BenchError, struct.error):  # the bench's own end has the same news
                pass

    def cpu_us(self):
        return {}

    def stop(self):
        self.listener.close()


def send(connection, count):
    block = bytes(MIB)
    for _ in range(count // MIB):
        connection.sendall(block)


def opened(server, peer):
    """A connection to `peer` by way of `server`."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if isinstance(server, ProxyAgent):
        connection.sendall(f"CONNECT 127.0.0.1:{peer.port} HTTP/1.1\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            part = connection.recv(1)
            if not part:
                raise BenchError(f"CONNECT was answered {answer!r}")
            answer += part
        if not answer.startswith(b"HTTP/1.1 200"):
            raise BenchError(f"CONNECT was answered {answer!r}")
    return connection


def transfer(connection, kind, count):
    connection.sendall(ORDER.pack(kind, count))
    if kind == b"u":
        send(connection, count)
        read_exactly(connection, 1)
    else:
        read_exactly(connection, count)


def side_by_side(server, peer, kind, count, connections):
    """MB/s of `connections` at once, `count` bytes each, on connections that were open before the clock started."""
    ready = [opened(server, peer) for _ in range(connections)]
    failures = []

    def run(connection):
        try:
            transfer(connection, kind, count)
        except (OSError, BenchError) as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(connection,)) for connection in ready]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.monotonic() - started
    for connection in ready:
        connection.close()
    if failures:
        raise BenchError(f"{server.name}: {failures[0]}")
    return count * connections / elapsed / 1e6


def round_trip_us(server, peer, trips):
    """Median time of one byte there and back, in µs."""
    with opened(server, peer) as connection:
        connection.sendall(ORDER.pack(b"e", trips))
        times = []
        for _ in range(trips):
            started = time.perf_counter()
            connection.sendall(b"x")
            connection.recv(1)
            times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e6


def in_turn(bench, servers, measure):
    """{server name: [what `measure` gave in each round]}, and CPU time in µs of each server in each round."""
    results = {server.name: [] for server in servers}
    cpu = {server.name: [] for server in servers}
    for turn in range(bench.rounds):
        for offset in range(len(servers)):
            server = servers[(turn + offset) % len(servers)]
            before = sum(server.cpu_us().values())
            results[server.name].append(measure(server))
            cpu[server.name].append(sum(server.cpu_us().values()) - before)
    return results, cpu


def transfer_row(bench, servers, peer, kind, connections):
    count = bench.scaled(2000) * MIB // connections // MIB * MIB
    title = f"tunnel, {'up' if kind == b'u' else 'down'}, {connections} connection{'s' if connections > 1 else ''}"
    say(f"bench: {title} ...")
    results, cpu = in_turn(bench, servers, lambda server: side_by_side(server, peer, kind, count, connections))
    ratios = sorted(mine / its for mine, its in zip(results["invlog"], results["nginx"]))
    ratio = statistics.median(ratios)
    rates = {name: statistics.median(of) for name, of in results.items()}
    cpu_ms = {name: statistics.median(of) / (count * connections / 1e9) / 1e3 for name, of in cpu.items() if name != "direct"}
    return row(f"{title}: MB/s", f"{ratio:.2f}x nginx ({ratios[0]:.2f}-{ratios[-1]:.2f}): {rates['invlog']:,.0f}, nginx "
               f"{rates['nginx']:,.0f}, direct {rates['direct']:,.0f}; CPU {cpu_ms['invlog']:.0f} ms/GB, nginx "
               f"{cpu_ms['nginx']:.0f}", ">= 1x nginx", ratio >= 1, ratio=ratio, rates=rates, cpu_ms_per_gb=cpu_ms)


def round_trip_row(bench, servers, peer):
    title = "tunnel, one byte there and back"
    say(f"bench: {title} ...")
    results, _ = in_turn(bench, servers, lambda server: round_trip_us(server, peer, bench.scaled(10000)))
    ratios = sorted(mine / its for mine, its in zip(results["invlog"], results["nginx"]))
    ratio = statistics.median(ratios)
    times = {name: statistics.median(of) for name, of in results.items()}
    return row(f"{title}: p50", f"{ratio:.2f}x nginx ({ratios[0]:.2f}-{ratios[-1]:.2f}): {times['invlog']:.0f} us, nginx "
               f"{times['nginx']:.0f} us, direct {times['direct']:.0f} us", "", None, ratio=ratio, us=times)


def tunnel(bench, folder):
    make_certificates(folder)
    peer = Peer()
    servers = [peer]
    upstream = None
    try:
        upstream = Upstream(bench.build, folder)  # the agent must have one; tunnels do not meet it
        servers.append(NginxStream(peer, folder))
        servers.append(ProxyAgent(bench.build, upstream, folder))
        rows = [transfer_row(bench, servers, peer, kind, connections) for connections in (1, 8) for kind in (b"u", b"d")]
        return rows + [round_trip_row(bench, servers, peer)]
    finally:
        stop(*reversed(servers), upstream)
        peer.stop()
