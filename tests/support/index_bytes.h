// Indexes as bytes, and whether two indexes answer alike.
//
// Thread safety: free functions without shared state.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <vector>

#include "forebay/index.h"
#include "support/index_contents.h"
#include "support/results.h"

namespace forebay::testing {

/// Bytes at a multiple of 64, without a byte to spare: a sanitizer sees what is read beyond them.
class AlignedBytes {
 public:
  explicit AlignedBytes(std::span<const std::byte> bytes)
      : size_(bytes.size()),
        data_(static_cast<std::byte*>(::operator new(size_, kAlignment)),
              [](std::byte* data) { ::operator delete(data, kAlignment); }) {
    std::copy(bytes.begin(), bytes.end(), data_.get());
  }

  [[nodiscard]] std::span<const std::byte> view() const { return {data_.get(), size_}; }
  [[nodiscard]] std::span<std::byte> view() { return {data_.get(), size_}; }
  [[nodiscard]] std::shared_ptr<const void> owner() const { return data_; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  std::size_t size_;
  std::shared_ptr<std::byte> data_;
};

inline std::vector<std::byte> BytesOf(const IvfPqMemIndex& index, bool with_model = true) {
  std::vector<std::byte> bytes;
  const Status status = index.Serialize(
      [&bytes](std::span<const std::byte> piece) {
        bytes.insert(bytes.end(), piece.begin(), piece.end());
        return Status::Ok();
      },
      with_model);
  return Value(status.ok() ? Result(bytes) : Result<std::vector<std::byte>>(status));
}

/// Opens a copy of the bytes, which lives as long as the index.
inline Result<IvfPqMemIndex> OpenCopy(std::span<const std::byte> bytes,
                                      std::optional<IvfPqModel> model = std::nullopt,
                                      const MemIndexOptions& options = {}) {
  const AlignedBytes copy(bytes);
  return IvfPqMemIndex::Open(copy.view(), copy.owner(), std::move(model), options);
}

/// That both find the same, bit for bit and by the same ways.
inline void ExpectSameAnswers(const IvfPqMemIndex& a, const IvfPqMemIndex& b, VectorView queries,
                              const SearchOptions& options) {
  const SearchResult of_a = Value(a.Search(queries, options));
  const SearchResult of_b = Value(b.Search(queries, options));
  EXPECT_EQ(of_a.snapshot, of_b.snapshot);
  EXPECT_EQ(of_a.hits, of_b.hits);
  ASSERT_EQ(of_a.stats.size(), of_b.stats.size());
  for (std::size_t q = 0; q < of_a.size(); ++q) {
    EXPECT_EQ(of_a.stats[q].exhaustive, of_b.stats[q].exhaustive);
    EXPECT_EQ(of_a.stats[q].probed_partitions, of_b.stats[q].probed_partitions);
    EXPECT_EQ(of_a.stats[q].num_eligible, of_b.stats[q].num_eligible);
    EXPECT_EQ(of_a.stats[q].num_evaluated, of_b.stats[q].num_evaluated);
    EXPECT_EQ(of_a.stats[q].num_reranked, of_b.stats[q].num_reranked);
  }
}

/// That both have the same rows under the same ordinals.
inline void ExpectSameRows(const IvfPqMemIndex& a, const IvfPqMemIndex& b) {
  EXPECT_EQ(a.size(), b.size());
  EXPECT_EQ(PositionsByOrdinal(a), PositionsByOrdinal(b));
  EXPECT_EQ(a.partition_sizes(), b.partition_sizes());
  const auto of_a = a.partitions();
  const auto of_b = b.partitions();
  ASSERT_EQ(of_a.size(), of_b.size());
  for (std::size_t p = 0; p < of_a.size(); ++p) {
    EXPECT_EQ(of_a[p].row_positions, of_b[p].row_positions) << "partition " << p;
    EXPECT_EQ(of_a[p].codes, of_b[p].codes) << "partition " << p;
  }
}

/// Both of it, for searches of every kind. raw_vectors: of the rows of both.
inline void ExpectSameIndex(const IvfPqMemIndex& a, const IvfPqMemIndex& b, VectorView queries,
                            const RawVectorLookup& raw_vectors) {
  ExpectSameRows(a, b);
  const std::vector<std::uint64_t> words(a.size() / 64 + 8, 0x5a5af00f12345678);
  const std::vector<std::uint64_t> positions = [&a] {
    auto all = PositionsByOrdinal(a);
    std::sort(all.begin(), all.end());
    all.resize(all.size() / 3);
    return all;
  }();
  const auto all = a.size() + 1;
  for (const std::size_t k : {std::size_t{5}, all}) {
    for (const std::size_t refine_factor : {0U, 2U}) {
      SearchOptions options{.k = k, .nprobes = 3, .refine_factor = refine_factor};
      options.raw_vectors = raw_vectors;
      ExpectSameAnswers(a, b, queries, options);
      options.filter = Bitmap{words, words.size() * 64};
      ExpectSameAnswers(a, b, queries, options);
      options.filter = std::span<const std::uint64_t>(positions);
      ExpectSameAnswers(a, b, queries, options);
      options.filter = std::nullopt;
      options.hidden_ordinals = Bitmap{words, a.size() / 2};
      ExpectSameAnswers(a, b, queries, options);
      options.max_row_position = positions.empty() ? 0 : positions.back();
      ExpectSameAnswers(a, b, queries, options);
    }
  }
}

}  // namespace forebay::testing
