// SharedDirectory: a table owns its directory; this one hands each call on to one that the test
// keeps.
//
// Thread safety: as the directory behind it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/directory.h"

namespace forebay::testing {

class SharedDirectory : public storage::Directory {
 public:
  explicit SharedDirectory(std::shared_ptr<storage::Directory> behind)
      : behind_(std::move(behind)) {}

  [[nodiscard]] Result<std::vector<std::string>> List() const override { return behind_->List(); }
  [[nodiscard]] Result<std::vector<std::byte>> Read(const std::string& name) const override {
    return behind_->Read(name);
  }
  [[nodiscard]] Result<std::shared_ptr<const storage::Mapping>> Map(
      const std::string& name) const override {
    return behind_->Map(name);
  }
  Result<std::unique_ptr<storage::AppendFile>> Create(const std::string& name) override {
    return behind_->Create(name);
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
  const std::shared_ptr<storage::Directory> behind_;
};

}  // namespace forebay::testing
