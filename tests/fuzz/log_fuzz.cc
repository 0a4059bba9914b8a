// Fuzzes the reader of logs with bytes that no writer wrote: as they are, and with the checksums
// that belong to them. Whatever they are, it answers; and what it takes are whole records, one
// after the other, none of which knows of more durable bytes than came before it. (wal_fuzz damages
// logs that a writer wrote, and knows what must be left.)
//
//   build/asan/tests/forebay_log_fuzz tests/fuzz/corpus/log
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "wal/checksum.h"
#include "wal/wal_format.h"
#include "wal/wal_reader.h"

namespace {

using forebay::wal::FileHeader;
using forebay::wal::RecordHeader;
using Bytes = std::vector<std::byte>;

void Require(bool truth) {
  if (!truth) {
    std::abort();
  }
}

/// With the checksums of the header and of all records right, as far as their lengths lead.
Bytes Repaired(Bytes bytes) {
  if (bytes.size() < sizeof(FileHeader)) {
    return bytes;
  }
  FileHeader file;
  std::memcpy(&file, bytes.data(), sizeof(file));
  file.checksum = Checksum(file);
  std::memcpy(bytes.data(), &file, sizeof(file));
  for (std::size_t at = sizeof(file); bytes.size() - at >= sizeof(RecordHeader);) {
    RecordHeader record;
    std::memcpy(&record, bytes.data() + at, sizeof(record));
    const std::size_t begin = at + sizeof(record);
    const std::uint64_t padded = forebay::wal::PaddedBytes(record.payload_bytes);
    if (padded > bytes.size() - begin) {
      break;
    }
    record.payload_checksum = forebay::wal::PayloadChecksum(
        std::span(bytes).subspan(begin, record.payload_bytes), file.salt);
    record.checksum = Checksum(record, file.salt);
    std::memcpy(bytes.data() + at, &record, sizeof(record));
    at = begin + padded;
  }
  return bytes;
}

void Check(const Bytes& bytes) {
  const auto contents = forebay::wal::ParseWal(bytes, "log");
  if (!contents.ok()) {
    return;
  }
  Require(contents->valid_bytes + contents->torn_bytes == bytes.size());
  Require(contents->identity.has_value() || contents->records.empty());
  std::size_t end = sizeof(FileHeader);
  std::uint64_t least =
      contents->identity.has_value() ? contents->identity->first_sequence_number : 0;
  for (const forebay::wal::WalRecord& record : contents->records) {
    RecordHeader header;
    std::memcpy(&header, bytes.data() + end, sizeof(header));
    Require(header.durable_offset <= end);
    Require(record.payload.data() == bytes.data() + end + sizeof(header));
    Require(record.sequence_number >= least);
    least = record.sequence_number + 1;
    end += sizeof(header) + forebay::wal::PaddedBytes(record.payload.size());
  }
  Require(!contents->identity.has_value() || end == contents->valid_bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto given = std::as_bytes(std::span(data, size));
  const Bytes bytes(given.begin(), given.end());
  Check(bytes);
  Check(Repaired(bytes));
  return 0;
}
