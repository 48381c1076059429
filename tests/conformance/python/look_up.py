"""Asks for the first offset at or after each time, in each partition.

usage: look_up.py ADDRESS TOPIC PARTITIONS TIMES

Partitions and times are numbers with commas between them.
Each line: partition, time in ms, offset (-1 where no record is that late), with tabs between.
"""

import sys

from confluent_kafka import Consumer, TopicPartition


def main(address: str, topic: str, partitions: list[int], times: list[int]) -> None:
    consumer = Consumer({"bootstrap.servers": address, "group.id": "look-up"})
    for time in times:
        question = [TopicPartition(topic, p, time) for p in partitions]
        for answer in consumer.offsets_for_times(question, timeout=60):
            assert answer.error is None, f"partition {answer.partition}: {answer.error}"
            print(answer.partition, time, answer.offset, sep="\t")
    consumer.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *([int(n) for n in given.split(",")] for given in sys.argv[3:]))
