// FullDirectory: a directory on a disk that is full, or soon will be, for the files of generations;
// there is space for logs and manifests still.
//
// Thread safety: as Directory.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "storage/directory.h"
#include "support/shared_directory.h"

namespace forebay::testing {

class FullDirectory final : public SharedDirectory {
 public:
  static constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();

  using SharedDirectory::SharedDirectory;

  /// For so many more files of generations.
  void SetSpace(std::size_t num_files) { space_ = num_files; }

  Result<std::unique_ptr<storage::AppendFile>> Create(const std::string& name) override {
    auto file = SharedDirectory::Create(name);
    if (!file.ok() || !name.starts_with("generation-") || TakesSpace()) {
      return file;
    }
    return std::make_unique<File>(*std::move(file));
  }

 private:
  /// Takes half of what is appended.
  class File final : public storage::AppendFile {
   public:
    explicit File(std::unique_ptr<storage::AppendFile> behind) : behind_(std::move(behind)) {}

    Status Append(std::span<const std::byte> bytes) override {
      static_cast<void>(behind_->Append(bytes.first(bytes.size() / 2)));
      return Status::IoError("No space left on device", ENOSPC);
    }
    Status Sync() override { return behind_->Sync(); }

   private:
    const std::unique_ptr<storage::AppendFile> behind_;
  };

  bool TakesSpace() {
    std::size_t space = space_;
    while (space != kAny && space > 0 && !space_.compare_exchange_weak(space, space - 1)) {
    }
    return space > 0;
  }

  std::atomic<std::size_t> space_{kAny};
};

}  // namespace forebay::testing
