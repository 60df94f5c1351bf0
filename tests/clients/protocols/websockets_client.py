"""Speaks over a WebSocket by `websockets`: `websockets_client.py HOST`. Small and large messages, text and bytes, pings."""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus


async def main(host):
    try:
        async with connect(f"wss://{host}/socket", subprotocols=["chat"], proxy=None) as socket:
            for message in ["hello", "x" * 200_000, bytes(range(256)) * 64]:
                await socket.send(message)
                assert await socket.recv() == message
            await asyncio.wait_for(await socket.ping(), 10)
            assert socket.subprotocol == "chat"
    except InvalidStatus as refused:
        sys.exit(f"{refused.response.status_code}: {refused.response.body.decode()}")
    print("text, bytes, a large message and a ping: all seen")


asyncio.run(main(sys.argv[1]))
