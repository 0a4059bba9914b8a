// PosixDirectory: a Directory of the file system.
#include "storage/posix_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/temporary_folder.h"

namespace forebay {
namespace {

namespace fs = std::filesystem;
using storage::PosixDirectory;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string Text(const Result<std::vector<std::byte>>& bytes) {
  return bytes.ok() ? std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size())
                    : bytes.status().ToString();
}

class PosixDirectoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = PosixDirectory::Make(path_ / "table/");
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    directory_ = std::move(*opened);
  }

  void Write(const std::string& name, std::string_view text) {
    auto file = directory_->Create(name);
    ASSERT_TRUE(file.ok()) << file.status().ToString();
    ASSERT_TRUE((*file)->Append(Bytes(text)).ok());
    ASSERT_TRUE((*file)->Sync().ok());
  }

  const testing::TemporaryFolder folder_;
  const fs::path path_ = folder_.path();
  std::unique_ptr<PosixDirectory> directory_;
};

TEST_F(PosixDirectoryTest, FilesGrowAndAreRead) {
  auto file = directory_->Create("b");
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->Append(Bytes("one ")).ok());
  ASSERT_TRUE((*file)->Append(Bytes("two")).ok());
  ASSERT_TRUE((*file)->Sync().ok());
  Write("a", "");
  ASSERT_TRUE(directory_->SyncNames().ok());
  EXPECT_THAT(*directory_->List(), ElementsAre("a", "b"));
  EXPECT_EQ(Text(directory_->Read("b")), "one two");
}

TEST_F(PosixDirectoryTest, NamesAreGivenOnce) {
  Write("a", "x");
  EXPECT_EQ(directory_->Create("a").status().os_error(), EEXIST);
  ASSERT_TRUE(directory_->Link("a", "b").ok());
  EXPECT_EQ(directory_->Link("a", "b").os_error(), EEXIST);
  ASSERT_TRUE(directory_->Remove("a").ok());
  EXPECT_EQ(directory_->Remove("a").os_error(), ENOENT);
  EXPECT_EQ(directory_->Read("a").status().os_error(), ENOENT);
  EXPECT_EQ(directory_->Link("a", "c").os_error(), ENOENT);
  EXPECT_EQ(Text(directory_->Read("b")), "x");
}

TEST_F(PosixDirectoryTest, OnlyOneHasTheLock) {
  auto first = directory_->Lock("LOCK", "the first process");
  ASSERT_TRUE(first.ok()) << first.status().ToString();
  auto other = PosixDirectory::Open(path_ / "table");
  ASSERT_TRUE(other.ok());
  const auto second = (*other)->Lock("LOCK", "the second process");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(second.error().message(), HasSubstr("the first process"));
  EXPECT_THAT(second.error().message(), HasSubstr((path_ / "table").string()));
  first->reset();
  EXPECT_TRUE((*other)->Lock("LOCK", "the second process").ok());
}

TEST_F(PosixDirectoryTest, TheLockEndsWithItsProcess) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto held = directory_->Lock("LOCK", "the child");
    const char byte = held.ok() ? 1 : 0;
    static_cast<void>(::write(ready[1], &byte, 1) == 1);
    ::pause();
    ::_exit(0);
  }
  char held = 0;
  ASSERT_EQ(::read(ready[0], &held, 1), 1);
  EXPECT_EQ(held, 1);
  const auto refused = directory_->Lock("LOCK", "the parent");
  EXPECT_EQ(refused.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.status().message(), HasSubstr("the child"));
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(directory_->Lock("LOCK", "the parent").ok());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(PosixDirectoryTest, ItIsTheSameUnderAnotherName) {
  Write("a", "x");
  fs::rename(path_ / "table", path_ / "moved");
  fs::create_directory(path_ / "table");
  Write("b", "y");
  EXPECT_THAT(*directory_->List(), ElementsAre("a", "b"));
  EXPECT_TRUE(fs::exists(path_ / "moved" / "b"));
  EXPECT_TRUE(fs::is_empty(path_ / "table"));
}

TEST_F(PosixDirectoryTest, ADirectoryThatIsNotThere) {
  const auto opened = PosixDirectory::Open(path_ / "none");
  EXPECT_EQ(opened.status().os_error(), ENOENT);
  EXPECT_EQ(PosixDirectory::Make(path_ / "none" / "deeper").status().os_error(), ENOENT);
  EXPECT_TRUE(PosixDirectory::Make(path_ / "table").ok());  // There already.
}

TEST_F(PosixDirectoryTest, ErrorsNameFileAndReason) {
  const Status missing = directory_->Read("nothing").status();
  EXPECT_THAT(missing.message(), HasSubstr((path_ / "table" / "nothing").string()));
  EXPECT_THAT(missing.message(), HasSubstr("No such file"));
}

}  // namespace
}  // namespace forebay
