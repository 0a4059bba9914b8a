// TileSearch: a few queries at a time through the whole pipeline.
//
//   coarse distances -> nearest partitions -> tables -> scan of the blocks under the bound
//   -> the k (x refine_factor) nearest -> exact distances
//
// Where few rows are eligible, all of them are ranked by their exact distances instead.
//
// A query alone goes through its partitions from the nearest on. Many queries begin like that, and
// then go through the other partitions together, one partition for all that probe it, as it then is
// in the cache.
//
// Thread safety: none; each search thread has its own. It reads an index that may be written.
//
// Invariants:
//   1. Only ordinals below the snapshot are looked at.
//   2. Without re-ranking, the hits are those of a plain f32 ADC ranking of the probed partitions.
//   3. With re-ranking, the candidates are the rows of least lower bound (kernels.h has its
//      arithmetic) in the probed partitions.
//   So neither depends on the order in which blocks are scanned.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "index/adc_tables.h"
#include "index/mem_index_impl.h"
#include "index/probe_order.h"
#include "index/rerank.h"
#include "index/searched_parts.h"
#include "index/top_k.h"

namespace forebay::index {

/// Blocks that wait to be scanned, wherever they come from.
struct BlockBatch {
  static constexpr std::size_t kMost = 512;
  std::array<simd::CodeBlock, kMost> blocks;
  std::array<const std::uint32_t*, kMost> ordinals;
  std::array<std::uint32_t, kMost> first;  // Of the part: its ordinals count from there on.
  std::size_t size = 0;
};

/// What is known of one query while it is answered.
struct QueryState {
  const float* query = nullptr;   // Prepared.
  const float* coarse = nullptr;  // Its distances to all centroids; with dot, negated products.
  SearchStats* stats = nullptr;
  ProbeOrder order;
  AdcTables tables;
  std::vector<float> entries;   // The float32 table, if distances are taken from it.
  TopK nearest;                 // Distances before scaling.
  double slack = 0;             // Of the bound, in all partitions probed so far.
  std::size_t num_probed = 0;   // Partitions.
  std::size_t num_scanned = 0;  // Blocks.
};

/// A query that probes a partition, and with which terms.
struct Probe {
  std::uint32_t query = 0;
  float partition_term = 0;  ///< What the f32 distances begin with.
  float base = 0;            ///< Of the bound.
};

/// Memory that is kept from one search to the next.
struct SearchScratch {
  SearchedParts parts;
  std::vector<float> prepared;  // [queries][dim]
  std::vector<float> coarse;    // [queries][partitions, padded]
  std::vector<QueryState> queries;
  std::vector<float> entries;             // The float32 table of the latest query.
  std::vector<std::uint32_t> probes_end;  // [partitions], in probes.
  std::vector<Probe> probes;              // By partition.
  BlockBatch batch;
  /// Blocks of one scan: many, as tables that are loaded once serve several of them; but not too
  /// many, as the threshold stays what it is meanwhile.
  static constexpr std::size_t kMostAtOnce = 32;
  static constexpr std::size_t kMostLanes = kMostAtOnce * simd::kBlockLanes + simd::kPackLanes;
  std::array<std::uint32_t, kMostLanes> lanes;
  std::array<float, kMostLanes> distances;
  std::vector<std::uint32_t> ordinals;
  std::vector<Candidate> few;  // All eligible rows, if they are few.
  RerankScratch rerank;

  /// That the latest searches made room for.
  [[nodiscard]] std::size_t num_rows() const {
    const std::size_t num_nearest = queries.empty() ? 0 : queries.front().nearest.capacity();
    return std::max({num_nearest, few.capacity(), rerank.rows.capacity()});
  }
};

/// Rows that a search keeps for each query, to choose the k nearest from.
std::size_t NumCandidates(const SearchOptions& options);

class TileSearch {
 public:
  /// All of them, and what they borrow, outlive this. There is a part; all have one model.
  TileSearch(std::span<const SearchPart> parts, const SearchOptions& options,
             SearchScratch* scratch);

  /// How many queries are best answered at once: as many as leave their tables and candidates in
  /// the cache.
  static std::size_t NumQueries(const IvfPqModel& model, std::size_t num_candidates);

  /// Answers good queries, into `hits` and `stats` of each. Throws std::bad_alloc.
  Status Run(VectorView queries, std::span<std::vector<Hit>> hits, std::span<SearchStats> stats);

 private:
  /// Whether all eligible rows can be ranked by exact distance at less cost than it takes to probe.
  /// They are in scratch_.few then.
  bool FewAreEligible();
  /// About what it costs to probe, in rows that are ranked by exact distance.
  [[nodiscard]] std::size_t CostOfProbing() const;
  Status RankFew(std::span<std::vector<Hit>> hits, std::span<SearchStats> stats);

  void Prepare(VectorView queries);
  void Start(std::span<SearchStats> stats);
  void StartQuery(QueryState* query);

  [[nodiscard]] bool ProbesAreShared(std::size_t num_queries) const;
  void ProbeAlone(QueryState* query, std::size_t num_probes);
  void ScanAlone(QueryState* query, BlockBatch* batch);
  void ProbeTogether(std::span<QueryState> queries);
  /// How many of the nearest partitions hold so many rows, or nprobes.
  [[nodiscard]] std::size_t ProbesWithRows(QueryState* query, std::size_t num_rows) const;
  /// Puts the queries in the order of the partitions that they have yet to probe.
  void SortProbes(std::span<QueryState> queries);
  void ProbeOneTogether(std::uint32_t partition, std::span<const Probe> probes);
  void ScanTogether(std::span<const Probe> probes, BlockBatch* batch);

  /// Calls use(BlockRows, mask, part) for each block of a partition that has eligible rows.
  template <typename Use>
  void ForEachEligible(std::uint32_t partition, const Use& use);
  /// Begins to probe the query's next partition.
  Probe NextProbe(QueryState* query, std::uint32_t number);
  void Scan(QueryState* query, BlockBatch* batch);
  void ScanSome(QueryState* query, BlockBatch* batch, std::size_t begin, std::size_t size);
  void Offer(QueryState* query, const BlockBatch& batch, std::size_t begin, std::size_t size,
             std::size_t num_lanes);
  Status Finish(QueryState* query, std::vector<Hit>* hits);

  [[nodiscard]] const BlockLayout& layout() const { return parts_.all().front().index->layout(); }

  const IvfPqModel& model_;
  const IvfPqModel::Data& data_;
  const SearchOptions& options_;
  const bool refine_;
  /// Cosine distances are half of what the codes of normalised vectors give.
  const float scale_;
  const std::size_t num_candidates_;
  const std::size_t nprobes_;
  SearchScratch& scratch_;
  SearchedParts& parts_;
  Reranker reranker_;
};

}  // namespace forebay::index
