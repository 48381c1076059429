"""Writes records with unique names until told to stop, and logs every send and delivery report.

Standard input takes lines: `mark N` asks for a word once every partition has acknowledged a record
that was sent after the mark; `stop` (or the end of input) ends the writing. Standard output answers
`marked N`, `stopped` when nothing is outstanding any more, and `broken` when the client declares
that it can never go on (it then waits for `stop`).

The log, a line an event:
    S at_ms partition counter              sent
    A at_ms partition counter offset       acknowledged (-1: no offset was told)
    U at_ms partition counter error        failed: perhaps written, perhaps not
    F at_ms partition counter error        refused by the client itself: never written
    X at_ms text                           the client declared itself broken
"""

import argparse
import sys
import threading
import time

from confluent_kafka import KafkaError, KafkaException, Producer

from payload import name, payload

NEVER_SENT = {KafkaError._INVALID_ARG, KafkaError._UNKNOWN_PARTITION}
RUN_LENGTH = 3  # records in a row to one partition: about one small batch
FLUSH_S = 60

PROMISES = {
    # Five requests in flight, and librdkafka repeats a batch exactly as it was sent.
    "idempotent": {"enable.idempotence": True, "acks": "all", "max.in.flight": 5},
    # One in flight: with more, a retry may legally overtake its successor.
    "all": {"enable.idempotence": False, "acks": "all", "max.in.flight": 1},
    "leader": {"enable.idempotence": False, "acks": "1", "max.in.flight": 1},
}

BATCHES = {
    # At once: many small requests are in flight when the broker dies.
    "short": {"linger.ms": 0, "batch.num.messages": RUN_LENGTH},
    # What the window holds goes out some twenty-five times a second.
    "long": {"linger.ms": 40, "batch.num.messages": 1000, "compression.type": "lz4"},
}


class Writer:
    """One producer client, its log, and the mark that it was last asked for."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.partitions = [int(each) for each in given.partitions.split(",")]
        self.counters = dict.fromkeys(self.partitions, 0)
        self.outstanding = 0
        self.asked = None  # the newest mark that standard input asked for
        self.mark = None  # the mark that is being waited for
        self.missing: dict[int, int] = {}  # partition -> first counter after the mark
        self.stopping = threading.Event()
        self.broken = False
        self.log = open(given.log, "w", buffering=1 << 20, encoding="ascii")
        self.client = Producer({
            "bootstrap.servers": given.bootstrap,
            "broker.address.family": "v4",
            "message.timeout.ms": 0,  # never give up: the producer outlives every kill
            "reconnect.backoff.ms": 10,
            "reconnect.backoff.max.ms": 100,
            "retry.backoff.ms": 10,
            "retry.backoff.max.ms": 100,
            "error_cb": self.on_error,
            "log_level": 0,
            **PROMISES[given.promise],
            **BATCHES[given.batches],
        })

    def on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self.break_down(error)

    def break_down(self, error: KafkaError) -> None:
        if not self.broken:
            self.broken = True
            self.write("X", error.name(), error.str().replace("\n", " "))
            print("broken", flush=True)

    def poll(self, timeout_s: float) -> None:
        """Serves delivery reports. A fatal error also comes out of the client's own poll."""
        try:
            self.client.poll(timeout_s)
        except KafkaException as error:
            self.break_down(error.args[0])

    def write(self, kind: str, *rest: object) -> None:
        print(kind, int(time.time() * 1000), *rest, file=self.log)

    def on_delivery(self, error: KafkaError | None, message) -> None:
        self.outstanding -= 1
        _, partition, counter = name(message.value())
        if error is None:
            offset = message.offset()
            self.write("A", partition, counter, offset if offset is not None else -1)
            self.note_mark(partition, counter)
        elif error.code() in NEVER_SENT:
            self.write("F", partition, counter, error.name())
        else:
            self.write("U", partition, counter, error.name())

    def note_mark(self, partition: int, counter: int) -> None:
        if self.mark is not None and counter >= self.missing.get(partition, counter + 1):
            del self.missing[partition]
            if not self.missing:
                print("marked", self.mark, flush=True)
                self.mark = None

    def begin_mark(self) -> None:
        if self.asked is not None:
            self.mark, self.asked = self.asked, None
            self.missing = dict(self.counters)

    def run(self) -> None:
        turn = 0
        while not self.stopping.is_set():
            self.begin_mark()
            if self.broken or self.outstanding >= self.given.window:
                self.poll(0.02)
                continue
            partition = self.partitions[turn // RUN_LENGTH % len(self.partitions)]
            counter = self.counters[partition]
            turn += 1
            self.counters[partition] += 1
            self.write("S", partition, counter)
            try:
                self.client.produce(
                    self.given.topic,
                    payload(self.given.producer, partition, counter),
                    partition=partition,
                    on_delivery=self.on_delivery,
                )
            except KafkaException as refusal:
                # Only a broken client refuses: the window keeps its queue from being full.
                self.write("F", partition, counter, refusal.args[0].name())
                self.break_down(refusal.args[0])
                continue
            self.outstanding += 1
            self.poll(0)

    def finish(self) -> int:
        left = self.flush()
        self.log.close()
        print("stopped", flush=True)
        if left:
            print(f"{left} records are unresolved after {FLUSH_S} s", file=sys.stderr)
        return 1 if left else 0

    def flush(self) -> int:
        """Resolves what is outstanding; returns what is left at the deadline."""
        deadline = time.monotonic() + FLUSH_S
        while self.outstanding and time.monotonic() < deadline:
            self.poll(0.1)
        return self.outstanding

    def obey(self) -> None:
        """Runs on a thread of its own: follows standard input until it ends."""
        for line in sys.stdin:
            word, *rest = line.split()
            if word == "mark":
                self.asked = int(rest[0])
            if word == "stop":
                break
        self.stopping.set()


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--bootstrap", required=True)
    arguments.add_argument("--topic", required=True)
    arguments.add_argument("--producer", type=int, required=True)
    arguments.add_argument("--promise", choices=sorted(PROMISES), required=True)
    arguments.add_argument("--batches", choices=sorted(BATCHES), required=True)
    arguments.add_argument("--partitions", required=True, help="numbers with commas between them")
    arguments.add_argument("--log", required=True)
    arguments.add_argument("--window", type=int, default=100)
    writer = Writer(arguments.parse_args())
    threading.Thread(target=writer.obey, daemon=True).start()
    writer.run()
    return writer.finish()


if __name__ == "__main__":
    sys.exit(main())
