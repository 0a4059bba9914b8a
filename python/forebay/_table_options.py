"""How a table is opened."""

from __future__ import annotations

import math
from typing import Literal, SupportsFloat, SupportsIndex, TypeAlias

from forebay import _core
from forebay._arguments import choice, count, flag, number
from forebay._errors import InvalidArgumentError
from forebay._index import OnBadVectors

Sync: TypeAlias = Literal["always", "interval", "none"]


def table_options(
    *,
    read_only: bool,
    sync: Sync,
    sync_interval: SupportsFloat,
    max_memtable_rows: SupportsIndex,
    max_memtable_bytes: SupportsIndex,
    flush_on_close: bool,
    merge_fan_in: SupportsIndex,
    max_merge_bytes: SupportsIndex,
    merge_bytes_per_second: SupportsIndex | None,
    on_bad_vectors: OnBadVectors,
    fill_value: SupportsFloat,
    num_threads: SupportsIndex,
    verify_on_open: bool,
) -> _core.TableOptions:
    """The arguments of `Table.create` and `Table.open`, checked."""
    interval = number("sync_interval", sync_interval)
    if not 0.001 <= interval <= 86_400:
        raise InvalidArgumentError(
            f"sync_interval must be from 0.001 to 86400 seconds; got {interval}"
        )
    return _core.TableOptions(
        read_only=flag("read_only", read_only),
        sync=choice("sync", sync, ("always", "interval", "none")),
        sync_interval_ms=math.floor(interval * 1000),
        max_memtable_rows=count("max_memtable_rows", max_memtable_rows, 1, 2**31 - 1),
        max_memtable_bytes=count("max_memtable_bytes", max_memtable_bytes, 1, 2**63 - 1),
        flush_on_close=flag("flush_on_close", flush_on_close),
        merge_fan_in=count("merge_fan_in", merge_fan_in, 0),
        max_merge_bytes=count("max_merge_bytes", max_merge_bytes, 0, 2**63 - 1),
        merge_bytes_per_second=0
        if merge_bytes_per_second is None
        else count("merge_bytes_per_second", merge_bytes_per_second, 1, 2**63 - 1),
        on_bad_vectors=choice("on_bad_vectors", on_bad_vectors, ("error", "drop", "fill")),
        fill_value=number("fill_value", fill_value),
        num_threads=count("num_threads", num_threads, 1),
        verify_on_open=flag("verify_on_open", verify_on_open),
    )
