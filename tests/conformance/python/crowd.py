"""Writes on while idle connections take all that the broker gives to clients.

usage: crowd.py ADDRESS TOPIC PARTITIONS CONNECTIONS

Prints how many of the idle connections the broker has closed.
"""

import select
import socket
import sys
import time

from confluent_kafka import Message, Producer

DEADLINE_S = 60
RECORD_BYTES = 64_000
ROUNDS = 400
QUIET_S = 2


def write(producer: Producer, topic: str, partitions: int, rounds: int, size: int) -> None:
    def check(error: object, _message: Message) -> None:
        assert error is None, f"refused: {error}"

    for round_ in range(rounds):
        producer.produce(topic, bytes(size), partition=round_ % partitions, on_delivery=check)
        producer.poll(0)
    assert producer.flush(DEADLINE_S) == 0, "a record was not acknowledged in time"


def closed(crowd: list[socket.socket]) -> int:
    """How many have ended, once none has for some seconds."""
    poll = select.poll()
    for member in crowd:
        poll.register(member, select.POLLIN)
    count = 0
    deadline = time.monotonic() + DEADLINE_S
    while ended := poll.poll(QUIET_S * 1000):
        assert time.monotonic() < deadline, f"connections still end: {count}"
        for descriptor, _event in ended:
            poll.unregister(descriptor)
            count += 1
    return count


def main(address: str, topic: str, partitions: int, connections: int) -> None:
    producer = Producer({"bootstrap.servers": address, "compression.type": "none"})
    write(producer, topic, partitions, partitions, 1)
    host, port = address.split(":")
    crowd = [socket.create_connection((host, int(port)), DEADLINE_S) for _ in range(connections)]
    turned_away = closed(crowd)
    write(producer, topic, partitions, ROUNDS, RECORD_BYTES)
    print(turned_away)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
