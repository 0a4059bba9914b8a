// Verify finds what checksums cannot: files that are whole, and not those of their rows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "support/results.h"
#include "support/shared_directory.h"
#include "support/test_data.h"
#include "table/file_names.h"
#include "table/manifest.h"
#include "table_words.h"

namespace forebay {
namespace {

using table_test::Rows;
using table_test::WordTable;
using testing::FailsWith;
using testing::SharedDirectory;
using testing::Succeeds;
using testing::Value;

constexpr char kRows[] = R"([["a", 1, [50, 0]], ["b", 2, [50, 0]], ["c", 3, [50, 0]]])";
constexpr char kElsewhere[] = R"([["a", 1, [-50, 0]], ["b", 2, [-50, 0]], ["c", 3, [-50, 0]]])";
constexpr char kOtherKey[] = R"([["a", 1, [50, 0]], ["b", 2, [50, 0]], ["d", 3, [50, 0]]])";
constexpr char kOtherOrder[] = R"([["b", 1, [50, 0]], ["a", 2, [50, 0]], ["c", 3, [50, 0]]])";

/// One generation of these rows, all with one model.
std::shared_ptr<FaultyDirectory> Flushed(const std::string& json) {
  TableDefinition definition = WordTable();
  definition.model = testing::RandomModel({.num_partitions = 8, .dim = 2, .num_sub_vectors = 2});
  auto directory = std::make_shared<FaultyDirectory>();
  Table table =
      Value(Table::Impl::Create(std::make_unique<SharedDirectory>(directory), definition, {}));
  EXPECT_THAT(table.Put(*Rows(json)), Succeeds());
  EXPECT_THAT(table.Flush(), Succeeds());
  EXPECT_THAT(table.Close(), Succeeds());
  return directory;
}

using FileOf = std::optional<segment::FileSum> table::ManifestGeneration::*;

/// What Verify says of the first rows with a file of the second ones, whose sums are right.
Status VerifyWith(const std::string& rows, FileOf file, const std::string& others) {
  const auto directory = Flushed(rows);
  const auto other = Flushed(others);
  table::Manifest manifest = Value(table::LoadManifest(*directory));
  std::optional<segment::FileSum>& sum = manifest.generations[0].*file;
  sum = Value(table::LoadManifest(*other)).generations[0].*file;
  directory->Overwrite(sum->name, Value(other->Read(sum->name)));
  const std::string text = table::SerializeManifest(manifest);
  const auto bytes = std::as_bytes(std::span(text));
  directory->Overwrite(table::ManifestName(manifest.number), {bytes.begin(), bytes.end()});
  const auto table = Table::Impl::Open(std::make_unique<SharedDirectory>(directory), {});
  EXPECT_THAT(table, Succeeds());
  return table->Verify().status();
}

TEST(TableVerifyTest, ItsOwnFilesAreRight) {
  EXPECT_THAT(VerifyWith(kRows, &table::ManifestGeneration::index, kRows), Succeeds());
  EXPECT_THAT(VerifyWith(kRows, &table::ManifestGeneration::keys, kRows), Succeeds());
}

TEST(TableVerifyTest, AnIndexOfOtherRows) {
  const auto index = &table::ManifestGeneration::index;
  for (const auto& [rows, others] : {std::pair(kRows, kElsewhere), {kElsewhere, kRows}}) {
    EXPECT_THAT(VerifyWith(rows, index, others),
                FailsWith(StatusCode::kCorruption, "not those of its raw vectors"));
  }
}

TEST(TableVerifyTest, KeysOfOtherRows) {
  const auto keys = &table::ManifestGeneration::keys;
  for (const char* const others : {kOtherKey, kOtherOrder}) {
    EXPECT_THAT(VerifyWith(kRows, keys, others),
                FailsWith(StatusCode::kCorruption, "its keys do not lead to row"));
  }
}

}  // namespace
}  // namespace forebay
