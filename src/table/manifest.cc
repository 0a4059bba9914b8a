#include "table/manifest.h"

#include <arrow/util/base64.h>
#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace forebay::table {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kPrefix = "manifest-";
constexpr std::string_view kTemporary = ".tmp";
constexpr std::string_view kMagic = "forebay-manifest 1 ";
constexpr std::size_t kChecksumDigits = 16;
/// Magic, checksum, end of line.
constexpr std::size_t kFirstLineBytes = kMagic.size() + kChecksumDigits + 1;

std::string NameOf(std::uint64_t number) { return fmt::format("{}{:020}", kPrefix, number); }

std::optional<std::uint64_t> NumberOf(std::string_view name) {
  if (!name.starts_with(kPrefix)) {
    return std::nullopt;
  }
  std::uint64_t number = 0;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), end, number);
  return error == std::errc() && stop == end && NameOf(number) == name ? std::optional(number)
                                                                       : std::nullopt;
}

std::string ChecksumOf(std::string_view text) {
  return fmt::format("{:016x}", XXH3_64bits(text.data(), text.size()));
}

std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Status Corrupt(std::string_view name, std::string_view what) {
  return Status::Corruption(fmt::format("{}: {}; restore the file from a copy", name, what));
}

/// Throws nlohmann's exceptions where something is missing or of another type.
Result<Manifest> FromJson(const ordered_json& json) {
  Manifest manifest;
  manifest.number = json.at("number").get<std::uint64_t>();
  manifest.writer_epoch = json.at("writer_epoch").get<std::uint64_t>();
  const auto schema = arrow::util::base64_decode(json.at("schema").get<std::string>());
  if (!schema.ok()) {
    return Status::Corruption(schema.status().message());
  }
  const auto bytes = std::as_bytes(std::span(*schema));
  manifest.schema.assign(bytes.begin(), bytes.end());
  manifest.vector_column = json.at("vector_column").get<std::string>();
  if (const auto& key = json.at("primary_key"); !key.is_null()) {
    manifest.primary_key = key.get<std::string>();
  }
  const Result<Metric> metric = ParseMetric(json.at("metric").get<std::string>());
  if (!metric.ok()) {
    return metric.status();
  }
  manifest.metric = *metric;
  if (const auto& model = json.at("model_fingerprint"); !model.is_null()) {
    manifest.model_fingerprint = model.get<std::uint64_t>();
  }
  manifest.wal_floor = json.at("wal_floor").get<std::uint64_t>();
  return manifest;
}

/// The greatest first.
Result<std::vector<std::uint64_t>> ListNumbers(const storage::Directory& directory) {
  const auto names = directory.List();
  if (!names.ok()) {
    return names.status();
  }
  std::vector<std::uint64_t> numbers;
  for (auto name = names->rbegin(); name != names->rend(); ++name) {
    if (const auto number = NumberOf(*name); number.has_value()) {
      numbers.push_back(*number);
    }
  }
  return numbers;
}

Status WriteDurably(storage::Directory* directory, const std::string& name, std::string_view text) {
  auto file = directory->Create(name);
  if (!file.ok()) {
    return file.status();
  }
  if (Status status = (*file)->Append(std::as_bytes(std::span(text))); !status.ok()) {
    return status;
  }
  return (*file)->Sync();
}

/// Older manifests, and what interrupted processes left. Where this fails, the next one does it.
void RemoveOthers(storage::Directory* directory, const std::string& newest) {
  const auto names = directory->List();
  for (const std::string& name : names.ok() ? *names : std::vector<std::string>()) {
    if (name.starts_with(kPrefix) && (name < newest || name.ends_with(kTemporary))) {
      static_cast<void>(directory->Remove(name));
    }
  }
}

}  // namespace

std::string SerializeManifest(const Manifest& manifest) {
  ordered_json json;
  json["number"] = manifest.number;
  json["writer_epoch"] = manifest.writer_epoch;
  json["vector_column"] = manifest.vector_column;
  json["primary_key"] =
      manifest.primary_key.has_value() ? ordered_json(*manifest.primary_key) : ordered_json();
  json["metric"] = MetricName(manifest.metric);
  json["model_fingerprint"] = manifest.model_fingerprint.has_value()
                                  ? ordered_json(*manifest.model_fingerprint)
                                  : ordered_json();
  json["wal_floor"] = manifest.wal_floor;
  json["schema"] = arrow::util::base64_encode(AsText(manifest.schema));
  const std::string text = json.dump(1) + "\n";
  return fmt::format("{}{}\n{}", kMagic, ChecksumOf(text), text);
}

Result<Manifest> ParseManifest(std::span<const std::byte> bytes, std::string_view name) {
  const std::string_view all = AsText(bytes);
  constexpr std::size_t kVersionDigits = 2;  // "1 ".
  const std::string_view magic = kMagic.substr(0, kMagic.size() - kVersionDigits);
  if (!all.starts_with(magic)) {
    return Corrupt(name, "expected a manifest, its first bytes are of something else");
  }
  if (all.size() < kFirstLineBytes || all[kFirstLineBytes - 1] != '\n') {
    return Corrupt(name, "the manifest was cut or altered");
  }
  const std::string_view text = all.substr(kFirstLineBytes);
  if (all.substr(kMagic.size(), kChecksumDigits) != ChecksumOf(text)) {
    return Corrupt(name, "the manifest was cut or altered");
  }
  if (!all.starts_with(kMagic)) {
    return Status::Unsupported(
        fmt::format("{}: the manifest has version {}; this build reads version 1", name,
                    all.substr(magic.size(), 1)));
  }
  try {
    Result<Manifest> manifest = FromJson(ordered_json::parse(text));
    return manifest.ok() ? std::move(manifest) : Corrupt(name, manifest.status().message());
  } catch (const nlohmann::json::exception& error) {
    return Corrupt(name, error.what());
  }
}

Result<Manifest> LoadManifest(const storage::Directory& directory) {
  const auto numbers = ListNumbers(directory);
  if (!numbers.ok()) {
    return numbers.status();
  }
  if (numbers->empty()) {
    return Status::FailedPrecondition(fmt::format(
        "{} is no table: it has no manifest; create one there first", directory.PathOf("")));
  }
  const std::string name = NameOf(numbers->front());
  const auto bytes = directory.Read(name);
  if (!bytes.ok()) {
    return bytes.status();
  }
  Result<Manifest> manifest = ParseManifest(*bytes, directory.PathOf(name));
  if (manifest.ok() && manifest->number != numbers->front()) {
    return Corrupt(directory.PathOf(name),
                   fmt::format("it holds the manifest of number {}", manifest->number));
  }
  return manifest;
}

Status PublishManifest(storage::Directory* directory, const Manifest& manifest) {
  const std::string name = NameOf(manifest.number);
  // Of this process alone: if another one writes a manifest now, neither publishes the other's.
  const std::string temporary =
      fmt::format("{}-{:08x}{}", name, std::random_device()(), kTemporary);
  if (Status written = WriteDurably(directory, temporary, SerializeManifest(manifest));
      !written.ok()) {
    return written;
  }
  if (Status linked = directory->Link(temporary, name); !linked.ok()) {
    return linked.os_error() == EEXIST
               ? Status::FailedPrecondition(fmt::format(
                     "{} is there already: another process writes to this table; close it there, "
                     "and open the table again",
                     directory->PathOf(name)))
               : linked;
  }
  if (Status synced = directory->SyncNames(); !synced.ok()) {
    return synced;
  }
  RemoveOthers(directory, name);
  return Status::Ok();
}

std::string ModelFileName(std::uint64_t fingerprint) {
  return fmt::format("model-{:016x}", fingerprint);
}

}  // namespace forebay::table
