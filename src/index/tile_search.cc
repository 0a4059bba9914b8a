#include "index/tile_search.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "index/prefetch.h"
#include "model/model_data.h"
#include "model/vector_check.h"
#include "simd/dispatch.h"

namespace forebay::index {
namespace {

/// A query goes on alone until it has seen so many rows for each candidate: the others are then
/// held against a good threshold.
constexpr std::size_t kAloneRowsPerCandidate = 4;

/// While a block is scanned, the one that comes so many later is loaded.
constexpr std::size_t kAhead = 12;

std::size_t Times(std::size_t a, std::size_t b) {
  return b != 0 && a > std::numeric_limits<std::size_t>::max() / b
             ? std::numeric_limits<std::size_t>::max()
             : a * b;
}

void Add(const BlockRows& rows, std::uint64_t eligible, std::uint32_t first, BlockBatch* batch) {
  simd::CodeBlock& block = batch->blocks[batch->size];
  block.codes = rows.codes;
  block.terms = rows.terms;
  block.eligible = eligible;
  block.num_lanes = rows.num_rows;
  block.ahead = nullptr;
  batch->first[batch->size] = first;
  batch->ordinals[batch->size++] = rows.ordinals;
}

}  // namespace

std::size_t NumCandidates(const SearchOptions& options) {
  return Times(options.k, std::max<std::size_t>(options.refine_factor, 1));
}

TileSearch::TileSearch(std::span<const SearchPart> parts, const SearchOptions& options,
                       SearchScratch* scratch)
    : model_(parts.front().index->model),
      data_(model_.data()),
      options_(options),
      refine_(options.refine_factor > 0),
      scale_(data_.metric == Metric::kCosine ? 0.5F : 1.0F),
      num_candidates_(NumCandidates(options)),
      nprobes_(std::min(options.nprobes, model_.ivf().num_partitions())),
      scratch_(*scratch),
      parts_(scratch->parts),
      reranker_(*parts.front().index, &parts_, options, &scratch->rerank) {
  parts_.Reset(parts);
}

std::size_t TileSearch::NumQueries(const IvfPqModel& model, std::size_t num_candidates) {
  constexpr std::size_t kCacheBytes = std::size_t{1} << 20U;
  constexpr std::size_t kMost = 256;
  const std::size_t table_bytes = model.pq().num_sub_vectors() * model.pq().num_codewords();
  const std::size_t bytes = table_bytes + std::min(num_candidates, kCacheBytes) * TopK::kRowBytes;
  return std::clamp<std::size_t>(kCacheBytes / bytes, 1, kMost);
}

Status TileSearch::Run(VectorView queries, std::span<std::vector<Hit>> hits,
                       std::span<SearchStats> stats) {
  if (options_.k == 0) {
    return Status::Ok();
  }
  Prepare(queries);
  if (refine_ && FewAreEligible()) {
    return RankFew(hits, stats);
  }
  Start(stats);
  const std::span<QueryState> states(scratch_.queries.data(), queries.num_rows);
  if (ProbesAreShared(queries.num_rows)) {
    ProbeTogether(states);
  }
  for (QueryState& query : states) {
    ProbeAlone(&query, nprobes_);
    while (query.num_probed < model_.ivf().num_partitions() &&
           query.stats->num_eligible < options_.k) {
      ProbeAlone(&query, query.num_probed + 1);
    }
  }
  for (std::size_t i = 0; i < states.size(); ++i) {
    if (Status status = Finish(&states[i], &hits[i]); !status.ok()) {
      return status;
    }
  }
  return Status::Ok();
}

void TileSearch::Prepare(VectorView queries) {
  scratch_.prepared.resize(queries.num_rows * queries.dim);
  for (std::size_t i = 0; i < queries.num_rows; ++i) {
    model::Prepare(data_.metric, queries.row(i), queries.dim,
                   scratch_.prepared.data() + i * queries.dim);
  }
}

// --- Few rows ------------------------------------------------------------------------------------

bool TileSearch::FewAreEligible() {
  scratch_.few.clear();
  const std::size_t most = CostOfProbing();
  for (SearchedParts::Part& part : parts_.all()) {
    scratch_.ordinals.clear();
    if (!part.eligibility.ListIfFew(most - scratch_.few.size(), &scratch_.ordinals)) {
      return false;
    }
    for (const std::uint32_t ordinal : scratch_.ordinals) {
      scratch_.few.push_back(
          {.ordinal = part.first + ordinal, .row_position = parts_[part.first + ordinal]});
    }
  }
  return true;
}

std::size_t TileSearch::CostOfProbing() const {
  // Measured with 100 dimensions: a row that is ranked by its exact distance is a few cache misses,
  // 60 ns; in that time a thousand multiply-adds of coarse distances and tables are done, and two
  // blocks are masked and scanned.
  const std::size_t num_partitions = model_.ivf().num_partitions();
  const std::size_t num_packed = num_partitions + data_.pq.num_codewords();
  const std::size_t blocks_per_partition =
      parts_.num_rows() / num_partitions / simd::kBlockLanes + 1;
  return std::min<std::size_t>(num_candidates_, parts_.num_rows()) +
         num_packed * model_.dim() / 1024 + nprobes_ * blocks_per_partition / 2;
}

Status TileSearch::RankFew(std::span<std::vector<Hit>> hits, std::span<SearchStats> stats) {
  for (std::size_t i = 0; i < hits.size(); ++i) {
    stats[i].exhaustive = true;
    stats[i].num_eligible = scratch_.few.size();
    stats[i].num_reranked = scratch_.few.size();
    const float* query = scratch_.prepared.data() + i * model_.dim();
    if (Status status = reranker_.Run(query, scratch_.few, &hits[i]); !status.ok()) {
      return status;
    }
  }
  return Status::Ok();
}

// --- Many rows -----------------------------------------------------------------------------------

void TileSearch::Start(std::span<SearchStats> stats) {
  const simd::Kernels& kernels = simd::Active();
  const simd::PackedRows centroids = data_.packed_centroids.view();
  const std::size_t num_padded = data_.packed_centroids.padded_rows();
  const std::size_t num_queries = stats.size();
  const std::size_t dim = model_.dim();
  scratch_.batch.size = 0;  // An exception may have left some.
  scratch_.coarse.resize(num_queries * num_padded);
  if (scratch_.queries.size() < num_queries) {
    scratch_.queries.resize(num_queries);
  }
  const simd::StridedRows prepared{scratch_.prepared.data(), num_queries, dim};
  if (data_.metric == Metric::kDot) {
    kernels.packed_dot(centroids, prepared, scratch_.coarse.data());
    std::transform(scratch_.coarse.begin(), scratch_.coarse.end(), scratch_.coarse.begin(),
                   [](float dot) { return -dot; });
  } else {
    kernels.packed_l2(centroids, prepared, scratch_.coarse.data());
  }
  for (std::size_t i = 0; i < num_queries; ++i) {
    QueryState& query = scratch_.queries[i];
    query.query = scratch_.prepared.data() + i * dim;
    query.coarse = scratch_.coarse.data() + i * num_padded;
    query.stats = &stats[i];
    StartQuery(&query);
  }
}

void TileSearch::StartQuery(QueryState* query) {
  query->order.Start({query->coarse, model_.ivf().num_partitions()}, nprobes_);
  for (std::size_t i = 0; i < nprobes_; ++i) {
    for (const SearchedParts::Part& part : parts_.all()) {
      part.index->partitions[query->order[i]].Prefetch();
    }
  }
  query->tables.Build(data_, query->query, refine_ ? Steps::kQuick : Steps::kFine,
                      refine_ ? &scratch_.entries : &query->entries);
  query->nearest.Reset(num_candidates_);
  query->slack = 0;
  query->num_probed = 0;
  query->num_scanned = 0;
  query->stats->probed_partitions.reserve(nprobes_);
}

// --- Probing -------------------------------------------------------------------------------------

/// Whether two queries or more go to a partition, on average.
bool TileSearch::ProbesAreShared(std::size_t num_queries) const {
  return num_queries > 1 && num_queries * nprobes_ >= 2 * model_.ivf().num_partitions();
}

void TileSearch::ProbeAlone(QueryState* query, std::size_t num_probes) {
  while (query->num_probed < num_probes) {
    const std::uint32_t partition = query->order[query->num_probed];
    const Probe probe = NextProbe(query, 0);
    ForEachEligible(
        partition, [&](const BlockRows& rows, std::uint64_t eligible, std::uint32_t first) {
          query->stats->num_eligible += static_cast<std::size_t>(std::popcount(eligible));
          BlockBatch& batch = scratch_.batch;
          batch.blocks[batch.size].partition_term = probe.partition_term;
          batch.blocks[batch.size].base = probe.base;
          Add(rows, eligible, first, &batch);
          if (batch.size <= kAhead) {
            Prefetch(rows.codes, layout().block_bytes());
          } else {
            batch.blocks[batch.size - 1 - kAhead].ahead = rows.codes;
          }
          if (batch.size == BlockBatch::kMost) {
            ScanAlone(query, &batch);
          }
        });
  }
  ScanAlone(query, &scratch_.batch);
}

void TileSearch::ScanAlone(QueryState* query, BlockBatch* batch) {
  Scan(query, batch);
  batch->size = 0;
}

void TileSearch::ProbeTogether(std::span<QueryState> queries) {
  for (QueryState& query : queries) {
    const std::size_t num_rows = Times(num_candidates_, kAloneRowsPerCandidate);
    ProbeAlone(&query, ProbesWithRows(&query, num_rows));
  }
  SortProbes(queries);
  const std::span<const Probe> probes = scratch_.probes;
  for (std::uint32_t p = 0, begin = 0; p < model_.ivf().num_partitions(); ++p) {
    const std::uint32_t end = scratch_.probes_end[p];
    if (begin < end) {
      ProbeOneTogether(p, probes.subspan(begin, end - begin));
    }
    begin = end;
  }
}

std::size_t TileSearch::ProbesWithRows(QueryState* query, std::size_t num_rows) const {
  std::size_t num_probes = 0;
  for (std::size_t found = 0; num_probes < nprobes_ && found < num_rows; ++num_probes) {
    found += parts_.PartitionSize(query->order[num_probes]);
  }
  return num_probes;
}

void TileSearch::SortProbes(std::span<QueryState> queries) {
  // Counting sort: how many queries each partition has, where they begin, and, once all of them are
  // in their places, where they end.
  std::vector<std::uint32_t>& ends = scratch_.probes_end;
  ends.assign(model_.ivf().num_partitions(), 0);
  std::size_t num_probes = 0;
  for (QueryState& query : queries) {
    for (std::size_t i = query.num_probed; i < nprobes_; ++i, ++num_probes) {
      ++ends[query.order[i]];
    }
  }
  std::exclusive_scan(ends.begin(), ends.end(), ends.begin(), 0U);
  scratch_.probes.resize(num_probes);
  for (std::size_t q = 0; q < queries.size(); ++q) {
    QueryState& query = queries[q];
    while (query.num_probed < nprobes_) {
      const std::uint32_t partition = query.order[query.num_probed];
      scratch_.probes[ends[partition]++] = NextProbe(&query, static_cast<std::uint32_t>(q));
    }
  }
}

void TileSearch::ProbeOneTogether(std::uint32_t partition, std::span<const Probe> probes) {
  std::size_t num_eligible = 0;
  BlockBatch& batch = scratch_.batch;
  ForEachEligible(partition,
                  [&](const BlockRows& rows, std::uint64_t eligible, std::uint32_t first) {
                    num_eligible += static_cast<std::size_t>(std::popcount(eligible));
                    Add(rows, eligible, first, &batch);
                    Prefetch(rows.codes, layout().block_bytes());
                    if (batch.size == BlockBatch::kMost) {
                      ScanTogether(probes, &batch);
                    }
                  });
  ScanTogether(probes, &batch);
  for (const Probe& probe : probes) {
    scratch_.queries[probe.query].stats->num_eligible += num_eligible;
  }
}

void TileSearch::ScanTogether(std::span<const Probe> probes, BlockBatch* batch) {
  for (const Probe& probe : probes) {
    for (std::size_t b = 0; b < batch->size; ++b) {
      batch->blocks[b].partition_term = probe.partition_term;
      batch->blocks[b].base = probe.base;
    }
    Scan(&scratch_.queries[probe.query], batch);
  }
  batch->size = 0;
}

template <typename Use>
void TileSearch::ForEachEligible(std::uint32_t partition, const Use& use) {
  for (SearchedParts::Part& part : parts_.all()) {
    const Partition& rows = part.index->partitions[partition];
    const bool any_excluded = part.eligibility.any_excluded();
    rows.ForEachBlock(rows.SizeAt(part.snapshot), [&](const BlockRows& block) {
      const std::uint64_t eligible =
          any_excluded ? part.eligibility.Mask(block)
                       : ~std::uint64_t{0} >> (simd::kBlockLanes - block.num_rows);
      if (eligible != 0) {
        use(block, eligible, part.first);
      }
    });
  }
}

Probe TileSearch::NextProbe(QueryState* query, std::uint32_t number) {
  const std::uint32_t partition = query->order[query->num_probed++];
  query->stats->probed_partitions.push_back(partition);
  float partition_term = data_.metric == Metric::kDot ? 1.0F : 0.0F;
  float max_vector_term = 0;
  if (data_.residual) {
    partition_term = query->coarse[partition];
    max_vector_term = data_.max_vector_term[partition];
  }
  const PartitionBound bound = query->tables.BoundOf(partition_term, max_vector_term);
  query->slack = std::max(query->slack, bound.slack);
  return {number, partition_term, bound.base};
}

// --- Scanning ------------------------------------------------------------------------------------

void TileSearch::Scan(QueryState* query, BlockBatch* batch) {
  for (std::size_t begin = 0; begin < batch->size;) {
    // Few at first, as the threshold falls fastest then.
    const std::size_t most = std::min(query->num_scanned + 1, SearchScratch::kMostAtOnce);
    const std::size_t size = std::min(most, batch->size - begin);
    ScanSome(query, batch, begin, size);
    begin += size;
  }
}

void TileSearch::ScanSome(QueryState* query, BlockBatch* batch, std::size_t begin,
                          std::size_t size) {
  const std::span<simd::CodeBlock> blocks(batch->blocks.data() + begin, size);
  float limit = query->nearest.threshold();
  if (!refine_) {
    // With re-ranking the range applies to exact distances, which are not known yet.
    limit = std::min(limit, options_.distance_upper / scale_);
    limit = PartitionBound{.slack = query->slack}.LimitFor(limit);
  }
  for (simd::CodeBlock& block : blocks) {
    block.limit = limit;
  }
  const auto scan = data_.pq.num_bits() == 8 ? simd::Active().scan_8bit : simd::Active().scan_4bit;
  const std::size_t num_lanes =
      scan({blocks.data(), blocks.size(), layout().code_len()}, query->tables.bound_table(),
           {scratch_.lanes.data(), scratch_.distances.data()});
  query->stats->num_evaluated += num_lanes;
  query->num_scanned += blocks.size();
  Offer(query, *batch, begin, size, num_lanes);
}

void TileSearch::Offer(QueryState* query, const BlockBatch& batch, std::size_t begin,
                       std::size_t size, std::size_t num_lanes) {
  if (!refine_) {
    const auto adc = data_.pq.num_bits() == 8 ? simd::Active().adc_8bit : simd::Active().adc_4bit;
    adc({batch.blocks.data() + begin, size, layout().code_len()}, query->entries.data(),
        scratch_.lanes.data(), num_lanes, scratch_.distances.data());
  }
  for (std::size_t i = 0; i < num_lanes; ++i) {
    const float distance = scratch_.distances[i];
    const bool too_far = !refine_ && distance * scale_ >= options_.distance_upper;
    if (distance > query->nearest.threshold() || too_far ||
        distance * scale_ < options_.distance_lower) {
      continue;
    }
    const std::uint32_t lane = scratch_.lanes[i];
    const std::size_t block = begin + lane / simd::kBlockLanes;
    const std::uint32_t ordinal =
        batch.first[block] + batch.ordinals[block][lane % simd::kBlockLanes];
    query->nearest.Offer(distance, ordinal, &parts_);
  }
}

Status TileSearch::Finish(QueryState* query, std::vector<Hit>* hits) {
  if (refine_) {
    const std::span<const Candidate> candidates = query->nearest.Rows(&parts_);
    query->stats->num_reranked = candidates.size();
    hits->reserve(std::min(options_.k, candidates.size()));
    return reranker_.Run(query->query, candidates, hits);
  }
  const std::span<const Candidate> rows = query->nearest.Sort(&parts_);
  hits->reserve(rows.size());
  for (const Candidate& row : rows) {
    hits->push_back({row.distance * scale_, row.row_position});
  }
  return Status::Ok();
}

}  // namespace forebay::index
