"""What an index answers, beside arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from forebay import _core

if TYPE_CHECKING:
    import pyarrow as pa

Positions: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class InsertReport:
    """What became of the rows of one insert."""

    #: Rows that are new in the index, filled ones among them.
    num_inserted: int
    #: Rows left out as their positions were indexed already.
    num_skipped: int
    #: Bad vectors left out (on_bad_vectors="drop").
    num_dropped: int
    #: Bad vectors replaced by the fill value (on_bad_vectors="fill").
    num_filled: int


@dataclass(frozen=True, slots=True)
class MemoryUsage:
    """Bytes allocated, by purpose."""

    #: Codes, with the unused room for more.
    codes: int
    #: The rows' numbers, beside their codes.
    ordinals: int
    #: One float for each row, with residual models.
    vector_terms: int
    #: From rows to row positions, and which positions are taken.
    row_positions: int
    #: The directories of the partitions.
    partitions: int
    #: The raw vectors (keep_vectors=True). Address space reserved for more is not counted.
    vectors: int

    @property
    def total(self) -> int:
        """The sum."""
        return (
            self.codes
            + self.ordinals
            + self.vector_terms
            + self.row_positions
            + self.partitions
            + self.vectors
        )


@dataclass(frozen=True, slots=True)
class IndexStats:
    """What an index holds, and what it has done in its life."""

    num_rows: int
    num_partitions: int
    num_empty_partitions: int
    #: Rows of the largest partition.
    largest_partition: int
    #: Of all inserts: rows whose positions were indexed already.
    num_skipped: int
    #: Of all inserts: bad vectors left out.
    num_dropped: int
    #: Of all inserts: bad vectors replaced by the fill value.
    num_filled: int
    #: Of all searches: queries.
    num_queries: int
    #: Of all searches: partitions looked at.
    num_probed_partitions: int
    #: Of all searches: rows in those partitions that filter and limits left.
    num_eligible: int
    #: Of all searches: rows among them whose distance had to be computed in full.
    num_evaluated: int
    #: Of all searches: rows whose exact distance was computed (refine_factor).
    num_reranked: int


def hits_batch(found: _core.FoundRows) -> pa.RecordBatch:
    """All hits of a search, without padding."""
    import pyarrow as pa

    schema = pa.schema(
        [
            pa.field("query_index", pa.int64(), nullable=False),
            pa.field("row_position", pa.int64(), nullable=False),
            pa.field("_distance", pa.float32(), nullable=False),
        ]
    )
    columns = [pa.array(column) for column in found.columns()]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def as_pyarrow(batches: list[tuple[int, _core.ArrowBatch]]) -> list[tuple[int, pa.RecordBatch]]:
    """The batches of partitions, which any Arrow library could take, as pyarrow's."""
    import pyarrow as pa

    return [(partition, pa.record_batch(batch)) for partition, batch in batches]
