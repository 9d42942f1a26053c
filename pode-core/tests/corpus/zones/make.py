#!/usr/bin/env python3
"""Writes `changes.txt`: how far the clocks of some zones were ahead of UTC.

By Python's `zoneinfo`, so that it comes from another library than the one that
is tested; both read the zone database of this machine (Debian's `tzdata`).

A line without indent is a zone, and how far it was ahead at first; each line
below it is a moment, and how far it was ahead from then on. What has happened
stays as it is, so `./make.py > changes.txt` makes the same file anew, unless
zones or years are added here.
"""

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

# Long past, so that no country changes anything any more.
BEGIN = datetime(2011, 1, 1, tzinfo=timezone.utc)
END = datetime(2025, 1, 1, tzinfo=timezone.utc)

ZONES = """
    Africa/Cairo Africa/Casablanca Africa/El_Aaiun Africa/Juba
    America/Caracas America/Havana America/New_York America/Santiago
    America/Sao_Paulo America/St_Johns Antarctica/Casey Antarctica/Troll
    Asia/Amman Asia/Gaza Asia/Kolkata Asia/Pyongyang Asia/Tehran
    Atlantic/Azores Australia/Lord_Howe Europe/Berlin Europe/Dublin
    Europe/Istanbul Europe/London Europe/Volgograd Pacific/Apia
    Pacific/Chatham
""".split()


def ahead(zone, moment):
    return moment.astimezone(zone).utcoffset()


def written(offset):
    sign = "-" if offset < timedelta(0) else "+"
    minutes, seconds = divmod(abs(offset).seconds, 60)
    assert seconds == 0
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}"


def change_between(zone, before, after):
    """Returns the first moment at which the clocks are as they are `after`."""
    at_last = ahead(zone, after)
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before).total_seconds() // 2)
        if ahead(zone, middle) == at_last:
            after = middle
        else:
            before = middle
    return after


print("# Made by make.py: how far clocks were ahead of UTC, and from when on.")
for name in ZONES:
    zone = ZoneInfo(name)
    moment, offset = BEGIN, ahead(ZoneInfo(name), BEGIN)
    print(name, written(offset))
    while moment < END:
        later = moment + timedelta(hours=1)
        if ahead(zone, later) != offset:
            change, offset = change_between(zone, moment, later), ahead(zone, later)
            print(f"    {change:%Y-%m-%dT%H:%M:%SZ}", written(offset))
        moment = later
