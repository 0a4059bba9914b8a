// Random steps for an index: what RapidCheck draws, and shrinks when a property fails.
//
// Thread safety: plain values.
//
// A step says how its rows or queries are to be made; what they are comes from its seed. So a
// failure prints a few lines, and shrinking leaves out steps and rows.
#pragma once

#include <rapidcheck.h>

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <variant>
#include <vector>

#include "forebay/index.h"
#include "support/random_models.h"

namespace forebay::testing {

/// What the codes of a model are.
struct CodeKind {
  Metric metric = Metric::kL2;
  bool residual = true;
  unsigned num_bits = 8;
};

/// Which row positions the rows of a batch get.
enum class Positions {
  kNext,        ///< The run after the greatest one so far.
  kRun,         ///< A run from anywhere below 1,000: it may overlap what is stored.
  kAnywhere,    ///< Below 10,000, in any order.
  kEveryThird,  ///< As many runs as rows.
  kHuge,        ///< Just below 2^64.
  kReplay,      ///< The batches of the insert before, again.
  kTwice,       ///< One position comes twice.
};

struct InsertStep {
  std::size_t num_rows = 0;  ///< Of each batch.
  std::size_t num_batches = 1;
  Positions positions = Positions::kNext;
  Values values = Values::kGaussian;
  std::size_t num_bad = 0;  ///< At most so many null, NaN, infinite, too long or zero rows.
  bool wrong_dim = false;
  std::size_t num_threads = 1;
  std::uint64_t seed = 0;
};

enum class Filter { kNone, kBitmap, kPositions };
enum class Range { kNone, kFound, kEmpty, kNan };

struct SearchStep {
  std::size_t num_queries = 1;
  Values values = Values::kGaussian;
  bool stored_queries = false;  ///< Queries are rows.
  bool bad_query = false;
  std::size_t k = 10;
  std::size_t nprobes = 1;
  std::size_t refine_factor = 0;
  bool raw_vector_missing = false;
  bool max_row_position = false;
  Filter filter = Filter::kNone;
  std::size_t percent_allowed = 50;
  bool hidden = false;
  Range range = Range::kNone;
  std::size_t num_threads = 1;
  std::uint64_t seed = 0;
};

using Step = std::variant<InsertStep, SearchStep>;

struct IndexCase {
  ModelSpec model;
  std::size_t capacity = 1;
  OnBadVectors on_bad_vectors = OnBadVectors::kError;
  std::vector<Step> steps;
};

rc::Gen<IndexCase> IndexCases(const CodeKind& kind);

std::ostream& operator<<(std::ostream& out, const CodeKind& kind);
std::ostream& operator<<(std::ostream& out, const InsertStep& step);
std::ostream& operator<<(std::ostream& out, const SearchStep& step);
std::ostream& operator<<(std::ostream& out, const IndexCase& index_case);

}  // namespace forebay::testing
