"""The listener: `python -m tests.outbound PORTS COMMAND…`, as root of a network namespace of its own."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

_DNS_PORT = 53
_ANSWER = "192.0.2.1"
"""What every name leads to (RFC 5737): a connection to it is seen, and refused."""
_EVERY_PROTOCOL = 0x0003
_IPV4, _IPV6 = 0x0800, 0x86DD
_NAMES = {6: "tcp", 17: "udp"}
_TYPE_A = 1
_REFUSALS = {1, 3}
"""ICMP's "destination unreachable", of IPv6 and of IPv4: an answer, not a message."""


def main() -> None:
    """Prints what was heard, as one JSON object."""
    served, command = set(json.loads(sys.argv[1])), sys.argv[2:]
    _lead_everything_here()
    lookups: list[str] = []
    packets: set[str] = set()
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_PROTOCOL))
    sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
    resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    resolver.bind(("127.0.0.1", _DNS_PORT))
    threading.Thread(target=_answer, args=(resolver, lookups), daemon=True).start()
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    _collect(sniffer, packets, served)
    output = done.stdout.decode(errors="replace")
    heard = {"lookups": lookups, "packets": sorted(packets), "code": done.returncode, "output": output}
    sys.stdout.write(json.dumps(heard))


def _lead_everything_here() -> None:
    for line in (
        "ip link set lo up",
        "ip route add local 0.0.0.0/0 dev lo",
        "ip -6 route add local ::/0 dev lo",
    ):
        subprocess.run(line.split(), check="-6" not in line, capture_output=True)
    with tempfile.NamedTemporaryFile("w", suffix=".conf", delete=False) as file:
        file.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    subprocess.run(["mount", "--bind", file.name, str(Path("/etc/resolv.conf").resolve())], check=True)
    Path(file.name).unlink()


def _answer(resolver: socket.socket, lookups: list[str]) -> None:
    while True:
        question, asker = resolver.recvfrom(4096)
        name, kind, end = _asked(question)
        lookups.append(name)
        found = kind == _TYPE_A
        reply = question[:2] + struct.pack("!5H", 0x8180, 1, int(found), 0, 0) + question[12:end]
        if found:
            reply += struct.pack("!HHHLH", 0xC00C, _TYPE_A, 1, 60, 4) + socket.inet_aton(_ANSWER)
        with contextlib.suppress(OSError):  # it has gone
            resolver.sendto(reply, asker)


def _asked(question: bytes) -> tuple[str, int, int]:
    """Name, type, and where the question ends."""
    labels, place = [], 12
    while length := question[place]:
        labels.append(question[place + 1 : place + 1 + length].decode(errors="replace"))
        place += 1 + length
    kind, _ = struct.unpack_from("!HH", question, place + 1)
    return ".".join(labels), kind, place + 5


def _collect(sniffer: socket.socket, packets: set[str], served: set[int]) -> None:
    sniffer.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            frame, (_, protocol, *_rest) = sniffer.recvfrom(65_536)
            if seen := _destination(frame[14:], protocol, served):
                packets.add(seen)


def _destination(packet: bytes, protocol: int, served: set[int]) -> str | None:
    """Who a packet is for; None if it is a question of names, or comes from or goes to a known service."""
    if protocol == _IPV4:
        header, kind, address = 4 * (packet[0] & 15), packet[9], ipaddress.ip_address(packet[16:20])
    elif protocol == _IPV6:
        header, kind, address = 40, packet[6], ipaddress.ip_address(packet[24:40])
    else:
        return None
    if kind not in _NAMES:
        return None if packet[header] in _REFUSALS or address.is_multicast else f"protocol {kind} {address}"
    ports = struct.unpack_from("!HH", packet, header)
    if {*ports} & {_DNS_PORT, *served}:
        return None
    flags = packet[header + 13] if _NAMES[kind] == "tcp" else 0
    is_answer = bool(flags & 0x10) or bool(flags & 0x04)  # ACK or RST: only who begins counts
    return None if is_answer else f"{_NAMES[kind]} {address} {ports[1]}"


if __name__ == "__main__":
    main()
