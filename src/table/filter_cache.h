// FilterCache: the rows of generations, dead or alive, that pass filters. A generation's rows never
// change, so what a filter chose among them holds for as long as the generation is there; the dead
// are left out by who asks.
//
// Thread safety: any thread, at any time.
//
// Invariants:
//   1. There are kMaxEntries at most, and the bitmaps take kMaxBytes; the one that was not asked
//      for the longest goes first.
#pragma once

#include <arrow/compute/expression.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>

#include "table/row_set.h"

namespace forebay::table {

class FilterCache {
 public:
  /// nullptr when it is not here.
  std::shared_ptr<const RowSet> Find(std::uint64_t generation,
                                     const arrow::compute::Expression& filter);
  /// Throws std::bad_alloc.
  void Add(std::uint64_t generation, const arrow::compute::Expression& filter,
           std::shared_ptr<const RowSet> rows);

 private:
  static constexpr std::size_t kMaxEntries = 256;
  static constexpr std::size_t kMaxBytes = std::size_t{64} << 20U;

  struct Entry {
    std::uint64_t generation;
    arrow::compute::Expression filter;
    std::shared_ptr<const RowSet> rows;
  };

  std::mutex mutex_;
  std::list<Entry> entries_;  // The one that was asked for last comes first.
  std::size_t num_bytes_ = 0;
};

}  // namespace forebay::table
