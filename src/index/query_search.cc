#include "index/query_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/aligned_array.h"
#include "model/vector_check.h"
#include "simd/dispatch.h"

namespace forebay::index {
namespace {

/// Raw vectors on their way from memory while one is looked at: they lie anywhere.
constexpr std::size_t kPrefetchedVectors = 8;

void Prefetch(const void* memory, std::size_t num_bytes) {
  if (memory == nullptr) {
    return;  // A raw vector that the owner does not have; Rerank will say so.
  }
  for (std::size_t i = 0; i < num_bytes; i += kCacheLine) {
    __builtin_prefetch(static_cast<const char*>(memory) + i);
  }
}

std::size_t Times(std::size_t a, std::size_t b) {
  return b != 0 && a > std::numeric_limits<std::size_t>::max() / b
             ? std::numeric_limits<std::size_t>::max()
             : a * b;
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
      query_(index.model.dim()),
      fill_(index.options.on_bad_vectors == OnBadVectors::kFill ? index.model.dim() : 0,
            index.options.fill_value),
      nearest_(RowPositions::Reader(index.row_positions)),
      exact_(RowPositions::Reader(index.row_positions)) {}

Status QuerySearch::Run(const float* query, std::vector<Hit>* hits, SearchStats* stats) {
  const std::size_t num_partitions = index_.partitions.size();
  if (options_.k == 0) {
    return Status::Ok();
  }
  model::Prepare(model_.metric, query, query_.size(), query_.data());
  order_.Start(model_, query_.data(), options_.nprobes);
  tables_.Build(model_, query_.data());
  num_scanned_ = 0;
  nearest_.Reset(Times(options_.k, std::max<std::size_t>(options_.refine_factor, 1)));
  for (std::size_t i = 0;
       i < num_partitions && (i < options_.nprobes || stats->num_eligible < options_.k); ++i) {
    stats->probed_partitions.push_back(order_[i]);
    ProbePartition(order_[i], stats);
  }
  ScanPending(&full_, stats);
  ScanPending(&partial_, stats);
  if (options_.refine_factor > 0) {
    const std::span<const Candidate> candidates = nearest_.Rows();
    stats->num_reranked = candidates.size();
    return Rerank(candidates, hits);
  }
  PutHits(nearest_.Sort(), scale_, hits);
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
  const PartitionBound bound = tables_.BoundOf(partition_term, max_vector_term);
  const Partition& rows = index_.partitions[partition];
  rows.ForEachBlock(rows.SizeAt(snapshot_), [&](const BlockRows& block) {
    const std::uint64_t eligible = eligibility_.any_excluded()
                                       ? eligibility_.Mask(block)
                                       : ~std::uint64_t{0} >> (simd::kBlockLanes - block.num_rows);
    if (eligible == 0) {
      return;
    }
    stats->num_eligible += static_cast<std::size_t>(std::popcount(eligible));
    PendingBlocks& pending = block.num_rows == simd::kBlockLanes ? full_ : partial_;
    pending.blocks[pending.size] = {.codes = block.codes,
                                    .terms = block.terms,
                                    .eligible = eligible,
                                    .num_lanes = block.num_rows,
                                    .partition_term = partition_term,
                                    .base = bound.base};
    pending.bounds[pending.size] = bound;
    Prefetch(block.codes, index_.layout.ordinals_offset());
    pending.ordinals[pending.size++] = block.ordinals;
    // Few at first, as the threshold falls fastest then.
    if (pending.size > num_scanned_ || pending.size == PendingBlocks::kMost) {
      ScanPending(&pending, stats);
    }
  });
}

void QuerySearch::ScanPending(PendingBlocks* pending, SearchStats* stats) {
  const float threshold = Threshold();
  for (std::size_t b = 0; b < pending->size; ++b) {
    pending->blocks[b].limit = pending->bounds[b].LimitFor(threshold);
  }
  const auto scan = model_.pq.num_bits() == 8 ? simd::Active().scan_8bit : simd::Active().scan_4bit;
  const std::size_t num_survivors =
      scan({pending->blocks.data(), pending->size, index_.layout.code_len()}, tables_.bound_table(),
           survivors_.data());
  stats->num_evaluated += num_survivors;
  OfferSurvivors(*pending, num_survivors);
  num_scanned_ += pending->size;
  pending->size = 0;
}

float QuerySearch::Threshold() const {
  if (options_.refine_factor > 0) {
    return nearest_.threshold();  // The range applies to exact distances, which are not known yet.
  }
  return std::min(nearest_.threshold(), options_.distance_upper / scale_);
}

void QuerySearch::OfferSurvivors(const PendingBlocks& pending, std::size_t num_survivors) {
  const auto adc = model_.pq.num_bits() == 8 ? simd::Active().adc_8bit : simd::Active().adc_4bit;
  adc({pending.blocks.data(), pending.size, index_.layout.code_len()}, tables_.entries(),
      survivors_.data(), num_survivors, distances_.data());
  for (std::size_t i = 0; i < num_survivors; ++i) {
    const float distance = distances_[i];
    const bool too_far =
        options_.refine_factor == 0 && distance * scale_ >= options_.distance_upper;
    if (distance > nearest_.threshold() || too_far || distance * scale_ < options_.distance_lower) {
      continue;
    }
    const std::uint32_t lane = survivors_[i];
    const std::uint32_t ordinal =
        pending.ordinals[lane / simd::kBlockLanes][lane % simd::kBlockLanes];
    nearest_.Offer(distance, ordinal);
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
    Prefetch(raw_[i], query_.size() * sizeof(float));
  }
  for (std::size_t i = 0; i < raw_.size(); ++i) {
    if (i + kPrefetchedVectors < raw_.size()) {
      Prefetch(raw_[i + kPrefetchedVectors], query_.size() * sizeof(float));
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
      exact_.Offer(distance, rows_[i].ordinal);
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
