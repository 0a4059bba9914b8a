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
#include <string>
#include <vector>

#include "support/faulty_directory.h"
#include "wal/wal_reader.h"
#include "wal/wal_writer.h"

namespace forebay {
namespace {

void Require(bool truth) {
  if (!truth) {
    std::abort();
  }
}

struct Log {
  std::vector<std::vector<std::byte>> payloads;
  std::vector<std::uint64_t> ends;  // Of the records.
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
    log.payloads.emplace_back(bytes.begin(), bytes.end());
    const std::vector record = {wal::WalRecord{1, i, i, log.payloads.back()}};
    Require((*writer)->Append(record).ok());
    log.ends.push_back((*writer)->size());
    if (data->ConsumeBool()) {
      Require((*writer)->Sync().ok());
    }
  }
  log.bytes = *directory.Read("log");
  return log;
}

/// Flips bytes, cuts the end, or puts something after it. Returns where the damage begins.
std::uint64_t Damage(FuzzedDataProvider* data, std::vector<std::byte>* bytes) {
  std::uint64_t first = bytes->size();
  const auto num_flips = data->ConsumeIntegralInRange<std::size_t>(0, 3);
  for (std::size_t i = 0; i < num_flips; ++i) {
    const auto at = data->ConsumeIntegralInRange<std::size_t>(0, bytes->size() - 1);
    (*bytes)[at] ^= static_cast<std::byte>(data->ConsumeIntegralInRange(1, 255));
    first = std::min<std::uint64_t>(first, at);
  }
  if (data->ConsumeBool()) {
    bytes->resize(data->ConsumeIntegralInRange<std::size_t>(0, bytes->size()));
    first = std::min<std::uint64_t>(first, bytes->size());
  }
  for (const std::uint8_t byte : data->ConsumeRemainingBytes<std::uint8_t>()) {
    bytes->push_back(static_cast<std::byte>(byte));
  }
  return first;
}

void Run(FuzzedDataProvider* data) {
  Log log = Write(data);
  const std::uint64_t damage = Damage(data, &log.bytes);
  const auto contents = wal::ParseWal(log.bytes, "log");
  if (!contents.ok()) {
    Require(contents.error().code() == StatusCode::kCorruption);
    return;
  }
  Require(contents->valid_bytes + contents->torn_bytes == log.bytes.size());
  Require(contents->records.size() <= log.payloads.size());
  for (std::size_t i = 0; i < contents->records.size(); ++i) {
    Require(contents->records[i].sequence_number == i);
    Require(std::ranges::equal(contents->records[i].payload, log.payloads[i]));
  }
  const auto whole = std::upper_bound(log.ends.begin(), log.ends.end(), damage) - log.ends.begin();
  Require(contents->records.size() >= static_cast<std::size_t>(whole));
}

}  // namespace
}  // namespace forebay

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider provider(data, size);
  forebay::Run(&provider);
  return 0;
}
