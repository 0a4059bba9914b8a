// Insert: ordinals and positions, shapes, batches, the one writer, and what memory is reported.
// What happens to bad vectors is in bad_vectors_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <new>
#include <numeric>
#include <optional>
#include <vector>

#include "forebay/index.h"
#include "index/mem_index_impl.h"
#include "support/index_contents.h"
#include "support/results.h"
#include "support/test_data.h"

namespace forebay {
namespace {

using forebay::testing::Contents;
using forebay::testing::ContentsOf;
using forebay::testing::FailsWith;
using forebay::testing::IsInvalid;
using forebay::testing::PositionsByOrdinal;
using forebay::testing::RandomModel;
using forebay::testing::RandomVectors;
using forebay::testing::Rng;
using forebay::testing::Sizes;
using forebay::testing::Succeeds;
using forebay::testing::Value;
using forebay::testing::Vectors;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

constexpr std::size_t kDim = 8;
constexpr std::uint64_t kMaxPosition = std::numeric_limits<std::uint64_t>::max();

IvfPqMemIndex MakeIndex(const MemIndexOptions& options = {}) {
  return Value(IvfPqMemIndex::Create(RandomModel({}), options));
}

std::vector<std::uint64_t> Range(std::uint64_t first, std::size_t count) {
  std::vector<std::uint64_t> positions(count);
  std::iota(positions.begin(), positions.end(), first);
  return positions;
}

VectorBatch At(VectorView vectors, const std::vector<std::uint64_t>& positions) {
  return {.vectors = vectors, .row_positions = positions};
}

void ExpectReport(const Result<InsertReport>& report, const InsertReport& expected) {
  ASSERT_THAT(report, Succeeds());
  EXPECT_EQ(report->first_ordinal, expected.first_ordinal);
  EXPECT_EQ(report->num_inserted, expected.num_inserted);
  EXPECT_EQ(report->num_skipped, expected.num_skipped);
  EXPECT_EQ(report->num_dropped, expected.num_dropped);
  EXPECT_EQ(report->num_filled, expected.num_filled);
}

/// All that can be seen of an index.
struct Seen {
  std::size_t size;
  std::size_t bytes;
  Contents contents;
  std::vector<std::uint64_t> positions;

  explicit Seen(const IvfPqMemIndex& index)
      : size(index.size()),
        bytes(index.memory_usage().total()),
        contents(ContentsOf(index)),
        positions(PositionsByOrdinal(index)) {}
  friend bool operator==(const Seen&, const Seen&) = default;
};

TEST(MemIndexCreateTest, RefusesNoCapacity) {
  EXPECT_THAT(IvfPqMemIndex::Create(RandomModel({}), {.capacity = 0}),
              IsInvalid("capacity must be at least 1 row for each partition; got 0"));
}

TEST(MemIndexCreateTest, RefusesMoreCapacityThanRows) {
  constexpr std::size_t kMost = std::numeric_limits<std::uint32_t>::max();
  EXPECT_THAT(IvfPqMemIndex::Create(RandomModel({}), {.capacity = kMost}), Succeeds());
  for (const std::size_t capacity : Sizes{kMost + 1, std::numeric_limits<std::size_t>::max()}) {
    EXPECT_THAT(IvfPqMemIndex::Create(RandomModel({}), {.capacity = capacity}),
                IsInvalid("capacity must be below 2^32"));
  }
}

TEST(MemIndexCreateTest, KeepsItsOptionsAndModel) {
  const IvfPqModel model = RandomModel({.num_partitions = 7});
  const auto index = Value(
      IvfPqMemIndex::Create(model, {.capacity = 5, .field_id = 42, .column_name = "embedding"}));
  EXPECT_EQ(index.options().capacity, 5U);
  EXPECT_EQ(index.options().field_id, 42);
  EXPECT_EQ(index.options().column_name, "embedding");
  EXPECT_EQ(index.model().fingerprint(), model.fingerprint());
  EXPECT_EQ(index.num_partitions(), 7U);
  EXPECT_TRUE(index.empty());
  EXPECT_EQ(index.options().on_bad_vectors, OnBadVectors::kError);
}

TEST(InsertTest, RowsGetDenseOrdinalsInTheirOrder) {
  IvfPqMemIndex index = MakeIndex();
  const Vectors vectors = RandomVectors(100, kDim, 1);
  ExpectReport(index.Insert(vectors.rows(0, 10), 500), {.num_inserted = 10});
  ExpectReport(index.Insert(vectors.rows(10, 20), 5), {.first_ordinal = 10, .num_inserted = 20});
  auto expected = Range(500, 10);
  for (const std::uint64_t position : Range(5, 20)) {
    expected.push_back(position);
  }
  EXPECT_EQ(index.size(), 30U);
  EXPECT_THAT(PositionsByOrdinal(index), ElementsAreArray(expected));
}

TEST(InsertTest, PartitionsHoldTheRowsInTheOrderOfInsertion) {
  IvfPqMemIndex index = MakeIndex({.capacity = 10});
  const Vectors vectors = RandomVectors(500, kDim, 2);
  ASSERT_THAT(index.Insert(vectors.rows(0, 250), 1000), Succeeds());
  ASSERT_THAT(index.Insert(vectors.rows(250, 250), 0), Succeeds());
  std::size_t total = 0;
  for (std::size_t p = 0; p < index.num_partitions(); ++p) {
    const PartitionEntries entries = index.partition(p);
    EXPECT_EQ(entries.row_positions.size(), index.partition_size(p));
    EXPECT_EQ(entries.codes.size(), entries.row_positions.size() * index.model().pq().code_len());
    total += entries.row_positions.size();
    for (std::size_t i = 1; i < entries.row_positions.size(); ++i) {  // 1000.., then 0..
      const std::uint64_t before = entries.row_positions[i - 1];
      const std::uint64_t after = entries.row_positions[i];
      EXPECT_TRUE(before >= 1000 ? after > before || after < 1000 : before < after && after < 1000);
    }
  }
  EXPECT_EQ(total, 500U);
}

TEST(InsertTest, APartitionThatDoesNotExistHasNoRows) {
  IvfPqMemIndex index = MakeIndex();
  ASSERT_THAT(index.Insert(RandomVectors(50, kDim, 2).view(), 0), Succeeds());
  for (const std::size_t p : Sizes{4, 5, std::numeric_limits<std::size_t>::max()}) {
    EXPECT_EQ(index.partition_size(p), 0U);
    EXPECT_TRUE(index.partition(p).row_positions.empty());
    EXPECT_TRUE(index.partition(p).codes.empty());
  }
}

TEST(InsertTest, NoRowsAreFine) {
  IvfPqMemIndex index = MakeIndex();
  ExpectReport(index.Insert(VectorView(), 7), {});
  ExpectReport(index.Insert(VectorView{nullptr, 0, 3}, kMaxPosition), {});
  ExpectReport(index.InsertBatches({}), {});
  ASSERT_THAT(index.Insert(RandomVectors(5, kDim, 1).view(), 0), Succeeds());
  const Seen before(index);
  ExpectReport(index.Insert(VectorView(), 7), {.first_ordinal = 5});
  const VectorBatch empty[3] = {};
  ExpectReport(index.InsertBatches(empty, 4), {.first_ordinal = 5});
  EXPECT_TRUE(Seen(index) == before);
}

TEST(InsertTest, StoredPositionsAreSkippedAndCounted) {
  IvfPqMemIndex index = MakeIndex();
  const Vectors vectors = RandomVectors(100, kDim, 3);
  ASSERT_THAT(index.Insert(vectors.rows(0, 50), 100), Succeeds());
  const Seen before(index);
  // A replay, with other vectors even, changes nothing: the first one wins.
  ExpectReport(index.Insert(vectors.rows(50, 50), 100), {.first_ordinal = 50, .num_skipped = 50});
  EXPECT_EQ(Seen(index).contents, before.contents);
  EXPECT_EQ(index.size(), 50U);
  // Half of it is new.
  ExpectReport(index.Insert(vectors.rows(0, 60), 140),
               {.first_ordinal = 50, .num_inserted = 50, .num_skipped = 10});
  EXPECT_THAT(PositionsByOrdinal(index), ElementsAreArray(Range(100, 100)));
}

TEST(InsertTest, APositionTwiceInOneBatchIsAnError) {
  IvfPqMemIndex index = MakeIndex();
  const Vectors vectors = RandomVectors(10, kDim, 4);
  ASSERT_THAT(index.Insert(vectors.rows(0, 2), 7), Succeeds());
  const Seen before(index);
  const auto message = "row position 5 comes twice in one insert";
  EXPECT_THAT(index.Insert(At(vectors.rows(0, 3), {5, 6, 5})), IsInvalid(message));
  EXPECT_THAT(index.Insert(At(vectors.rows(0, 4), {9, 5, 5, 10})), IsInvalid(message));
  // Also when the index has it already.
  EXPECT_THAT(index.Insert(At(vectors.rows(0, 3), {7, 9, 7})), IsInvalid("row position 7"));
  EXPECT_TRUE(Seen(index) == before);
  ExpectReport(index.Insert(At(vectors.rows(0, 3), {5, 6, 4})),
               {.first_ordinal = 2, .num_inserted = 3});
}

TEST(InsertTest, APositionInTwoBatchesOfOneCallIsAnError) {
  IvfPqMemIndex index = MakeIndex();
  const Vectors vectors = RandomVectors(30, kDim, 5);
  const VectorBatch batches[] = {{.vectors = vectors.rows(0, 10), .first_row_position = 0},
                                 {.vectors = vectors.rows(10, 10), .first_row_position = 20},
                                 {.vectors = vectors.rows(20, 10), .first_row_position = 9}};
  EXPECT_THAT(index.InsertBatches(batches),
              IsInvalid("batch 2: row position 9 comes twice in one insert"));
  EXPECT_TRUE(index.empty());
}

TEST(InsertTest, PositionsMayBeAny64Bits) {
  IvfPqMemIndex index = MakeIndex();
  const Vectors vectors = RandomVectors(2000, kDim, 6);
  const std::vector<std::uint64_t> edges = {kMaxPosition, 0, std::uint64_t{1} << 63U,
                                            std::uint64_t{1} << 32U, kMaxPosition - 1};
  ExpectReport(index.Insert(At(vectors.rows(0, 5), edges)), {.num_inserted = 5});
  Rng rng(6);
  std::vector<std::uint64_t> expected = edges;
  for (std::size_t i = 5; i < 2000; i += 285) {  // As an array by ordinal, soon.
    std::vector<std::uint64_t> positions(285);
    for (auto& position : positions) {
      position = rng.Next();
    }
    ASSERT_THAT(index.Insert(At(vectors.rows(i, 285), positions)), Succeeds());
    expected.insert(expected.end(), positions.begin(), positions.end());
  }
  EXPECT_THAT(PositionsByOrdinal(index), ElementsAreArray(expected));
  EXPECT_EQ(ContentsOf(index).size(), 2000U);
  ExpectReport(index.Insert(At(vectors.rows(0, 5), edges)),
               {.first_ordinal = 2000, .num_skipped = 5});
}

TEST(InsertTest, PositionsBeyond64BitsAreRefused) {
  IvfPqMemIndex index = MakeIndex();
  const Vectors vectors = RandomVectors(10, kDim, 7);
  EXPECT_THAT(
      index.Insert(vectors.view(), kMaxPosition - 8),
      IsInvalid("row positions must fit 64 bits; got 10 rows from 18446744073709551607 on"));
  EXPECT_THAT(index.Insert(vectors.rows(0, 2), kMaxPosition), IsInvalid("must fit 64 bits"));
  EXPECT_TRUE(index.empty());
  ExpectReport(index.Insert(vectors.view(), kMaxPosition - 9), {.num_inserted = 10});
  EXPECT_EQ(index.row_position(9), kMaxPosition);
}

TEST(InsertTest, OtherShapesAreRefused) {
  IvfPqMemIndex index = MakeIndex();
  const Vectors vectors = RandomVectors(10, kDim + 1, 8);
  EXPECT_THAT(index.Insert(vectors.view(), 0),
              IsInvalid("vectors must have the model's dimension 8; got [10][9]"));
  EXPECT_THAT(index.Insert({vectors.data.data(), 10, 0}, 0), IsInvalid("got [10][0]"));
  const Vectors good = RandomVectors(10, kDim, 8);
  EXPECT_THAT(index.Insert(At(good.view(), Range(0, 9))),
              IsInvalid("row_positions must have one position for each of 10 rows; got 9"));
  EXPECT_THAT(index.Insert(At(good.view(), Range(0, 11))), IsInvalid("of 10 rows; got 11"));
  const VectorBatch batches[] = {{.vectors = good.view()}, {.vectors = vectors.view()}};
  EXPECT_THAT(index.InsertBatches(batches), IsInvalid("batch 1: vectors must have the model's"));
  EXPECT_TRUE(index.empty());
  EXPECT_EQ(index.memory_usage().codes, 0U);
}

TEST(InsertTest, BatchesOfOneCallEqualSingleInserts) {
  const Vectors vectors = RandomVectors(3000, kDim, 9);
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    const IvfPqModel model =
        RandomModel({.metric = metric, .residual = metric != Metric::kDot, .num_bits = 8});
    auto one_by_one = Value(IvfPqMemIndex::Create(model, {.capacity = 100}));
    std::vector<VectorBatch> batches;
    for (std::size_t i = 0; i < 3000; i += 150) {
      batches.push_back({.vectors = vectors.rows(i, 150), .first_row_position = 10000 - i});
    }
    for (const VectorBatch& batch : batches) {
      for (std::size_t i = 0; i < 150; ++i) {
        ASSERT_THAT(
            one_by_one.Insert({batch.vectors.row(i), 1, kDim}, batch.first_row_position + i),
            Succeeds());
      }
    }
    for (const std::size_t num_threads : Sizes{0, 1, 2, 3, 8}) {
      auto at_once = Value(IvfPqMemIndex::Create(model, {.capacity = 100}));
      ExpectReport(at_once.InsertBatches(batches, num_threads), {.num_inserted = 3000});
      EXPECT_EQ(PositionsByOrdinal(at_once), PositionsByOrdinal(one_by_one)) << num_threads;
      EXPECT_EQ(ContentsOf(at_once), ContentsOf(one_by_one)) << num_threads;
    }
  }
}

TEST(InsertTest, ASecondWriterIsRefused) {
  IvfPqMemIndex::Impl impl(RandomModel({}), {});
  const Vectors vectors = RandomVectors(1, kDim, 10);
  const VectorBatch batch{.vectors = vectors.view()};
  ASSERT_FALSE(impl.writer_active.test_and_set());  // As if another insert were running.
  EXPECT_THAT(impl.Insert({&batch, 1}, 1),
              FailsWith(StatusCode::kFailedPrecondition, "another insert is running"));
  EXPECT_THAT(impl.Insert({}, 1), FailsWith(StatusCode::kFailedPrecondition, "one writer"));
  EXPECT_EQ(impl.num_visible.LoadAcquire(), 0U);
  impl.writer_active.clear();
  ExpectReport(impl.Insert({&batch, 1}, 1), {.num_inserted = 1});
}

TEST(InsertTest, AnInsertWithinAnInsertIsASecondWriter) {
  IvfPqMemIndex* inserting = nullptr;
  const Vectors vectors = RandomVectors(10, kDim, 11);
  std::optional<Status> inner;
  IvfPqMemIndex index = MakeIndex({.before_publish = [&](const AcceptedRows&) {
    inner = inserting->Insert(vectors.rows(5, 5), 100).status();
    return Status::Ok();
  }});
  inserting = &index;
  ExpectReport(index.Insert(vectors.rows(0, 5), 0), {.num_inserted = 5});
  EXPECT_THAT(inner.value(), FailsWith(StatusCode::kFailedPrecondition, "another insert"));
  EXPECT_EQ(index.size(), 5U);
}

TEST(InsertTest, AnErrorGivesTheTurnBack) {
  IvfPqMemIndex index = MakeIndex();
  const Vectors vectors = RandomVectors(10, kDim, 12);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(index.Insert(At(vectors.rows(0, 2), {1, 1})), IsInvalid("twice"));
  }
  ExpectReport(index.Insert(vectors.view(), 0), {.num_inserted = 10});
}

TEST(BeforePublishTest, SeesTheAcceptedRowsBeforeTheyAreVisible) {
  const IvfPqMemIndex* inserting = nullptr;
  const Vectors vectors = RandomVectors(10, kDim, 13);
  std::vector<std::vector<std::uint64_t>> seen;
  IvfPqMemIndex index = MakeIndex({.before_publish = [&](const AcceptedRows& rows) {
    EXPECT_EQ(rows.first_ordinal, inserting->size());
    EXPECT_EQ(rows.dim, kDim);
    for (std::size_t i = 0; i < rows.vectors.size(); ++i) {
      EXPECT_EQ(rows.vectors[i], vectors.row(rows.row_positions[i]));
    }
    seen.emplace_back(rows.row_positions.begin(), rows.row_positions.end());
    return Status::Ok();
  }});
  inserting = &index;
  ASSERT_THAT(index.Insert(vectors.rows(2, 3), 2), Succeeds());
  ASSERT_THAT(index.Insert(vectors.rows(2, 3), 2), Succeeds());  // All skipped: no call.
  ASSERT_THAT(index.Insert(vectors.rows(0, 5), 0), Succeeds());
  EXPECT_THAT(seen, ElementsAre(ElementsAre(2, 3, 4), ElementsAre(0, 1)));
}

TEST(BeforePublishTest, ItsErrorFailsTheInsert) {
  const Vectors vectors = RandomVectors(10, kDim, 14);
  std::vector<std::uint32_t> first_ordinals;
  IvfPqMemIndex index = MakeIndex({.before_publish = [&](const AcceptedRows& rows) -> Status {
    first_ordinals.push_back(rows.first_ordinal);
    switch (first_ordinals.size()) {
      case 1:
        return Status::IoError("the disk is full");
      case 2:
        throw std::bad_alloc();
      default:
        return Status::Ok();
    }
  }});
  EXPECT_THAT(index.Insert(vectors.view(), 0), FailsWith(StatusCode::kIoError, "the disk is full"));
  EXPECT_THAT(index.Insert(vectors.view(), 0), FailsWith(StatusCode::kOutOfMemory, ""));
  EXPECT_TRUE(index.empty());
  EXPECT_TRUE(ContentsOf(index).empty());
  ExpectReport(index.Insert(vectors.view(), 0), {.num_inserted = 10});
  EXPECT_THAT(first_ordinals, ElementsAre(0, 0, 0));
}

}  // namespace
}  // namespace forebay
