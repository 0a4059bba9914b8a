// SegmentWriter and OpenSegmentFile; Directory::Map of both directories.
#include "segment/segment_file.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/posix_directory.h"
#include "support/faulty_directory.h"
#include "support/results.h"
#include "support/segment_files.h"
#include "support/temporary_folder.h"

namespace forebay {
namespace {

namespace fs = std::filesystem;
using segment::FileSum;
using segment::OpenSegmentFile;
using segment::SegmentWriter;
using testing::FailsWith;
using testing::OpenVerified;
using testing::Succeeds;
using testing::TemporaryFolder;
using testing::Value;

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string Text(const storage::Mapping& mapping) {
  const auto bytes = mapping.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

FileSum Write(storage::Directory* directory, const std::string& name, std::string_view text) {
  const auto writer = Value(SegmentWriter::Create(directory, name));
  EXPECT_THAT(writer->Append(Bytes(text)), Succeeds());
  return Value(writer->Finish());
}

TEST(SegmentFileTest, ManySmallAppendsAreFewWrites) {
  FaultyDirectory directory;
  const auto writer = Value(SegmentWriter::Create(&directory, "file"));
  std::string all;
  for (int i = 0; i < 300'000; ++i) {
    const std::string text = std::to_string(i);
    ASSERT_THAT(writer->Append(Bytes(text)), Succeeds());
    all += text;
  }
  const std::string large(3U << 20U, 'x');
  ASSERT_THAT(writer->Append(Bytes(large)), Succeeds());
  ASSERT_THAT(writer->Append(Bytes("end")), Succeeds());
  all += large + "end";
  EXPECT_EQ(writer->num_bytes(), all.size());
  const FileSum sum = Value(writer->Finish());
  EXPECT_EQ(sum, (FileSum{"file", all.size(), segment::Checksum(Bytes(all))}));
  EXPECT_LT(directory.num_operations(), 10U);
  EXPECT_EQ(Text(*Value(OpenVerified(directory, sum))), all);
}

TEST(SegmentFileTest, WhatIsFinishedIsDurable) {
  FaultyDirectory directory;
  const FileSum sum = Write(&directory, "file", "some bytes");
  ASSERT_THAT(directory.SyncNames(), Succeeds());
  const auto left = directory.AfterCrash(AfterPowerCut::kNothing, 1);
  EXPECT_THAT(OpenVerified(*left, sum), Succeeds());
}

TEST(SegmentFileTest, AFinishedFileIsNotAppendedTo) {
  FaultyDirectory directory;
  const auto writer = Value(SegmentWriter::Create(&directory, "file"));
  ASSERT_THAT(writer->Finish(), Succeeds());
  EXPECT_THAT(writer->Append(Bytes("more")),
              FailsWith(StatusCode::kFailedPrecondition, "file is finished"));
  EXPECT_THAT(writer->Finish(), FailsWith(StatusCode::kFailedPrecondition, "file is finished"));
}

TEST(SegmentFileTest, AfterAFailureAllFails) {
  FaultyDirectory directory;
  const auto writer = Value(SegmentWriter::Create(&directory, "file"));
  directory.FailAt({.operation = directory.num_operations(), .error = ENOSPC});
  EXPECT_EQ(writer->Append(Bytes(std::string(2U << 20U, 'x'))).os_error(), ENOSPC);
  EXPECT_EQ(writer->Append(Bytes("more")).os_error(), ENOSPC);
  EXPECT_EQ(writer->Finish().status().os_error(), ENOSPC);
}

TEST(SegmentFileTest, NamesAreGivenOnce) {
  FaultyDirectory directory;
  Write(&directory, "file", "");
  EXPECT_EQ(SegmentWriter::Create(&directory, "file").status().os_error(), EEXIST);
}

TEST(SegmentFileTest, FaultsAreTold) {
  testing::ExpectFaultsAreTold([](storage::Directory* directory) -> Result<FileSum> {
    const auto writer = SegmentWriter::Create(directory, "file");
    if (!writer.ok()) {
      return writer.status();
    }
    static_cast<void>((*writer)->Append(Bytes(std::string(2U << 20U, 'x'))));
    static_cast<void>((*writer)->Append(Bytes("end")));
    return (*writer)->Finish();
  });
}

TEST(SegmentFileTest, OtherBytesAreTold) {
  FaultyDirectory directory;
  FileSum sum = Write(&directory, "file", "some bytes");
  testing::ExpectDamageIsSeen(sum, Value(directory.Read("file")));
  directory.Overwrite("file", testing::FileBytes(10));
  EXPECT_THAT(OpenSegmentFile(directory, sum), Succeeds());
  sum.num_bytes = 11;
  EXPECT_THAT(OpenSegmentFile(directory, sum),
              FailsWith(StatusCode::kCorruption, "expected 11 bytes, got 10"));
  sum.name = "other";
  const Status missing = OpenVerified(directory, sum).status();
  EXPECT_EQ(missing.code(), StatusCode::kIoError);
  EXPECT_EQ(missing.os_error(), ENOENT);
}

class PosixMappingTest : public ::testing::Test {
 protected:
  void SetUp() override { directory_ = Value(storage::PosixDirectory::Open(path_)); }

  const TemporaryFolder folder_;
  const fs::path path_ = folder_.path();
  std::unique_ptr<storage::PosixDirectory> directory_;
};

TEST_F(PosixMappingTest, BytesStayWhenTheNameIsRemoved) {
  const FileSum sum = Write(directory_.get(), "file", "some bytes");
  const auto mapping = Value(OpenVerified(*directory_, sum));
  ASSERT_THAT(directory_->Remove("file"), Succeeds());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(mapping->bytes().data()) % 64, 0U);
  EXPECT_EQ(Text(*mapping), "some bytes");
  EXPECT_EQ(OpenSegmentFile(*directory_, sum).status().os_error(), ENOENT);
}

TEST_F(PosixMappingTest, AnEmptyFile) {
  const FileSum sum = Write(directory_.get(), "file", "");
  EXPECT_EQ(Text(*Value(OpenVerified(*directory_, sum))), "");
}

TEST_F(PosixMappingTest, WhatIsNoFile) {
  fs::create_directory(path_ / "folder");
  const Status status = directory_->Map("folder").status();
  EXPECT_THAT(status, FailsWith(StatusCode::kIoError, (path_ / "folder").string()));
  EXPECT_EQ(status.os_error(), EISDIR);
}

}  // namespace
}  // namespace forebay
