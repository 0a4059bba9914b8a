// An index file that was written once (tests/golden/README.md) opens forever, and has the rows and
// the answers that it had.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "forebay/index.h"
#include "support/index_bytes.h"
#include "support/results.h"
#include "support/test_data.h"

namespace forebay::testing {
namespace {

struct Golden {
  const char* name;
  ModelShape shape;
  std::size_t num_rows;
  std::uint64_t stride;  ///< Of row positions: 1 makes a run, more an array of those beyond it.
};

const Golden kGolden[] = {
    {"index_v1_l2_4", {}, 300, 1},
    {"index_v1_cosine_8", {.metric = Metric::kCosine, .num_bits = 8, .num_partitions = 2}, 70, 1},
    {"index_v1_dot_4", {.metric = Metric::kDot, .residual = false, .num_partitions = 1}, 800, 3},
};

std::vector<std::byte> Stored(const Golden& golden) {
  std::ifstream file(std::string(FOREBAY_TESTS_DIR) + "/golden/" + golden.name + ".forebay",
                     std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

struct Made {
  explicit Made(const Golden& golden)
      : vectors(RandomVectors(golden.num_rows, golden.shape.dim, 11)),
        index(Value(IvfPqMemIndex::Create(RandomModel(golden.shape)))) {
    std::vector<std::uint64_t> positions(golden.num_rows);
    for (std::size_t i = 0; i < golden.num_rows; ++i) {
      positions[i] = 5000 + i * golden.stride;
    }
    const std::size_t half = golden.num_rows / 2;
    for (const std::size_t begin : {std::size_t{0}, half}) {
      Value(index.Insert({.vectors = vectors.rows(begin, half),
                          .row_positions = std::span(positions).subspan(begin, half)}));
    }
  }

  Vectors vectors;
  IvfPqMemIndex index;
};

TEST(IndexGoldenTest, OpensForever) {
  for (const Golden& golden : kGolden) {
    const Made made(golden);
    const auto stored = Stored(golden);
    const auto opened = OpenCopy(stored);
    ASSERT_THAT(opened, Succeeds()) << golden.name;
    EXPECT_THAT(IvfPqMemIndex::CheckBlocks(stored), Succeeds()) << golden.name;
    ExpectSameIndex(made.index, *opened, made.vectors.rows(0, 10),
                    [&](std::span<const RowRef> rows, const float** out) {
                      for (std::size_t i = 0; i < rows.size(); ++i) {
                        out[i] = made.vectors.row((rows[i].row_position - 5000) / golden.stride);
                      }
                    });
  }
}

TEST(IndexGoldenTest, TheFormatIsAsItWas) {
  for (const Golden& golden : kGolden) {
    EXPECT_EQ(BytesOf(Made(golden).index), Stored(golden)) << golden.name;
  }
}

}  // namespace
}  // namespace forebay::testing
