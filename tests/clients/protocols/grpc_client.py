"""Calls in the four ways of gRPC, by grpc-python: `grpc_client.py HOST`."""

import os
import sys

import grpc

# grpc-python reads no system store: whoever uses it names one.
roots = open(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"), "rb").read()
channel = grpc.secure_channel(f"{sys.argv[1]}:443", grpc.ssl_channel_credentials(roots))
words = [b"one", b"two", b"three"]

try:
    unary, call = channel.unary_unary("/echo.Echo/Unary").with_call(b"hello", timeout=20)
    assert unary == b"hello" and ("x-trailer", "told at the end") in call.trailing_metadata()
    assert channel.stream_unary("/echo.Echo/Collect")(iter(words), timeout=20) == b"one two three"
    counted = channel.unary_stream("/echo.Echo/Count")(b"3", timeout=20)
    assert list(counted) == [b"0", b"1", b"2"] and counted.trailing_metadata()
    assert list(channel.stream_stream("/echo.Echo/Chat")(iter(words), timeout=20)) == words
    try:
        channel.unary_unary("/echo.Echo/Fail")(b"", timeout=20)
        sys.exit("it must fail")
    except grpc.RpcError as failed:
        assert failed.code() == grpc.StatusCode.NOT_FOUND and failed.details() == "no such thing", failed
except grpc.RpcError as failed:
    sys.exit(f"{failed.code()}: {failed.details()}")
print("unary, client, server and both streaming, trailers, a status: all seen")
