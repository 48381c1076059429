"""Reads every partition from its beginning and dumps what it finds.

Without --live it reads up to the end offsets that it was told at its start, then ends. With --live
it follows the log, through every restart of the broker, until standard input ends.

The dump, a line each:
    B partition start end                       the bounds that the broker told (not with --live)
    R partition offset producer partition counter
    G partition offset hex                      a record that no producer makes
    X text                                      the client met an error that it cannot get over
"""

import argparse
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from payload import name

STALLED_S = 60
BATCH = 1000


def client(bootstrap: str) -> Consumer:
    return Consumer({
        "bootstrap.servers": bootstrap,
        "broker.address.family": "v4",
        "group.id": "crash-reader",  # the client wants one; no offset is ever committed
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "check.crcs": True,
        # An offset that was there and is gone must be said, not skipped over.
        "auto.offset.reset": "error",
        "fetch.wait.max.ms": 100,
        "fetch.error.backoff.ms": 20,
        "reconnect.backoff.ms": 10,
        "reconnect.backoff.max.ms": 100,
        "log_level": 0,
    })


def bounds(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """Start and end offset, asked until the broker (which may be starting) answers."""
    deadline = time.monotonic() + STALLED_S
    while True:
        try:
            return consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=5)
        except KafkaException:
            if time.monotonic() > deadline:
                raise


def dump(message, out) -> None:
    value = message.value() or b""
    found = name(value)
    if found is None:
        print("G", message.partition(), message.offset(), value[:48].hex(), file=out)
    else:
        print("R", message.partition(), message.offset(), *found, file=out)


def failed(message, out) -> bool:
    """Whether the message is an error; one that no retry mends is also put into the dump."""
    error = message.error()
    if error is None:
        return False
    passing = error.retriable() or error.code() in {
        KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._PARTITION_EOF,
        KafkaError._RESOLVE, KafkaError._TIMED_OUT,
    }
    if not passing:
        text = f"partition {message.partition()}: {error.name()} {error.str()}"
        print("X", text.replace("\n", " "), file=out)
    return True


def read_whole(consumer: Consumer, given: argparse.Namespace, out) -> int:
    left = {}
    for partition in range(given.partitions):
        start, end = bounds(consumer, given.topic, partition)
        print("B", partition, start, end, file=out)
        if end > start:
            left[partition] = end
    consumer.assign([TopicPartition(given.topic, each, 0) for each in left])
    moved = time.monotonic()
    while left:
        for message in consumer.consume(BATCH, timeout=0.1):
            if failed(message, out):
                continue
            partition, end = message.partition(), left.get(message.partition())
            if end is None or message.offset() >= end:
                continue
            dump(message, out)
            moved = time.monotonic()
            if message.offset() + 1 == end:
                del left[partition]
                consumer.incremental_unassign([TopicPartition(given.topic, partition)])
        if time.monotonic() - moved > STALLED_S:
            print(f"stalled for {STALLED_S} s before the ends {left}", file=sys.stderr)
            return 1
    return 0


def read_live(consumer: Consumer, given: argparse.Namespace, out) -> int:
    stopping = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stopping.set()), daemon=True).start()
    consumer.assign([TopicPartition(given.topic, each, 0) for each in range(given.partitions)])
    while not stopping.is_set():
        for message in consumer.consume(BATCH, timeout=0.1):
            if not failed(message, out):
                dump(message, out)
    return 0


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--bootstrap", required=True)
    arguments.add_argument("--topic", required=True)
    arguments.add_argument("--partitions", type=int, required=True)
    arguments.add_argument("--log", required=True)
    arguments.add_argument("--live", action="store_true")
    given = arguments.parse_args()
    consumer = client(given.bootstrap)
    with open(given.log, "w", buffering=1 << 20, encoding="ascii") as out:
        code = (read_live if given.live else read_whole)(consumer, given, out)
    consumer.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
