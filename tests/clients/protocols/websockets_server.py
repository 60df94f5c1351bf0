"""A WebSocket server by `websockets`: `websockets_server.py CERTIFICATE KEY PORT`. It echoes, compressed if the client can."""

import asyncio
import ssl
import sys

from websockets.asyncio.server import serve


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def main():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*sys.argv[1:3])
    async with serve(echo, "127.0.0.1", int(sys.argv[3]), ssl=tls, subprotocols=["chat"]) as server:
        await server.serve_forever()


asyncio.run(main())
