"""Writes records one by one for consumers that wait, and says how soon each one was read.

usage: wake.py ADDRESS TOPIC PARTITIONS

One consumer wants any byte, the other wants many together; both may wait far longer than this
program runs. Prints the slowest wake in ms.
"""

import sys
import time

from confluent_kafka import Consumer, Message, Producer, TopicPartition

WAIT_MS = 60_000
DEADLINE_S = 30
MANY_BYTES = 100_000
RECORD_BYTES = 1_000
ROUNDS = 60


def consumer(address: str, topic: str, partitions: int, min_bytes: int) -> Consumer:
    made = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": f"wake-{min_bytes}",
            "enable.auto.commit": False,
            "fetch.min.bytes": min_bytes,
            "fetch.wait.max.ms": WAIT_MS,
            "socket.timeout.ms": 2 * WAIT_MS,
        }
    )
    # What is there already was written for others.
    wanted = [TopicPartition(topic, p) for p in range(partitions)]
    for partition in wanted:
        _, partition.offset = made.get_watermark_offsets(partition, DEADLINE_S)
    made.assign(wanted)
    return made


def write(producer: Producer, topic: str, partition: int, count: int) -> None:
    def check(error: object, _message: Message) -> None:
        assert error is None, f"refused: {error}"

    for _ in range(count):
        producer.produce(topic, bytes(RECORD_BYTES), partition=partition, on_delivery=check)
    assert producer.flush(DEADLINE_S) == 0, "a record was not acknowledged in time"


def read(reader: Consumer, count: int) -> list[Message]:
    found: list[Message] = []
    deadline = time.monotonic() + DEADLINE_S
    while len(found) < count:
        left = deadline - time.monotonic()
        assert left > 0, f"{len(found)} of {count} records arrived in {DEADLINE_S} s"
        found += [m for m in reader.consume(1, timeout=left)]
    assert all(message.error() is None for message in found)
    return found


def main(address: str, topic: str, partitions: int) -> None:
    producer = Producer({"bootstrap.servers": address, "linger.ms": 0})
    any_byte = consumer(address, topic, partitions, 1)
    many = consumer(address, topic, partitions, MANY_BYTES)
    # A partition that a client takes up while its request waits is in the next request only. What
    # each partition has now ends all requests that began without it.
    enough = MANY_BYTES // RECORD_BYTES
    for partition in range(partitions):
        write(producer, topic, partition, enough)
    read(any_byte, partitions * enough)
    read(many, partitions * enough)

    slowest_s = 0.0
    for round_ in range(ROUNDS):
        partition = round_ % partitions
        began = time.monotonic()
        write(producer, topic, partition, 1)
        assert [m.partition() for m in read(any_byte, 1)] == [partition]
        slowest_s = max(slowest_s, time.monotonic() - began)

    early = many.consume(1, timeout=0.5)
    assert not early, "a consumer was woken by fewer bytes than it asked for"
    for round_ in range(ROUNDS, enough):
        write(producer, topic, round_ % partitions, 1)
    read(many, ROUNDS)
    print(round(slowest_s * 1000))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
