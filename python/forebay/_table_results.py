"""What a table answers, beside rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PutReport:
    """What became of the rows of one put."""

    #: Of the batch; the next one's is greater.
    sequence_number: int
    #: The stored rows have this `_rowid` and the following ones.
    first_row_id: int
    #: Rows that were stored, filled ones among them.
    num_rows: int
    #: Older rows of the same keys, which these replaced.
    num_replaced: int
    #: Rows left out as their vectors were bad (on_bad_vectors="drop").
    num_dropped: int
    #: Bad vectors replaced by the fill value (on_bad_vectors="fill").
    num_filled: int


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What opening a table found in its log."""

    num_batches: int
    num_rows: int
    #: Rows that were replaced or deleted.
    num_deaths: int
    #: The end of a write that was never acknowledged, and was cut off.
    torn_bytes: int


@dataclass(frozen=True, slots=True)
class SourceStats:
    """What a search did in one source of rows, for all queries together."""

    #: "memtable", or "generation 1".
    source: str
    #: Rows that the search saw, dead ones among them.
    num_rows: int
    #: Of these, rows that were replaced or deleted.
    num_dead: int
    #: Partitions looked at.
    probed_partitions: int
    #: Rows that filter and deaths left, of those looked at.
    scanned_rows: int
    #: Of these, rows that the bound did not rule out.
    survivors: int
    #: Rows whose exact distance was computed.
    reranked_rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class GenerationStats:
    """One generation: rows that were flushed, in files that never change."""

    number: int
    #: Rows that are alive.
    num_rows: int
    #: Rows that were replaced or deleted since they were flushed or merged.
    num_dead: int
    #: Of its files: the rows, the index of their codes, their keys, and which of them are dead.
    row_bytes: int
    index_bytes: int
    key_bytes: int
    mask_bytes: int
    #: Of the index's model; None: there is no index.
    model_fingerprint: int | None
    #: The mean squared distance between a row (normalised for cosine) and what its code stands for,
    #: by a sample, from when the generation was written.
    quantization_error: float | None
    #: How many times that is what it was for the rows that the model was trained on (or, of a model
    #: that was given, for the first that were flushed). Far above 1, rows have drifted away from
    #: what it was made for: `train`, then `merge`, makes codes that fit them. None: it is an older
    #: model's.
    drift: float | None


@dataclass(frozen=True, slots=True)
class TableStats:
    """What a table holds."""

    #: Rows that are alive.
    num_rows: int
    #: Rows that were replaced or deleted, and still take room.
    num_dead: int
    #: Of the last batch.
    sequence_number: int
    #: How often the table has been opened for writing.
    writer_epoch: int
    #: Rows and index that are in memory, and not in a generation yet.
    memtable_bytes: int
    wal_bytes: int
    #: Syncs of the log, since the table was opened.
    num_syncs: int
    #: Since the table was opened, as the following.
    num_flushes: int
    #: In the background; the next flush tries again.
    num_failed_merges: int
    #: Seconds that puts waited for a flush.
    waited_seconds: float
    #: Oldest first.
    generations: tuple[GenerationStats, ...]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What `Table.verify` looked at, and found right."""

    #: Rows that are alive, each found by an exhaustive search.
    num_rows: int
    #: Codes, each equal to the encoding of its vector.
    num_codes: int
    #: Keys, all different.
    num_keys: int
    #: Records of the log, whose checksums are right, as those of the manifest are.
    num_log_records: int
