#include "support/checked_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "support/results.h"

namespace forebay::testing {
namespace {

constexpr std::size_t kLanes = 64;  // Rows of a block.

void Require(bool condition, const std::string& what) {
  if (!condition) {
    throw Disagreement(what);
  }
}

template <typename T>
void RequireEqual(std::string_view what, const T& real, const T& expected) {
  if (real != expected) {
    throw Disagreement(fmt::format("{}: {}, expected {}", what, real, expected));
  }
}

void RequireSameCode(std::string_view what, const Status& real, const Status& expected) {
  if (real.code() != expected.code()) {
    throw Disagreement(
        fmt::format("{}: {}, expected {}", what, real.ToString(), StatusCodeName(expected.code())));
  }
}

void RequireSameEntries(std::size_t p, const PartitionEntries& real,
                        const PartitionEntries& expected) {
  RequireEqual(fmt::format("rows of partition {}", p), real.row_positions.size(),
               expected.row_positions.size());
  Require(real.row_positions == expected.row_positions,
          fmt::format("partition {} has other row positions", p));
  Require(real.codes == expected.codes, fmt::format("partition {} has other codes", p));
}

bool SameBits(const Hit& a, const Hit& b) {
  return a.row_position == b.row_position &&
         std::bit_cast<std::uint32_t>(a.distance) == std::bit_cast<std::uint32_t>(b.distance);
}

std::string Text(const std::vector<Hit>& hits, std::size_t i) {
  return i < hits.size() ? fmt::format("({:a}, {})", hits[i].distance, hits[i].row_position)
                         : "none";
}

}  // namespace

CheckedIndex::CheckedIndex(const IvfPqModel& model, const MemIndexOptions& options)
    : real_(Value(IvfPqMemIndex::Create(model, options))), naive_(model, options) {}

Result<InsertReport> CheckedIndex::Insert(std::span<const VectorBatch> batches,
                                          std::size_t num_threads) {
  auto real = batches.size() == 1 && num_threads == 1 ? real_.Insert(batches[0])
                                                      : real_.InsertBatches(batches, num_threads);
  const auto expected = naive_.Insert(batches);
  RequireSameCode("Insert", real.status(), expected.status());
  if (real.ok()) {
    RequireEqual("first_ordinal", real->first_ordinal, expected->first_ordinal);
    RequireEqual("num_inserted", real->num_inserted, expected->num_inserted);
    RequireEqual("num_skipped", real->num_skipped, expected->num_skipped);
    RequireEqual("num_dropped", real->num_dropped, expected->num_dropped);
    RequireEqual("num_filled", real->num_filled, expected->num_filled);
  }
  RequireEqual("size after Insert", real_.size(), naive_.rows().size());
  return real;
}

Result<SearchResult> CheckedIndex::Search(VectorView queries, const SearchOptions& options) const {
  auto real = real_.Search(queries, options);
  const Status expected = naive_.CheckSearch(queries, options);
  if (expected.ok() && !real.ok()) {
    Require(real.error().code() == StatusCode::kInvalidArgument &&
                AnyRawVectorMissing(queries, options),
            "Search: " + real.error().ToString());
    return real;
  }
  RequireSameCode("Search", real.status(), expected);
  if (!real.ok()) {
    return real;
  }
  RequireEqual("snapshot", std::size_t{real->snapshot}, naive_.rows().size());
  RequireEqual("answered queries", real->hits.size(), queries.num_rows);
  RequireEqual("stats", real->stats.size(), queries.num_rows);
  for (std::size_t i = 0; i < queries.num_rows; ++i) {
    CheckProbes(queries.row(i), options, real->stats[i]);
    CheckAnswer(queries.row(i), options, real->hits[i], real->stats[i]);
  }
  return real;
}

void CheckedIndex::CheckProbes(const float* query, const SearchOptions& options,
                               const SearchStats& stats) const {
  const std::vector<std::uint32_t>& probed = stats.probed_partitions;
  if (stats.exhaustive) {
    Require(options.refine_factor > 0, "exact distances were not asked for");
    Require(probed.empty(), "partitions were probed, too");
    return;
  }
  const std::vector<std::uint32_t> order = naive_.ProbeOrder(query);
  Require(probed.size() <= order.size() && std::equal(probed.begin(), probed.end(), order.begin()),
          "the probed partitions are not the nearest ones, in their order");
  // Not fewer: k rows if k exist, and nprobes partitions. Not more: it would be in vain.
  RequireEqual("number of probed partitions", probed.size(), naive_.NumProbes(order, options));
}

void CheckedIndex::CheckAnswer(const float* query, const SearchOptions& options,
                               const std::vector<Hit>& hits, const SearchStats& stats) const {
  const auto expected = stats.exhaustive ? naive_.RankAll(query, options)
                                         : naive_.Search(query, options, stats.probed_partitions);
  Require(expected.ok(), "a raw vector is missing, and nothing says so");
  for (std::size_t i = 0; i < std::max(hits.size(), expected->hits.size()); ++i) {
    const bool both = i < hits.size() && i < expected->hits.size();
    Require(both && SameBits(hits[i], expected->hits[i]),
            fmt::format("hit {}: {}, expected {}", i, Text(hits, i), Text(expected->hits, i)));
  }
  RequireEqual("num_eligible", stats.num_eligible, expected->num_eligible);
  RequireEqual("num_reranked", stats.num_reranked, expected->num_reranked);
  Require(stats.num_evaluated <= stats.num_eligible,
          "more rows were evaluated than are eligible in the probed partitions");
  Require(stats.exhaustive || stats.num_evaluated >= std::max(hits.size(), stats.num_reranked),
          "there are hits that were not evaluated");
}

bool CheckedIndex::AnyRawVectorMissing(VectorView queries, const SearchOptions& options) const {
  for (std::size_t i = 0; i < queries.num_rows && options.refine_factor > 0; ++i) {
    const std::vector<std::uint32_t> order = naive_.ProbeOrder(queries.row(i));
    const std::span probed(order.data(), naive_.NumProbes(order, options));
    // Which of both ways was taken, an error does not tell.
    if (!naive_.Search(queries.row(i), options, probed).ok() ||
        !naive_.RankAll(queries.row(i), options).ok()) {
      return true;
    }
  }
  return false;
}

RawVectorLookup CheckedIndex::raw_vectors() const {
  return [this](std::span<const RowRef> rows, const float** out) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const bool exists = rows[i].ordinal < naive_.rows().size();
      const NaiveIndex::Row* row = exists ? &naive_.rows()[rows[i].ordinal] : nullptr;
      out[i] = exists && row->position == rows[i].row_position ? row->raw.data() : nullptr;
    }
  };
}

void CheckedIndex::CheckContents() const {
  const auto& rows = naive_.rows();
  RequireEqual("size", real_.size(), rows.size());
  RequireEqual("empty", real_.empty(), rows.empty());
  for (std::uint32_t i = 0; i < rows.size(); ++i) {
    RequireEqual(fmt::format("position of ordinal {}", i), real_.row_position(i), rows[i].position);
  }
  const std::vector<PartitionEntries> all = real_.partitions();
  RequireEqual("partitions", all.size(), real_.num_partitions());
  for (std::uint32_t p = 0; p < all.size(); ++p) {
    const PartitionEntries expected = naive_.Entries(p);
    RequireSameEntries(p, all[p], expected);
    RequireSameEntries(p, real_.partition(p), expected);
    RequireEqual("partition_size", real_.partition_size(p), expected.row_positions.size());
  }
  RequireSameEntries(all.size(), real_.partition(all.size()), {});
  RequireEqual("size of no partition", real_.partition_size(all.size()), std::size_t{0});
  CheckMemory();
}

void CheckedIndex::CheckMemory() const {
  const MemoryUsage usage = real_.memory_usage();
  const std::size_t code_len = real_.model().pq().code_len();
  const std::size_t num_lanes = usage.codes / code_len;
  RequireEqual("bytes of codes", usage.codes, num_lanes * code_len);
  RequireEqual("bytes of ordinals", usage.ordinals, num_lanes * sizeof(std::uint32_t));
  RequireEqual("bytes of vector terms", usage.vector_terms,
               real_.model().residual() ? num_lanes * sizeof(float) : 0);
  std::size_t num_blocks = 0;
  for (std::size_t p = 0; p < real_.num_partitions(); ++p) {
    num_blocks += (real_.partition_size(p) + kLanes - 1) / kLanes;
  }
  RequireEqual("lanes, no partition having more than one block that is not full", num_lanes,
               num_blocks * kLanes);
}

}  // namespace forebay::testing
