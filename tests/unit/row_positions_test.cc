#include "index/row_positions.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "support/test_data.h"

namespace forebay::index {
namespace {

using forebay::testing::Rng;

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

/// RowPositions and the same in a vector.
class Checked {
 public:
  void Append(const std::vector<std::uint64_t>& positions) {
    const auto first = static_cast<std::uint32_t>(expected_.size());
    positions_.Reserve(first, positions);
    positions_.Append(first, positions);
    expected_.insert(expected_.end(), positions.begin(), positions.end());
  }

  void AppendRange(std::uint64_t first, std::size_t count) {
    std::vector<std::uint64_t> positions(count);
    std::iota(positions.begin(), positions.end(), first);
    Append(positions);
  }

  /// Reads all, ascending, descending and at random.
  void ExpectEqual() const {
    RowPositions::Reader reader(positions_);
    const auto n = static_cast<std::uint32_t>(expected_.size());
    for (std::uint32_t i = 0; i < n; ++i) {
      ASSERT_EQ(reader[i], expected_[i]) << i;
    }
    for (std::uint32_t i = n; i-- > 0;) {
      ASSERT_EQ(reader[i], expected_[i]) << i;
    }
    Rng rng(n);
    for (std::uint32_t round = 0; round < n; ++round) {
      const auto i = static_cast<std::uint32_t>(rng.Below(n));
      ASSERT_EQ(reader[i], expected_[i]) << i;
      ASSERT_EQ(RowPositions::Reader(positions_)[i], expected_[i]) << i;
    }
  }

  [[nodiscard]] std::size_t size() const { return expected_.size(); }
  [[nodiscard]] const RowPositions& positions() const { return positions_; }

 private:
  RowPositions positions_;
  std::vector<std::uint64_t> expected_;
};

TEST(RowPositionsTest, ContiguousPositionsCostNextToNothing) {
  Checked checked;
  for (int batch = 0; batch < 300; ++batch) {
    checked.AppendRange(1000 + checked.size(), 97);
  }
  checked.ExpectEqual();
  EXPECT_LE(checked.positions().allocated_bytes(), 1024U);
}

TEST(RowPositionsTest, ReservingNothingIsFine) {
  Checked checked;
  checked.Append({});
  EXPECT_EQ(checked.positions().allocated_bytes(), 0U);
  checked.AppendRange(5, 3);
  checked.Append({});
  checked.ExpectEqual();
}

TEST(RowPositionsTest, LongRunsStayRuns) {
  Checked checked;
  Rng rng(1);
  for (int batch = 0; batch < 1000; ++batch) {
    checked.AppendRange(rng.Next() >> 1U, 5 + rng.Below(20));
  }
  checked.ExpectEqual();
  // 1,000 runs of 16 bytes, in chunks that double.
  EXPECT_LE(checked.positions().allocated_bytes(), 2048U * 16);
}

TEST(RowPositionsTest, RandomPositionsBecomeAnArray) {
  for (const std::size_t batch_size : {std::size_t{1}, std::size_t{100}, std::size_t{5000}}) {
    Checked checked;
    Rng rng(batch_size);
    while (checked.size() < 5000) {
      std::vector<std::uint64_t> positions(batch_size);
      for (auto& position : positions) {
        position = rng.Next();
      }
      checked.Append(positions);
    }
    checked.ExpectEqual();
    // 8 bytes for each in the array, in chunks that double, and the few runs before it.
    EXPECT_LE(checked.positions().allocated_bytes(), 2 * 5000U * 8 + 1024U * 16);
  }
}

TEST(RowPositionsTest, RunsBeforeTheArrayAndContiguousOnesInItAreFound) {
  Checked checked;
  checked.AppendRange(1U << 20U, 300);
  for (std::uint64_t i = 0; i < 2000; ++i) {  // Single rows: too many runs soon.
    checked.Append({i * 3});
    if (i % 100 == 0) {
      checked.ExpectEqual();
    }
  }
  checked.AppendRange(1U << 30U, 500);
  checked.ExpectEqual();
}

TEST(RowPositionsTest, TheExtremesOf64BitsAreHeld) {
  Checked checked;
  checked.Append({kMax, 0, kMax - 1, 1, 2});
  checked.AppendRange(kMax - 10, 9);
  checked.Append({std::uint64_t{1} << 63U, kMax});
  checked.ExpectEqual();
}

TEST(RowPositionsTest, AReaderMadeBeforeKeepsWhatItSaw) {
  Checked checked;
  checked.AppendRange(10, 100);
  RowPositions::Reader before(checked.positions());
  EXPECT_EQ(before[99], 109U);
  Rng rng(3);
  for (int i = 0; i < 3000; ++i) {
    checked.Append({rng.Next()});
  }
  for (std::uint32_t i = 0; i < 100; ++i) {
    ASSERT_EQ(before[i], 10 + i);
  }
  checked.ExpectEqual();
}

}  // namespace
}  // namespace forebay::index
