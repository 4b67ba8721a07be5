"""The processes that `tests/bench/run` measures: the fixed-answer upstream, nginx and the agent, each on a loopback port
of its own, all started in one temporary folder and stopped at the end. Standard library only."""

import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import time
import urllib.request


class BenchError(Exception):
    """A measurement could not be made, or did not measure what it should."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def thread_cpu_us(task):
    """From schedstat, whose unit is ns; stat, for kernels without CONFIG_SCHED_INFO, counts in 10 ms."""
    try:
        with open(task + "/schedstat", encoding="ascii") as schedstat:
            return int(schedstat.read().split()[0]) / 1e3
    except FileNotFoundError:
        with open(task + "/stat", encoding="utf-8") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1e6 / os.sysconf("SC_CLK_TCK")


class Server:
    """A running process, with what /proc says about it and its children."""

    def __init__(self, name, command, folder, environment=None):
        self.name = name
        self.log_path = os.path.join(folder, name + ".log")
        self.log = open(self.log_path, "w+b")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
                                        cwd=folder, env=environment)
        self.pid = self.process.pid
        self.port = None
        self.load_options = {}  # what the load client needs to reach it besides the port

    def output(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def check_alive(self):
        if self.process.poll() is not None:
            raise BenchError(f"{self.name} ended with {self.process.returncode}: {self.output().strip()[-2000:]}")

    def wait_for(self, condition, what, seconds=10):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check_alive()
            value = condition()
            if value:
                return value
            time.sleep(0.01)
        raise BenchError(f"{self.name}: {what} did not happen within {seconds} s: {self.output().strip()[-2000:]}")

    def accepts(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def pids(self):
        with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as children:
            return [self.pid] + [int(pid) for pid in children.read().split()]

    def cpu_us(self):
        """User and system time so far in µs, by thread: its name, and its number among those of that name."""
        times = {}
        for pid in self.pids():
            for task in sorted(os.listdir(f"/proc/{pid}/task"), key=int):
                try:
                    with open(f"/proc/{pid}/task/{task}/comm", encoding="utf-8") as comm:
                        name = comm.read().strip()
                    used = thread_cpu_us(f"/proc/{pid}/task/{task}")
                except FileNotFoundError:  # the thread ended meanwhile
                    continue
                number, unique = 1, name
                while unique in times:
                    number += 1
                    unique = f"{name} #{number}"
                times[unique] = used
        return times

    def memory_mb(self):
        """(VmRSS, VmHWM) in MB of 10^6 bytes."""
        with open(f"/proc/{self.pid}/status", encoding="utf-8") as status:
            fields = dict(line.split(":", 1) for line in status if ":" in line)
        return tuple(int(fields[name].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


class Upstream(Server):
    def __init__(self, build, folder, *arguments):
        super().__init__("upstream", [os.path.join(build, "bench/bench_upstream"), *arguments], folder)
        self.port = json.loads(self.wait_for(lambda: self.output() if "\n" in self.output() else None,
                                             "its ready line"))["port"]

    def statistics(self):
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                f"http://127.0.0.1:{self.port}/bench-statistics") as answer:
            return json.load(answer)


NGINX_CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
{user}
events {{ worker_connections 4096; }}
http {{
  access_log off;                      # the default writes a line per call
  client_body_temp_path {folder}/nginx-body;
  proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi;
  uwsgi_temp_path {folder}/nginx-uwsgi;
  scgi_temp_path {folder}/nginx-scgi;
  client_max_body_size 64m;
  client_body_buffer_size 256k;        # the default writes bodies over 16 KB to a file
  keepalive_requests 1000000000;
  tcp_nodelay on;
  upstream bench {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://bench;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_read_timeout 300s;
    }}
    location ~ -stream$ {{
      proxy_pass http://bench;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_request_buffering off;
      proxy_buffering off;
      proxy_read_timeout 300s;
    }}
  }}
}}
"""


def nginx_binary():
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if not binary:
        raise BenchError("nginx is not installed; `tests/install-dependencies bench` installs Debian's nginx-light")
    return binary


class Nginx(Server):
    def __init__(self, upstream_port, folder):
        binary = nginx_binary()
        port = free_port()
        configuration = os.path.join(folder, "nginx.conf")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(NGINX_CONFIGURATION.format(folder=folder, port=port, upstream=upstream_port,
                                                  user="user root;" if os.geteuid() == 0 else ""))
        super().__init__("nginx", [binary, "-p", folder, "-c", configuration, "-e", folder + "/nginx-error.log"], folder)
        self.port = port
        self.wait_for(self.accepts, "listening")
        self.version = subprocess.run([binary, "-v"], capture_output=True, text=True).stderr.strip()


class Agent(Server):
    """`invlog agent` with its own store; knows how many records that must hold."""

    def __init__(self, build, upstream_port, folder, name="invlog", extra=()):
        self.state = os.path.join(folder, name + "-state")
        os.makedirs(self.state, exist_ok=True)
        self.store = os.path.join(self.state, "eu-central-1.db")
        self.expected_records = 0
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": folder, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
                       "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
        super().__init__(name, [os.path.join(build, "invlog"), "agent", "--region", "eu-central-1", "--state-dir",
                                self.state, "--listen", "127.0.0.1:0", "--upstream",
                                f"http://127.0.0.1:{upstream_port}", *extra], folder, environment)

        def ready():
            found = re.search(r"^invlog ready: http://127\.0\.0\.1:(\d+) ", self.output(), re.MULTILINE)
            return found and int(found.group(1))
        self.port = self.wait_for(ready, "its ready line")
        self.wait_for(self.accepts, "listening")

    def records(self):
        connection = sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)
        try:
            return connection.execute("SELECT count(*) FROM invocations").fetchone()[0]
        finally:
            connection.close()

    def wait_until_recorded(self, calls, seconds=60):
        """Every call made must be a record: neither fewer nor more. Returns the seconds the writer was behind."""
        self.expected_records += calls
        begin = time.monotonic()
        while True:
            self.check_alive()
            records = self.records()
            if records == self.expected_records:
                return time.monotonic() - begin
            if records > self.expected_records or time.monotonic() - begin > seconds:
                raise BenchError(f"{self.name}: {self.expected_records} calls were made and the store has {records} "
                                 f"records, {time.monotonic() - begin:.0f} s after the last")
            time.sleep(0.02)
