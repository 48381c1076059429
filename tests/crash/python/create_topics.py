"""Creates the topic of a campaign and side topics, one after the other, while the broker is killed.

At the end every topic must be there whose creation was acknowledged, with all its partitions, and
no other one but those that were asked for. Creates again what was not acknowledged.
"""

import argparse
import sys
import time

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

ANSWER_S = 5
SIDE_PARTITIONS = 3


class Broker:
    """What the program asks of the broker, until one deadline for everything."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.deadline = time.monotonic() + given.deadline_s
        self.admin = AdminClient({
            "bootstrap.servers": given.bootstrap,
            "broker.address.family": "v4",
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200,
            "log_level": 0,
        })

    def create(self, topic: str, partitions: int) -> None:
        """Returns when the topic's creation is acknowledged; it may be an earlier attempt's."""
        wanted = NewTopic(topic, partitions, 1)
        while True:
            try:
                self.admin.create_topics([wanted], request_timeout=ANSWER_S)[topic].result()
                return
            except KafkaException as error:
                if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                    return
                if time.monotonic() > self.deadline:
                    raise

    def partitions(self) -> dict[str, int]:
        """The partitions that have a leader, of every topic. It asks for all topics: to ask for one
        by name would make it."""
        while True:
            try:
                topics = self.admin.list_topics(timeout=ANSWER_S).topics
                return {
                    name: sum(each.leader >= 0 for each in topic.partitions.values())
                    for name, topic in topics.items()
                    if not name.startswith("__")
                }
            except KafkaException:
                if time.monotonic() > self.deadline:
                    raise


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--bootstrap", required=True)
    arguments.add_argument("--topic", required=True)
    arguments.add_argument("--partitions", type=int, required=True)
    arguments.add_argument("--side-topics", type=int, required=True)
    arguments.add_argument("--deadline-s", type=float, default=90)
    arguments.add_argument(
        "--listed-late",
        action="store_true",
        help="a topic may be missing for a while: Kafka's list follows its log after a start",
    )
    given = arguments.parse_args()
    broker = Broker(given)
    wanted = {f"side-{number}": SIDE_PARTITIONS for number in range(given.side_topics)}
    wanted[given.topic] = given.partitions
    for topic, partitions in wanted.items():
        broker.create(topic, partitions)
    found = broker.partitions()
    while found != wanted and time.monotonic() < broker.deadline:
        # Leaders may take a moment; that a topic is there may not, but with Kafka.
        if found.keys() != wanted.keys() and not given.listed_late:
            break
        found = broker.partitions()
    if found != wanted:
        print(f"acknowledged: {wanted}\nfound: {found}", file=sys.stderr)
    return int(found != wanted)


if __name__ == "__main__":
    sys.exit(main())
