"""Deletes a topic and makes it again while a producer and a consumer of it live on.

usage: replace.py ADDRESS TOPIC
"""

import sys
import time

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

PARTITIONS = 3
ROUNDS = 3
# Fewer records each time, so that a consumer that goes on where it was is behind the end.
FIRST_COUNT = 900
DEADLINE_S = 60


def make(admin: AdminClient, topic: str) -> None:
    wanted = NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1)
    admin.create_topics([wanted])[topic].result(DEADLINE_S)


def write(producer: Producer, topic: str, values: list[str]) -> None:
    """Writes each value until it is acknowledged: clients learn of the new topic with time."""
    refused = dict(enumerate(values))
    deadline = time.monotonic() + DEADLINE_S
    while refused:
        assert time.monotonic() < deadline, f"{len(refused)} of {len(values)} are still refused"
        trying, refused = refused, {}
        for number, value in trying.items():

            def delivered(error: object, _message: Message, number: int = number) -> None:
                if error is not None:
                    refused[number] = values[number]

            try:
                producer.produce(
                    topic, value, partition=number % PARTITIONS, on_delivery=delivered
                )
            except KafkaException:
                refused[number] = value
        assert producer.flush(DEADLINE_S) == 0, "some records have no outcome"


def read(consumer: Consumer, values: list[str]) -> None:
    wanted, found = set(values), set()
    deadline = time.monotonic() + DEADLINE_S
    while found != wanted:
        left = len(wanted - found)
        assert time.monotonic() < deadline, f"{left} of {len(wanted)} were not read"
        for message in consumer.consume(1_000, timeout=0.1):
            if message.error() is None:
                value = message.value().decode()
                assert value in wanted, f"read {value}, which is not of this topic"
                found.add(value)


def main(address: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": address})
    producer = Producer(
        {"bootstrap.servers": address, "topic.metadata.refresh.interval.ms": 1_000}
    )
    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": "replace",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "topic.metadata.refresh.interval.ms": 1_000,
        }
    )
    consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    for round_ in range(ROUNDS):
        make(admin, topic)
        values = [f"{round_}-{number}" for number in range(FIRST_COUNT // (round_ + 1))]
        write(producer, topic, values)
        read(consumer, values)
        admin.delete_topics([topic])[topic].result(DEADLINE_S)
    consumer.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
