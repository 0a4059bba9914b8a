#include "forebay/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/no_throw.h"

namespace forebay {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMinReadBytes = std::size_t{1} << 16;
/// Below Linux's limit for one call.
constexpr std::size_t kMaxWriteBytes = std::size_t{1} << 30;

Status SystemError(std::string_view action, const fs::path& path, int error) {
  return Status::IoError("cannot " + std::string(action) + " " + path.string() + ": " +
                             std::generic_category().message(error),
                         error);
}

/// Repeats a system call for as long as signals interrupt it.
template <typename Call>
auto Uninterrupted(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) {
    result = call();
  }
  return result;
}

/// Owns a file descriptor, or none.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { Close(); }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  /// 0, or errno: some file systems report a failed write only here. Not repeated when a signal
  /// interrupts it, because Linux has given the descriptor up by then.
  int Close() {
    const bool failed = is_open() && ::close(std::exchange(fd_, -1)) != 0;
    return failed && errno != EINTR ? errno : 0;
  }

 private:
  int fd_;
};

Descriptor Open(const fs::path& path, int flags) {
  constexpr mode_t kModeBeforeUmask = 0666;
  return Descriptor(
      Uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, kModeBeforeUmask); }));
}

/// 0 or errno.
int WriteAll(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = Uninterrupted(
        [&] { return ::write(fd, bytes.data(), std::min(bytes.size(), kMaxWriteBytes)); });
    if (written < 0) {
      return errno;
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return 0;
}

/// 0 or errno.
int Sync(int fd) {
  return Uninterrupted([&] { return ::fsync(fd); }) == 0 ? 0 : errno;
}

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
  int WriteAndClose(std::span<const std::byte> bytes) {
    int error = WriteAll(file_.get(), bytes);
    error = error == 0 ? Sync(file_.get()) : error;
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

Result<std::vector<std::byte>> ReadAll(const fs::path& path) {
  const Descriptor file = Open(path, O_RDONLY);
  struct stat info = {};
  if (!file.is_open() || ::fstat(file.get(), &info) != 0) {
    return SystemError("open", path, errno);
  }
  // The size is a hint only: pipes have none, and files can grow. One byte more than it lets the
  // first read that is not full find the end.
  const auto expected = static_cast<std::size_t>(std::max<off_t>(info.st_size, 0));
  std::vector<std::byte> bytes(std::max(expected + 1, kMinReadBytes));
  std::size_t size = 0;
  while (true) {
    const ssize_t count =
        Uninterrupted([&] { return ::read(file.get(), bytes.data() + size, bytes.size() - size); });
    if (count < 0) {
      return SystemError("read", path, errno);
    }
    if (count == 0) {
      bytes.resize(size);
      return bytes;
    }
    size += static_cast<std::size_t>(count);
    if (size == bytes.size()) {
      bytes.resize(size * 2);
    }
  }
}

/// The file that a chain of links leads to, which need not exist.
fs::path TargetOf(const fs::path& path) {
  std::error_code error;
  const fs::path target = fs::weakly_canonical(path, error);
  return error ? path : target;
}

Status ReplaceFile(const fs::path& path, std::span<const std::byte> bytes) {
  std::error_code none;
  const fs::file_status existing = fs::status(path, none);
  if (fs::exists(existing) && !fs::is_regular_file(existing)) {
    return Status::IoError("cannot replace " + path.string() +
                           ": it is no regular file; give the path of a file");
  }
  // The directory is opened first, so that nothing has changed yet when that fails.
  const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const Descriptor directory = Open(parent, O_RDONLY | O_DIRECTORY);
  if (!directory.is_open()) {
    return SystemError("open the directory of", path, errno);
  }
  TemporaryFile temporary(path);
  if (!temporary.is_open()) {
    return SystemError("create", path, errno);
  }
  if (fs::exists(existing)) {
    fs::permissions(temporary.path(), existing.permissions(), none);  // As far as it is allowed.
  }
  if (const int error = temporary.WriteAndClose(bytes); error != 0) {
    return SystemError("write", path, error);
  }
  if (const int error = temporary.RenameTo(path); error != 0) {
    return SystemError("create", path, error);
  }
  // Some file systems cannot sync directories and say EINVAL; they need no syncing either.
  if (const int error = Sync(directory.get()); error != 0 && error != EINVAL) {
    return SystemError("sync the directory of", path, error);
  }
  return Status::Ok();
}

}  // namespace

Result<std::vector<std::byte>> ReadFile(const fs::path& path) {
  return NoThrow([&] { return ReadAll(path); });
}

Status WriteFile(const fs::path& path, std::span<const std::byte> bytes) {
  return NoThrow([&] { return ReplaceFile(TargetOf(path), bytes); });
}

}  // namespace forebay
