// Verify: the files as they are on the disk, and what they became.
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <unordered_set>
#include <utility>

#include "base/no_throw.h"
#include "table/filter.h"
#include "table/log_files.h"
#include "table/model_store.h"
#include "table/table_impl.h"

namespace forebay {
namespace {

using table::RowSet;
using table::Version;

/// Every code equals the encoding of its raw vector, and every row has one.
Status VerifyCodes(const Version& version, const MemIndexOptions& options,
                   std::size_t num_threads) {
  auto fresh = IvfPqMemIndex::Create(*version.model, options);
  if (!fresh.ok()) {
    return fresh.status();
  }
  std::vector<VectorBatch> batches;
  for (const auto& batch : version.rows.batches()) {
    batches.push_back(batch->vectors.batch(batch->first_ordinal));
  }
  const auto encoded = fresh->InsertBatches(batches, num_threads);
  if (!encoded.ok()) {
    return encoded.status();
  }
  const std::vector<PartitionEntries> stored = version.index->partitions();
  const std::vector<PartitionEntries> expected = fresh->partitions();
  const std::size_t code_len = version.model->pq().code_len();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    // The index may have later rows, at the end.
    const std::size_t num_rows = expected[i].row_positions.size();
    const bool equal =
        stored[i].row_positions.size() >= num_rows &&
        std::equal(expected[i].row_positions.begin(), expected[i].row_positions.end(),
                   stored[i].row_positions.begin()) &&
        std::equal(expected[i].codes.begin(), expected[i].codes.end(), stored[i].codes.begin());
    const bool no_more = stored[i].row_positions.size() == num_rows ||
                         stored[i].row_positions[num_rows] >= version.rows.size();
    if (!equal || !no_more) {
      return Status::Corruption(fmt::format(
          "partition {}: its {} codes of {} bytes are not those of its raw vectors; open "
          "the table again, which encodes them anew",
          i, num_rows, code_len));
    }
  }
  return Status::Ok();
}

/// A search that looks at everything finds each live row once.
Status VerifyFound(const std::vector<Hit>& hits, const RowSet& live) {
  RowSet found;
  for (const Hit& hit : hits) {
    const auto row = static_cast<std::uint32_t>(hit.row_position);
    if (!live.Contains(row) || !found.Add(row)) {
      return Status::Corruption(
          fmt::format("a search found row {} that is dead, or found it twice", row));
    }
  }
  if (found.Count() != live.Count()) {
    return Status::Corruption(fmt::format("a search of everything found {} of {} live rows",
                                          found.Count(), live.Count()));
  }
  return Status::Ok();
}

}  // namespace

Status Table::Impl::VerifyFiles(const Version& version, VerifyReport* report) const {
  std::uint64_t missed = 0;
  while (true) {
    Status status = VerifyFilesOnce(version, report);
    if (status.os_error() != ENOENT) {
      return status;
    }
    // A newer manifest was published meanwhile, and what it does not name removed.
    const auto manifest = table::LoadManifest(*directory_);
    if (!manifest.ok() || manifest->number == missed) {
      return manifest.ok() ? table::MissingFile(status) : manifest.status();
    }
    missed = manifest->number;
  }
}

Status Table::Impl::VerifyFilesOnce(const Version& version, VerifyReport* report) const {
  const auto manifest = table::LoadManifest(*directory_);
  if (!manifest.ok()) {
    return manifest.status();
  }
  const auto logs = table::ReadLogs(*directory_, *manifest);
  if (!logs.ok()) {
    return logs.status();
  }
  if (manifest->model_fingerprint.has_value()) {
    const auto model = table::ReadModel(*directory_, *manifest->model_fingerprint);
    if (!model.ok()) {
      return model.status();
    }
  }
  report->num_log_records = logs->records.size();
  const std::uint64_t last =
      logs->records.empty() ? 0 : logs->records.back().record.sequence_number;
  if (last < version.sequence_number) {
    return Status::Corruption(fmt::format("the log ends with batch {}; {} were acknowledged", last,
                                          version.sequence_number));
  }
  return Status::Ok();
}

Status Table::Impl::VerifyKeys(const Version& version, const RowSet& live,
                               VerifyReport* report) const {
  if (!schema_.key_column().has_value()) {
    return Status::Ok();
  }
  std::vector<std::uint32_t> rows;
  live.ForEach([&](std::uint32_t row) { rows.push_back(row); });
  auto keys = KeysOfRows(version, rows);
  if (!keys.ok()) {
    return keys.status();
  }
  std::unordered_set<table::Key> different;
  for (table::Key& key : *keys) {
    different.insert(std::move(key));
  }
  report->num_keys = different.size();
  return different.size() == rows.size()
             ? Status::Ok()
             : Status::Corruption(fmt::format("{} live rows have only {} different keys",
                                              rows.size(), different.size()));
}

Status Table::Impl::VerifyRows(const Version& version, VerifyReport* report) const {
  const auto live = table::LiveRows(version, nullptr);
  if (!live.ok()) {
    return live.status();
  }
  report->num_rows = live->Count();
  if (Status keys = VerifyKeys(version, *live, report); !keys.ok()) {
    return keys;
  }
  if (report->num_rows == 0) {
    return Status::Ok();
  }
  if (version.index != nullptr) {
    if (Status codes = VerifyCodes(version, IndexOptions(), options_.num_threads); !codes.ok()) {
      return codes;
    }
    report->num_codes = version.rows.size();
  }
  // From where the first row is, to everywhere.
  std::uint32_t first = 0;
  while (!live->Contains(first)) {
    ++first;
  }
  TableSearchOptions everything = {
      .k = version.rows.size(), .nprobes = SIZE_MAX, .refine_factor = 1};
  SourceStats stats;
  const auto hits =
      FindNearest(version, {version.rows.vector(first), 1, schema_.dim()}, everything, &stats);
  return hits.ok() ? VerifyFound(hits->front(), *live) : hits.status();
}

Result<VerifyReport> Table::Impl::Verify() const {
  return NoThrow([&]() -> Result<VerifyReport> {
    const auto version = Current();
    if (!version.ok()) {
      return version.status();
    }
    VerifyReport report;
    if (Status files = VerifyFiles(**version, &report); !files.ok()) {
      return files;
    }
    if (Status rows = VerifyRows(**version, &report); !rows.ok()) {
      return rows;
    }
    return report;
  });
}

}  // namespace forebay
