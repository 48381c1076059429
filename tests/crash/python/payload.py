"""The bytes of a record: made from its name alone, so that a reader can tell whether they are whole."""

FILLER = bytes(range(33, 127)) * 128


def payload(producer: int, partition: int, counter: int) -> bytes:
    """The record's name and a filler that depends on it. Sizes differ, and one in 64 records is longer
    than a 4 KiB block, so that batches end anywhere in a block."""
    size = 5000 + counter % 3000 if counter % 64 == 63 else (counter * 37 + partition * 11) % 300
    start = (producer * 31 + partition * 7 + counter) % 94
    return b"%d:%d:%d|" % (producer, partition, counter) + FILLER[start : start + size]


def name(value: bytes) -> tuple[int, int, int] | None:
    """(producer, partition, counter) of a payload, or None if it is not one that `payload` makes."""
    try:
        producer, partition, counter = (int(part) for part in value.split(b"|", 1)[0].split(b":"))
    except ValueError:
        return None
    return (producer, partition, counter) if payload(producer, partition, counter) == value else None
