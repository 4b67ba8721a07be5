"""Command line: `python3 tests/fakes/bedrock [OPTIONS]` or, from tests/fakes, `python3 -m bedrock [OPTIONS]`."""

import argparse
import asyncio
import datetime
import os
import signal
import ssl
import sys

if not __package__:  # started by its folder's name: the folder's parent is where the package is found
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from bedrock import directives, server, service  # noqa: E402
from bedrock.authentication import Authenticator  # noqa: E402
from bedrock.journal import Journal  # noqa: E402
from bedrock.replay import Replay  # noqa: E402
from bedrock.sigv4 import Verifier  # noqa: E402

ACCESS_KEY = "AKIAFAKE000000EXAMPLE"
SECRET_KEY = "fakeSecret/Key+0123456789abcdefEXAMPLE00"
BEARER_KEY = "ABSKfakeBearerKey0123456789EXAMPLE"


def arguments() -> argparse.Namespace:
    names = "\n".join(f"  {name:<17} {text}" for name, text in directives.HELP.items())
    parser = argparse.ArgumentParser(
        prog="bedrock", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="A fake Amazon Bedrock runtime endpoint. Prints `fake-bedrock listening on HOST:PORT` when it is ready.",
        epilog="Directives, in the header `x-fake: NAME=VALUE ...`, in the newest user text as `[[fake NAME=VALUE ...]]`,\n"
               "or as the model id fake.ERROR:\n" + names)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: the kernel picks (default)")
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"), help="PEM files; h2 and http/1.1 by ALPN")
    parser.add_argument("--access-key", default=ACCESS_KEY)
    parser.add_argument("--secret-key", default=SECRET_KEY)
    parser.add_argument("--session-token", default="", help="required in every signed request, if given")
    parser.add_argument("--bearer", default=BEARER_KEY, help="the bearer key that is accepted")
    parser.add_argument("--region", default="", help="accept only signatures for this Region")
    parser.add_argument("--no-auth", action="store_true", help="check no credentials (benchmarks)")
    parser.add_argument("--replay", metavar="FILE", help="answer from recorded exchanges (NDJSON)")
    parser.add_argument("--journal", metavar="FILE", help="append a line of JSON for each exchange")
    return parser.parse_args()


async def main() -> None:
    options = arguments()
    verifier = Verifier(options.access_key, options.secret_key, options.session_token, options.region)
    authenticator = Authenticator(verifier, options.bearer, lambda: datetime.datetime.now(datetime.timezone.utc), not options.no_auth)
    fake = server.Server(service.Service(authenticator, Replay(options.replay) if options.replay else None), Journal(options.journal))
    tls = None
    if options.tls:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*options.tls)
    port = await fake.listen(options.host, options.port, tls)
    print(f"fake-bedrock listening on {options.host}:{port}", flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = asyncio.create_task(fake.run())
    await stop.wait()
    running.cancel()


if __name__ == "__main__":
    asyncio.run(main())
