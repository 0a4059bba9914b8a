// SlowSyncDirectory: a directory whose files take long to sync, and which counts how often they do.
//
// Thread safety: as Directory.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include "storage/directory.h"
#include "support/shared_directory.h"

namespace forebay::testing {

class SlowSyncDirectory final : public SharedDirectory {
 public:
  SlowSyncDirectory(std::shared_ptr<storage::Directory> behind, std::chrono::microseconds sync_time)
      : SharedDirectory(std::move(behind)), sync_time_(sync_time) {}

  /// Of files.
  [[nodiscard]] std::uint64_t num_syncs() const { return num_syncs_; }

  Result<std::unique_ptr<storage::AppendFile>> Create(const std::string& name) override {
    auto file = SharedDirectory::Create(name);
    if (!file.ok()) {
      return file.status();
    }
    return std::make_unique<File>(this, *std::move(file));
  }

 private:
  class File final : public storage::AppendFile {
   public:
    File(SlowSyncDirectory* directory, std::unique_ptr<storage::AppendFile> behind)
        : directory_(*directory), behind_(std::move(behind)) {}

    Status Append(std::span<const std::byte> bytes) override { return behind_->Append(bytes); }
    Status Sync() override {
      ++directory_.num_syncs_;
      std::this_thread::sleep_for(directory_.sync_time_);
      return behind_->Sync();
    }

   private:
    SlowSyncDirectory& directory_;
    const std::unique_ptr<storage::AppendFile> behind_;
  };

  const std::chrono::microseconds sync_time_;
  std::atomic<std::uint64_t> num_syncs_{0};
};

}  // namespace forebay::testing
