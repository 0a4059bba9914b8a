#include "table/log_files.h"

#include <arrow/buffer.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <span>
#include <utility>

#include "table/file_names.h"
#include "wal/wal_reader.h"

namespace forebay::table {
namespace {

Status CheckLog(const wal::WalContents& contents, const ManifestLog& log, bool is_last,
                std::uint64_t schema_fingerprint, const std::string& path) {
  const bool cut = contents.valid_bytes < log.durable_bytes || !contents.identity.has_value();
  if (!is_last && contents.valid_bytes + contents.torn_bytes > log.durable_bytes) {
    return Status::Corruption(fmt::format(
        "{}: it went on after another process had taken over the table: two wrote to it at "
        "once; restore the file from a copy",
        path));
  }
  if (cut) {
    return Status::Corruption(fmt::format(
        "{}: {} bytes of it were durable, {} can be read: rows that were acknowledged are "
        "lost; restore the file from a copy",
        path, std::max(log.durable_bytes, contents.valid_bytes + contents.torn_bytes),
        contents.valid_bytes));
  }
  if (contents.identity->schema_fingerprint != schema_fingerprint) {
    return Status::Corruption(
        fmt::format("{}: it is the log of another table; restore the file from a copy", path));
  }
  return Status::Ok();
}

}  // namespace

Result<Logs> ReadLogs(const storage::Directory& directory, const Manifest& manifest) {
  Logs logs;
  for (const ManifestLog& log : manifest.logs) {
    const std::string path = directory.PathOf(log.name);
    auto bytes = directory.Read(log.name);
    if (!bytes.ok()) {
      return bytes.status();
    }
    const std::shared_ptr<arrow::Buffer> file = arrow::Buffer::FromVector(*std::move(bytes));
    const auto contents = wal::ParseWal(
        std::as_bytes(std::span(file->data(), static_cast<std::size_t>(file->size()))), path);
    if (!contents.ok()) {
      return contents.status();
    }
    const bool is_last = &log == &manifest.logs.back();
    if (Status good = CheckLog(*contents, log, is_last, SchemaFingerprint(manifest), path);
        !good.ok()) {
      return good;
    }
    for (const wal::WalRecord& record : contents->records) {
      logs.records.push_back({record, file});
    }
    logs.all_durable =
        logs.all_durable && contents->torn_bytes == 0 && contents->valid_bytes == log.durable_bytes;
    logs.torn_bytes += contents->torn_bytes;
    logs.num_bytes += contents->valid_bytes;
  }
  return logs;
}

Status MissingFile(const Status& missing) {
  return Status::Corruption(fmt::format(
      "{}; the table's manifest names this file; restore it from a copy", missing.message()));
}

std::set<std::uint64_t> NamedModels(const Manifest& manifest) {
  std::set<std::uint64_t> fingerprints;
  const auto add = [&](const std::optional<std::uint64_t>& fingerprint) {
    if (fingerprint.has_value()) {
      fingerprints.insert(*fingerprint);
    }
  };
  add(manifest.model_fingerprint);
  for (const ManifestGeneration& generation : manifest.generations) {
    add(generation.model_fingerprint);
  }
  return fingerprints;
}

std::set<std::string> NamedFiles(const Manifest& manifest) {
  std::set<std::string> names;
  for (const std::uint64_t fingerprint : NamedModels(manifest)) {
    names.insert(ModelName(fingerprint));
  }
  for (const ManifestLog& log : manifest.logs) {
    names.insert(log.name);
  }
  for (const ManifestGeneration& generation : manifest.generations) {
    names.insert(generation.rows.name);
    for (const auto& file : {generation.index, generation.keys, generation.mask}) {
      if (file.has_value()) {
        names.insert(file->name);
      }
    }
  }
  return names;
}

void RemoveDroppedFiles(storage::Directory* directory, const Manifest& before,
                        const Manifest& after) {
  const std::set<std::string> named = NamedFiles(after);
  for (const std::string& name : NamedFiles(before)) {
    if (!named.contains(name) && !IsModelName(name)) {
      static_cast<void>(directory->Remove(name));
    }
  }
}

void RemoveUnnamedFiles(storage::Directory* directory, const Manifest& manifest) {
  const std::set<std::string> named = NamedFiles(manifest);
  const auto names = directory->List();
  for (const std::string& name : names.ok() ? *names : std::vector<std::string>()) {
    const bool ours = IsLogName(name) || IsModelName(name) || IsGenerationName(name);
    if (ours && !named.contains(name)) {
      static_cast<void>(directory->Remove(name));
    }
  }
}

}  // namespace forebay::table
