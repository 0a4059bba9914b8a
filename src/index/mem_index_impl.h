// What an IvfPqMemIndex consists of. Inserting is in insert.cc, searching in search.cc, reading
// back in mem_index.cc; into bytes in serialize.cc, and out of them in open.cc.
//
// Thread safety: as IvfPqMemIndex. The order of publication is the whole protocol:
//   writer: rows into the partitions, then each partition's size, then row positions and their
//           count, then the greatest position, and last of all num_visible (each with Release);
//   reader: num_visible first (Acquire): what it counts is all there. Anything newer that a reader
//           meets after that has an ordinal at or beyond its snapshot, and is passed over.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/published.h"
#include "forebay/index.h"
#include "index/block_store.h"
#include "index/partition.h"
#include "index/position_set.h"
#include "index/row_positions.h"

namespace forebay {

class IvfPqMemIndex::Impl {
 public:
  Impl(IvfPqModel index_model, MemIndexOptions index_options);

  Result<InsertReport> Insert(std::span<const VectorBatch> batches, std::size_t num_threads);
  [[nodiscard]] Result<SearchResult> Search(VectorView queries, const SearchOptions& opts) const;
  /// The rows of one partition that are in the snapshot.
  [[nodiscard]] PartitionEntries Entries(std::size_t partition, std::uint32_t snapshot) const;
  [[nodiscard]] MemoryUsage Usage() const;

  [[nodiscard]] const index::BlockLayout& layout() const { return blocks.layout(); }

  const IvfPqModel model;
  const MemIndexOptions options;
  /// An opened index stands on someone else's bytes, which this keeps where they are.
  std::shared_ptr<const void> keep_alive;
  bool read_only = false;
  index::BlockStore blocks;
  std::vector<index::Partition> partitions;
  index::RowPositions row_positions;
  index::PositionSet stored_positions;
  Published<std::uint64_t> greatest_position{0};
  Published<std::uint32_t> num_visible{0};
  std::atomic_flag writer_active;
};

}  // namespace forebay
