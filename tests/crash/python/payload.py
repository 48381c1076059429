"""The bytes of a record: made from its name alone, so that a reader sees whether they are whole."""

FILLER = bytes(range(33, 127)) * 128


def payload(producer: int, partition: int, counter: int) -> bytes:
    """The record's name and a filler that depends on it. Sizes differ, and one in 64 records is
    longer than a 4 KiB block, so that batches end anywhere in a block."""
    size = (counter * 37 + partition * 11) % 300
    if counter % 64 == 63:
        size += 5000
    start = (producer * 31 + partition * 7 + counter) % 94
    label = b"%d:%d:%d|" % (producer, partition, counter)
    return label + FILLER[start : start + size]


def name(value: bytes) -> tuple[int, int, int] | None:
    """(producer, partition, counter) of a payload, or None if `payload` does not make it."""
    try:
        words = value.split(b"|", 1)[0].split(b":")
        producer, partition, counter = (int(word) for word in words)
    except ValueError:
        return None
    whole = payload(producer, partition, counter) == value
    return (producer, partition, counter) if whole else None
