"""What `vox doctor` makes of what a Redis server says of itself."""

from __future__ import annotations

import pytest

from vox.client.workers import told


@pytest.mark.parametrize(
    ("about", "memory", "expected"),
    [
        ({"redis_version": "7.0.15"}, {}, ("Redis 7.0.15", False, None)),
        ({"redis_version": "6.2.0"}, {}, ("Redis 6.2.0", False, None)),
        ({"redis_version": "6.0.16"}, {}, ("Redis 6.0.16", True, None)),
        ({"redis_version": "10.0"}, {}, ("Redis 10.0", False, None)),
        (
            {"redis_version": "7.2.4", "valkey_version": "9.1.2"},
            {"maxmemory": 0, "maxmemory_policy": "allkeys-lru"},
            ("Valkey 9.1.2", False, None),
        ),
        (
            {"redis_version": "8.0.0"},
            {"maxmemory": 1000, "maxmemory_policy": "allkeys-lru"},
            ("Redis 8.0.0", False, "allkeys-lru"),
        ),
        (
            {"redis_version": "8.0.0"},
            {"maxmemory": 1000, "maxmemory_policy": "noeviction"},
            ("Redis 8.0.0", False, None),
        ),
        (
            {"redis_version": "\x1b[2J²." + "9" * 5000},
            {"maxmemory": 1, "maxmemory_policy": "a\nb\ud800"},
            (r"Redis \x1b[2J²." + "9" * 31, False, r"a b\ud800"),
        ),
    ],
)
def test_its_version_and_what_it_does_when_it_is_full(
    about: dict[str, str], memory: dict[str, object], expected: tuple[str, bool, str | None]
) -> None:
    assert told(about, memory) == expected
