#include "index/rerank.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "index/prefetch.h"
#include "model/exact_distance.h"
#include "model/model_data.h"
#include "model/vector_check.h"

namespace forebay::index {
namespace {

/// Raw vectors on their way from memory while one is looked at: they lie anywhere.
constexpr std::size_t kPrefetchedVectors = 16;

}  // namespace

Reranker::Reranker(const IvfPqMemIndex::Impl& index, SearchedParts* parts,
                   const SearchOptions& options, RerankScratch* scratch)
    : model_(index.model.data()),
      options_(options),
      dim_(index.model.dim()),
      fill_(index.options.on_bad_vectors == OnBadVectors::kFill ? dim_ : 0,
            index.options.fill_value),
      positions_(*parts),
      scratch_(*scratch) {}

Status Reranker::Run(const float* query, std::span<const Candidate> candidates,
                     std::vector<Hit>* hits) {
  if (Status status = LookUp(candidates); !status.ok()) {
    return status;
  }
  scratch_.nearest.Reset(options_.k);
  for (std::size_t i = 0; i < scratch_.raw.size(); ++i) {
    if (i + kPrefetchedVectors < scratch_.raw.size()) {
      Prefetch(scratch_.raw[i + kPrefetchedVectors], dim_ * sizeof(float));
    }
    const float distance = ExactDistance(query, scratch_.raw[i]);
    if (!std::isfinite(distance)) {
      return Status::InvalidArgument(fmt::format(
          "the raw vector of row position {} {}; raw_vectors must give what was indexed",
          scratch_.rows[i].row_position,
          model::DefectText(model::CheckVector(model_.metric, scratch_.raw[i], dim_))));
    }
    if (distance >= options_.distance_lower && distance < options_.distance_upper) {
      scratch_.nearest.Offer(distance, scratch_.rows[i].ordinal, &positions_);
    }
  }
  for (const Candidate& row : scratch_.nearest.Sort(&positions_)) {
    hits->push_back({row.distance, row.row_position});
  }
  return Status::Ok();
}

Status Reranker::LookUp(std::span<const Candidate> candidates) {
  scratch_.rows.clear();
  for (const Candidate& candidate : candidates) {
    scratch_.rows.push_back({candidate.row_position, candidate.ordinal});
  }
  scratch_.raw.assign(scratch_.rows.size(), nullptr);
  options_.raw_vectors(scratch_.rows, scratch_.raw.data());
  for (std::size_t i = 0; i < std::min(kPrefetchedVectors, scratch_.raw.size()); ++i) {
    Prefetch(scratch_.raw[i], dim_ * sizeof(float));
  }
  const auto missing = std::find(scratch_.raw.begin(), scratch_.raw.end(), nullptr);
  if (missing != scratch_.raw.end()) {
    return Status::InvalidArgument(fmt::format(
        "raw_vectors has no vector for row position {}; keep the raw vectors of all indexed rows, "
        "or search without refine_factor",
        scratch_.rows[static_cast<std::size_t>(missing - scratch_.raw.begin())].row_position));
  }
  return Status::Ok();
}

float Reranker::ExactDistance(const float* query, const float* raw) const {
  if (!fill_.empty() && model::CheckVector(model_.metric, raw, dim_) != model::Defect::kNone) {
    raw = fill_.data();  // As it was indexed.
  }
  return model::ExactDistance(model_.metric, query, raw, dim_);
}

}  // namespace forebay::index
