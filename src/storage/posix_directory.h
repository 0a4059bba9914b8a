// PosixDirectory: a Directory of the file system.
//
// Thread safety: as Directory.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "storage/directory.h"
#include "storage/system_calls.h"

namespace forebay::storage {

class PosixDirectory final : public Directory {
 public:
  /// kIoError when there is no such directory.
  static Result<std::unique_ptr<PosixDirectory>> Open(const std::filesystem::path& path);
  /// The same, made first where there is none, and then durable in its parent, which must be there.
  static Result<std::unique_ptr<PosixDirectory>> Make(const std::filesystem::path& path);

  [[nodiscard]] Result<std::vector<std::string>> List() const override;
  [[nodiscard]] Result<std::vector<std::byte>> Read(const std::string& name) const override;
  Result<std::unique_ptr<AppendFile>> Create(const std::string& name) override;
  Status Truncate(const std::string& name, std::uint64_t size) override;
  Status Link(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& name) override;
  Status SyncNames() override;
  Result<std::unique_ptr<DirectoryLock>> Lock(const std::string& name,
                                              const std::string& owner) override;
  [[nodiscard]] std::string PathOf(const std::string& name) const override;

 private:
  PosixDirectory(std::filesystem::path path, Descriptor descriptor)
      : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

  const std::filesystem::path path_;
  const Descriptor descriptor_;  // To sync names.
};

}  // namespace forebay::storage
