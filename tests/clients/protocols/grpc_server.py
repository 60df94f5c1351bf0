"""A gRPC server by grpc-python: `grpc_server.py CERTIFICATE KEY PORT`. Messages are bytes as they are."""

import sys
from concurrent.futures import ThreadPoolExecutor

import grpc


def ended(context):
    context.set_trailing_metadata((("x-trailer", "told at the end"),))


def unary(message, context):
    ended(context)
    return message


def collect(messages, context):
    ended(context)
    return b" ".join(messages)


def count(message, context):
    ended(context)
    for number in range(int(message)):
        yield str(number).encode()


def chat(messages, context):
    ended(context)
    yield from messages


def fail(message, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")


METHODS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Collect": grpc.stream_unary_rpc_method_handler(collect),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Chat": grpc.stream_stream_rpc_method_handler(chat),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
}

certificate, key = (open(path, "rb").read() for path in sys.argv[1:3])
server = grpc.server(ThreadPoolExecutor(8))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("echo.Echo", METHODS)])
server.add_secure_port(f"127.0.0.1:{sys.argv[3]}", grpc.ssl_server_credentials([(key, certificate)]))
server.start()
server.wait_for_termination()
