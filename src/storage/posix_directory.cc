#include "storage/posix_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace forebay::storage {
namespace {

namespace fs = std::filesystem;

class PosixAppendFile final : public AppendFile {
 public:
  PosixAppendFile(fs::path path, Descriptor descriptor)
      : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

  Status Append(std::span<const std::byte> bytes) override {
    const int error = WriteAll(descriptor_.get(), bytes);
    return error == 0 ? Status::Ok() : SystemError("write", path_, error);
  }

  Status Sync() override {
    // The size is synced with the data; times need not be.
    const bool failed = Uninterrupted([&] { return ::fdatasync(descriptor_.get()); }) != 0;
    return failed ? SystemError("sync", path_, errno) : Status::Ok();
  }

 private:
  const fs::path path_;
  const Descriptor descriptor_;
};

/// flock: it also keeps two openings of one process apart, and ends with the process.
class PosixLock final : public DirectoryLock {
 public:
  explicit PosixLock(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

 private:
  const Descriptor descriptor_;
};

Status SyncDirectory(const fs::path& path, int fd) {
  // Some file systems cannot sync directories and say EINVAL; they need no syncing either.
  const int error = Sync(fd);
  return error == 0 || error == EINVAL ? Status::Ok()
                                       : SystemError("sync the directory", path, error);
}

}  // namespace

Result<std::unique_ptr<PosixDirectory>> PosixDirectory::Open(const fs::path& path) {
  Descriptor descriptor = storage::Open(path, O_RDONLY | O_DIRECTORY);
  if (!descriptor.is_open()) {
    return SystemError("open the directory", path, errno);
  }
  return std::unique_ptr<PosixDirectory>(new PosixDirectory(path, std::move(descriptor)));
}

Result<std::unique_ptr<PosixDirectory>> PosixDirectory::Make(const fs::path& path) {
  constexpr mode_t kModeBeforeUmask = 0777;
  if (::mkdir(path.c_str(), kModeBeforeUmask) != 0) {
    return errno == EEXIST ? Open(path) : SystemError("make the directory", path, errno);
  }
  const fs::path absolute = fs::absolute(path).lexically_normal();
  const fs::path parent =
      absolute.has_filename() ? absolute.parent_path() : absolute.parent_path().parent_path();
  const Descriptor descriptor = storage::Open(parent, O_RDONLY | O_DIRECTORY);
  if (!descriptor.is_open()) {
    return SystemError("open the directory", parent, errno);
  }
  if (Status synced = SyncDirectory(parent, descriptor.get()); !synced.ok()) {
    return synced;
  }
  return Open(path);
}

Result<std::vector<std::string>> PosixDirectory::List() const {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(path_, error), end; !error && at != end; at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  if (error) {
    return SystemError("list", path_, error.value());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::vector<std::byte>> PosixDirectory::Read(const std::string& name) const {
  return ReadAll(path_ / name);
}

Result<std::unique_ptr<AppendFile>> PosixDirectory::Create(const std::string& name) {
  Descriptor descriptor = storage::Open(path_ / name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND);
  if (!descriptor.is_open()) {
    return SystemError("create", path_ / name, errno);
  }
  return std::make_unique<PosixAppendFile>(path_ / name, std::move(descriptor));
}

Status PosixDirectory::Truncate(const std::string& name, std::uint64_t size) {
  const Descriptor file = storage::Open(path_ / name, O_WRONLY);
  if (!file.is_open()) {
    return SystemError("open", path_ / name, errno);
  }
  const auto end = static_cast<off_t>(size);
  if (Uninterrupted([&] { return ::ftruncate(file.get(), end); }) != 0) {
    return SystemError("cut", path_ / name, errno);
  }
  const int error = Sync(file.get());
  return error == 0 ? Status::Ok() : SystemError("sync", path_ / name, error);
}

Status PosixDirectory::Link(const std::string& from, const std::string& to) {
  const bool failed = ::link((path_ / from).c_str(), (path_ / to).c_str()) != 0;
  return failed ? SystemError("create", path_ / to, errno) : Status::Ok();
}

Status PosixDirectory::Remove(const std::string& name) {
  const bool failed = ::unlink((path_ / name).c_str()) != 0;
  return failed ? SystemError("remove", path_ / name, errno) : Status::Ok();
}

Status PosixDirectory::SyncNames() { return SyncDirectory(path_, descriptor_.get()); }

Result<std::unique_ptr<DirectoryLock>> PosixDirectory::Lock(const std::string& name,
                                                            const std::string& owner) {
  const fs::path path = path_ / name;
  Descriptor file = storage::Open(path, O_RDWR | O_CREAT);
  if (!file.is_open()) {
    return SystemError("open", path, errno);
  }
  if (Uninterrupted([&] { return ::flock(file.get(), LOCK_EX | LOCK_NB); }) != 0) {
    if (errno != EWOULDBLOCK) {
      return SystemError("lock", path, errno);
    }
    const auto holder = ReadAll(path);
    const auto* text = holder.ok() ? reinterpret_cast<const char*>(holder->data()) : nullptr;
    const std::string who = text == nullptr ? "" : std::string(text, holder->size());
    return Status::FailedPrecondition(path_.string() + " is open for writing already, by " +
                                      (who.empty() ? "another process" : who) +
                                      "; close it there first, or open it read-only here");
  }
  // Only for the message above: no one relies on it.
  if (::ftruncate(file.get(), 0) != 0 ||
      WriteAll(file.get(), std::as_bytes(std::span(owner))) != 0) {
    return SystemError("write", path, errno);
  }
  return std::make_unique<PosixLock>(std::move(file));
}

std::string PosixDirectory::PathOf(const std::string& name) const {
  return (path_ / name).string();
}

}  // namespace forebay::storage
