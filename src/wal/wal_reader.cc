#include "wal/wal_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "wal/checksum.h"
#include "wal/wal_format.h"

namespace forebay::wal {
namespace {

Status Corrupt(std::string_view name, std::string_view what) {
  return Status::Corruption(fmt::format("{}: {}; restore the file from a copy", name, what));
}

/// Whether this can be a header of which only a part reached the disk, or nothing but its size.
bool IsTornHeader(std::span<const std::byte> bytes) {
  const auto magic = std::as_bytes(std::span(kMagic)).first(std::min(bytes.size(), sizeof(kMagic)));
  return std::ranges::equal(bytes.first(magic.size()), magic) ||
         std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

/// Of at least as many bytes as a header has.
Result<FileHeader> ParseHeader(std::span<const std::byte> bytes, std::string_view name) {
  FileHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0) {
    return Corrupt(name, "expected a write-ahead log, its first bytes are of something else");
  }
  if (header.checksum != Checksum(header) || header.reserved != 0) {
    return Corrupt(name, "the log's header was altered");
  }
  if (header.version != kVersion) {
    return Status::Unsupported(
        fmt::format("{}: this log has version {}; this build reads version {}", name,
                    header.version, kVersion));
  }
  return header;
}

class RecordReader {
 public:
  RecordReader(std::span<const std::byte> bytes, std::uint64_t salt) : bytes_(bytes), salt_(salt) {}

  /// The header at `offset`, if there is a whole one.
  [[nodiscard]] std::optional<RecordHeader> HeaderAt(std::uint64_t offset) const {
    RecordHeader header;
    if (bytes_.size() < sizeof(header) || offset > bytes_.size() - sizeof(header)) {
      return std::nullopt;
    }
    std::memcpy(&header, bytes_.data() + offset, sizeof(header));
    if (header.checksum != Checksum(header, salt_)) {
      return std::nullopt;
    }
    return header;
  }

  /// The payload of a header there, if all of it is as it was written.
  [[nodiscard]] std::optional<std::span<const std::byte>> PayloadAt(
      std::uint64_t offset, const RecordHeader& header) const {
    const std::uint64_t begin = offset + sizeof(header);
    const std::uint64_t padded = PaddedBytes(header.payload_bytes);
    if (padded > bytes_.size() - begin) {
      return std::nullopt;
    }
    const auto payload = bytes_.subspan(begin, header.payload_bytes);
    for (const std::byte zero : bytes_.subspan(begin + payload.size(), padded - payload.size())) {
      if (zero != std::byte{0}) {
        return std::nullopt;
      }
    }
    if (header.payload_checksum != PayloadChecksum(payload, salt_)) {
      return std::nullopt;
    }
    return payload;
  }

  /// Whether a record from `offset` on says that the file was durable beyond it.
  [[nodiscard]] bool WasDurableBeyond(std::uint64_t offset) const {
    for (std::uint64_t at = offset; at < bytes_.size(); at += kRecordAlignment) {
      const auto header = HeaderAt(at);
      if (header.has_value() && header->durable_offset > offset) {
        return true;
      }
    }
    return false;
  }

 private:
  std::span<const std::byte> bytes_;
  std::uint64_t salt_;
};

}  // namespace

Result<WalContents> ParseWal(std::span<const std::byte> bytes, std::string_view name) {
  WalContents contents;
  const bool is_whole = bytes.size() >= sizeof(FileHeader);
  const Result<FileHeader> header =
      is_whole ? ParseHeader(bytes, name) : Corrupt(name, "the log's header was cut off");
  if (!header.ok()) {
    // Records come only when the header is durable, so one that is torn has none.
    if (bytes.size() > sizeof(FileHeader) || !IsTornHeader(bytes) ||
        header.error().code() != StatusCode::kCorruption) {
      return header.status();
    }
    contents.torn_bytes = bytes.size();
    return contents;
  }
  contents.identity = WalIdentity{header->schema_fingerprint, header->model_fingerprint,
                                  header->writer_epoch, header->first_sequence_number};
  const RecordReader reader(bytes, header->salt);
  std::uint64_t offset = sizeof(FileHeader);
  std::uint64_t least = header->first_sequence_number;
  while (offset < bytes.size()) {
    const auto record = reader.HeaderAt(offset);
    const auto payload = record.has_value() ? reader.PayloadAt(offset, *record) : std::nullopt;
    if (!payload.has_value()) {
      break;
    }
    if (record->durable_offset > offset) {
      return Corrupt(name, fmt::format("records before byte {} are missing: {} bytes were durable "
                                       "when the record there was written",
                                       offset, record->durable_offset));
    }
    if (record->sequence_number < least) {
      return Corrupt(
          name, fmt::format("the record at byte {} comes before the one in front of it", offset));
    }
    least = record->sequence_number + 1;
    contents.records.push_back({record->type, record->sequence_number, record->argument, *payload});
    offset += sizeof(RecordHeader) + PaddedBytes(record->payload_bytes);
  }
  if (reader.WasDurableBeyond(offset)) {
    return Corrupt(name, fmt::format("the record at byte {} is damaged, and it was durable: rows "
                                     "that were acknowledged are lost",
                                     offset));
  }
  contents.valid_bytes = offset;
  contents.torn_bytes = bytes.size() - offset;
  return contents;
}

}  // namespace forebay::wal
