#include "wal/wal_writer.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>
#include <utility>

#include "storage/system_calls.h"
#include "wal/checksum.h"
#include "wal/wal_format.h"

namespace forebay::wal {
namespace {

/// Of the buffer, between one group and the next.
constexpr std::size_t kMaxKeptBytes = std::size_t{16} << 20U;

FileHeader MakeHeader(const WalIdentity& identity, std::uint64_t salt) {
  FileHeader header = {.magic = {},
                       .version = kVersion,
                       .reserved = 0,
                       .salt = salt,
                       .schema_fingerprint = identity.schema_fingerprint,
                       .model_fingerprint = identity.model_fingerprint,
                       .writer_epoch = identity.writer_epoch,
                       .first_sequence_number = identity.first_sequence_number,
                       .checksum = 0};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.checksum = Checksum(header);
  return header;
}

void Put(const void* data, std::size_t size, std::vector<std::byte>* out) {
  const auto* bytes = static_cast<const std::byte*>(data);
  out->insert(out->end(), bytes, bytes + size);
}

void PutRecord(const WalRecord& record, std::uint64_t durable_offset, std::uint64_t salt,
               std::vector<std::byte>* out) {
  RecordHeader header = {.checksum = 0,
                         .payload_checksum = PayloadChecksum(record.payload, salt),
                         .sequence_number = record.sequence_number,
                         .durable_offset = durable_offset,
                         .argument = record.argument,
                         .payload_bytes = static_cast<std::uint32_t>(record.payload.size()),
                         .type = record.type};
  header.checksum = Checksum(header, salt);
  Put(&header, sizeof(header), out);
  Put(record.payload.data(), record.payload.size(), out);
  out->resize(out->size() + PaddedBytes(record.payload.size()) - record.payload.size());
}

}  // namespace

Result<std::unique_ptr<WalWriter>> WalWriter::Create(storage::Directory* directory,
                                                     const std::string& name,
                                                     const WalIdentity& identity) {
  const Result<std::uint64_t> salt = storage::RandomNumber();
  if (!salt.ok()) {
    return salt.status();
  }
  auto file = directory->Create(name);
  if (!file.ok()) {
    return file.status();
  }
  const FileHeader header = MakeHeader(identity, *salt);
  Status status = (*file)->Append(std::as_bytes(std::span(&header, 1)));
  status = status.ok() ? (*file)->Sync() : status;
  status = status.ok() ? directory->SyncNames() : status;
  if (!status.ok()) {
    return status;
  }
  return std::unique_ptr<WalWriter>(new WalWriter(std::move(*file), header.salt, sizeof(header)));
}

Status WalWriter::Append(std::span<const WalRecord> records) {
  if (!failure_.ok()) {
    return failure_;
  }
  for (const WalRecord& record : records) {
    if (record.payload.size() > kMaxPayloadBytes) {
      return Status::CapacityExceeded(
          fmt::format("a batch may have at most 4 GiB in the log; it has {} bytes; write it in "
                      "smaller batches",
                      record.payload.size()));
    }
  }
  buffer_.clear();
  for (const WalRecord& record : records) {
    PutRecord(record, durable_size_, salt_, &buffer_);
  }
  if (Status status = Remember(file_->Append(buffer_)); !status.ok()) {
    return status;
  }
  size_ += buffer_.size();
  if (buffer_.capacity() > kMaxKeptBytes) {
    buffer_ = {};
  }
  return Status::Ok();
}

Status WalWriter::Sync() {
  if (!failure_.ok()) {
    return failure_;
  }
  const std::uint64_t size = size_;
  if (Status status = Remember(file_->Sync()); !status.ok()) {
    return status;
  }
  durable_size_ = size;
  return Status::Ok();
}

Status WalWriter::Remember(Status status) {
  if (!status.ok()) {
    failure_ = status;
  }
  return status;
}

}  // namespace forebay::wal
