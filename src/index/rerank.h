// Reranker: exact distances of the candidates of one query after the other.
//
// Thread safety: none; each search thread has its own.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "index/mem_index_impl.h"
#include "index/searched_parts.h"
#include "index/top_k.h"

namespace forebay::index {

/// Memory that is kept from one search to the next.
struct RerankScratch {
  std::vector<RowRef> rows;       // Candidates,
  std::vector<const float*> raw;  // their raw vectors,
  TopK nearest;                   // and the nearest of them.
};

class Reranker {
 public:
  /// All of them outlive this. `index` is any of the parts: of it the model and what was done with
  /// bad vectors count.
  Reranker(const IvfPqMemIndex::Impl& index, SearchedParts* parts, const SearchOptions& options,
           RerankScratch* scratch);

  /// The k candidates nearest to a prepared query that are in the distance range, in ascending
  /// order. kInvalidArgument when a raw vector is missing or bad. Throws std::bad_alloc.
  Status Run(const float* query, std::span<const Candidate> candidates, std::vector<Hit>* hits);

 private:
  Status LookUp(std::span<const Candidate> candidates);
  [[nodiscard]] float ExactDistance(const float* query, const float* raw) const;

  const IvfPqModel::Data& model_;
  const SearchOptions& options_;
  const std::size_t dim_;
  std::vector<float> fill_;  // Raw, with OnBadVectors::kFill.
  SearchedParts& positions_;
  RerankScratch& scratch_;
};

}  // namespace forebay::index
