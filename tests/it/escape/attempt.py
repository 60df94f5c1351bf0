"""One attempt to get out, with real system calls.

    attempt.py NAME [ARGUMENT ...]

Prints `through: …` and exits 0 when the attempt got through, prints `held: …` and exits 1 when it did not. The same
attempt is made outside a sandbox, where it must get through: an attempt that fails everywhere proves nothing.
"""

import ctypes
import os
import socket
import struct
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)


# Seconds to wait for an answer that comes at once, on a machine that is not busy.
PATIENCE = 30


def call(result):
    """The result of a libc call; raises the error it stands for."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def syscall(number, *arguments):
    return call(libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) for a in arguments]))


# System calls that a sandbox has no business with.


def raw_socket():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


def raw_socket_v6():
    socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58)


def packet_socket():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))


def vsock():
    socket.socket(40, socket.SOCK_STREAM)


def kernel_crypto():
    socket.socket(38, socket.SOCK_SEQPACKET)


def flush_rules():
    """Deletes every table of the namespace's nftables, in one batch."""
    rules = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    begin = struct.pack("=IHHII BBH", 20, 0x10, 1, 0, 0, 0, 0, socket.htons(10))
    delete = struct.pack("=IHHII BBH", 20, (10 << 8) | 2, 5, 1, 0, 0, 0, 0)
    end = struct.pack("=IHHII BBH", 20, 0x11, 1, 2, 0, 0, 0, socket.htons(10))
    rules.send(begin + delete + end)
    kind, error = struct.unpack_from("=4xH10xi", rules.recv(4096))
    if kind == 2 and error != 0:
        raise OSError(-error, os.strerror(-error))


def add_address():
    """Gives `lo` an address, as a first step to a network of one's own."""
    route = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    body = struct.pack("=BBBBI", 2, 32, 0, 0, 1) + struct.pack("=HH4s", 8, 2, bytes([192, 0, 2, 9]))
    route.send(struct.pack("=IHHII", 16 + len(body), 20, 0x605, 1, 0) + body)
    kind, error = struct.unpack_from("=4xH10xi", route.recv(4096))
    if kind == 2 and error != 0:
        raise OSError(-error, os.strerror(-error))


def new_network_namespace():
    call(libc.unshare(0x40000000))


def new_user_namespace():
    call(libc.unshare(0x10000000))


def new_user_namespace_by_clone():
    pid = syscall(56, 0x10000000 | 17, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def new_user_namespace_by_clone3():
    arguments = (ctypes.c_uint64 * 11)(0x10000000, 0, 0, 0, 17)
    pid = syscall(435, ctypes.addressof(arguments), ctypes.sizeof(arguments))
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def io_uring():
    """With a null pointer: EFAULT is the kernel's own word that it would have obeyed."""
    try:
        syscall(425, 1, 0)
    except OSError as error:
        if error.errno != 14:
            raise


def keyring():
    syscall(250, 0, -4 & 0xFFFFFFFF, 1)


def mount_tmpfs():
    os.makedirs("/tmp/outwall-mount", exist_ok=True)
    call(libc.mount(b"none", b"/tmp/outwall-mount", b"tmpfs", 0, None))


def enter_init_network():
    handle = os.open("/proc/1/ns/net", os.O_RDONLY)
    call(libc.setns(handle, 0x40000000))


def trace_init():
    """By PTRACE_SEIZE, which leaves it running: the twin traces an init that others wait for."""
    if libc.ptrace(0x4206, 1, 0, 0) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def write_kernel_setting():
    with open("/proc/sys/net/ipv4/ip_forward", "r+") as setting:
        value = setting.read()
        setting.seek(0)
        setting.write(value)


# The network.


def udp(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    channel = socket.socket(family, socket.SOCK_DGRAM)
    channel.settimeout(PATIENCE)
    channel.connect((address, int(port)))
    channel.send(b"outwall")
    started = time.monotonic()
    try:
        channel.recv(100)
    except ConnectionRefusedError as refused:
        took = time.monotonic() - started
        raise OSError(refused.errno, f"refused after {took * 1000:.1f} ms") from refused


def ping(address):
    """An echo request by a datagram socket, as ordinary users may send it."""
    channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    channel.settimeout(PATIENCE)
    channel.sendto(struct.pack("!BBHHH", 8, 0, 0xF7FD, 1, 1), (address, 0))
    channel.recv(100)


def dns(server, name):
    """Asks `server` for the address of `name` and prints what it answers."""
    channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    channel.settimeout(PATIENCE)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    channel.sendto(struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1), (server, 53))
    reply = channel.recv(512)
    return socket.inet_ntoa(reply[-4:])


def tcp(address, port):
    """Connects and sends a request; only an answer counts, for any TCP connection is accepted and then judged."""
    channel = socket.create_connection((address, int(port)), PATIENCE)
    channel.send(b"GET / HTTP/1.1\r\nHost: " + address.encode() + b"\r\nConnection: close\r\n\r\n")
    answer = channel.recv(4000)
    if not answer:
        raise OSError(0, "closed without an answer")
    if b"x-outwall-reason" in answer.lower():
        raise OSError(0, answer.split(b"x-outwall-reason:")[-1].split(b"\r\n")[0].decode().strip())
    return answer[:40].decode(errors="replace")


def abstract_socket(name):
    socket.socket(socket.AF_UNIX).connect("\0" + name)


def unix_socket(path):
    socket.socket(socket.AF_UNIX).connect(path)


def own_server():
    """A server of the sandbox's own, on loopback and on its own address: not captured."""
    for address in ("127.0.0.1", "10.99.0.2"):
        server = socket.create_server((address, 0))
        client = socket.create_connection(server.getsockname(), 2)
        peer, _ = server.accept()
        client.send(b"hello")
        assert peer.recv(5) == b"hello"


def main():
    name, *arguments = sys.argv[1:]
    try:
        got = globals()[name](*arguments)
    except (OSError, TimeoutError) as error:
        print(f"held: {name}: {error}")
        sys.exit(1)
    print(f"through: {name}: {got}" if got is not None else f"through: {name}")


main()
