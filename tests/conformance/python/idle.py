"""Consumers that have read everything and wait for more, until this program is killed.

usage: idle.py ADDRESS TOPIC PARTITIONS CONSUMERS

Prints a line when all of them wait.
"""

import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition

WAIT_MS = 120_000
DEADLINE_S = 30
FOR_EVER_S = 3_600


def main(address: str, topic: str, partitions: int, count: int) -> None:
    consumers = [
        Consumer(
            {
                "bootstrap.servers": address,
                "group.id": f"idle-{number}",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": WAIT_MS,
                "socket.timeout.ms": 2 * WAIT_MS,
            }
        )
        for number in range(count)
    ]
    for consumer in consumers:
        consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    producer = Producer({"bootstrap.servers": address})
    for partition in range(partitions):
        producer.produce(topic, b"the last one", partition=partition)
    assert producer.flush(DEADLINE_S) == 0, "a record was not acknowledged in time"
    for consumer in consumers:
        found = consumer.consume(partitions, timeout=DEADLINE_S)
        assert [m.error() for m in found] == [None] * partitions
    print("waiting", flush=True)
    time.sleep(FOR_EVER_S)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
