// One writer, four readers: every snapshot is whole (batches are seen entirely or not at all),
// snapshots never go back, and every row is read as it was written. Run under ThreadSanitizer too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "index/merge.h"
#include "simd/dispatch.h"
#include "support/expected_snapshots.h"
#include "support/index_bytes.h"
#include "support/results.h"

namespace forebay::testing {
namespace {

constexpr std::size_t kNumReaders = 4;
constexpr std::size_t kNumRows = ExpectedSnapshots::kNumRows;
constexpr std::size_t kNumRounds = 20;  // Each with a new index, so that all edges are met again.

void Require(bool condition, const std::string& what) {
  if (!condition) {
    throw Disagreement(what);
  }
}

/// What one reader does and has seen.
class Reader {
 public:
  Reader(const IvfPqMemIndex& index, const ExpectedSnapshots& expected, std::uint64_t seed)
      : index_(index), expected_(expected), random_(seed) {}

  void Step() {
    switch (random_.Below(7)) {
      case 0:
        ReadPartitions();
        break;
      case 3:
        ReadBytes();
        break;
      case 1:
        ReadMemory();
        break;
      case 2:
        ReadNewest();
        break;
      default:
        Search();
    }
  }

  [[nodiscard]] std::size_t newest() const { return newest_; }

 private:
  /// `snapshot` was taken between the two calls of size() that returned these.
  void CheckSnapshot(std::size_t before, std::size_t snapshot, std::size_t after) {
    Require(expected_.IsWhole(snapshot), "half a batch is visible: " + std::to_string(snapshot));
    Require(expected_.IsWhole(before) && expected_.IsWhole(after), "size() counts half a batch");
    Require(newest_ <= before && before <= snapshot && snapshot <= after, "a snapshot went back");
    newest_ = after;
  }

  void Search() {
    SearchOptions options{.k = 1 + random_.Below(2) * kNumRows,
                          .nprobes = random_.Below(2) * ExpectedSnapshots::kAllPartitions,
                          .num_threads = 1 + random_.Below(2)};
    const std::vector<std::uint64_t> words(kNumRows * 3 / 64 + 1, random_.Next());
    const std::size_t some = 1 + random_.Below(kNumRows);
    switch (random_.Below(6)) {
      case 0:
        options.filter = Bitmap{words, words.size() * 64};
        break;
      case 1:
        options.hidden_ordinals = Bitmap{words, some};
        break;
      case 2:
        options.max_row_position = expected_.position(some - 1);
        break;
      case 3:
        options.distance_lower = 0.5F;
        options.distance_upper = 2.0F;
        break;
      case 4:
        options.refine_factor = 2;
        options.raw_vectors = expected_.raw_vectors();
        break;
      default:
        break;
    }
    const std::size_t before = index_.size();
    const auto found = index_.Search(expected_.queries(), options);
    Require(found.ok(), "a search failed");
    CheckSnapshot(before, found->snapshot, index_.size());
    for (std::size_t q = 0; q < found->size(); ++q) {
      expected_.CheckHits(q, options, found->snapshot, found->stats[q], (*found)[q]);
    }
  }

  void ReadPartitions() {
    std::size_t before = index_.size();
    const std::vector<PartitionEntries> all = index_.partitions();
    const std::size_t after = index_.size();
    std::size_t total = 0;
    for (std::size_t p = 0; p < all.size(); ++p) {
      expected_.CheckPrefix(p, all[p]);
      total += all[p].row_positions.size();
    }
    CheckSnapshot(before, total, after);
    const std::size_t p = random_.Below(all.size());
    const PartitionEntries one = index_.partition(p);
    expected_.CheckPrefix(p, one);
    Require(one.row_positions.size() >= all[p].row_positions.size() &&
                one.row_positions.size() <= index_.partition_size(p),
            "a partition has shrunk");
  }

  /// The index as a file, and merged by copying: both read the blocks while they are written to.
  void ReadBytes() {
    const std::size_t before = index_.size();
    const IvfPqMemIndex opened = Value(OpenCopy(BytesOf(index_)));
    const std::size_t after = index_.size();
    CheckSnapshot(before, opened.size(), after);
    const index::IndexPart part = {&index_, {}, static_cast<std::uint32_t>(before)};
    const IvfPqMemIndex merged = Value(index::MergeIndexes({&part, 1}));
    Require(merged.size() == before, "a merged index has other rows");
    const std::vector<PartitionEntries> all = opened.partitions();
    for (std::size_t p = 0; p < all.size(); ++p) {
      expected_.CheckPrefix(p, all[p]);
      const std::vector<std::uint8_t> codes = merged.partition(p).codes;
      Require(codes.size() <= all[p].codes.size() &&
                  std::equal(codes.begin(), codes.end(), all[p].codes.begin()),
              "a merged index has other codes");
    }
  }

  void ReadMemory() {
    const MemoryUsage usage = index_.memory_usage();
    const std::size_t size = index_.size();
    CheckSnapshot(size, size, size);
    Require(usage.codes >= usage_.codes && usage.row_positions >= usage_.row_positions,
            "the memory has shrunk");
    Require(index_.memory_usage().ordinals >= size * sizeof(std::uint32_t),
            "less memory than the rows need");
    usage_ = usage;
  }

  /// Reads what is newest over and over, so that it is met while it is being published.
  void ReadNewest() {
    constexpr std::size_t kTimes = 300;
    for (std::size_t i = 0; i < kTimes; ++i) {
      const std::size_t size = index_.size();
      CheckSnapshot(size, size, size);
      if (size > 0) {
        const auto ordinal = static_cast<std::uint32_t>(size - 1 - random_.Below(size) * (i % 2));
        Require(index_.row_position(ordinal) == expected_.position(ordinal),
                "an ordinal has another row position");
      }
    }
  }

  const IvfPqMemIndex& index_;
  const ExpectedSnapshots& expected_;
  Rng random_;
  std::size_t newest_ = 0;
  MemoryUsage usage_;
};

/// A value that threads share without any order between them, so that it is the index alone that
/// orders the writer and the readers: ThreadSanitizer would not see what a test's own atomics hide.
template <typename T>
class Relaxed {
 public:
  explicit Relaxed(T value) : value_(value) {}
  [[nodiscard]] T Get() const { return value_.load(std::memory_order_relaxed); }
  void Set(T value) { value_.store(value, std::memory_order_relaxed); }
  void Add(T value) { value_.fetch_add(value, std::memory_order_relaxed); }

 private:
  std::atomic<T> value_;
};

/// One index, filled while others read it. Returns what went wrong.
class Round {
 public:
  Round(const ExpectedSnapshots& expected, std::uint64_t seed)
      : expected_(expected),
        seed_(seed),
        index_(Value(IvfPqMemIndex::Create(expected.model(), expected.options()))) {}

  std::vector<std::string> Run() {
    std::vector<std::jthread> threads;
    for (std::size_t r = 0; r < kNumReaders; ++r) {
      threads.emplace_back([this, r] { Guarded([&] { Read(r); }); });
    }
    Guarded([this] { Write(); });
    written_.Set(true);
    threads.clear();  // Joins.
    return failures_;
  }

 private:
  template <typename Body>
  void Guarded(const Body& body) {
    try {
      body();
    } catch (const std::exception& failure) {
      const std::scoped_lock lock(mutex_);
      failures_.emplace_back(failure.what());
      failed_.Set(true);
    }
  }

  void Write() {
    started_.wait();
    for (std::size_t b = 0; b < expected_.num_batches() && !failed_.Get(); ++b) {
      const VectorBatch rows = expected_.batch(b);
      const auto report = index_.InsertBatches({&rows, 1}, 1 + b % 2);
      Require(report.ok() && report->num_inserted == rows.vectors.num_rows, "an insert failed");
      Require(index_.size() == report->first_ordinal + report->num_inserted,
              "the writer does not see its own batch");
      while (num_reads_.Get() < b &&
             !failed_.Get()) {  // So that no writer is done before anybody reads.
        std::this_thread::yield();
      }
    }
  }

  void Read(std::size_t r) {
    Reader reader(index_, expected_, seed_ * kNumReaders + r);
    started_.count_down();
    while (!written_.Get() && !failed_.Get()) {
      reader.Step();
      num_reads_.Add(1);
    }
    while (reader.newest() < kNumRows && !failed_.Get()) {  // What is written is seen.
      reader.Step();
    }
  }

  const ExpectedSnapshots& expected_;
  const std::uint64_t seed_;
  IvfPqMemIndex index_;
  std::latch started_{kNumReaders};
  Relaxed<std::size_t> num_reads_{0};
  Relaxed<bool> written_{false};
  Relaxed<bool> failed_{false};
  std::mutex mutex_;
  std::vector<std::string> failures_;
};

class SnapshotTest : public ::testing::TestWithParam<Setting> {
  void SetUp() override {
    if (const Status level = simd::CheckActive(); level.code() == StatusCode::kUnsupported) {
      GTEST_SKIP() << level.message();
    }
  }
};

TEST_P(SnapshotTest, IsWholeAndNeverGoesBack) {
  const ExpectedSnapshots expected(GetParam());
  const std::size_t last = expected.model().ivf().num_partitions() - 1;
  EXPECT_EQ(expected.partition_size(last), 0U);
  EXPECT_GT(expected.partition_size(0), 100U);
  for (std::size_t round = 0; round < kNumRounds; ++round) {
    EXPECT_THAT(Round(expected, round).Run(), ::testing::IsEmpty()) << "round " << round;
  }
}

std::vector<Setting> Settings() {
  const ModelSpec shape{.num_partitions = 5, .num_sub_vectors = 4, .sub_dim = 3};
  std::vector<Setting> settings;
  for (const auto& [metric, residual, num_bits, capacity, stride] :
       {std::tuple(Metric::kL2, true, 8U, 40U, 1U), std::tuple(Metric::kCosine, true, 4U, 100U, 3U),
        std::tuple(Metric::kDot, false, 8U, 1U, 3U),
        std::tuple(Metric::kL2, false, 4U, 2000U, 1U)}) {
    Setting setting{.model = shape, .capacity = capacity, .stride = stride};
    setting.model.metric = metric;
    setting.model.residual = residual;
    setting.model.num_bits = num_bits;
    settings.push_back(setting);
  }
  return settings;
}

INSTANTIATE_TEST_SUITE_P(Settings, SnapshotTest, ::testing::ValuesIn(Settings()),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace forebay::testing
