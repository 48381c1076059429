"""Reads a topic from its beginning and prints every record, in kcat's words.

usage: read.py ADDRESS TOPIC (end | COUNT)

`end` reads up to the end that each partition has then; COUNT follows the topic until it has seen
that many records. Each line: partition, offset, timestamp in ms, length of the key (-1 for none),
key, headers (name=value with commas), value, with tabs between.
"""

import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition

BATCH = 10_000


def line(message: Message) -> bytes:
    key = message.key()
    headers = b",".join(name.encode() + b"=" + value for name, value in message.headers() or [])
    _kind, timestamp = message.timestamp()
    fields = (
        b"%d" % message.partition(),
        b"%d" % message.offset(),
        b"%d" % timestamp,
        b"%d" % (-1 if key is None else len(key)),
        key or b"",
        headers,
        message.value() or b"",
    )
    return b"\t".join(fields) + b"\n"


def main(address: str, topic: str, until: str) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": "reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    partitions = consumer.list_topics(topic, timeout=60).topics[topic].partitions
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
    unfinished = set(partitions)
    wanted = sys.maxsize if until == "end" else int(until)
    seen = 0
    while seen < wanted and (unfinished or until != "end"):
        lines = []
        for message in consumer.consume(min(BATCH, wanted - seen), timeout=0.1):
            error = message.error()
            if error is None:
                lines.append(line(message))
            elif error.code() == KafkaError._PARTITION_EOF:
                unfinished.discard(message.partition())
            elif not error.retriable():
                raise SystemExit(f"partition {message.partition()}: {error}")
        seen += len(lines)
        sys.stdout.buffer.writelines(lines)
    sys.stdout.buffer.flush()
    consumer.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3])
