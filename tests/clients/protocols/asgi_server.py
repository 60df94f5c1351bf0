"""A web server by hypercorn: `asgi_server.py CERTIFICATE KEY PORT PROTOCOL...`, where a protocol is `h2` or `http/1.1`.

It has a page that opens a WebSocket, the WebSocket (over h2 too, RFC 8441), and the streams of two model APIs."""

import asyncio
import json
import sys
from pathlib import Path

from hypercorn.asyncio import serve
from hypercorn.config import Config

PAGE = (Path(__file__).parent / "page.html").read_bytes()

MESSAGES = [
    ("message_start", {"message": {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "stand-in",
                                   "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}}),
    ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
    *[("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": f"{n} "}}) for n in range(5)],
    ("content_block_stop", {"index": 0}),
    ("message_delta", {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 5}}),
    ("message_stop", {}),
]


def anthropic():
    for kind, fields in MESSAGES:
        yield f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"


def openai():
    for n in range(5):
        delta = {"index": 0, "delta": {"role": "assistant", "content": f"{n} "}, "finish_reason": None}
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "stand-in", "choices": [delta]}
        yield f"data: {json.dumps(chunk)}\n\n"
    yield "data: [DONE]\n\n"


async def stream(send, events):
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for event in events:
        await send({"type": "http.response.body", "body": event.encode(), "more_body": True})
        await asyncio.sleep(0.15)
    await send({"type": "http.response.body"})


async def page(send, body, kind=b"text/html"):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": body})


async def socket(receive, send):
    await receive()
    await send({"type": "websocket.accept", "subprotocol": "chat"})
    while (event := await receive())["type"] == "websocket.receive":
        text, data = event.get("text"), event.get("bytes")
        await send({"type": "websocket.send", "text": text} if text is not None else {"type": "websocket.send", "bytes": data})


async def application(scope, receive, send):
    if scope["type"] == "websocket":
        return await socket(receive, send)
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": event["type"] + ".complete"})
            if event["type"] == "lifespan.shutdown":
                return
    if scope["path"] == "/v1/messages":
        return await stream(send, anthropic())
    if scope["path"] == "/v1/chat/completions":
        return await stream(send, openai())
    if scope["path"] == "/":
        return await page(send, PAGE)
    if scope["path"] == "/seconds":
        await asyncio.sleep(3)
    await page(send, f"http/{scope['http_version']}\n".encode(), b"text/plain")


config = Config()
config.certfile, config.keyfile = sys.argv[1:3]
config.bind = [f"127.0.0.1:{sys.argv[3]}"]
config.alpn_protocols = sys.argv[4:]
asyncio.run(serve(application, config))
