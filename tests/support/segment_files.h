// Files of a generation in tests: their bytes, damaged in every way.
//
// Thread safety: free functions.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "segment/segment_file.h"
#include "support/faulty_directory.h"
#include "support/results.h"

namespace forebay::testing {

using FileBytes = std::vector<std::byte>;

/// What is mapped when a file has these bytes.
inline std::shared_ptr<const storage::Mapping> Mapped(FileBytes bytes) {
  FaultyDirectory directory;
  static_cast<void>(Value(directory.Create("file")));
  directory.Overwrite("file", std::move(bytes));
  return Value(directory.Map("file"));
}

/// The file, mapped, if its bytes are as expected.
inline Result<std::shared_ptr<const storage::Mapping>> OpenVerified(
    const storage::Directory& directory, const segment::FileSum& expected) {
  auto mapping = segment::OpenSegmentFile(directory, expected);
  if (!mapping.ok()) {
    return mapping;
  }
  Status intact = segment::VerifySegmentFile(directory, expected, (*mapping)->bytes());
  return intact.ok() ? std::move(mapping) : intact;
}

/// Calls body(bytes) with each byte changed, in two ways, and with every length that is too short.
template <typename Body>
void ForEachDamage(const FileBytes& bytes, const Body& body) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const std::byte flip : {std::byte{1}, std::byte{0xFF}}) {
      SCOPED_TRACE("byte " + std::to_string(i));
      FileBytes altered = bytes;
      altered[i] ^= flip;
      body(altered);
    }
    SCOPED_TRACE("cut at " + std::to_string(i));
    body(FileBytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(i)));
  }
}

/// Whether a file that was damaged in each of these ways is told from the one that was written.
inline void ExpectDamageIsSeen(const segment::FileSum& sum, const FileBytes& bytes) {
  FaultyDirectory directory;
  static_cast<void>(Value(directory.Create(sum.name)));
  ForEachDamage(bytes, [&](const FileBytes& altered) {
    directory.Overwrite(sum.name, altered);
    EXPECT_THAT(OpenVerified(directory, sum),
                FailsWith(StatusCode::kCorruption, "(memory)/" + sum.name));
  });
}

/// Calls write(directory), with each of its operations failing in turn. It must say so.
template <typename Write>
void ExpectFaultsAreTold(const Write& write) {
  FaultyDirectory counted;
  ASSERT_THAT(write(&counted), Succeeds());
  const std::uint64_t num_operations = counted.num_operations();
  EXPECT_GE(num_operations, 3U);  // A file is created, written and synced.
  for (std::uint64_t i = 0; i < num_operations; ++i) {
    FaultyDirectory directory;
    directory.FailAt({.operation = i, .error = ENOSPC});
    const auto written = write(&directory);
    EXPECT_THAT(written, FailsWith(StatusCode::kIoError, "injected")) << i;
    EXPECT_EQ(written.status().os_error(), ENOSPC) << i;
  }
}

}  // namespace forebay::testing
