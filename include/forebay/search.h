// What a search is asked and what it answers.
//
// Thread safety: plain values. What they borrow (spans, the lookup) must outlive the search.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <variant>
#include <vector>

namespace forebay {

/// A borrowed set of small numbers: bit i of word i / 64 says whether i is in it. Numbers from
/// `size` on are not.
struct Bitmap {
  std::span<const std::uint64_t> words;  ///< At least (size + 63) / 64.
  std::uint64_t size = 0;

  [[nodiscard]] bool Contains(std::uint64_t i) const {
    return i < size && ((words[i / 64] >> (i % 64)) & 1U) != 0;
  }
};

/// The row positions that a search may return: a bitmap, or positions in ascending order (anything
/// else is kInvalidArgument).
using RowFilter = std::variant<Bitmap, std::span<const std::uint64_t>>;

/// One indexed row, by both of its names.
struct RowRef {
  std::uint64_t row_position = 0;
  std::uint32_t ordinal = 0;
};

/// Finds raw vectors for re-ranking: for each row sets out[i] to its `dim` floats, which stay valid
/// until Search returns, or to nullptr when it has none (Search then fails). Called from every
/// search thread; must not throw or fork, and may itself search. For a row that Insert filled give
/// the fill vector, or anything that is a bad vector.
using RawVectorLookup = std::function<void(std::span<const RowRef> rows, const float** out)>;

struct SearchOptions {
  /// At most this many hits for a query; 0 gives none.
  std::size_t k = 10;
  /// Partitions to probe at least; probing goes on, nearest partition first, until k eligible rows
  /// were looked at, so 0 means: as few as possible. More than there are: all.
  std::size_t nprobes = 20;
  /// 0: return distances to the codes. Else take the k x refine_factor nearest by code (by the
  /// lower bounds that their distances have, which are coarser and quicker) and rank them by their
  /// exact distance, read through raw_vectors. Where few rows are eligible, all of them are ranked
  /// by it.
  std::size_t refine_factor = 0;
  RawVectorLookup raw_vectors = nullptr;
  /// Rows with a greater position are not eligible.
  std::uint64_t max_row_position = std::numeric_limits<std::uint64_t>::max();
  /// Only these row positions are eligible.
  std::optional<RowFilter> filter = std::nullopt;
  /// Visibility mask: rows with these ordinals are not eligible. Rows newer than the mask are.
  std::optional<Bitmap> hidden_ordinals = std::nullopt;
  /// Only distances in [distance_lower, distance_upper) are returned; neither may be NaN. This
  /// never extends probing. With refine_factor, rows whose lower bound is below distance_lower are
  /// no candidates (except where all rows are ranked), and then the exact distance counts.
  float distance_lower = -std::numeric_limits<float>::infinity();
  float distance_upper = std::numeric_limits<float>::infinity();
  /// Queries of a batch are spread over this many threads; at least 1.
  std::size_t num_threads = 1;
};

struct Hit {
  float distance = 0;
  std::uint64_t row_position = 0;

  friend bool operator==(const Hit&, const Hit&) = default;
};

/// What one query cost.
struct SearchStats {
  /// With refine_factor, where few rows are eligible: all of them were ranked by exact distance,
  /// and no partition was probed.
  bool exhaustive = false;
  std::vector<std::uint32_t> probed_partitions;  ///< In the order of probing.
  std::size_t num_eligible = 0;                  ///< Eligible rows that were looked at.
  /// Rows that the bound did not rule out. It depends on the order of the scans, and so on the size
  /// of the batch and the number of threads.
  std::size_t num_evaluated = 0;
  std::size_t num_reranked = 0;
};

/// The answers to a batch of queries, all from one snapshot.
class SearchResult {
 public:
  /// Hits in ascending order of (distance, row position).
  [[nodiscard]] const std::vector<Hit>& operator[](std::size_t query) const { return hits[query]; }
  [[nodiscard]] std::size_t size() const { return hits.size(); }

  std::vector<std::vector<Hit>> hits;  ///< One for each query.
  std::vector<SearchStats> stats;      ///< One for each query.
  std::uint32_t snapshot = 0;          ///< The number of rows that the searches saw.
};

}  // namespace forebay
