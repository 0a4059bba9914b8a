#include "forebay/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "support/index_bytes.h"
#include "support/results.h"
#include "support/small_index.h"
#include "support/temporary_folder.h"

namespace forebay {
namespace {

namespace fs = std::filesystem;
using forebay::testing::BytesOf;
using forebay::testing::ExpectSameIndex;
using forebay::testing::FailsWith;
using forebay::testing::SmallIndex;
using forebay::testing::Succeeds;
using forebay::testing::Value;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::byte> Bytes(std::size_t size, unsigned seed = 1) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::byte>((i * 31 + seed) % 251);
  }
  return bytes;
}

class FileTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory_)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  const testing::TemporaryFolder folder_;
  const fs::path directory_ = folder_.path();
};

TEST_F(FileTest, ReadsBackWhatWasWritten) {
  // Around the size of the first read, where the end of the file is found in different ways.
  for (const std::size_t size : {0U, 1U, 65535U, 65536U, 65537U, 131072U, 1U << 20U}) {
    const auto bytes = Bytes(size);
    ASSERT_TRUE(WriteFile(directory_ / "a", bytes).ok());
    const auto read = ReadFile(directory_ / "a");
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    EXPECT_EQ(*read, bytes) << size;
  }
  EXPECT_THAT(Names(), ElementsAre("a"));
}

TEST_F(FileTest, ReplacesAFile) {
  ASSERT_TRUE(WriteFile(directory_ / "a", Bytes(1000, 1)).ok());
  ASSERT_TRUE(WriteFile(directory_ / "a", Bytes(10, 2)).ok());
  EXPECT_EQ(*ReadFile(directory_ / "a"), Bytes(10, 2));
  EXPECT_THAT(Names(), ElementsAre("a"));
}

TEST_F(FileTest, ANewFileIsThereWhenItIsFinished) {
  ASSERT_TRUE(WriteFile(directory_ / "a", Bytes(10, 1)).ok());
  {
    auto left = NewFile::Create(directory_ / "a");
    ASSERT_TRUE(left.ok());
    EXPECT_TRUE(left->Append(Bytes(20, 2)).ok());
  }
  auto file = NewFile::Create(directory_ / "a");
  ASSERT_TRUE(file.ok());
  const auto bytes = Bytes(7, 3);
  EXPECT_TRUE(file->Append(std::span(bytes).first(3)).ok());
  EXPECT_TRUE(file->Append(std::span(bytes).subspan(3)).ok());
  EXPECT_EQ(*ReadFile(directory_ / "a"), Bytes(10, 1));
  EXPECT_TRUE(file->Finish().ok());
  EXPECT_EQ(*ReadFile(directory_ / "a"), bytes);
  EXPECT_THAT(Names(), ElementsAre("a"));
}

TEST_F(FileTest, WritesARelativePath) {
  const fs::path before = fs::current_path();
  fs::current_path(directory_);
  const Status status = WriteFile("a", Bytes(10));
  fs::current_path(before);
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_THAT(Names(), ElementsAre("a"));
}

TEST_F(FileTest, KeepsToTheUmask) {
  const mode_t before = ::umask(027);
  const Status status = WriteFile(directory_ / "a", Bytes(10));
  ::umask(before);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(fs::status(directory_ / "a").permissions(), fs::perms(0640));
}

TEST_F(FileTest, StepsOverWhatACrashedWriterLeft) {
  for (int i = 0; i < 1000; ++i) {  // The counter is somewhere in here.
    const auto name = "a.tmp-" + std::to_string(::getpid()) + "-" + std::to_string(i);
    ASSERT_TRUE(std::ofstream(directory_ / name).good());
  }
  EXPECT_TRUE(WriteFile(directory_ / "a", Bytes(10)).ok());
  EXPECT_EQ(*ReadFile(directory_ / "a"), Bytes(10));
}

TEST_F(FileTest, ReadsAPipe) {
  const fs::path pipe = directory_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const auto bytes = Bytes(300'000);
  std::thread writer([&] {
    std::FILE* file = std::fopen(pipe.c_str(), "wb");
    ASSERT_NE(file, nullptr);
    EXPECT_EQ(std::fwrite(bytes.data(), 1, bytes.size(), file), bytes.size());
    EXPECT_EQ(std::fclose(file), 0);
  });
  const auto read = ReadFile(pipe);
  writer.join();
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, bytes);
}

TEST_F(FileTest, ReadErrorsNameThePathAndTheReason) {
  const auto missing = ReadFile(directory_ / "none");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.status().code(), StatusCode::kIoError);
  EXPECT_EQ(missing.status().os_error(), ENOENT);
  EXPECT_EQ(missing.status().message(),
            "cannot open " + (directory_ / "none").string() + ": No such file or directory");

  const auto folder = ReadFile(directory_);
  ASSERT_FALSE(folder.ok());
  EXPECT_EQ(folder.status().message(), "cannot read " + directory_.string() + ": Is a directory");
}

TEST_F(FileTest, WriteErrorsNameThePathAndTheReason) {
  const Status status = WriteFile(directory_ / "none" / "a", Bytes(10));
  EXPECT_EQ(status.code(), StatusCode::kIoError);
  EXPECT_THAT(status.message(), HasSubstr((directory_ / "none" / "a").string()));
  EXPECT_THAT(status.message(), HasSubstr("No such file or directory"));
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(FileTest, LeavesNothingBehindWhenTheTargetIsAFolder) {
  fs::create_directory(directory_ / "folder");
  const Status status = WriteFile(directory_ / "folder", Bytes(10));
  EXPECT_EQ(status.code(), StatusCode::kIoError);
  EXPECT_THAT(status.message(), HasSubstr("no regular file"));
  EXPECT_THAT(Names(), ElementsAre("folder"));
}

TEST_F(FileTest, LeavesTheOldFileWhenTheNewOneDoesNotFit) {
  ASSERT_TRUE(WriteFile(directory_ / "a", Bytes(100, 1)).ok());
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit = before;
  limit.rlim_cur = 4096;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  const Status status = WriteFile(directory_ / "a", Bytes(100'000, 2));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old_handler);

  EXPECT_EQ(status.code(), StatusCode::kIoError);
  EXPECT_THAT(status.message(), HasSubstr("File too large"));
  EXPECT_EQ(*ReadFile(directory_ / "a"), Bytes(100, 1));
  EXPECT_THAT(Names(), ElementsAre("a"));
}

TEST_F(FileTest, AnIndexOpensAsItWasWritten) {
  const SmallIndex small;
  ASSERT_THAT(WriteIndex(directory_ / "index", small.index), Succeeds());
  EXPECT_THAT(Names(), ElementsAre("index"));
  EXPECT_EQ(Value(ReadFile(directory_ / "index")), BytesOf(small.index));
  const IvfPqMemIndex opened = Value(OpenIndex(directory_ / "index"));
  EXPECT_TRUE(opened.read_only());
  ExpectSameIndex(small.index, opened, small.vectors.rows(0, 10), small.raw_vectors());
}

TEST_F(FileTest, AnOpenedIndexOutlivesItsFile) {
  const SmallIndex small;
  const SmallIndex other({.num_rows = 500});
  ASSERT_THAT(WriteIndex(directory_ / "index", small.index), Succeeds());
  const IvfPqMemIndex opened = Value(OpenIndex(directory_ / "index"));
  ASSERT_THAT(WriteIndex(directory_ / "index", other.index), Succeeds());
  EXPECT_EQ(Value(OpenIndex(directory_ / "index")).size(), 500U);
  fs::remove(directory_ / "index");
  ExpectSameIndex(small.index, opened, small.vectors.rows(0, 10), small.raw_vectors());
}

TEST_F(FileTest, OpeningAnIndexFindsEveryAlteredByte) {
  const SmallIndex small({.num_rows = 100});
  const auto good = BytesOf(small.index);
  for (std::size_t i = 0; i < good.size(); i += 101) {
    auto bad = good;
    bad[i] ^= std::byte{0x10};
    std::ofstream(directory_ / "index", std::ios::binary)
        .write(reinterpret_cast<const char*>(bad.data()), static_cast<std::streamsize>(bad.size()));
    const auto opened = OpenIndex(directory_ / "index");
    ASSERT_FALSE(opened.ok()) << "byte " << i;
    ASSERT_THAT(opened.status().message(), HasSubstr((directory_ / "index").string()));
  }
}

TEST_F(FileTest, WhatIsNoIndexFileIsRefused) {
  EXPECT_THAT(OpenIndex(directory_ / "none"),
              FailsWith(StatusCode::kIoError, "No such file or directory"));
  EXPECT_THAT(OpenIndex(directory_), FailsWith(StatusCode::kIoError, "no regular file"));
  ASSERT_THAT(WriteFile(directory_ / "empty", {}), Succeeds());
  EXPECT_THAT(OpenIndex(directory_ / "empty"), FailsWith(StatusCode::kCorruption, "truncated"));
  EXPECT_THAT(WriteIndex(directory_ / "none" / "a", SmallIndex().index),
              FailsWith(StatusCode::kIoError, "No such file or directory"));
}

}  // namespace
}  // namespace forebay
