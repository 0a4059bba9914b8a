// QuerySearch: one query after the other through the whole pipeline.
//
//   coarse distances -> nearest partitions -> tables -> scan of the blocks under the bound
//   -> f32 ADC of the survivors -> the k (x refine_factor) nearest -> exact distances
//
// Thread safety: none; each search thread has its own. It reads an index that may be written.
//
// Invariants:
//   1. Only ordinals below the snapshot are looked at.
//   2. Without re-ranking, the hits are those of a plain f32 ADC ranking of the probed partitions.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "index/adc_tables.h"
#include "index/eligibility.h"
#include "index/mem_index_impl.h"
#include "index/probe_order.h"
#include "index/top_k.h"

namespace forebay::index {

class QuerySearch {
 public:
  /// All three outlive this.
  QuerySearch(const IvfPqMemIndex::Impl& index, const SearchOptions& options,
              std::uint32_t snapshot);

  /// Answers one good query. Throws std::bad_alloc.
  Status Run(const float* query, std::vector<Hit>* hits, SearchStats* stats);

 private:
  void ProbePartition(std::uint32_t partition, SearchStats* stats);
  /// Blocks that wait to be scanned together, wherever they come from: a table that is loaded once
  /// serves all of them.
  struct PendingBlocks {
    static constexpr std::size_t kMost = 32;
    std::array<simd::CodeBlock, kMost> blocks;
    std::array<const std::uint32_t*, kMost> ordinals;
    std::array<PartitionBound, kMost> bounds;
    std::size_t size = 0;
  };

  void ScanPending(PendingBlocks* pending, SearchStats* stats);
  void OfferSurvivors(const PendingBlocks& pending, std::size_t num_survivors);
  [[nodiscard]] float Threshold() const;
  Status Rerank(std::span<const Candidate> candidates, std::vector<Hit>* hits);
  [[nodiscard]] float ExactDistance(const float* raw) const;

  const IvfPqMemIndex::Impl& index_;
  const IvfPqModel::Data& model_;
  const SearchOptions& options_;
  const std::uint32_t snapshot_;
  /// Cosine distances are half of what the codes of normalised vectors give.
  const float scale_;
  Eligibility eligibility_;
  std::vector<float> query_;  // Prepared.
  std::vector<float> fill_;   // Raw, with OnBadVectors::kFill.
  ProbeOrder order_;
  AdcTables tables_;
  TopK<RowPositions::Reader> nearest_;  // Distances before scaling.
  PendingBlocks full_;
  PendingBlocks partial_;
  std::size_t num_scanned_ = 0;  // Blocks of this query.
  std::array<std::uint32_t, PendingBlocks::kMost * simd::kBlockLanes + simd::kPackLanes> survivors_;
  std::array<float, PendingBlocks::kMost * simd::kBlockLanes> distances_;
  std::vector<RowRef> rows_;          // Candidates,
  std::vector<const float*> raw_;     // their raw vectors,
  TopK<RowPositions::Reader> exact_;  // and the nearest of them.
};

}  // namespace forebay::index
