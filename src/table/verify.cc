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
#include "table/generation.h"
#include "table/log_files.h"
#include "table/model_store.h"
#include "table/table_impl.h"

namespace forebay {
namespace {

using table::RowPlace;
using table::RowSet;
using table::Source;
using table::Version;

/// Every code equals the encoding of its raw vector, and every row has one.
Status VerifyCodes(const Source& source, const MemIndexOptions& options, std::size_t num_threads) {
  auto fresh = IvfPqMemIndex::Create(source.index->model(), options);
  if (!fresh.ok()) {
    return fresh.status();
  }
  for (const auto& batch : source.rows.batches()) {
    const auto vectors = batch->vectors.All();
    if (!vectors.ok()) {
      return vectors.status();
    }
    const VectorBatch rows = (*vectors)->batch(batch->first_ordinal);
    if (const auto encoded = fresh->InsertBatches({&rows, 1}, num_threads); !encoded.ok()) {
      return encoded.status();
    }
  }
  const std::vector<PartitionEntries> stored = source.index->partitions();
  const std::vector<PartitionEntries> expected = fresh->partitions();
  const std::size_t code_len = source.index->model().pq().code_len();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    // The index may have later rows, at the end.
    const std::size_t num_rows = expected[i].row_positions.size();
    const bool equal =
        stored[i].row_positions.size() >= num_rows &&
        std::equal(expected[i].row_positions.begin(), expected[i].row_positions.end(),
                   stored[i].row_positions.begin()) &&
        std::equal(expected[i].codes.begin(), expected[i].codes.end(), stored[i].codes.begin());
    const auto has_more = [&] {
      return stored[i].row_positions.size() > num_rows &&
             stored[i].row_positions[num_rows] < source.rows.size();
    };
    if (!equal || has_more()) {
      return Status::Corruption(
          fmt::format("{}, partition {}: its {} codes of {} bytes are not those of its raw vectors",
                      source.name(), i, num_rows, code_len));
    }
  }
  return Status::Ok();
}

/// A search that looks at everything finds each live row once.
Status VerifyFound(const std::vector<table::FoundRow>& hits, const RowSet& live) {
  RowSet found;
  for (const table::FoundRow& hit : hits) {
    const std::uint32_t row = hit.row.ordinal;
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
  // All files before what takes long, as in an opening.
  const auto files = table::MapGenerations(*directory_, manifest->generations);
  if (!files.ok()) {
    return files.status();
  }
  const auto logs = table::ReadLogs(*directory_, *manifest);
  if (!logs.ok()) {
    return logs.status();
  }
  for (const std::uint64_t fingerprint : table::NamedModels(*manifest)) {
    if (const auto model = table::ReadModel(*directory_, fingerprint); !model.ok()) {
      return model.status();
    }
  }
  for (const table::GenerationFiles& of_generation : *files) {
    if (Status intact = table::VerifyGenerationFiles(*directory_, of_generation); !intact.ok()) {
      return intact;
    }
  }
  report->num_log_records = logs->records.size();
  const std::uint64_t last = logs->records.empty() ? manifest->sequence_number
                                                   : logs->records.back().record.sequence_number;
  if (last < version.sequence_number) {
    return Status::Corruption(fmt::format("the log ends with batch {}; {} were acknowledged", last,
                                          version.sequence_number));
  }
  return Status::Ok();
}

Status Table::Impl::VerifyKeys(const Version& version, VerifyReport* report) const {
  if (!schema_.key_column().has_value()) {
    return Status::Ok();
  }
  std::unordered_set<table::Key> different;
  std::uint64_t num_live = 0;
  for (std::uint32_t source = 0; source < version.sources.size(); ++source) {
    const auto live = table::LiveRows(*version.sources[source], nullptr);
    if (!live.ok()) {
      return live.status();
    }
    std::vector<RowPlace> rows;
    live->ForEach([&](std::uint32_t row) { rows.push_back({source, row}); });
    auto keys = KeysOfRows(version, rows);
    if (!keys.ok()) {
      return keys.status();
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
      // The MemTable's are checked by what they become when they are flushed.
      const auto found = version.sources[source]->FindKey((*keys)[i]);
      if (source != version.memtable_place() && found != rows[i].ordinal) {
        return Status::Corruption(fmt::format("{}: its keys do not lead to row {}",
                                              version.sources[source]->name(), rows[i].ordinal));
      }
      different.insert(std::move((*keys)[i]));
    }
    num_live += rows.size();
  }
  report->num_keys = different.size();
  return different.size() == num_live
             ? Status::Ok()
             : Status::Corruption(fmt::format("{} live rows have only {} different keys", num_live,
                                              different.size()));
}

Status Table::Impl::VerifySource(const std::shared_ptr<const Source>& of_version,
                                 VerifyReport* report) const {
  const Source& source = *of_version;
  const auto live = table::LiveRows(source, nullptr);
  if (!live.ok()) {
    return live.status();
  }
  if (source.index != nullptr) {
    if (Status codes = VerifyCodes(source, IndexOptions(), options_.num_threads); !codes.ok()) {
      return codes;
    }
    report->num_codes += source.rows.size();
  }
  const std::vector<std::uint32_t> rows = live->ToVector();
  report->num_rows += rows.size();
  if (rows.empty()) {
    return Status::Ok();
  }
  // From where the first row is, to everywhere; by the codes, as all raw vectors may not fit
  // memory.
  TableSearchOptions everything = {
      .k = source.rows.size(), .nprobes = SIZE_MAX, .refine_factor = 0};
  std::vector<SourceStats> stats;
  std::vector<float> room(schema_.dim());
  const VectorView query = {source.rows.Vector(rows.front(), room.data()), 1, schema_.dim()};
  const auto hits = FindNearest({&of_version, 1}, query, everything, nullptr, &stats);
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
    if (Status keys = VerifyKeys(**version, &report); !keys.ok()) {
      return keys;
    }
    for (const auto& source : (*version)->sources) {
      if (Status rows = VerifySource(source, &report); !rows.ok()) {
        return rows;
      }
    }
    return report;
  });
}

}  // namespace forebay
