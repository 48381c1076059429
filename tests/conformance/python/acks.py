"""Writes with every kind of acknowledgement, and reads it all back in order.

usage: acks.py ADDRESS TOPIC

Partition 0 is written with acks=0, 1 with acks=1, 2 with acks=all.
"""

import sys
import time

from confluent_kafka import Consumer, Message, Producer, TopicPartition

ACKS = ("0", "1", "all")
COUNT = 5_000
DEADLINE_S = 60


def write(address: str, topic: str, partition: int, acks: str) -> None:
    offsets: list[int] = []

    def delivered(error: object, message: Message) -> None:
        assert error is None, f"acks={acks}: {error}"
        offsets.append(message.offset())

    producer = Producer(
        {
            "bootstrap.servers": address,
            "acks": acks,
            "linger.ms": 1,
            "batch.num.messages": 100,
            "on_delivery": delivered,
        }
    )
    for number in range(COUNT):
        producer.produce(topic, f"{acks} {number}", partition=partition)
        producer.poll(0)
    assert producer.flush(DEADLINE_S) == 0 and len(offsets) == COUNT
    if acks != "0":
        assert offsets == list(range(COUNT)), f"acks={acks}: offsets out of order"


def main(address: str, topic: str) -> None:
    for partition, acks in enumerate(ACKS):
        write(address, topic, partition, acks)
    consumer = Consumer(
        {"bootstrap.servers": address, "group.id": "acks", "enable.auto.commit": False}
    )
    consumer.assign([TopicPartition(topic, p, 0) for p in range(len(ACKS))])
    found: dict[int, list[str]] = {p: [] for p in range(len(ACKS))}
    deadline = time.monotonic() + DEADLINE_S
    while sum(map(len, found.values())) < COUNT * len(ACKS):
        assert time.monotonic() < deadline, f"only {[len(f) for f in found.values()]} arrived"
        for message in consumer.consume(1_000, timeout=0.1):
            assert message.error() is None, message.error()
            assert message.offset() == len(found[message.partition()])
            found[message.partition()].append(message.value().decode())
    consumer.close()
    for partition, acks in enumerate(ACKS):
        assert found[partition] == [f"{acks} {number}" for number in range(COUNT)], f"acks={acks}"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
