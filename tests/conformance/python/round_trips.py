"""Writes records one by one, reads each one back, and says how long that took.

usage: round_trips.py ADDRESS TOPIC ROUNDS

Every second record is a large one. Prints three numbers in ms: until a record was acknowledged by
acks=all, until it was read, each the median; and the slowest until it was read.
"""

import statistics
import sys
import time

from confluent_kafka import Consumer, Message, Producer, TopicPartition

DEADLINE_S = 60
# A produce request of up to 16 KiB is small for the broker, and others have other memory.
SIZES_BYTES = (1_000, 40_000)
ROUNDS_UNCOUNTED = 10


class RoundTrips:
    def __init__(self, address: str, topic: str) -> None:
        self.topic = topic
        self.producer = Producer({"bootstrap.servers": address, "acks": "all", "linger.ms": 0})
        self.consumer = Consumer(
            {
                "bootstrap.servers": address,
                "group.id": "round-trips",
                "enable.auto.commit": False,
            }
        )
        # What is there already was written for others.
        partition = TopicPartition(topic, 0)
        _, partition.offset = self.consumer.get_watermark_offsets(partition, DEADLINE_S)
        self.consumer.assign([partition])

    def round(self, number: int) -> tuple[float, float]:
        def check(error: object, _message: Message) -> None:
            assert error is None, f"refused: {error}"

        value = b"%08d" % number + bytes(SIZES_BYTES[number % len(SIZES_BYTES)])
        began = time.monotonic()
        self.producer.produce(self.topic, value, partition=0, on_delivery=check)
        assert self.producer.flush(DEADLINE_S) == 0, "a record was not acknowledged in time"
        acknowledged = time.monotonic()
        message = self.consumer.poll(DEADLINE_S)
        read = time.monotonic()
        assert message is not None and message.error() is None, "a record was not read in time"
        assert message.value() == value, "another record was read"
        return (acknowledged - began) * 1000, (read - began) * 1000


def main(address: str, topic: str, rounds: int) -> None:
    trips = RoundTrips(address, topic)
    # Clients ask for this and that before they come to their pace.
    for number in range(ROUNDS_UNCOUNTED):
        trips.round(number)
    acknowledged, read = zip(*(trips.round(number) for number in range(rounds)), strict=True)
    print(statistics.median(acknowledged), statistics.median(read), max(read))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
