"""Creates the topic of a campaign; waits until the broker answers, or gives up at the deadline."""

import argparse
import sys
import time

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic


def create(admin: AdminClient, topic: str, partitions: int) -> None:
    try:
        admin.create_topics([NewTopic(topic, partitions, 1)], request_timeout=5)[topic].result()
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--bootstrap", required=True)
    arguments.add_argument("--topic", required=True)
    arguments.add_argument("--partitions", type=int, required=True)
    arguments.add_argument("--deadline-s", type=float, default=30)
    given = arguments.parse_args()
    admin = AdminClient({
        "bootstrap.servers": given.bootstrap,
        "broker.address.family": "v4",
        "reconnect.backoff.ms": 20,
        "reconnect.backoff.max.ms": 200,
        "log_level": 0,
    })
    deadline = time.monotonic() + given.deadline_s
    while True:
        try:
            create(admin, given.topic, given.partitions)
            described = admin.list_topics(given.topic, timeout=5).topics[given.topic]
            leaders = [each.leader for each in described.partitions.values()]
            if len(leaders) == given.partitions and min(leaders) >= 0:
                return 0
        except KafkaException as error:
            if time.monotonic() > deadline:
                print(f"cannot create {given.topic}: {error}", file=sys.stderr)
                return 1
        if time.monotonic() > deadline:
            print(f"{given.topic} has no leaders for all partitions", file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main())
