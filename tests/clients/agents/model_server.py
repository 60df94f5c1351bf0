"""A stand-in for the servers of two model APIs: `model_server.py CERTIFICATE KEY PORT RECORD`.

`STAND_IN_KEY` is the real key, `STAND_IN_PLACE` the header that it belongs in, with its scheme (`authorization Bearer`),
`STAND_IN_WEBSOCKET` is `accept` or `refuse`. It answers as the real ones do, in pieces, but says only what `plot.py` has it say,
and fails a request that shows anything but the real key (`presented.py`). Each request becomes a line of JSON in RECORD: what came
in, what was done with it, what was answered."""

import asyncio
import gzip
import json
import os
import sys
from dataclasses import dataclass
from itertools import count

from hypercorn.asyncio import serve
from hypercorn.config import Config

import anthropic_messages
import openai_responses
from plot import Fault, Plot
from presented import Expected

EXPECTED = Expected(os.environ["STAND_IN_KEY"], *os.environ["STAND_IN_PLACE"].split())
HOSTS = ("api.anthropic.com", "api.openai.com")
PLOT = Plot()
BETWEEN_PIECES = 0.004  # seconds
RESPONSES = count(1)


@dataclass
class Request:
    host: str
    method: str
    path: str
    target: str
    headers: list
    body: str = ""

    @classmethod
    def of(cls, scope):
        headers = [(name.decode().lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        query = scope["query_string"].decode()
        target = scope["path"] + (f"?{query}" if query else "")
        host = dict(headers).get("host", "").removesuffix(":443")
        return cls(host, scope.get("method", "WEBSOCKET"), scope["path"], target, headers)

    def accepts(self, coding):
        return any(name == "accept-encoding" and coding in value for name, value in self.headers)

    def speaks_anthropic(self):
        return self.host == "api.anthropic.com"

    def has_key(self):
        if self.host not in HOSTS:
            raise Fault(f"nobody serves `{self.host}` here")
        return EXPECTED.is_shown(self)


def record(request, did, **more):
    line = {"host": request.host, "method": request.method, "target": request.target, "headers": request.headers,
            "body": request.body, "did": did, **more}
    RECORD.write(json.dumps(line) + "\n")


class Answer:
    """One response over HTTP."""

    def __init__(self, send, request):
        self.send, self.request = send, request

    async def json(self, status, value):
        body, headers = json.dumps(value).encode(), [(b"content-type", b"application/json"), (b"request-id", b"req_01Standin")]
        if self.request.accepts("gzip"):
            body = gzip.compress(body)
            headers.append((b"content-encoding", b"gzip"))
        headers.append((b"content-length", str(len(body)).encode()))
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": b"" if self.request.method == "HEAD" else body})

    async def stream(self, pieces):
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in pieces:
            await self.send({"type": "http.response.body", "body": piece.encode(), "more_body": True})
            await asyncio.sleep(BETWEEN_PIECES)
        await self.send({"type": "http.response.body", "body": b""})


async def http(scope, receive, send):
    request = Request.of(scope)
    answer = Answer(send, request)
    body = await read_body(receive)
    request.body = body.decode("utf-8", "backslashreplace")
    try:
        has_key = request.has_key()
        if request.method == "POST" and request.path in MODELS:
            if not has_key:
                raise Fault("no credential")
            return await MODELS[request.path](request, answer)
        status, value = on_the_side(request)
        record(request, "side", status=status, key=has_key)
        await answer.json(status, value)
    except Fault as fault:
        record(request, "fault", fault=str(fault))
        dialect = anthropic_messages if request.speaks_anthropic() else openai_responses
        await answer.json(401 if "credential" in str(fault) or "key" in str(fault) else 400, dialect.failure(401, str(fault)))


async def read_body(receive):
    body = b""
    while True:
        event = await receive()
        body += event.get("body", b"")
        if not event.get("more_body"):
            return body


async def messages(request, answer):
    body = json.loads(request.body)
    turn = PLOT.turn(anthropic_messages.read(body))
    record_turn(request, turn)
    if body.get("stream"):
        await answer.stream(anthropic_messages.stream(turn, body))
    else:
        await answer.json(200, anthropic_messages.whole(turn, body))


async def responses(request, answer):
    body = json.loads(request.body)
    turn = PLOT.turn(openai_responses.read(body))
    record_turn(request, turn)
    identity, output = f"resp_{next(RESPONSES)}", openai_responses.output(turn, body)
    if not body.get("stream"):
        return await answer.json(200, openai_responses.response(body, identity, "completed", output))
    events = openai_responses.events(identity, output, body)
    await answer.stream(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)


def record_turn(request, turn):
    if turn.command:
        record(request, "tool call", command=turn.command)
    else:
        record(request, "answer" if "shell of" in turn.text else "title", text=turn.text)


MODELS = {"/v1/messages": messages, "/v1/responses": responses}


def on_the_side(request):
    """What agents ask beside: as the real servers answer whoever has an API key and no account."""
    if request.path == "/v1/messages/count_tokens":
        return 200, {"input_tokens": len(request.body) // 4}
    if request.path == "/v1/models":
        return 200, {"object": "list", "data": [], "has_more": False, "first_id": None, "last_id": None}
    if request.path == "/mcp-registry/v0/servers":
        return 200, {"servers": [], "metadata": {"count": 0}}
    if request.path.startswith("/api/event_logging/"):
        return 200, {"accepted_count": 0, "rejected_count": 0}
    if request.path == "/api/claude_code/organizations/metrics_enabled":
        return 200, {"metrics_logging_enabled": False}
    return 404, anthropic_messages.failure(404, "Not Found")


async def websocket(scope, receive, send):
    request = Request.of(scope)
    await receive()
    try:
        if not request.has_key():
            raise Fault("no credential")
    except Fault as fault:
        record(request, "fault", fault=str(fault))
        return await refuse_socket(send, 401)
    if os.environ["STAND_IN_WEBSOCKET"] == "refuse" or request.path != "/v1/responses":
        record(request, "socket refused")
        return await refuse_socket(send, 426)
    record(request, "socket")
    await send({"type": "websocket.accept"})
    socket = openai_responses.Socket()
    while (event := await receive())["type"] == "websocket.receive":
        request.body = event.get("text") or (event.get("bytes") or b"").decode()
        await converse(request, socket, send)


async def converse(request, socket, send):
    try:
        EXPECTED.check("a message", request.body)
        body = socket.whole(json.loads(request.body))
        identity, output = f"resp_{next(RESPONSES)}", []
        if body.get("generate", True):
            turn = PLOT.turn(openai_responses.read(body))
            record_turn(request, turn)
            output = openai_responses.output(turn, body)
        else:
            record(request, "warmed up")
        socket.answered(identity, body, output)
        for event in openai_responses.events(identity, output, body):
            await send({"type": "websocket.send", "text": json.dumps(event)})
            await asyncio.sleep(BETWEEN_PIECES)
    except Fault as fault:
        record(request, "fault", fault=str(fault))
        failure = {"type": "error", "status": 400, **openai_responses.failure(400, str(fault))}
        await send({"type": "websocket.send", "text": json.dumps(failure)})


async def refuse_socket(send, status):
    await send({"type": "websocket.http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "websocket.http.response.body", "body": b""})


async def application(scope, receive, send):
    if scope["type"] == "websocket":
        return await websocket(scope, receive, send)
    if scope["type"] == "http":
        return await http(scope, receive, send)
    while True:
        event = await receive()
        await send({"type": event["type"] + ".complete"})
        if event["type"] == "lifespan.shutdown":
            return


config = Config()
config.certfile, config.keyfile = sys.argv[1:3]
config.bind = [f"127.0.0.1:{sys.argv[3]}"]
config.alpn_protocols = ["h2", "http/1.1"]
RECORD = open(sys.argv[4], "a", buffering=1, encoding="utf-8")
asyncio.run(serve(application, config))
