"""Creates topics that keep their records for ever, and waits until every partition has a leader.

usage: create_topic.py ADDRESS (TOPIC PARTITIONS)...
"""

import sys
import time

from confluent_kafka.admin import AdminClient, NewTopic

DEADLINE_S = 60


def main(address: str, topics: dict[str, int]) -> None:
    admin = AdminClient({"bootstrap.servers": address})
    wanted = [
        NewTopic(
            topic, num_partitions=partitions, replication_factor=1, config={"retention.ms": "-1"}
        )
        for topic, partitions in topics.items()
    ]
    for created in admin.create_topics(wanted, request_timeout=DEADLINE_S).values():
        created.result(DEADLINE_S)
    deadline = time.monotonic() + DEADLINE_S
    for topic, partitions in topics.items():
        while True:
            found = admin.list_topics(topic, timeout=DEADLINE_S).topics[topic].partitions
            if len(found) == partitions and all(p.leader >= 0 for p in found.values()):
                break
            assert time.monotonic() < deadline, f"{topic}: not every one has a leader: {found}"


if __name__ == "__main__":
    main(sys.argv[1], dict(zip(sys.argv[2::2], map(int, sys.argv[3::2]))))
