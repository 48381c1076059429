"""Reads a topic from its beginning by kafka-python, and prints every record as read.py does.

usage: read_kafka_python.py ADDRESS TOPIC (end | COUNT)

`end` reads up to the end that each partition has then; COUNT follows the topic until it has seen
that many records.
"""

import sys

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

POLL_MS = 1_000
BATCH = 10_000


def line(record: ConsumerRecord) -> bytes:
    headers = b",".join(name.encode() + b"=" + value for name, value in record.headers)
    fields = (
        b"%d" % record.partition,
        b"%d" % record.offset,
        b"%d" % record.timestamp,
        b"%d" % (-1 if record.key is None else len(record.key)),
        record.key or b"",
        headers,
        record.value or b"",
    )
    return b"\t".join(fields) + b"\n"


def main(address: str, topic: str, until: str) -> None:
    consumer = KafkaConsumer(bootstrap_servers=address, group_id=None, max_poll_records=BATCH)
    partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    if until == "end":
        # These topics have no gaps in their offsets.
        wanted = sum(consumer.end_offsets(partitions).values())
    else:
        wanted = int(until)
    seen = 0
    while seen < wanted:
        found = consumer.poll(timeout_ms=POLL_MS, max_records=min(BATCH, wanted - seen))
        lines = [line(record) for records in found.values() for record in records]
        seen += len(lines)
        sys.stdout.buffer.writelines(lines)
    sys.stdout.buffer.flush()
    consumer.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3])
