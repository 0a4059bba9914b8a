#include "index/query_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/aligned_array.h"
#include "model/vector_check.h"
#include "simd/dispatch.h"

namespace forebay::index {
namespace {

/// Blocks scanned under one threshold. Until k rows are found there is none, so blocks go one by
/// one; after that, updating it more often costs more than it saves.
constexpr std::size_t kBlocksPerScan = 16;

/// Raw vectors on their way from memory while one is looked at: they lie anywhere.
constexpr std::size_t kPrefetchedVectors = 8;

/// Any address will do, nullptr too.
void Prefetch(const float* vector, std::size_t dim) {
  constexpr std::size_t kLineFloats = kCacheLine / sizeof(float);
  for (std::size_t d = 0; d < dim; d += kLineFloats) {
    __builtin_prefetch(vector + d);
  }
}

std::size_t Times(std::size_t a, std::size_t b) {
  return b != 0 && a > std::numeric_limits<std::size_t>::max() / b
             ? std::numeric_limits<std::size_t>::max()
             : a * b;
}

/// The lanes [begin, begin + num_lanes) of a run; begin is on a block boundary.
BlockRun Part(const BlockRun& run, std::size_t begin, std::size_t num_lanes) {
  return {{run.codes.codes + begin * run.codes.code_len,
           run.codes.terms != nullptr ? run.codes.terms + begin : nullptr, run.codes.code_len,
           num_lanes},
          run.ordinals + begin};
}

void PutHits(std::span<const Candidate> rows, float scale, std::vector<Hit>* hits) {
  hits->reserve(rows.size());
  for (const Candidate& row : rows) {
    hits->push_back({row.distance * scale, row.row_position});
  }
}

}  // namespace

QuerySearch::QuerySearch(const IvfPqMemIndex::Impl& index, const SearchOptions& options,
                         std::uint32_t snapshot)
    : index_(index),
      model_(index.model.data()),
      options_(options),
      snapshot_(snapshot),
      scale_(model_.metric == Metric::kCosine ? 0.5F : 1.0F),
      eligibility_(options, index.row_positions, index.greatest_position.LoadAcquire()),
      positions_(index.row_positions),
      query_(index.model.dim()),
      fill_(index.options.on_bad_vectors == OnBadVectors::kFill ? index.model.dim() : 0,
            index.options.fill_value) {}

Status QuerySearch::Run(const float* query, std::vector<Hit>* hits, SearchStats* stats) {
  const std::size_t num_partitions = index_.partitions.size();
  if (options_.k == 0) {
    return Status::Ok();
  }
  model::Prepare(model_.metric, query, query_.size(), query_.data());
  order_.Start(model_, query_.data(), options_.nprobes);
  tables_.Build(model_, query_.data());
  nearest_.Reset(Times(options_.k, std::max<std::size_t>(options_.refine_factor, 1)));
  for (std::size_t i = 0;
       i < num_partitions && (i < options_.nprobes || stats->num_eligible < options_.k); ++i) {
    stats->probed_partitions.push_back(order_[i]);
    ProbePartition(order_[i], stats);
  }
  const std::span<const Candidate> candidates = nearest_.Sort();
  if (options_.refine_factor > 0) {
    stats->num_reranked = candidates.size();
    return Rerank(candidates, hits);
  }
  PutHits(candidates, scale_, hits);
  return Status::Ok();
}

void QuerySearch::ProbePartition(std::uint32_t partition, SearchStats* stats) {
  float partition_term = 0;
  float max_vector_term = 0;
  if (model_.residual) {
    partition_term = order_.coarse_distance(partition);
    max_vector_term = model_.max_vector_term[partition];
  } else if (model_.metric == Metric::kDot) {
    partition_term = 1;
  }
  const Partition& rows = index_.partitions[partition];
  rows.ForEachRun(rows.SizeAt(snapshot_), [&](const BlockRun& run) {
    ScanRun(run, partition_term, max_vector_term, stats);
  });
}

void QuerySearch::ScanRun(const BlockRun& run, float partition_term, float max_vector_term,
                          SearchStats* stats) {
  const auto scan = model_.pq.num_bits() == 8 ? simd::Active().scan_8bit : simd::Active().scan_4bit;
  const std::uint64_t* masks = nullptr;
  std::size_t num_eligible = run.codes.num_lanes;
  if (eligibility_.any_excluded()) {
    num_eligible = eligibility_.Masks(run, &masks_);
    masks = masks_.data();
  }
  stats->num_eligible += num_eligible;
  if (num_eligible == 0) {
    return;
  }
  survivors_.resize(kBlocksPerScan * simd::kBlockLanes + simd::kPackLanes);
  for (std::size_t begin = 0; begin < run.codes.num_lanes;) {
    const std::size_t num_blocks = nearest_.full() ? kBlocksPerScan : 1;
    const std::size_t num_lanes =
        std::min(num_blocks * simd::kBlockLanes, run.codes.num_lanes - begin);
    const BlockRun part = Part(run, begin, num_lanes);
    const auto bound = tables_.BoundFor(Threshold(), partition_term, max_vector_term);
    const std::uint64_t* part_masks =
        masks != nullptr ? masks + begin / simd::kBlockLanes : nullptr;
    const std::size_t num_survivors = scan(part.codes, bound, part_masks, survivors_.data());
    stats->num_evaluated += num_survivors;
    OfferSurvivors(part, num_survivors, partition_term);
    begin += num_lanes;
  }
}

float QuerySearch::Threshold() const {
  if (options_.refine_factor > 0) {
    return nearest_.threshold();  // The range applies to exact distances, which are not known yet.
  }
  return std::min(nearest_.threshold(), options_.distance_upper / scale_);
}

void QuerySearch::OfferSurvivors(const BlockRun& run, std::size_t num_survivors,
                                 float partition_term) {
  const auto adc = model_.pq.num_bits() == 8 ? simd::Active().adc_8bit : simd::Active().adc_4bit;
  distances_.resize(survivors_.size());
  adc(run.codes, tables_.ForPartition(partition_term), survivors_.data(), num_survivors,
      distances_.data());
  for (std::size_t i = 0; i < num_survivors; ++i) {
    const float distance = distances_[i];
    const bool too_far =
        options_.refine_factor == 0 && distance * scale_ >= options_.distance_upper;
    if (distance > nearest_.threshold() || too_far || distance * scale_ < options_.distance_lower) {
      continue;
    }
    const std::uint32_t ordinal = run.ordinals[survivors_[i]];
    nearest_.Offer({distance, ordinal, positions_[ordinal]});
  }
}

Status QuerySearch::Rerank(std::span<const Candidate> candidates, std::vector<Hit>* hits) {
  rows_.clear();
  for (const Candidate& candidate : candidates) {
    rows_.push_back({candidate.row_position, candidate.ordinal});
  }
  raw_.assign(rows_.size(), nullptr);
  options_.raw_vectors(rows_, raw_.data());
  exact_.Reset(options_.k);
  for (std::size_t i = 0; i < std::min(kPrefetchedVectors, raw_.size()); ++i) {
    Prefetch(raw_[i], query_.size());
  }
  for (std::size_t i = 0; i < raw_.size(); ++i) {
    if (i + kPrefetchedVectors < raw_.size()) {
      Prefetch(raw_[i + kPrefetchedVectors], query_.size());
    }
    if (raw_[i] == nullptr) {
      return Status::InvalidArgument(fmt::format(
          "raw_vectors has no vector for row position {}; keep the raw vectors of all indexed "
          "rows, or search without refine_factor",
          rows_[i].row_position));
    }
    const float distance = ExactDistance(raw_[i]);
    if (!std::isfinite(distance)) {
      return Status::InvalidArgument(fmt::format(
          "the raw vector of row position {} {}; raw_vectors must give what was indexed",
          rows_[i].row_position,
          model::DefectText(model::CheckVector(model_.metric, raw_[i], query_.size()))));
    }
    if (distance >= options_.distance_lower && distance < options_.distance_upper) {
      exact_.Offer({distance, rows_[i].ordinal, rows_[i].row_position});
    }
  }
  PutHits(exact_.Sort(), 1.0F, hits);
  return Status::Ok();
}

float QuerySearch::ExactDistance(const float* raw) const {
  const simd::Kernels& kernels = simd::Active();
  const std::size_t dim = query_.size();
  if (!fill_.empty() && model::CheckVector(model_.metric, raw, dim) != model::Defect::kNone) {
    raw = fill_.data();  // As it was indexed.
  }
  switch (model_.metric) {
    case Metric::kL2:
      return kernels.l2(query_.data(), raw, dim);
    case Metric::kDot:
      return 1.0F - kernels.dot(query_.data(), raw, dim);
    case Metric::kCosine:
      break;
  }
  const float norm = std::sqrt(kernels.dot(raw, raw, dim));
  return 1.0F - kernels.dot(query_.data(), raw, dim) / norm;
}

}  // namespace forebay::index
