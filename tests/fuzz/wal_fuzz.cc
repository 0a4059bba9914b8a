// Fuzzes the reader of logs: a log of random records, synced here and there, is damaged. What is
// read must be the first of the records that were written, or an error; and without an error
// nothing is missing that a later record knew to be durable.
//
//   build/asan/tests/forebay_wal_fuzz [-runs=N] [-max_total_time=SECONDS]
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/faulty_directory.h"
#include "wal/wal_format.h"
#include "wal/wal_reader.h"
#include "wal/wal_writer.h"

namespace forebay {
namespace {

void Require(bool truth) {
  if (!truth) {
    std::abort();
  }
}

struct Record {
  std::vector<std::byte> payload;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t durable = 0;  // So much of the log was when it was written.
};

struct Log {
  std::vector<Record> records;
  std::vector<std::byte> bytes;
};

Log Write(FuzzedDataProvider* data) {
  FaultyDirectory directory;
  auto writer = wal::WalWriter::Create(&directory, "log", {});
  Require(writer.ok());
  Log log;
  const auto count = data->ConsumeIntegralInRange<std::size_t>(0, 6);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string text = data->ConsumeRandomLengthString(100);
    const auto bytes = std::as_bytes(std::span(text));
    Record record = {.payload = {bytes.begin(), bytes.end()},
                     .begin = (*writer)->size(),
                     .durable = (*writer)->durable_size()};
    Require((*writer)->Append(std::vector{wal::WalRecord{1, i, i, record.payload}}).ok());
    record.end = (*writer)->size();
    log.records.push_back(std::move(record));
    if (data->ConsumeBool()) {
      Require((*writer)->Sync().ok());
    }
  }
  log.bytes = *directory.Read("log");
  return log;
}

/// What differs. (A byte that was flipped or cut off may be put back by what follows.)
struct Damage {
  std::span<const std::byte> before;
  std::span<const std::byte> after;

  [[nodiscard]] std::uint64_t first() const {
    const auto [was, is] = std::ranges::mismatch(before, after);
    return static_cast<std::uint64_t>(was - before.begin());
  }
  [[nodiscard]] bool SparesHeaderOf(const Record& record) const {
    constexpr std::size_t kBytes = sizeof(wal::RecordHeader);
    return record.begin + kBytes <= after.size() &&
           std::ranges::equal(before.subspan(record.begin, kBytes),
                              after.subspan(record.begin, kBytes));
  }
};

/// Flips bytes, cuts the end, and puts something after it.
void Harm(FuzzedDataProvider* data, std::vector<std::byte>* bytes) {
  const auto num_flips = data->ConsumeIntegralInRange<std::size_t>(0, 3);
  for (std::size_t i = 0; i < num_flips; ++i) {
    const auto at = data->ConsumeIntegralInRange<std::size_t>(0, bytes->size() - 1);
    (*bytes)[at] ^= static_cast<std::byte>(data->ConsumeIntegralInRange(1, 255));
  }
  if (data->ConsumeBool()) {
    bytes->resize(data->ConsumeIntegralInRange<std::size_t>(0, bytes->size()));
  }
  for (const std::uint8_t byte : data->ConsumeRemainingBytes<std::uint8_t>()) {
    bytes->push_back(static_cast<std::byte>(byte));
  }
}

void Run(FuzzedDataProvider* data) {
  const Log log = Write(data);
  std::vector<std::byte> bytes = log.bytes;
  Harm(data, &bytes);
  const Damage damage = {log.bytes, bytes};
  const auto contents = wal::ParseWal(bytes, "log");
  const bool has_header = damage.first() >= sizeof(wal::FileHeader);
  // A record whose header is left knows that what was damaged before it had been durable.
  const bool is_known = has_header && std::ranges::any_of(log.records, [&](const Record& record) {
                          return damage.SparesHeaderOf(record) && record.durable > damage.first();
                        });
  if (!contents.ok()) {
    Require(contents.error().code() == StatusCode::kCorruption);
    Require(is_known || !has_header);
    return;
  }
  Require(!is_known);
  Require(contents->valid_bytes + contents->torn_bytes == bytes.size());
  Require(contents->records.size() <= log.records.size());
  for (std::size_t i = 0; i < contents->records.size(); ++i) {
    Require(contents->records[i].sequence_number == i);
    Require(std::ranges::equal(contents->records[i].payload, log.records[i].payload));
  }
  if (contents->records.size() < log.records.size()) {
    Require(log.records[contents->records.size()].end > damage.first());
  }
}

}  // namespace
}  // namespace forebay

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider provider(data, size);
  forebay::Run(&provider);
  return 0;
}
