"""A topic of one replica that asks for two in-sync ones: one is enough, as there are no more.

usage: min_insync.py ADDRESS TOPIC
"""

import sys
import time

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

ACKS = ("1", "all")
DEADLINE_S = 60


def create(address: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": address})
    config = {"min.insync.replicas": "2", "retention.ms": "-1"}
    wanted = NewTopic(topic, num_partitions=1, replication_factor=1, config=config)
    admin.create_topics([wanted], request_timeout=DEADLINE_S)[topic].result(DEADLINE_S)


def write(address: str, topic: str, acks: str) -> None:
    answers: list[object] = []

    def delivered(error: object, message: Message) -> None:
        answers.append(error)

    producer = Producer(
        {
            "bootstrap.servers": address,
            "acks": acks,
            # What is refused shall be told at once, not tried again.
            "retries": 0,
            "on_delivery": delivered,
        }
    )
    producer.produce(topic, acks, partition=0)
    assert producer.flush(DEADLINE_S) == 0
    assert answers == [None], f"acks={acks}: {answers}"


def main(address: str, topic: str) -> None:
    create(address, topic)
    for acks in ACKS:
        write(address, topic, acks)
    consumer = Consumer(
        {"bootstrap.servers": address, "group.id": "min", "enable.auto.commit": False}
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[str] = []
    deadline = time.monotonic() + DEADLINE_S
    while len(found) < len(ACKS):
        assert time.monotonic() < deadline, f"only {found} arrived"
        for message in consumer.consume(10, timeout=0.1):
            assert message.error() is None, message.error()
            found.append(message.value().decode())
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), DEADLINE_S)
    consumer.close()
    assert found == list(ACKS) and (low, high) == (0, len(ACKS)), (found, low, high)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
