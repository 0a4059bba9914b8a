// Every byte of the files of a table with two generations is flipped in turn, each file is cut at
// every length, and each is removed: opening says which file it is, and leaves all as it is. What
// is opened without looking at checksums may answer anything, but reads nothing outside of its
// files.
#include <arrow/array/array_base.h>
#include <arrow/compute/expression.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/damaged_tables.h"
#include "support/table_workload.h"

namespace forebay::testing {
namespace {

/// All bits, or one of them.
std::byte MaskFor(std::size_t at) {
  return at % 2 == 0 ? std::byte{0xff} : static_cast<std::byte>(1U << (at / 2 % 8));
}

class GenerationDamageTest : public ::testing::TestWithParam<TableWorkloadOptions> {
 protected:
  void SetUp() override {
    const auto directory = std::make_shared<FaultyDirectory>();
    std::optional<Table> table;
    ASSERT_EQ(workload_.Run(directory, &table), workload_.size());
    whole_ = directory->AfterCrash(AfterPowerCut::kAll, 0);
    files_ = FilesOf(*whole_);
    ASSERT_EQ(table->stats()->generations.size(), 2U);
    ASSERT_GT(table->stats()->generations.front().mask_bytes, 0U);
  }

  [[nodiscard]] DirectoryPtr Copy() const { return whole_->AfterCrash(AfterPowerCut::kAll, 0); }
  [[nodiscard]] DirectoryPtr With(const std::string& name, Bytes bytes) const {
    DirectoryPtr directory = Copy();
    directory->Overwrite(name, std::move(bytes));
    return directory;
  }

  /// body(name, at, bytes) for each byte of each file of a generation.
  template <typename Body>
  void ForEachByte(const Body& body) const {
    for (const auto& [name, bytes] : files_) {
      for (std::size_t at = 0; name.starts_with("generation-") && at < bytes.size(); ++at) {
        SCOPED_TRACE(::testing::Message() << name << ", byte " << at << " of " << bytes.size());
        if (!IsLeftOut(at)) {
          body(name, at, bytes);
        }
        if (HasFatalFailure()) {
          return;
        }
      }
    }
  }

  const TableWorkload workload_{GetParam()};
  DirectoryPtr whole_;
  Files files_;
};

TEST_P(GenerationDamageTest, WholeFilesOpen) {
  for (const bool read_only : {true, false}) {
    const auto table = Open(Copy(), read_only);
    ASSERT_THAT(table, Succeeds());
    EXPECT_EQ(DeepDifference(*table, workload_.After(workload_.size())), "");
  }
}

TEST_P(GenerationDamageTest, AFlippedByte) {
  ForEachByte([&](const std::string& name, std::size_t at, const Bytes& bytes) {
    ExpectRefused(With(name, Flipped(bytes, at, MaskFor(at))), name);
  });
}

TEST_P(GenerationDamageTest, AFileThatWasCut) {
  ForEachByte([&](const std::string& name, std::size_t at, const Bytes& bytes) {
    if (at % 3 == 0 || bytes.size() - at < 100) {  // Sizes are compared first.
      ExpectRefused(With(name, Cut(bytes, at)), name);
    }
  });
}

TEST_P(GenerationDamageTest, AManifestThatWasDamaged) {
  const auto manifest = std::find_if(files_.begin(), files_.end(), [](const auto& file) {
    return file.first.starts_with("manifest-");
  });
  const auto& [name, bytes] = *manifest;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    SCOPED_TRACE(::testing::Message() << "byte " << at << " of " << bytes.size());
    ExpectRefused(With(name, Flipped(bytes, at, MaskFor(at))), name);
    ExpectRefused(With(name, Cut(bytes, at)), name);
    if (HasFatalFailure()) {
      return;
    }
  }
}

TEST_P(GenerationDamageTest, AFileThatIsGone) {
  for (const auto& [name, bytes] : files_) {
    if (name.starts_with("generation-")) {
      SCOPED_TRACE(name);
      const DirectoryPtr directory = Copy();
      ASSERT_THAT(directory->Remove(name), Succeeds());
      ExpectRefused(directory, name);
    }
  }
}

TEST_P(GenerationDamageTest, WithoutVerifyingNothingIsReadOutsideOfTheFiles) {
  std::size_t num_opened = 0;
  ForEachByte([&](const std::string& name, std::size_t at, const Bytes& bytes) {
    if (!kSanitized && at % 3 != 0) {
      return;
    }
    auto table = Open(With(name, Flipped(bytes, at, MaskFor(at))),
                      {.merge_fan_in = 0, .verify_on_open = false});
    if (table.ok()) {
      UseInAllWays(workload_.kind(), &*table);
      ++num_opened;
    }
  });
  EXPECT_GT(num_opened, 50U);
}

TEST_P(GenerationDamageTest, WithoutVerifyingAFileThatWasCutIsRefused) {
  for (const auto& [name, bytes] : files_) {
    if (name.starts_with("generation-")) {
      const auto opened = Open(With(name, Cut(bytes, bytes.size() - 1)), {.verify_on_open = false});
      EXPECT_THAT(opened, FailsWith(StatusCode::kCorruption, name));
    }
  }
}

TEST_P(GenerationDamageTest, VerifyFindsDamageWhileTheTableIsOpen) {
  const DirectoryPtr directory = Copy();
  const auto table = Open(directory, false);
  ASSERT_THAT(table, Succeeds());
  ExpectVerifySeesDamage(*table, directory.get());
}

const TableWorkloadOptions kWorkloads[] = {
    {.kind = {.key = KeyKind::kUtf8, .dim = 2}, .has_model = true, .small = true, .flushed = true},
    {.kind = {.key = KeyKind::kNone,
              .element = ElementKind::kFloat16,
              .metric = Metric::kCosine,
              .dim = 2},
     .has_model = true,
     .small = true,
     .flushed = true},
    {.kind = {.key = KeyKind::kInt64, .dim = 2}, .small = true, .flushed = true},
};

std::string NameOf(const ::testing::TestParamInfo<TableWorkloadOptions>& tested) {
  static const char* const kNames[] = {"TextKeysModel", "NoKeysModel", "IntegerKeysNoModel"};
  return kNames[tested.index];
}

INSTANTIATE_TEST_SUITE_P(Workloads, GenerationDamageTest, ::testing::ValuesIn(kWorkloads), NameOf);

}  // namespace
}  // namespace forebay::testing
