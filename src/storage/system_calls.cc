#include "storage/system_calls.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

namespace forebay::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMinReadBytes = std::size_t{1} << 16;
/// Below Linux's limit for one call.
constexpr std::size_t kMaxWriteBytes = std::size_t{1} << 30;

}  // namespace

Status SystemError(std::string_view action, const fs::path& path, int error) {
  return Status::IoError("cannot " + std::string(action) + " " + path.string() + ": " +
                             std::generic_category().message(error),
                         error);
}

int Descriptor::Close() {
  const bool failed = is_open() && ::close(std::exchange(fd_, -1)) != 0;
  return failed && errno != EINTR ? errno : 0;
}

Descriptor Open(const fs::path& path, int flags) { return OpenAt(AT_FDCWD, path.string(), flags); }

Descriptor OpenAt(int directory, const std::string& name, int flags) {
  constexpr mode_t kModeBeforeUmask = 0666;
  return Descriptor(Uninterrupted(
      [&] { return ::openat(directory, name.c_str(), flags | O_CLOEXEC, kModeBeforeUmask); }));
}

int WriteAll(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = Uninterrupted(
        [&] { return ::write(fd, bytes.data(), std::min(bytes.size(), kMaxWriteBytes)); });
    if (written <= 0) {
      return written < 0 ? errno : EIO;
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return 0;
}

int Sync(int fd) {
  return Uninterrupted([&] { return ::fsync(fd); }) == 0 ? 0 : errno;
}

Result<std::vector<std::byte>> ReadAll(const Descriptor& file, const fs::path& path) {
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

Result<MappedBytes> MapBytes(const Descriptor& file, std::size_t size, const fs::path& path) {
  if (size == 0) {  // There is nothing to map.
    return MappedBytes();
  }
  void* const begin = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (begin == MAP_FAILED) {
    return SystemError("map", path, errno);
  }
  std::shared_ptr<const void> owner(begin, [begin, size](const void*) { ::munmap(begin, size); });
  return MappedBytes{std::move(owner), {static_cast<const std::byte*>(begin), size}};
}

Result<MappedBytes> MapAll(const Descriptor& file, const fs::path& path) {
  struct stat info = {};
  if (!file.is_open() || ::fstat(file.get(), &info) != 0) {
    return SystemError("open", path, errno);
  }
  if (!S_ISREG(info.st_mode)) {
    return Status::IoError("cannot map " + path.string() +
                           ": it is no regular file; give the path of a file");
  }
  return MapBytes(file, static_cast<std::size_t>(info.st_size), path);
}

Result<std::uint64_t> RandomNumber() {
  std::uint64_t number = 0;
  if (::getentropy(&number, sizeof(number)) != 0) {
    return Status::IoError("cannot get a random number: " + std::generic_category().message(errno),
                           errno);
  }
  return number;
}

}  // namespace forebay::storage
