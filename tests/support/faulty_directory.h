// FaultyDirectory: a Directory in memory that fails, and loses power, where a test wants it to.
//
// Thread safety: as Directory.
//
// Invariants:
//   1. Operations are counted from 0 on, in the order in which they are called: all of Directory
//   and
//      AppendFile, but Lock and PathOf.
//   2. The operation that CrashAt names reports a failure, and so does every later one. Whether it
//   was
//      done is left to AfterCrash, which is the directory as the next boot finds it.
//   3. As of a real disk: what was in a file when an Append or Sync of it failed never becomes
//   durable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "storage/directory.h"

namespace forebay {

/// What is left of bytes and names that were not synced.
enum class AfterPowerCut {
  kNothing,          // None of it.
  kAll,              // All of it.
  kPartOfLastWrite,  // All, but of each file's last write only its beginning.
  kAnything,         // Some of the pages, the others being zero, and some of the names.
};

class FaultyDirectory final : public storage::Directory {
 public:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  struct Fault {
    std::uint64_t operation = kNever;
    int error = 0;          // An errno.
    bool for_good = false;  // All Appends, Creates and Links after it fail too, as on a full disk.
    double written = 0.5;   // The part of its bytes that an Append that fails has written.
  };

  [[nodiscard]] std::uint64_t num_operations() const;
  void FailAt(const Fault& fault);
  void CrashAt(std::uint64_t operation);

  [[nodiscard]] std::unique_ptr<FaultyDirectory> AfterCrash(AfterPowerCut left,
                                                            std::uint32_t seed) const;
  /// Replaces a file's bytes, as a broken disk may.
  void Overwrite(const std::string& name, std::vector<std::byte> bytes);

  [[nodiscard]] Result<std::vector<std::string>> List() const override;
  [[nodiscard]] Result<std::vector<std::byte>> Read(const std::string& name) const override;
  /// A copy of the bytes.
  [[nodiscard]] Result<std::shared_ptr<const storage::Mapping>> Map(
      const std::string& name) const override;
  Result<std::unique_ptr<storage::AppendFile>> Create(const std::string& name) override;
  Status Link(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& name) override;
  Status SyncNames() override;
  Result<std::unique_ptr<storage::DirectoryLock>> Lock(const std::string& name,
                                                       const std::string& owner) override;
  [[nodiscard]] std::string PathOf(const std::string& name) const override;

 private:
  class File;
  class HeldLock;
  class Copy;

  struct Inode {
    std::vector<std::byte> bytes;
    std::size_t synced = 0;       // So many are durable.
    std::size_t last_append = 0;  // Where it began.
    bool failed = false;          // No more will be durable.
  };
  /// Outlives the directory, as locks may.
  struct Locks {
    std::mutex mutex;
    std::map<std::string, std::string> owners;  // By name.
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;
  /// A name that was given (to an inode) or taken away (nullptr).
  struct NameChange {
    std::string name;
    std::shared_ptr<Inode> inode;
  };

  /// Counts an operation; the failure that it shall have, if any. Under mutex_.
  [[nodiscard]] Status Begin(bool takes_space) const;
  /// Whether the power went with the operation that was begun last.
  [[nodiscard]] Status End() const;
  [[nodiscard]] Result<std::shared_ptr<Inode>> Find(const std::string& name) const;
  void Change(const std::string& name, std::shared_ptr<Inode> inode);
  [[nodiscard]] static std::shared_ptr<Inode> WhatIsLeft(const Inode& inode, AfterPowerCut left,
                                                         std::mt19937* random);
  Status Append(Inode* inode, std::span<const std::byte> bytes);
  Status Sync(Inode* inode);

  mutable std::mutex mutex_;
  mutable std::uint64_t num_operations_ = 0;
  Fault fault_;
  std::uint64_t crash_at_ = kNever;
  Names names_;
  Names durable_names_;
  std::vector<NameChange> changes_;  // Since the last SyncNames.
  const std::shared_ptr<Locks> locks_ = std::make_shared<Locks>();
};

}  // namespace forebay
