"""Connections that are idle or slow, until this program is killed.

usage: slow_crowd.py ADDRESS TOPIC EMPTY SILENT BEGUN TRICKLING ASKED PARKED UNREAD

    SILENT     say nothing
    BEGUN      say half of a request's length, and nothing more
    TRICKLING  claim a large request, and send a byte of it a second
    ASKED      ask one small thing, read the answer, and say nothing more
    PARKED     wait for records of the topic EMPTY, which has none
    UNREAD     ask for what is in TOPIC, or for more than a connection's own memory, as often as
               they may, and read nothing

Whoever of them is closed comes again. Prints a line when all are there.
"""

import resource
import select
import socket
import struct
import sys
import time
from collections.abc import Callable

DEADLINE_S = 60
PAUSE_S = 0.1
TRICKLE_S = 1.0
# So it is read into the memory for requests that carry records.
CLAIM_BYTES = 1_000_000
BEGINNING_BYTES = 100
PARKED_MS = 600_000
FETCH_BYTES = 1 << 20
# Their answer takes 100 KB.
NAMES = 2_000
NAME_LENGTH = 40
UNREAD_REQUESTS = 100
# A small window, so that the machine's buffers don't take what nobody reads.
WINDOW_BYTES = 4096

FETCH = 1
METADATA = 3
API_VERSIONS = 18


def string(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def request(api: int, version: int, body: bytes) -> bytes:
    content = struct.pack(">hhi", api, version, 1) + string("crowd") + body
    return struct.pack(">i", len(content)) + content


def fetch(topic: str, wait_ms: int) -> bytes:
    partition = struct.pack(">iqi", 0, 0, FETCH_BYTES)
    topics = struct.pack(">i", 1) + string(topic) + struct.pack(">i", 1) + partition
    return request(FETCH, 4, struct.pack(">iiiib", -1, wait_ms, 1, FETCH_BYTES, 0) + topics)


def metadata_of_nothing() -> bytes:
    names = b"".join(string(f"{index:0{NAME_LENGTH}}") for index in range(NAMES))
    return request(METADATA, 4, struct.pack(">i", NAMES) + names + b"\0")


def read_answer(peer: socket.socket) -> None:
    with peer.makefile("rb") as stream:
        (size,) = struct.unpack(">i", stream.read(4))
        assert len(stream.read(size)) == size, "an answer ends early"


class Crowd:
    def __init__(self, address: str) -> None:
        host, port = address.split(":")
        self.address = (host, int(port))
        self.poll = select.poll()
        self.members: dict[int, tuple[socket.socket, Callable[[], socket.socket]]] = {}
        self.trickling: list[socket.socket] = []

    def connect(self, begins: bytes) -> socket.socket:
        peer = socket.create_connection(self.address, DEADLINE_S)
        peer.sendall(begins)
        return peer

    def trickler(self) -> socket.socket:
        peer = self.connect(struct.pack(">i", CLAIM_BYTES) + bytes(BEGINNING_BYTES))
        self.trickling.append(peer)
        return peer

    def asker(self) -> socket.socket:
        peer = self.connect(request(API_VERSIONS, 0, b""))
        read_answer(peer)
        return peer

    def unread(self, asks: bytes) -> socket.socket:
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW_BYTES)
        peer.settimeout(DEADLINE_S)
        peer.connect(self.address)
        peer.sendall(asks)
        peer.setblocking(False)
        try:
            peer.send(asks * (UNREAD_REQUESTS - 1))
        except BlockingIOError:
            # It is not read any more already.
            pass
        return peer

    def enter(self, come: Callable[[], socket.socket]) -> None:
        peer = come()
        self.members[peer.fileno()] = (peer, come)
        # Answers that nobody reads are no news.
        self.poll.register(peer, select.POLLRDHUP)

    def call_back(self) -> None:
        """Whoever was closed comes again."""
        for descriptor, _event in self.poll.poll(0):
            peer, come = self.members.pop(descriptor)
            self.poll.unregister(descriptor)
            if peer in self.trickling:
                self.trickling.remove(peer)
            peer.close()
            self.enter(come)

    def trickle(self) -> None:
        for peer in self.trickling:
            try:
                peer.send(b"\0")
            except OSError:
                # It is closed, and comes again.
                pass


def main(address: str, topic: str, empty: str, counts: list[int]) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    silent, begun, trickling, asked, parked, unread = counts
    crowd = Crowd(address)
    wait = fetch(empty, PARKED_MS)
    of_topic, of_nothing = fetch(topic, 0), metadata_of_nothing()
    comers: list[tuple[int, Callable[[], socket.socket]]] = [
        (silent, lambda: crowd.connect(b"")),
        (begun, lambda: crowd.connect(b"\0\0")),
        (trickling, crowd.trickler),
        (asked, crowd.asker),
        (parked, lambda: crowd.connect(wait)),
        (unread // 2, lambda: crowd.unread(of_topic)),
        (unread - unread // 2, lambda: crowd.unread(of_nothing)),
    ]
    for count, come in comers:
        for _ in range(count):
            crowd.enter(come)
    print("here", flush=True)
    trickled = time.monotonic()
    while True:
        crowd.call_back()
        if time.monotonic() - trickled >= TRICKLE_S:
            trickled = time.monotonic()
            crowd.trickle()
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], [int(count) for count in sys.argv[4:]])
