"""Writes the first records of a file to a topic, and waits until each one is acknowledged.

usage: write.py ADDRESS TOPIC CODEC FILE COUNT

The file has the lines of flights.py. Every record carries its own timestamp and headers; records
with a key go where Java's partitioner would put them.
"""

import sys
from itertools import islice
from pathlib import Path

from confluent_kafka import KafkaError, Message, Producer

DEADLINE_S = 120


class Outcome:
    """Counts what the broker acknowledged, and keeps the first refusal."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self.refusal: KafkaError | None = None

    def delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self.acknowledged += 1
        elif self.refusal is None:
            self.refusal = error


def main(address: str, topic: str, codec: str, file: Path, count: int) -> None:
    outcome = Outcome()
    producer = Producer(
        {
            "bootstrap.servers": address,
            "compression.type": codec,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 20,
            "queue.buffering.max.messages": 200_000,
            "on_delivery": outcome.delivered,
        }
    )
    with file.open(encoding="utf-8") as lines:
        for line in islice(lines, count):
            timestamp, carrier, origin, key, value = line.rstrip("\n").split("\t")
            record = {
                "key": key or None,
                "value": value,
                "timestamp": int(timestamp),
                "headers": [("carrier", carrier), ("origin", origin)],
            }
            while True:
                try:
                    producer.produce(topic, **record)
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
    left = producer.flush(DEADLINE_S)
    assert outcome.refusal is None, f"refused: {outcome.refusal}"
    assert left == 0 and outcome.acknowledged == count, f"{outcome.acknowledged} of {count}, {left}"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]), int(sys.argv[5]))
