// The u8 table's lower bound under attack: tables and vectors made so that rounding errors add up
// as badly as they can, and thresholds exactly at a vector's distance. A vector whose f32 distance
// is at most the threshold must never be ruled out.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "index/adc_tables.h"
#include "simd/dispatch.h"
#include "support/code_blocks.h"
#include "support/kernel_inputs.h"
#include "support/property.h"
#include "support/random_models.h"
#include "support/results.h"

namespace forebay::testing {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

enum class Entries {
  kGaussian,
  kAnyScale,     ///< From denormal to huge, both signs.
  kDenormal,     ///< Too small a range to divide by.
  kZero,         ///< No slack either: bounds, limit and distances are 0.
  kAllEqual,     ///< Within each sub-vector: no range at all.
  kOneOutlier,   ///< The same, but for one entry, which makes the steps large.
  kAlternating,  ///< Large ones that cancel from one sub-vector to the next.
  kLostSteps,    ///< Added to the sum before it, each is lost, or nearly.
  kLargest,      ///< Up to 2^124.
};

enum class Terms { kNone, kSmall, kCancelling, kLarge };

struct BoundCase {
  unsigned num_bits = 8;
  std::size_t num_sub_vectors = 2;
  Entries entries = Entries::kGaussian;
  Terms partition_term = Terms::kNone;
  Terms vector_terms = Terms::kNone;
  index::Steps steps = index::Steps::kFine;
  std::uint64_t seed = 0;
};

std::ostream& operator<<(std::ostream& out, const BoundCase& c) {
  return out << "{.num_bits = " << c.num_bits << ", .num_sub_vectors = " << c.num_sub_vectors
             << ", .entries = " << static_cast<int>(c.entries)
             << ", .partition_term = " << static_cast<int>(c.partition_term)
             << ", .vector_terms = " << static_cast<int>(c.vector_terms)
             << ", .steps = " << static_cast<int>(c.steps) << ", .seed = " << c.seed << "}";
}

/// What is lost most when it is added to x: just below half the distance to the next number above,
/// so that x stays, or just above half the distance to the next one below, so that it gets there.
float LostStep(float x) {
  const float step = std::nextafter(std::abs(x), kInfinity) - std::abs(x);
  return x < 0 ? -std::nextafter(step / 2, kInfinity) : std::nextafter(step / 2, 0.0F);
}

/// A table, vectors, and their distances.
class Attack {
 public:
  explicit Attack(const BoundCase& c)
      : num_bits_(c.num_bits),
        num_codewords_(std::size_t{1} << c.num_bits),
        num_sub_vectors_(c.num_sub_vectors),
        random_(c.seed) {
    MakePartitionTerm(c);
    MakeTable(c.entries, c.steps);
    if (c.partition_term == Terms::kCancelling) {
      partition_term_ = -SumOf(RandomCodes());
    }
    for (std::size_t i = 0; i < kNumVectors; ++i) {
      terms_.push_back(VectorTerm(c.vector_terms));
      codes_.push_back(i % 2 == 0 ? RandomCodes() : WorstCodes(i, partition_term_ + terms_[i]));
      if (c.vector_terms == Terms::kCancelling && i % 3 == 0) {
        terms_[i] = -SumOf(codes_[i]) - partition_term_;
      }
      distances_.push_back(Distance(i));
    }
    has_terms_ = c.vector_terms != Terms::kNone;
    for (const float term : terms_) {
      max_vector_term_ = std::max(max_vector_term_, std::abs(term));
    }
    Pack();
  }

  /// Invariant 1 of AdcTables. A difference that is too small in exact arithmetic is not larger
  /// after rounding to double, and the product is exact there.
  void CheckTable() const {
    const forebay::testing::RunBound bound = BoundFor(0);
    for (std::size_t m = 0; m < num_sub_vectors_; ++m) {
      const float* entries = table() + m * num_codewords_;
      const float least = *std::min_element(entries, entries + num_codewords_);
      for (std::size_t j = 0; j < num_codewords_; ++j) {
        const double steps = static_cast<double>(bound.table[m * num_codewords_ + j]);
        const double above = static_cast<double>(entries[j]) - static_cast<double>(least);
        Require(steps * static_cast<double>(bound.delta) <= above, "an entry is rounded up");
      }
    }
  }

  /// Invariant 2, at thresholds at and beside the distances of some vectors.
  void CheckThresholds() {
    for (std::size_t i = 0; i < kNumThresholds; ++i) {
      const float distance = distances_[i < 8 ? i : random_.Below(kNumVectors)];
      for (const float threshold :
           {distance, std::nextafter(distance, kInfinity), std::nextafter(distance, -kInfinity)}) {
        CheckThreshold(threshold);
      }
    }
    CheckThreshold(kInfinity);
  }

  /// How many vectors the bound rules out when the nearest one is all that is wanted.
  std::size_t NumRuledOut() {
    const float threshold = *std::min_element(distances_.begin(), distances_.end());
    return kNumVectors - SurvivorsOf(*Value(simd::KernelsFor("scalar")), threshold).lanes.size();
  }

 private:
  static constexpr std::size_t kNumVectors = 2 * simd::kBlockLanes + 9;
  static constexpr std::size_t kNumThresholds = 12;

  static void Require(bool condition, const std::string& what) {
    if (!condition) {
      throw std::runtime_error(what);
    }
  }

  void MakePartitionTerm(const BoundCase& c) {
    if (c.partition_term == Terms::kSmall) {
      partition_term_ = std::abs(Gaussian(&random_));
    } else if (c.partition_term == Terms::kLarge) {
      // Lost steps below that are still entries of a codebook that can be.
      const std::size_t most = c.entries == Entries::kLostSteps ? 100 : 126;
      partition_term_ = std::ldexp(1.0F, static_cast<int>(random_.Below(most)));
    }
  }

  float VectorTerm(Terms kind) {
    switch (kind) {
      case Terms::kNone:
        return 0.0F;
      case Terms::kSmall:
      case Terms::kCancelling:
        return Gaussian(&random_);
      case Terms::kLarge:
        break;
    }
    return std::ldexp(Gaussian(&random_), partition_term_ > 1 ? 122 : 60);
  }

  float Entry(Entries kind, std::size_t m, float start) {
    switch (kind) {
      case Entries::kGaussian:
        return Gaussian(&random_);
      case Entries::kAnyScale:
        return std::ldexp(Gaussian(&random_), static_cast<int>(random_.Below(180)) - 130);
      case Entries::kDenormal:
        return std::ldexp(Gaussian(&random_), -118 - static_cast<int>(random_.Below(25)));
      case Entries::kZero:
        return 0.0F;
      case Entries::kAllEqual:
      case Entries::kOneOutlier:
        return start;
      case Entries::kAlternating:
        return (m % 2 == 0 ? 1.0F : -1.0F) * 0x1p40F + Gaussian(&random_) * 0x1p17F;
      case Entries::kLostSteps:
        return LostStep(start) * (random_.Below(9) == 0 ? 3.0F : 1.0F);
      case Entries::kLargest:
        break;
    }
    return Gaussian(&random_) * 0.2F;
  }

  std::vector<float> MakeEntries(Entries kind) {
    std::vector<float> entries;
    float sum = partition_term_ != 0.0F ? partition_term_ : Gaussian(&random_);
    for (std::size_t m = 0; m < num_sub_vectors_; ++m) {
      const float start = kind == Entries::kLostSteps ? sum : Gaussian(&random_);
      for (std::size_t j = 0; j < num_codewords_; ++j) {
        entries.push_back(Entry(kind, m, start));
      }
      sum += entries.back();
    }
    if (kind == Entries::kOneOutlier || (kind == Entries::kLostSteps && random_.Below(2) == 0)) {
      entries[random_.Below(entries.size())] =
          std::ldexp(1.0F, static_cast<int>(random_.Below(50)));
    }
    return entries;
  }

  /// A table is that of a residual model whose sub-vectors have one dimension: the entries are -2 x
  /// query x codeword. A power of two as the query leaves them as they are.
  void MakeTable(Entries kind, index::Steps steps) {
    std::vector<float> codebook = MakeEntries(kind);
    const float query = kind == Entries::kLargest
                            ? 0x1p61F / std::sqrt(static_cast<float>(num_sub_vectors_))
                        : kind == Entries::kLostSteps ? 0x1p30F
                                                      : 1.0F;
    for (float& w : codebook) {
      w = kind == Entries::kLargest ? std::clamp(w, -1.0F, 1.0F) * query : w * -0.5F / query;
    }
    const std::vector<float> zero(num_sub_vectors_, 0.0F);
    const std::vector<float> queries(num_sub_vectors_, query);
    const auto model = Value(IvfPqModel::Create(
        Metric::kL2, Value(IvfModel::Create({zero.data(), 1, num_sub_vectors_})),
        Value(ProductQuantizer::Create(num_sub_vectors_, num_sub_vectors_, num_bits_, codebook)),
        true));
    tables_.Build(model.data(), queries.data(), steps, &entries_);
  }

  [[nodiscard]] const float* table() const { return entries_.data(); }

  [[nodiscard]] forebay::testing::RunBound BoundFor(float threshold) const {
    const simd::BoundTable table = tables_.bound_table();
    const auto bound = tables_.BoundOf(partition_term_, max_vector_term_);
    return {table.entries, bound.base, table.delta, bound.LimitFor(threshold), table.halves};
  }

  std::vector<std::size_t> RandomCodes() {
    std::vector<std::size_t> codes(num_sub_vectors_);
    std::generate(codes.begin(), codes.end(), [&] { return random_.Below(num_codewords_); });
    return codes;
  }

  /// Codes for whose entries the f32 sum, from `sum` on, errs downwards (or upwards) most, or
  /// which are the least (or greatest) entries.
  [[nodiscard]] std::vector<std::size_t> WorstCodes(std::size_t i, float sum) const {
    std::vector<std::size_t> codes;
    for (std::size_t m = 0; m < num_sub_vectors_; ++m) {
      const float* entries = table() + m * num_codewords_;
      const auto score = [&](float entry) {
        const double exact = static_cast<double>(sum) + static_cast<double>(entry);
        const double error = static_cast<double>(sum + entry) - exact;
        return (i % 8 < 4 ? error : static_cast<double>(entry)) * (i % 16 < 12 ? 1.0 : -1.0);
      };
      const float* worst = std::min_element(entries, entries + num_codewords_,
                                            [&](float a, float b) { return score(a) < score(b); });
      codes.push_back(static_cast<std::size_t>(worst - entries));
      sum += *worst;
    }
    return codes;
  }

  [[nodiscard]] float SumOf(const std::vector<std::size_t>& codes, float sum = 0.0F) const {
    for (std::size_t m = 0; m < num_sub_vectors_; ++m) {
      sum += table()[m * num_codewords_ + codes[m]];
    }
    return sum;
  }

  [[nodiscard]] float Distance(std::size_t i) const {
    return SumOf(codes_[i], partition_term_ + terms_[i]);
  }

  /// The vectors as the blocks of a partition.
  void Pack() {
    const std::size_t per_byte = 8 / num_bits_;
    code_len_ = num_sub_vectors_ / per_byte;
    const std::size_t num_blocks = (kNumVectors + simd::kBlockLanes - 1) / simd::kBlockLanes;
    packed_.assign(num_blocks * code_len_ * simd::kBlockLanes, 0xff);
    for (std::size_t i = 0; i < kNumVectors; ++i) {
      const std::size_t block = i / simd::kBlockLanes * code_len_;
      for (std::size_t j = 0; j < code_len_; ++j) {
        std::size_t byte = codes_[i][j * per_byte];
        byte += num_bits_ == 4 ? codes_[i][2 * j + 1] * 16 : 0;
        packed_[(block + j) * simd::kBlockLanes + i % simd::kBlockLanes] =
            static_cast<std::uint8_t>(byte);
      }
    }
  }

  [[nodiscard]] Kept SurvivorsOf(const simd::Kernels& kernels, float threshold) const {
    const float* terms = has_terms_ ? terms_.data() : nullptr;
    return Survivors(kernels, {packed_.data(), terms, code_len_, kNumVectors}, BoundFor(threshold),
                     num_bits_, nullptr);
  }

  void CheckThreshold(float threshold) const {
    const Kept kept = SurvivorsOf(*Value(simd::KernelsFor("scalar")), threshold);
    for (std::uint32_t i = 0; i < kNumVectors; ++i) {
      Require(
          distances_[i] > threshold || std::binary_search(kept.lanes.begin(), kept.lanes.end(), i),
          "vector " + std::to_string(i) + " at distance " + std::to_string(distances_[i]) +
              " is ruled out, threshold " + std::to_string(threshold));
    }
    for (const std::string_view level : simd::LevelNames()) {
      const auto kernels = simd::KernelsFor(level);
      Require(!kernels.ok() || SurvivorsOf(**kernels, threshold) == kept,
              std::string(level) + " keeps others than scalar, or with other bounds");
    }
  }

  const unsigned num_bits_;
  const std::size_t num_codewords_;
  const std::size_t num_sub_vectors_;
  Rng random_;
  index::AdcTables tables_;
  std::vector<float> entries_;  // The table that is bounded.
  float partition_term_ = 0;
  float max_vector_term_ = 0;
  bool has_terms_ = false;
  std::vector<float> terms_;
  std::vector<std::vector<std::size_t>> codes_;
  std::vector<float> distances_;
  std::size_t code_len_ = 0;
  std::vector<std::uint8_t> packed_;
};

rc::Gen<BoundCase> BoundCases() {
  namespace gen = rc::gen;
  using C = BoundCase;
  const auto even_with_4_bits = [](BoundCase c) {
    c.num_sub_vectors += c.num_bits == 4 ? c.num_sub_vectors % 2 : 0;
    return c;
  };
  const auto terms = gen::element(Terms::kNone, Terms::kSmall, Terms::kCancelling, Terms::kLarge);
  return gen::map(
      gen::build<C>(gen::set(&C::num_bits, gen::element(8U, 4U)),
                    gen::set(&C::num_sub_vectors, gen::oneOf(gen::inRange<std::size_t>(1, 20),
                                                             gen::inRange<std::size_t>(1, 401))),
                    gen::set(&C::entries, gen::element(Entries::kGaussian, Entries::kAnyScale,
                                                       Entries::kDenormal, Entries::kZero,
                                                       Entries::kAllEqual, Entries::kOneOutlier,
                                                       Entries::kAlternating, Entries::kLostSteps,
                                                       Entries::kLostSteps, Entries::kLargest)),
                    gen::set(&C::partition_term, terms), gen::set(&C::vector_terms, terms),
                    gen::set(&C::steps, gen::element(index::Steps::kFine, index::Steps::kQuick)),
                    gen::set(&C::seed, gen::noShrink(gen::inRange<std::uint64_t>(0, 1U << 30U)))),
      even_with_4_bits);
}

class BoundTest : public ::testing::Test {
  void SetUp() override {
    if (const Status level = simd::CheckActive(); level.code() == StatusCode::kUnsupported) {
      GTEST_SKIP() << level.message();
    }
  }
};

TEST_F(BoundTest, NeverRulesOutWhatIsNearEnough) {
  CheckProperty(300, [] {
    Attack attack(*BoundCases());
    attack.CheckTable();
    attack.CheckThresholds();
  });
}

TEST_F(BoundTest, HoldsWhenSumsSaturate) {
  for (const index::Steps steps : {index::Steps::kFine, index::Steps::kQuick}) {
    Attack attack({.num_bits = 8, .num_sub_vectors = 800, .steps = steps});
    attack.CheckTable();
    attack.CheckThresholds();
  }
}

TEST_F(BoundTest, RulesOutWhatIsFar) {
  for (const unsigned num_bits : {4U, 8U}) {
    for (const index::Steps steps : {index::Steps::kFine, index::Steps::kQuick}) {
      Attack attack({.num_bits = num_bits, .num_sub_vectors = 16, .steps = steps});
      EXPECT_GT(attack.NumRuledOut(), 100U) << num_bits << " bits";
    }
  }
}

}  // namespace
}  // namespace forebay::testing
