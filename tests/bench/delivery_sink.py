"""S3 and CloudWatch Logs as fast as they can be: takes every object and every batch, keeps nothing but counts. What
delivery costs is then what invlog costs. (What the services enforce is in tests/fakes/aws.)"""

import http.server
import json
import threading

REGION = "eu-central-1"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self, body: bytes = b"") -> None:
        self.send_response(200)
        self.send_header("x-amz-bucket-region", REGION)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def take(self) -> None:
        left = int(self.headers.get("Content-Length") or 0)
        self.server.requests += 1
        self.server.bytes += left
        while left and (part := self.rfile.read(min(left, 1 << 20))):
            left -= len(part)

    def do_HEAD(self) -> None:
        self.answer()

    def do_PUT(self) -> None:
        self.take()
        self.answer()

    def do_POST(self) -> None:
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if operation == "PutLogEvents":
            self.take()
            self.answer(b"{}")
            return
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(json.dumps(self.described(operation, request)).encode())

    @staticmethod
    def described(operation: str, request: dict) -> dict:
        """The group and the stream that are asked for are always there."""
        if operation == "DescribeLogGroups":
            name = request.get("logGroupNamePrefix", "")
            return {"logGroups": [{"logGroupName": name, "arn": f"arn:aws:logs:{REGION}:111122223333:log-group:{name}:*"}]}
        if operation == "DescribeLogStreams":
            return {"logStreams": [{"logStreamName": request.get("logStreamNamePrefix", "")}]}
        return {}

    def log_message(self, *_) -> None:
        pass


class DeliverySink:
    def __init__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.requests = self.server.bytes = 0
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take_counts(self) -> tuple[int, int]:
        """Requests with a body and their bytes since the last time."""
        counts = self.server.requests, self.server.bytes
        self.server.requests = self.server.bytes = 0
        return counts

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
