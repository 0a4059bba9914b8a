// PosixDirectory: a Directory of the file system.
//
// Thread safety: as Directory.
//
// Invariants:
//   1. Everything goes through one descriptor: it stays the same directory when the process changes
//      its own, or the directory gets another name.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/directory.h"
#include "storage/system_calls.h"

namespace forebay::storage {

class PosixDirectory final : public Directory {
 public:
  /// kIoError when there is no such directory.
  static Result<std::unique_ptr<PosixDirectory>> Open(const std::filesystem::path& path);
  /// The same, made first where there is none, and its own name durable. Its parent must be there.
  static Result<std::unique_ptr<PosixDirectory>> Make(const std::filesystem::path& path);

  [[nodiscard]] Result<std::vector<std::string>> List() const override;
  [[nodiscard]] Result<std::vector<std::byte>> Read(const std::string& name) const override;
  [[nodiscard]] Result<std::shared_ptr<const Mapping>> Map(const std::string& name) const override;
  Result<std::unique_ptr<AppendFile>> Create(const std::string& name) override;
  Status Link(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& name) override;
  Status SyncNames() override;
  Result<std::unique_ptr<DirectoryLock>> Lock(const std::string& name,
                                              const std::string& owner) override;
  [[nodiscard]] std::string PathOf(const std::string& name) const override;

 private:
  PosixDirectory(std::filesystem::path path, Descriptor descriptor)
      : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

  const std::filesystem::path path_;  // For messages.
  const Descriptor descriptor_;
};

}  // namespace forebay::storage
