// The index against its oracle: random steps on both, for every kind of code.
#include "support/checked_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "simd/dispatch.h"
#include "support/index_steps.h"
#include "support/property.h"

namespace forebay::testing {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::uint64_t kMaxPosition = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kAnywhere = 10000;

/// The words of a bitmap of `size` bits; about `percent` of all their bits are set.
std::vector<std::uint64_t> RandomWords(std::size_t size, std::size_t percent, Rng* random) {
  std::vector<std::uint64_t> words((size + 63) / 64);
  for (std::size_t i = 0; i < words.size() * 64; ++i) {
    words[i / 64] |= std::uint64_t{random->Below(100) < percent} << (i % 64);
  }
  return words;
}

/// A batch and what it borrows.
struct OwnedBatch {
  std::vector<float> vectors;
  std::vector<std::uint64_t> positions;  // Empty: a run from first_row_position on.
  std::vector<std::uint8_t> validity;
  VectorBatch batch;

  void Borrow(std::size_t dim) {
    batch.vectors = {vectors.data(), vectors.size() / dim, dim};
    batch.row_positions = positions;
    batch.validity = validity.empty() ? nullptr : validity.data();
  }
};

/// A checked index and how to take a step.
class IndexRun {
 public:
  explicit IndexRun(const IndexCase& index_case)
      : dim_(index_case.model.dim()),
        index_(MakeModel(index_case.model), {.capacity = index_case.capacity,
                                             .on_bad_vectors = index_case.on_bad_vectors,
                                             .fill_value = 0.5F}) {}

  void Do(const InsertStep& step) {
    Rng random(step.seed);
    if (step.positions != Positions::kReplay) {
      batches_.clear();
      for (std::size_t b = 0; b < step.num_batches; ++b) {
        batches_.push_back(MakeBatch(step, &random));
      }
    }
    std::vector<VectorBatch> batches;
    for (OwnedBatch& owned : batches_) {
      owned.Borrow(dim_);
      batches.push_back(owned.batch);
      batches.back().vectors.dim += step.wrong_dim ? 1 : 0;
      batches.back().vectors.num_rows -= step.wrong_dim && owned.batch.vectors.num_rows > 1 ? 1 : 0;
    }
    (void)index_.Insert(batches, step.num_threads);
    index_.CheckContents();
  }

  void Do(const SearchStep& step) {
    Rng random(step.seed);
    const std::vector<float> queries = MakeQueries(step, &random);
    const VectorView view{queries.data(), step.num_queries, dim_};
    SearchOptions options{.k = step.k, .nprobes = step.nprobes, .num_threads = step.num_threads};
    SetRefine(step, &options);
    if (step.max_row_position) {
      options.max_row_position = SomePosition(&random) - random.Below(2);
    }
    // Bits from `size` on may be set, but do not count.
    const std::size_t num_allowed = random.Below(kAnywhere);
    const auto allowed_words = RandomWords(num_allowed, step.percent_allowed, &random);
    const auto allowed = SomePositions(step.percent_allowed, &random);
    if (step.filter == Filter::kBitmap) {
      options.filter = Bitmap{allowed_words, num_allowed};
    } else if (step.filter == Filter::kPositions) {
      options.filter = std::span<const std::uint64_t>(allowed);
    }
    const std::size_t num_masked = index_.real().size() * random.Below(3) / 2;
    const auto hidden_words = RandomWords(num_masked, 30, &random);
    if (step.hidden) {
      options.hidden_ordinals = Bitmap{hidden_words, num_masked};
    }
    SetRange(step, view, &random, &options);
    (void)index_.Search(view, options);
  }

 private:
  OwnedBatch MakeBatch(const InsertStep& step, Rng* random) {
    const std::size_t n = step.num_rows;
    OwnedBatch owned;
    owned.vectors = RandomVectors(step.values, n, dim_, random);
    SetPositions(step, random, &owned);
    for (std::size_t i = 0; n > 0 && i < step.num_bad; ++i) {
      MakeBad(random->Below(n), random, &owned);
    }
    return owned;
  }

  void SetPositions(const InsertStep& step, Rng* random, OwnedBatch* owned) {
    const std::size_t n = step.num_rows;
    std::uint64_t& first = owned->batch.first_row_position;
    std::vector<std::uint64_t>& positions = owned->positions;
    switch (step.positions) {
      case Positions::kNext:
        first = next_position_;
        next_position_ += n;
        break;
      case Positions::kRun:
        first = random->Below(1000);
        break;
      case Positions::kHuge:
        first = kMaxPosition - random->Below(2 * n + 2);
        break;
      case Positions::kEveryThird:
        for (std::size_t i = 0; i < n; ++i, next_position_ += 3) {
          positions.push_back(next_position_);
        }
        break;
      case Positions::kAnywhere:
      case Positions::kTwice:
      case Positions::kReplay:
        for (std::size_t i = 0; i < n; ++i) {
          positions.push_back(anywhere_[num_anywhere_++ % kAnywhere]);
        }
        if (step.positions == Positions::kTwice && n > 1) {
          positions[random->Below(n)] = positions[random->Below(n)];
        }
    }
  }

  void MakeBad(std::size_t i, Rng* random, OwnedBatch* owned) const {
    float* row = owned->vectors.data() + i * dim_;
    float* element = row + random->Below(dim_);
    switch (random->Below(5)) {
      case 0:
        *element = std::numeric_limits<float>::quiet_NaN();
        break;
      case 1:
        *element = -kInfinity;
        break;
      case 2:
        *element = 0x1p62F;
        break;
      case 3:
        std::fill_n(row, dim_, 0.0F);
        break;
      default: {
        const std::size_t num_rows = owned->vectors.size() / dim_;
        owned->batch.validity_offset = 3;
        owned->validity.resize(num_rows / 8 + 2, 0xff);
        const std::size_t bit = i + owned->batch.validity_offset;
        owned->validity[bit / 8] &= static_cast<std::uint8_t>(~(1U << (bit % 8)));
      }
    }
  }

  std::vector<float> MakeQueries(const SearchStep& step, Rng* random) const {
    std::vector<float> queries = RandomVectors(step.values, step.num_queries, dim_, random);
    const auto& rows = index_.naive().rows();
    for (std::size_t i = 0; i < step.num_queries && step.stored_queries && !rows.empty(); ++i) {
      const std::vector<float>& raw = rows[random->Below(rows.size())].raw;
      const bool finite = std::all_of(raw.begin(), raw.end(), [](float x) { return x < 1e30F; });
      if (finite) {
        std::copy(raw.begin(), raw.end(), queries.begin() + static_cast<std::ptrdiff_t>(i * dim_));
      }
    }
    if (step.bad_query && !queries.empty()) {
      queries[random->Below(queries.size())] = kInfinity;
    }
    return queries;
  }

  void SetRefine(const SearchStep& step, SearchOptions* options) const {
    options->refine_factor = step.refine_factor;
    options->raw_vectors = index_.raw_vectors();
    if (step.raw_vector_missing && step.refine_factor == 1) {
      options->raw_vectors = nullptr;
    } else if (step.raw_vector_missing) {
      options->raw_vectors = [all = index_.raw_vectors()](std::span<const RowRef> rows,
                                                          const float** out) {
        all(rows, out);
        for (std::size_t i = 0; i < rows.size(); ++i) {
          out[i] = rows[i].ordinal % 50 == 7 ? nullptr : out[i];
        }
      };
    }
  }

  /// A range whose ends are distances that the search finds, or next to one.
  void SetRange(const SearchStep& step, VectorView queries, Rng* random,
                SearchOptions* options) const {
    if (step.range == Range::kNan) {
      (random->Below(2) == 0 ? options->distance_lower : options->distance_upper) =
          std::numeric_limits<float>::quiet_NaN();
    } else if (step.range == Range::kEmpty) {
      options->distance_lower = 1.0F;
      options->distance_upper = random->Below(2) == 0 ? 1.0F : -kInfinity;
    } else if (step.range == Range::kFound) {
      const auto found = index_.Search(queries, *options);
      for (float* end : {&options->distance_lower, &options->distance_upper}) {
        const auto distance = SomeDistance(found, random);
        *end = distance && random->Below(4) > 0 ? *distance : *end;
        *end = random->Below(4) == 0 ? std::nextafter(*end, kInfinity) : *end;
      }
      if (options->distance_lower > options->distance_upper && random->Below(4) > 0) {
        std::swap(options->distance_lower, options->distance_upper);
      }
    }
  }

  static std::optional<float> SomeDistance(const Result<SearchResult>& found, Rng* random) {
    std::vector<float> distances;
    for (std::size_t i = 0; found.ok() && i < found->size(); ++i) {
      for (const Hit& hit : (*found)[i]) {
        distances.push_back(hit.distance);
      }
    }
    return distances.empty() ? std::nullopt
                             : std::optional(distances[random->Below(distances.size())]);
  }

  std::uint64_t SomePosition(Rng* random) const {
    const auto& rows = index_.naive().rows();
    return rows.empty() ? random->Below(kAnywhere) : rows[random->Below(rows.size())].position;
  }

  /// Some stored positions and some others, ascending.
  std::vector<std::uint64_t> SomePositions(std::size_t percent, Rng* random) const {
    std::vector<std::uint64_t> positions = {random->Below(kAnywhere), random->Below(kAnywhere)};
    for (const NaiveIndex::Row& row : index_.naive().rows()) {
      if (random->Below(100) < percent) {
        positions.push_back(row.position);
      }
    }
    std::sort(positions.begin(), positions.end());
    positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
    return positions;
  }

  static std::vector<std::uint64_t> Shuffled() {
    std::vector<std::uint64_t> positions(kAnywhere);
    for (std::uint64_t i = 0; i < kAnywhere; ++i) {
      positions[i] = i * 7919 % kAnywhere;  // 7919 is prime to it, so each comes once.
    }
    return positions;
  }

  std::size_t dim_;
  CheckedIndex index_;
  std::vector<OwnedBatch> batches_;  // Of the last insert.
  std::uint64_t next_position_ = 0;  // Of a run.
  std::vector<std::uint64_t> anywhere_ = Shuffled();
  std::size_t num_anywhere_ = 0;
};

class CheckedIndexTest : public ::testing::TestWithParam<CodeKind> {
  void SetUp() override {
    if (const Status level = simd::CheckActive(); level.code() == StatusCode::kUnsupported) {
      GTEST_SKIP() << level.message();
    }
  }
};

TEST_P(CheckedIndexTest, EqualsTheOracle) {
  CheckProperty(60, [] {
    const IndexCase index_case = *IndexCases(GetParam());
    IndexRun run(index_case);
    for (const Step& step : index_case.steps) {
      std::visit([&run](const auto& s) { run.Do(s); }, step);
    }
  });
}

std::vector<CodeKind> AllKinds() {
  std::vector<CodeKind> kinds;
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    for (const bool residual : {false, true}) {
      for (const unsigned num_bits : {4U, 8U}) {
        if (!residual || metric != Metric::kDot) {
          kinds.push_back({metric, residual, num_bits});
        }
      }
    }
  }
  return kinds;
}

INSTANTIATE_TEST_SUITE_P(AllKinds, CheckedIndexTest, ::testing::ValuesIn(AllKinds()),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace forebay::testing
