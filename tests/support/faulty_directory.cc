#include "support/faulty_directory.h"

#include <algorithm>
#include <cerrno>
#include <random>
#include <system_error>
#include <utility>

#include "base/aligned_array.h"

namespace forebay {
namespace {

/// Small, so that small files have many.
constexpr std::size_t kPageBytes = 64;

Status SystemError(const std::string& name, int error) {
  return Status::IoError(name + ": " + std::generic_category().message(error), error);
}

Status PowerCut() { return Status::IoError("the power is off", EIO); }

}  // namespace

class FaultyDirectory::File final : public storage::AppendFile {
 public:
  File(FaultyDirectory* directory, std::shared_ptr<Inode> inode)
      : directory_(*directory), inode_(std::move(inode)) {}

  Status Append(std::span<const std::byte> bytes) override {
    return directory_.Append(inode_.get(), bytes);
  }
  Status Sync() override { return directory_.Sync(inode_.get()); }

 private:
  FaultyDirectory& directory_;
  std::shared_ptr<Inode> inode_;
};

class FaultyDirectory::Copy final : public storage::Mapping {
 public:
  explicit Copy(std::span<const std::byte> bytes) : bytes_(bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), bytes_.data());
  }

  [[nodiscard]] std::span<const std::byte> bytes() const override {
    return {bytes_.data(), bytes_.size()};
  }

 private:
  AlignedArray<std::byte> bytes_;
};

class FaultyDirectory::HeldLock final : public storage::DirectoryLock {
 public:
  HeldLock(std::shared_ptr<Locks> locks, std::string name)
      : locks_(std::move(locks)), name_(std::move(name)) {}
  HeldLock(const HeldLock&) = delete;
  HeldLock& operator=(const HeldLock&) = delete;
  ~HeldLock() override {
    const std::scoped_lock lock(locks_->mutex);
    locks_->owners.erase(name_);
  }

 private:
  const std::shared_ptr<Locks> locks_;
  const std::string name_;
};

std::uint64_t FaultyDirectory::num_operations() const {
  const std::scoped_lock lock(mutex_);
  return num_operations_;
}

void FaultyDirectory::FailAt(const Fault& fault) {
  const std::scoped_lock lock(mutex_);
  fault_ = fault;
}

void FaultyDirectory::CrashAt(std::uint64_t operation) {
  const std::scoped_lock lock(mutex_);
  crash_at_ = operation;
}

Status FaultyDirectory::Begin(bool takes_space) const {
  const std::uint64_t operation = num_operations_++;
  if (operation > crash_at_) {
    return PowerCut();
  }
  const bool fails = operation == fault_.operation ||
                     (takes_space && fault_.for_good && operation > fault_.operation);
  return fails ? SystemError("injected", fault_.error) : Status::Ok();
}

Status FaultyDirectory::End() const {
  return num_operations_ > crash_at_ ? PowerCut() : Status::Ok();
}

Result<std::shared_ptr<FaultyDirectory::Inode>> FaultyDirectory::Find(
    const std::string& name) const {
  const auto found = names_.find(name);
  if (found == names_.end()) {
    return SystemError(name, ENOENT);
  }
  return found->second;
}

void FaultyDirectory::Change(const std::string& name, std::shared_ptr<Inode> inode) {
  if (inode == nullptr) {
    names_.erase(name);
  } else {
    names_[name] = inode;
  }
  changes_.push_back({name, std::move(inode)});
}

Result<std::vector<std::string>> FaultyDirectory::List() const {
  const std::scoped_lock lock(mutex_);
  if (Status status = Begin(false); !status.ok()) {
    return status;
  }
  std::vector<std::string> names;
  for (const auto& [name, inode] : names_) {
    names.push_back(name);
  }
  return names;
}

Result<std::vector<std::byte>> FaultyDirectory::Read(const std::string& name) const {
  const std::scoped_lock lock(mutex_);
  if (Status status = Begin(false); !status.ok()) {
    return status;
  }
  const auto inode = Find(name);
  if (!inode.ok()) {
    return inode.status();
  }
  return (*inode)->bytes;
}

Result<std::shared_ptr<const storage::Mapping>> FaultyDirectory::Map(
    const std::string& name) const {
  auto bytes = Read(name);
  if (!bytes.ok()) {
    return bytes.status();
  }
  return std::make_shared<const Copy>(*bytes);
}

Result<std::unique_ptr<storage::AppendFile>> FaultyDirectory::Create(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  if (Status status = Begin(true); !status.ok()) {
    return status;
  }
  if (names_.contains(name)) {
    return SystemError(name, EEXIST);
  }
  const auto inode = std::make_shared<Inode>();
  Change(name, inode);
  if (Status status = End(); !status.ok()) {
    return status;
  }
  return std::make_unique<File>(this, inode);
}

Status FaultyDirectory::Append(Inode* inode, std::span<const std::byte> bytes) {
  const std::scoped_lock lock(mutex_);
  const Status status = Begin(true);
  if (num_operations_ - 1 > crash_at_) {
    return status;
  }
  auto count = static_cast<std::ptrdiff_t>(bytes.size());
  if (!status.ok()) {
    inode->failed = true;
    count = static_cast<std::ptrdiff_t>(static_cast<double>(count) * fault_.written);
  }
  inode->last_append = inode->bytes.size();
  inode->bytes.insert(inode->bytes.end(), bytes.begin(), bytes.begin() + count);
  return status.ok() ? End() : status;
}

Status FaultyDirectory::Sync(Inode* inode) {
  const std::scoped_lock lock(mutex_);
  Status status = Begin(false);
  status = status.ok() ? End() : status;  // AfterPowerCut::kAll is as if it had been done.
  if (!status.ok()) {
    inode->failed = true;
    return status;
  }
  if (!inode->failed) {
    inode->synced = inode->bytes.size();
  }
  return Status::Ok();
}

Status FaultyDirectory::Link(const std::string& from, const std::string& to) {
  const std::scoped_lock lock(mutex_);
  if (Status status = Begin(true); !status.ok()) {
    return status;
  }
  const auto inode = Find(from);
  if (!inode.ok()) {
    return inode.status();
  }
  if (names_.contains(to)) {
    return SystemError(to, EEXIST);
  }
  Change(to, *inode);
  return End();
}

Status FaultyDirectory::Remove(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  if (Status status = Begin(false); !status.ok()) {
    return status;
  }
  if (const auto inode = Find(name); !inode.ok()) {
    return inode.status();
  }
  Change(name, nullptr);
  return End();
}

Status FaultyDirectory::SyncNames() {
  const std::scoped_lock lock(mutex_);
  Status status = Begin(false);
  status = status.ok() ? End() : status;
  if (!status.ok()) {
    return status;
  }
  durable_names_ = names_;
  changes_.clear();
  return Status::Ok();
}

Result<std::unique_ptr<storage::DirectoryLock>> FaultyDirectory::Lock(const std::string& name,
                                                                      const std::string& owner) {
  const std::scoped_lock lock(mutex_, locks_->mutex);
  if (num_operations_ > crash_at_) {
    return PowerCut();
  }
  if (!names_.contains(name)) {
    Change(name, std::make_shared<Inode>());
  }
  if (const auto [held, is_new] = locks_->owners.try_emplace(name, owner); !is_new) {
    return Status::FailedPrecondition("open for writing already, by " + held->second);
  }
  return std::make_unique<HeldLock>(locks_, name);
}

std::string FaultyDirectory::PathOf(const std::string& name) const { return "(memory)/" + name; }

void FaultyDirectory::Overwrite(const std::string& name, std::vector<std::byte> bytes) {
  const std::scoped_lock lock(mutex_);
  Inode& inode = *names_.at(name);
  inode.bytes = std::move(bytes);
  inode.synced = inode.bytes.size();
  inode.last_append = inode.synced;
}

std::shared_ptr<FaultyDirectory::Inode> FaultyDirectory::WhatIsLeft(const Inode& inode,
                                                                    AfterPowerCut left,
                                                                    std::mt19937* random) {
  const auto copy = std::make_shared<Inode>(Inode{.bytes = inode.bytes});
  std::size_t size = copy->bytes.size();
  switch (left) {
    case AfterPowerCut::kNothing:
      size = inode.synced;
      break;
    case AfterPowerCut::kAll:
      break;
    case AfterPowerCut::kPartOfLastWrite: {
      const std::size_t from = std::max(inode.last_append, inode.synced);
      size = from + (size > from ? (*random)() % (size - from) : 0);
      break;
    }
    case AfterPowerCut::kAnything:
      for (std::size_t begin = inode.synced; begin < size; begin += kPageBytes) {
        if ((*random)() % 2 == 0) {
          std::fill_n(copy->bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                      std::min(kPageBytes, size - begin), std::byte{0});
        }
      }
      size -= (*random)() % 2 == 0 ? (*random)() % (size - inode.synced + 1) : 0;
      break;
  }
  copy->bytes.resize(size);
  copy->synced = size;
  copy->last_append = size;
  return copy;
}

std::unique_ptr<FaultyDirectory> FaultyDirectory::AfterCrash(AfterPowerCut left,
                                                             std::uint32_t seed) const {
  const std::scoped_lock lock(mutex_);
  std::mt19937 random(seed);
  const bool are_synced = left == AfterPowerCut::kNothing || left == AfterPowerCut::kAnything;
  Names names = are_synced ? durable_names_ : names_;
  for (const NameChange& change : changes_) {
    if (left == AfterPowerCut::kAnything && random() % 2 == 0) {
      if (change.inode == nullptr) {
        names.erase(change.name);
      } else {
        names[change.name] = change.inode;
      }
    }
  }
  auto next = std::make_unique<FaultyDirectory>();
  std::map<const Inode*, std::shared_ptr<Inode>> copies;  // Links lead to one file still.
  for (const auto& [name, inode] : names) {
    std::shared_ptr<Inode>& copy = copies[inode.get()];
    if (copy == nullptr) {
      copy = WhatIsLeft(*inode, left, &random);
    }
    next->names_[name] = copy;
  }
  next->durable_names_ = next->names_;
  return next;
}

}  // namespace forebay
