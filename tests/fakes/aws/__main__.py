"""Command line: `python3 tests/fakes/aws [OPTIONS]` or, from tests/fakes, `python3 -m aws [OPTIONS]`."""

import argparse
import asyncio
import os
import signal
import sys

if not __package__:  # started by its folder's name: the folder's parent is where the package is found
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from aws import control, faults, keys  # noqa: E402
from aws.journal import Journal  # noqa: E402
from aws.logs import Group  # noqa: E402
from aws.s3 import Bucket  # noqa: E402
from aws.server import Server  # noqa: E402
from aws.service import Service, Settings  # noqa: E402


def arguments() -> argparse.Namespace:
    kinds = "\n".join(f"  {name:<11} {text}" for name, text in faults.KINDS.items())
    parser = argparse.ArgumentParser(
        prog="aws", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="A fake of CloudWatch Logs, S3, STS, IMDSv2 and a container's credential endpoint, on one port.\n"
                    "Prints `fake-aws listening on HOST:PORT` when it is ready.",
        epilog=f"{control.__doc__}\n{faults.__doc__}\nFaults:\n{kinds}")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: the kernel picks (default)")
    parser.add_argument("--region", default=Settings.region, help="the Region of every endpoint (default: %(default)s)")
    parser.add_argument("--account", default=Settings.account)
    parser.add_argument("--access-key", default=keys.ACCESS_KEY)
    parser.add_argument("--secret-key", default=keys.SECRET_KEY)
    parser.add_argument("--session-token", default="", help="required with the access key, if given")
    parser.add_argument("--container-token", default=Settings.container_token, help="Authorization of /container/credentials")
    parser.add_argument("--web-identity-token", default=Settings.web_identity_token, help="accepted by AssumeRoleWithWebIdentity")
    parser.add_argument("--bucket", action="append", default=[], metavar="NAME[=REGION]", help="a bucket that exists; may repeat")
    parser.add_argument("--log-group", action="append", default=[], metavar="NAME", help="a log group that exists; may repeat")
    parser.add_argument("--journal", metavar="FILE", help="append a line of JSON for each call")
    return parser.parse_args()


async def main() -> None:
    options = arguments()
    service = Service(Settings(options.region, options.account, options.container_token, options.web_identity_token))
    service.ring.add(options.access_key, options.secret_key, options.session_token)
    for bucket in options.bucket:
        name, _, region = bucket.partition("=")
        service.s3.buckets[name] = Bucket(region or options.region)
    for group in options.log_group:
        service.logs.groups[group] = Group(int(service.now() * 1000))
    fake = Server(service, Journal(options.journal))
    port = await fake.listen(options.host, options.port)
    print(f"fake-aws listening on {options.host}:{port}", flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = asyncio.create_task(fake.run())
    await stop.wait()
    running.cancel()


if __name__ == "__main__":
    asyncio.run(main())
