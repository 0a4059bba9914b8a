#include "segment/segment_file.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#define XXH_STATIC_LINKING_ONLY
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace forebay::segment {
namespace {

constexpr std::size_t kHeldBytes = std::size_t{1} << 20U;

}  // namespace

std::uint64_t Checksum(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

struct SegmentWriter::State {
  explicit State(std::unique_ptr<storage::AppendFile> new_file) : file(std::move(new_file)) {
    held.reserve(kHeldBytes);
    XXH3_64bits_reset(&sum);
  }

  XXH3_state_t sum{};
  const std::unique_ptr<storage::AppendFile> file;
  std::vector<std::byte> held;
  Status failed;
  bool finished = false;
};

SegmentWriter::SegmentWriter(std::string name, std::unique_ptr<State> state)
    : name_(std::move(name)), state_(std::move(state)) {}

SegmentWriter::~SegmentWriter() = default;

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::Create(storage::Directory* directory,
                                                             std::string name) {
  auto file = directory->Create(name);
  if (!file.ok()) {
    return file.status();
  }
  auto state = std::make_unique<State>(*std::move(file));
  return std::unique_ptr<SegmentWriter>(new SegmentWriter(std::move(name), std::move(state)));
}

Status SegmentWriter::Append(std::span<const std::byte> bytes) {
  if (!state_->failed.ok()) {
    return state_->failed;
  }
  if (state_->finished) {
    return Status::FailedPrecondition(name_ + " is finished already; nothing can be appended");
  }
  num_bytes_ += bytes.size();
  if (state_->held.size() + bytes.size() > kHeldBytes) {
    if (Status flushed = Flush(); !flushed.ok()) {
      return flushed;
    }
  }
  if (bytes.size() >= kHeldBytes) {
    return Write(bytes);
  }
  state_->held.insert(state_->held.end(), bytes.begin(), bytes.end());
  return Status::Ok();
}

Status SegmentWriter::Write(std::span<const std::byte> bytes) {
  XXH3_64bits_update(&state_->sum, bytes.data(), bytes.size());
  state_->failed = state_->file->Append(bytes);
  return state_->failed;
}

Status SegmentWriter::Flush() {
  Status written = state_->held.empty() ? Status::Ok() : Write(state_->held);
  state_->held.clear();
  return written;
}

Result<FileSum> SegmentWriter::Finish() {
  if (!state_->failed.ok()) {
    return state_->failed;
  }
  if (std::exchange(state_->finished, true)) {
    return Status::FailedPrecondition(name_ + " is finished already");
  }
  if (Status flushed = Flush(); !flushed.ok()) {
    return flushed;
  }
  state_->failed = state_->file->Sync();
  if (!state_->failed.ok()) {
    return state_->failed;
  }
  return FileSum{name_, num_bytes_, XXH3_64bits_digest(&state_->sum)};
}

Result<std::shared_ptr<const storage::Mapping>> OpenSegmentFile(const storage::Directory& directory,
                                                                const FileSum& expected) {
  auto mapping = directory.Map(expected.name);
  if (!mapping.ok()) {
    return mapping.status();
  }
  const std::span<const std::byte> bytes = (*mapping)->bytes();
  if (bytes.size() != expected.num_bytes) {
    return Status::Corruption(fmt::format("{} has another size: expected {} bytes, got {}",
                                          directory.PathOf(expected.name), expected.num_bytes,
                                          bytes.size()));
  }
  return mapping;
}

Status VerifySegmentFile(const storage::Directory& directory, const FileSum& expected,
                         std::span<const std::byte> bytes) {
  const std::uint64_t checksum = Checksum(bytes);
  return checksum == expected.checksum
             ? Status::Ok()
             : Status::Corruption(
                   fmt::format("{} was altered: expected the checksum {:016x}, got {:016x}",
                               directory.PathOf(expected.name), expected.checksum, checksum));
}

}  // namespace forebay::segment
