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
#include <vector>

#include "storage/directory.h"

namespace forebay::testing {

class SlowSyncDirectory final : public storage::Directory {
 public:
  SlowSyncDirectory(std::shared_ptr<storage::Directory> behind, std::chrono::microseconds sync_time)
      : behind_(std::move(behind)), sync_time_(sync_time) {}

  /// Of files.
  [[nodiscard]] std::uint64_t num_syncs() const { return num_syncs_; }

  [[nodiscard]] Result<std::vector<std::string>> List() const override { return behind_->List(); }
  [[nodiscard]] Result<std::vector<std::byte>> Read(const std::string& name) const override {
    return behind_->Read(name);
  }
  Result<std::unique_ptr<storage::AppendFile>> Create(const std::string& name) override {
    auto file = behind_->Create(name);
    if (!file.ok()) {
      return file.status();
    }
    return std::make_unique<File>(this, *std::move(file));
  }
  Status Link(const std::string& from, const std::string& to) override {
    return behind_->Link(from, to);
  }
  Status Remove(const std::string& name) override { return behind_->Remove(name); }
  Status SyncNames() override { return behind_->SyncNames(); }
  Result<std::unique_ptr<storage::DirectoryLock>> Lock(const std::string& name,
                                                       const std::string& owner) override {
    return behind_->Lock(name, owner);
  }
  [[nodiscard]] std::string PathOf(const std::string& name) const override {
    return behind_->PathOf(name);
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

  const std::shared_ptr<storage::Directory> behind_;
  const std::chrono::microseconds sync_time_;
  std::atomic<std::uint64_t> num_syncs_{0};
};

}  // namespace forebay::testing
