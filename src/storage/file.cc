#include "forebay/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "base/no_throw.h"
#include "storage/system_calls.h"

namespace forebay {
namespace {

namespace fs = std::filesystem;
using storage::Descriptor;
using storage::Open;
using storage::Sync;
using storage::SystemError;
using storage::WriteAll;

/// A new file beside its future self, removed again unless it gets that name.
class TemporaryFile {
 public:
  /// is_open() is false, and errno set, when it cannot be created.
  explicit TemporaryFile(const fs::path& target) {
    // Unique among the living; what a crashed process of the same number left is stepped over.
    static std::atomic<std::uint64_t> counter{0};
    do {
      path_ = target;
      path_ += ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(++counter);
      file_ = Open(path_, O_WRONLY | O_CREAT | O_EXCL);
    } while (!file_.is_open() && errno == EEXIST);
    remove_ = file_.is_open();
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (remove_) {
      ::unlink(path_.c_str());
    }
  }

  [[nodiscard]] bool is_open() const { return file_.is_open(); }
  [[nodiscard]] const fs::path& path() const { return path_; }
  /// 0 or errno.
  int Append(std::span<const std::byte> bytes) { return WriteAll(file_.get(), bytes); }
  /// 0 or errno.
  int SyncAndClose() {
    const int error = Sync(file_.get());
    return error == 0 ? file_.Close() : error;
  }
  /// 0 or errno.
  int RenameTo(const fs::path& target) {
    if (::rename(path_.c_str(), target.c_str()) != 0) {
      return errno;
    }
    remove_ = false;
    return 0;
  }

 private:
  fs::path path_;
  Descriptor file_;
  bool remove_ = false;
};

/// The file that a chain of links leads to, which need not exist.
fs::path TargetOf(const fs::path& path) {
  std::error_code error;
  const fs::path target = fs::weakly_canonical(path, error);
  return error ? path : target;
}

}  // namespace

class NewFile::Impl {
 public:
  Impl(fs::path path, Descriptor directory)
      : path_(std::move(path)), directory_(std::move(directory)), file_(path_) {}

  static Result<std::unique_ptr<Impl>> Create(const fs::path& path) {
    std::error_code none;
    const fs::file_status existing = fs::status(path, none);
    if (fs::exists(existing) && !fs::is_regular_file(existing)) {
      return Status::IoError("cannot replace " + path.string() +
                             ": it is no regular file; give the path of a file");
    }
    // The directory is opened first, so that nothing has changed yet when that fails.
    const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
    Descriptor directory = Open(parent, O_RDONLY | O_DIRECTORY);
    if (!directory.is_open()) {
      return SystemError("open the directory of", path, errno);
    }
    auto made = std::make_unique<Impl>(path, std::move(directory));
    if (!made->file_.is_open()) {
      return SystemError("create", path, errno);
    }
    if (fs::exists(existing)) {  // As far as it is allowed.
      fs::permissions(made->file_.path(), existing.permissions(), none);
    }
    return made;
  }

  Status Append(std::span<const std::byte> bytes) {
    if (const int error = file_.Append(bytes); error != 0) {
      failed_ = SystemError("write", path_, error);
    }
    return failed_;
  }

  Status Finish() {
    if (!failed_.ok()) {
      return failed_;
    }
    if (const int error = file_.SyncAndClose(); error != 0) {
      return SystemError("write", path_, error);
    }
    if (const int error = file_.RenameTo(path_); error != 0) {
      return SystemError("create", path_, error);
    }
    // Some file systems cannot sync directories and say EINVAL; they need no syncing either.
    if (const int error = Sync(directory_.get()); error != 0 && error != EINVAL) {
      return SystemError("sync the directory of", path_, error);
    }
    return Status::Ok();
  }

 private:
  const fs::path path_;
  const Descriptor directory_;
  TemporaryFile file_;
  Status failed_;  // Of Append: the file lacks something.
};

NewFile::NewFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
NewFile::NewFile(NewFile&&) noexcept = default;
NewFile& NewFile::operator=(NewFile&&) noexcept = default;
NewFile::~NewFile() = default;

Result<NewFile> NewFile::Create(const fs::path& path) {
  return NoThrow([&]() -> Result<NewFile> {
    auto made = Impl::Create(TargetOf(path));
    return made.ok() ? Result<NewFile>(NewFile(*std::move(made))) : made.status();
  });
}

Status NewFile::Append(std::span<const std::byte> bytes) {
  return NoThrow([&] { return impl_->Append(bytes); });
}

Status NewFile::Finish() {
  return NoThrow([&] { return impl_->Finish(); });
}

Result<std::vector<std::byte>> ReadFile(const fs::path& path) {
  return NoThrow([&] { return storage::ReadAll(Open(path, O_RDONLY), path); });
}

Status WriteFile(const fs::path& path, std::span<const std::byte> bytes) {
  Result<NewFile> file = NewFile::Create(path);
  if (!file.ok()) {
    return file.status();
  }
  Status written = file->Append(bytes);
  return written.ok() ? file->Finish() : written;
}

Status WriteIndex(const fs::path& path, const IvfPqMemIndex& index) {
  Result<NewFile> file = NewFile::Create(path);
  if (!file.ok()) {
    return file.status();
  }
  Status written = index.Serialize(
      [&file](std::span<const std::byte> bytes) { return file->Append(bytes); }, true);
  return written.ok() ? file->Finish() : written;
}

Result<IvfPqMemIndex> OpenIndex(const fs::path& path, MemIndexOptions options) {
  return NoThrow([&]() -> Result<IvfPqMemIndex> {
    const auto file = storage::MapAll(Open(path, O_RDONLY), path);
    if (!file.ok()) {
      return file.error();
    }
    const auto about_file = [&path](const Status& status) {
      return Status(status.code(), "cannot open " + path.string() + ": " + status.message());
    };
    if (Status status = IvfPqMemIndex::CheckBlocks(file->bytes); !status.ok()) {
      return about_file(status);
    }
    auto index = IvfPqMemIndex::Open(file->bytes, file->owner, std::nullopt, std::move(options));
    return index.ok() ? std::move(index) : about_file(index.error());
  });
}

}  // namespace forebay
