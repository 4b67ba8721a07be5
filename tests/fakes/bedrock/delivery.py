"""Sends a response piece by piece, in the pace and with the breaks that its directives ask for."""

import asyncio

from .directives import Directives
from .exchange import ClientGone, Response, ResponseWriter


async def deliver(writer: ResponseWriter, response: Response, directives: Directives) -> str:
    """Returns how it ended: "complete" or "broken" (on request). Raises ClientGone if the client went first."""
    await _pause(writer, directives.seconds("delay_ms"))
    if directives.flag("close"):
        writer.abort(reset=False)
        return "broken"
    length = None if response.streamed else sum(map(len, response.pieces))
    headers = list(response.headers)
    if response.trailers:
        headers.append(("Trailer", ", ".join(name for name, _ in response.trailers)))
    await writer.start(response.status, headers, length)
    cut, reset, stall = directives.pair("cut"), directives.pair("reset"), directives.pair("stall")
    for number, piece in enumerate(response.pieces):
        if stall and stall[0] == number:
            await _pause(writer, stall[1] / 1000)
        ending = cut or reset
        if ending and ending[0] == number:
            await writer.write(piece[: ending[1]])
            writer.abort(reset=reset is not None)
            return "broken"
        if number:
            await _pause(writer, directives.seconds("gap_ms"))
        await _write(writer, piece, directives)
    await writer.finish(response.trailers)
    if directives.flag("hang_up"):
        writer.abort(reset=False)
    return "complete"


async def _write(writer: ResponseWriter, piece: bytes, directives: Directives) -> None:
    size = directives.number("chunk_bytes") or len(piece) or 1
    for start in range(0, len(piece), size):
        if start:
            await _pause(writer, directives.seconds("gap_ms"))
        await writer.write(piece[start:start + size])


async def _pause(writer: ResponseWriter, seconds: float) -> None:
    """Waits, and notices within 20 ms when the client has gone."""
    deadline = asyncio.get_running_loop().time() + seconds
    while (left := deadline - asyncio.get_running_loop().time()) > 0:
        await asyncio.sleep(min(left, 0.02))
        if writer.client_gone():
            raise ClientGone
