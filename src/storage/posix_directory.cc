#include "storage/posix_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <string_view>

namespace forebay::storage {
namespace {

namespace fs = std::filesystem;

class PosixAppendFile final : public AppendFile {
 public:
  PosixAppendFile(fs::path path, Descriptor descriptor)
      : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

  Status Append(std::span<const std::byte> bytes) override {
    const int error = WriteAll(descriptor_.get(), bytes);
    if (error != 0) {
      return SystemError("write", path_, error);
    }
    num_waiting_ += bytes.size();
    if (num_waiting_ >= kWritebackBytes) {
      // The disk begins with them now, so that a sync has less to wait for. It promises nothing.
      static_cast<void>(::sync_file_range(descriptor_.get(), 0, 0, SYNC_FILE_RANGE_WRITE));
      num_waiting_ = 0;
    }
    return Status::Ok();
  }

  Status Sync() override {
    num_waiting_ = 0;
    // The size is synced with the data; times need not be.
    const bool failed = Uninterrupted([&] { return ::fdatasync(descriptor_.get()); }) != 0;
    return failed ? SystemError("sync", path_, errno) : Status::Ok();
  }

 private:
  static constexpr std::size_t kWritebackBytes = std::size_t{8} << 20U;

  const fs::path path_;
  const Descriptor descriptor_;
  std::size_t num_waiting_ = 0;  // Bytes, since the disk was last told to begin.
};

class PosixMapping final : public Mapping {
 public:
  explicit PosixMapping(MappedBytes mapped) : mapped_(std::move(mapped)) {}

  [[nodiscard]] std::span<const std::byte> bytes() const override { return mapped_.bytes; }

 private:
  const MappedBytes mapped_;
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

std::string TextOf(const Result<std::vector<std::byte>>& bytes) {
  return bytes.ok() ? std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()) : "";
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
  if (::mkdir(path.c_str(), kModeBeforeUmask) != 0 && errno != EEXIST) {
    return SystemError("make the directory", path, errno);
  }
  // One that is there already may be there since just now, and not durable.
  const fs::path parent = path / "..";
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
  // Of its own descriptor: fdopendir takes it, and reads from where it is on.
  Descriptor descriptor = OpenAt(descriptor_.get(), ".", O_RDONLY | O_DIRECTORY);
  DIR* const stream = descriptor.is_open() ? ::fdopendir(descriptor.get()) : nullptr;
  if (stream == nullptr) {
    return SystemError("list", path_, errno);
  }
  static_cast<void>(descriptor.Release());
  const std::unique_ptr<DIR, int (*)(DIR*)> closing(stream, ::closedir);
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* const entry =
        ::readdir(stream);  // NOLINT(concurrency-mt-unsafe): our own stream.
    if (entry == nullptr) {
      break;
    }
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      names.emplace_back(name);
    }
  }
  if (errno != 0) {
    return SystemError("list", path_, errno);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::vector<std::byte>> PosixDirectory::Read(const std::string& name) const {
  return ReadAll(OpenAt(descriptor_.get(), name, O_RDONLY), path_ / name);
}

Result<std::shared_ptr<const Mapping>> PosixDirectory::Map(const std::string& name) const {
  const Descriptor file = OpenAt(descriptor_.get(), name, O_RDONLY);
  struct stat info = {};
  if (!file.is_open() || ::fstat(file.get(), &info) != 0) {
    return SystemError("open", path_ / name, errno);
  }
  if (!S_ISREG(info.st_mode)) {
    return SystemError("map, as no file of bytes,", path_ / name,
                       S_ISDIR(info.st_mode) ? EISDIR : EINVAL);
  }
  auto mapped = MapBytes(file, static_cast<std::size_t>(info.st_size), path_ / name);
  if (!mapped.ok()) {
    return mapped.status();
  }
  return std::make_shared<const PosixMapping>(*std::move(mapped));
}

Result<std::unique_ptr<AppendFile>> PosixDirectory::Create(const std::string& name) {
  Descriptor file = OpenAt(descriptor_.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND);
  if (!file.is_open()) {
    return SystemError("create", path_ / name, errno);
  }
  return std::make_unique<PosixAppendFile>(path_ / name, std::move(file));
}

Status PosixDirectory::Link(const std::string& from, const std::string& to) {
  const int fd = descriptor_.get();
  if (::linkat(fd, from.c_str(), fd, to.c_str(), 0) != 0) {
    return SystemError("link " + (path_ / from).string() + " to", path_ / to, errno);
  }
  return Status::Ok();
}

Status PosixDirectory::Remove(const std::string& name) {
  const bool failed = ::unlinkat(descriptor_.get(), name.c_str(), 0) != 0;
  return failed ? SystemError("remove", path_ / name, errno) : Status::Ok();
}

Status PosixDirectory::SyncNames() { return SyncDirectory(path_, descriptor_.get()); }

Result<std::unique_ptr<DirectoryLock>> PosixDirectory::Lock(const std::string& name,
                                                            const std::string& owner) {
  const fs::path path = path_ / name;
  Descriptor file = OpenAt(descriptor_.get(), name, O_RDWR | O_CREAT);
  if (!file.is_open()) {
    return SystemError("open", path, errno);
  }
  if (Uninterrupted([&] { return ::flock(file.get(), LOCK_EX | LOCK_NB); }) != 0) {
    if (errno != EWOULDBLOCK) {
      return SystemError("lock", path, errno);
    }
    const std::string holder = TextOf(ReadAll(file, path));
    return Status::FailedPrecondition(path_.string() + " is open for writing already, by " +
                                      (holder.empty() ? "another process" : holder) +
                                      "; close it there first, or open it read-only here");
  }
  // Only for the message above: a full disk does not keep anyone out.
  if (Uninterrupted([&] { return ::ftruncate(file.get(), 0); }) == 0) {
    static_cast<void>(WriteAll(file.get(), std::as_bytes(std::span(owner))));
  }
  return std::make_unique<PosixLock>(std::move(file));
}

std::string PosixDirectory::PathOf(const std::string& name) const {
  return (path_ / name).string();
}

}  // namespace forebay::storage
