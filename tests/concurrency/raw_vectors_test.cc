// Raw vectors that before_publish stores are there for every row that a search finds, at once.
// The store is the one that the Python package keeps beside its indexes.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>
#include <thread>
#include <vector>

#include "../../python/src/vector_store.h"
#include "forebay/index.h"
#include "simd/dispatch.h"
#include "support/random_models.h"
#include "support/results.h"

namespace forebay::testing {
namespace {

constexpr std::size_t kBatchRows = 7;
constexpr std::size_t kNumRows = 21000;  // Several chunks of the store.
constexpr std::size_t kNumReaders = 2;

TEST(RawVectorsTest, EveryVisibleRowFindsItsOwnVector) {
  if (const Status level = simd::CheckActive(); level.code() == StatusCode::kUnsupported) {
    GTEST_SKIP() << level.message();
  }
  const ModelSpec spec = {.num_partitions = 4, .num_sub_vectors = 4, .sub_dim = 2};
  const std::size_t dim = spec.dim();
  Rng random(5);
  const std::vector<float> rows = RandomVectors(Values::kGaussian, kNumRows, dim, &random);
  const auto row = [&](std::size_t i) { return rows.data() + i * dim; };

  python::VectorStore store(dim);
  MemIndexOptions options;
  options.before_publish = [&store](const AcceptedRows& accepted) {
    store.Append(accepted);
    return Status::Ok();
  };
  auto index = Value(IvfPqMemIndex::Create(MakeModel(spec), options));
  SearchOptions search = {.k = 1, .nprobes = 4, .refine_factor = 1};
  search.raw_vectors = [&store](std::span<const RowRef> found, const float** out) {
    std::transform(found.begin(), found.end(), out,
                   [&store](const RowRef& ref) { return store.row(ref.ordinal); });
  };

  std::atomic<bool> done{false};
  std::atomic<std::size_t> wrong{0};
  const auto read = [&] {
    for (bool last = false; !last;) {
      last = done.load();
      const std::size_t visible = index.size();
      if (visible == 0) {
        continue;
      }
      const std::uint64_t newest = visible - 1;  // The row that was written a moment ago.
      SearchOptions for_newest = search;
      for_newest.filter = std::span<const std::uint64_t>(&newest, 1);
      const auto result = index.Search({row(newest), 1, dim}, for_newest);
      const bool right = result.ok() && (*result)[0].size() == 1 &&
                         (*result)[0][0] == Hit{.distance = 0, .row_position = newest};
      wrong += right ? 0 : 1;
    }
  };
  std::vector<std::thread> readers;
  for (std::size_t i = 0; i < kNumReaders; ++i) {
    readers.emplace_back(read);
  }
  for (std::size_t i = 0; i < kNumRows; i += kBatchRows) {
    EXPECT_TRUE(index.Insert({row(i), kBatchRows, dim}, i).ok());
  }
  done = true;
  for (std::thread& reader : readers) {
    reader.join();
  }
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(index.size(), kNumRows);
  EXPECT_EQ(store.used_bytes(), rows.size() * sizeof(float));
}

}  // namespace
}  // namespace forebay::testing
