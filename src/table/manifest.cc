#include "table/manifest.h"

#include <arrow/util/base64.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "storage/system_calls.h"
#include "table/file_names.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace forebay::table {
namespace {

using nlohmann::ordered_json;
using segment::FileSum;

constexpr std::string_view kMagic = "forebay-manifest ";
constexpr std::uint64_t kVersion = 2;
/// Of tables that could not be flushed.
constexpr std::uint64_t kVersionWithoutGenerations = 1;
/// As often as another process can publish while a list of names is read, and more.
constexpr int kMaxTries = 100;

/// All of the text as a number.
std::optional<std::uint64_t> ParseNumber(std::string_view text, int base = 10) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, base);
  return error == std::errc() && stop == end ? std::optional(number) : std::nullopt;
}

std::string Hex(std::uint64_t number) { return fmt::format("{:016x}", number); }

std::string ChecksumOf(std::string_view text) { return Hex(XXH3_64bits(text.data(), text.size())); }

std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Status Corrupt(std::string_view name, std::string_view what) {
  return Status::Corruption(fmt::format("{}: {}; restore the file from a copy", name, what));
}

/// What JSON has under a key, if it is that; else the reader remembers the first that is not.
class JsonReader {
 public:
  explicit JsonReader(const ordered_json& json) : json_(json) {}

  std::uint64_t Whole(const char* key) {
    const ordered_json* const value = Find(key, "a whole number");
    return value != nullptr && Require(value->is_number_unsigned(), key, "a whole number")
               ? value->get<std::uint64_t>()
               : 0;
  }
  std::string Text(const char* key) {
    const ordered_json* const value = Find(key, "a text");
    return value != nullptr && Require(value->is_string(), key, "a text")
               ? value->get<std::string>()
               : "";
  }
  std::optional<std::string> TextOrNull(const char* key) {
    const ordered_json* const value = Find(key, "a text or null");
    return value == nullptr || value->is_null() ? std::nullopt : std::optional(Text(key));
  }
  std::optional<std::uint64_t> HexOrNull(const char* key) {
    const auto text = TextOrNull(key);
    const auto number = text.has_value() ? ParseNumber(*text, 16) : std::nullopt;
    Require(!text.has_value() || number.has_value(), key, "a number in hex");
    return number;
  }
  /// nullopt also where there is none: tables were written without.
  std::optional<double> PositiveOrNull(const char* key) {
    const auto found = json_.find(key);
    if (found == json_.end() || found->is_null()) {
      return std::nullopt;
    }
    const bool good = found->is_number() && found->get<double>() >= 0;
    return Require(good, key, "a positive number or null") ? std::optional(found->get<double>())
                                                           : std::nullopt;
  }
  /// An object with name, bytes and checksum.
  std::optional<FileSum> FileOrNull(const char* key) {
    const ordered_json* const value = Find(key, "a file or null");
    if (value == nullptr || value->is_null() || !Require(value->is_object(), key, "a file")) {
      return std::nullopt;
    }
    JsonReader file(*value);
    FileSum sum = {.name = file.Text("name"),
                   .num_bytes = file.Whole("bytes"),
                   .checksum = file.HexOrNull("checksum").value_or(0)};
    Require(file.problem().empty(), key, "a file's name, bytes and checksum");
    return sum;
  }
  const ordered_json& Array(const char* key) {
    static const ordered_json kNone = ordered_json::array();
    const ordered_json* const value = Find(key, "an array");
    return value != nullptr && Require(value->is_array(), key, "an array") ? *value : kNone;
  }
  bool Require(bool truth, const char* key, std::string_view what) {
    if (!truth && problem_.empty()) {
      problem_ = fmt::format("expected {} as '{}'", what, key);
    }
    return truth;
  }
  /// Empty: there was none.
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  const ordered_json* Find(const char* key, std::string_view what) {
    const auto found = json_.find(key);
    return Require(found != json_.end(), key, what) ? &*found : nullptr;
  }

  const ordered_json& json_;
  std::string problem_;
};

ManifestGeneration ReadGeneration(const ordered_json& json, std::string* problem) {
  JsonReader reader(json);
  const auto rows = reader.FileOrNull("rows");
  const std::uint64_t num_rows = reader.Whole("num_rows");
  ManifestGeneration generation = {
      .number = reader.Whole("number"),
      .num_rows = static_cast<std::uint32_t>(num_rows),
      .num_dead = reader.Whole("num_dead"),
      .rows = rows.value_or(FileSum()),
      .index = reader.FileOrNull("index"),
      .model_fingerprint = reader.HexOrNull("model_fingerprint"),
      .quantization_error = reader.PositiveOrNull("quantization_error"),
      .keys = reader.FileOrNull("keys"),
      .mask = reader.FileOrNull("mask")};
  reader.Require(rows.has_value(), "rows", "a file");
  reader.Require(num_rows <= std::numeric_limits<std::uint32_t>::max(), "num_rows",
                 "less than 2^32");
  reader.Require(generation.index.has_value() == generation.model_fingerprint.has_value(),
                 "model_fingerprint", "the index's model");
  *problem = problem->empty() ? reader.problem() : *problem;
  return generation;
}

ordered_json ToJson(const FileSum& file) {
  return {{"name", file.name}, {"bytes", file.num_bytes}, {"checksum", Hex(file.checksum)}};
}

ordered_json ToJson(const std::optional<FileSum>& file) {
  return file.has_value() ? ToJson(*file) : ordered_json();
}

ordered_json HexOrNull(const std::optional<std::uint64_t>& number) {
  return number.has_value() ? ordered_json(Hex(*number)) : ordered_json();
}

ordered_json NumberOrNull(const std::optional<double>& number) {
  return number.has_value() ? ordered_json(*number) : ordered_json();
}

ordered_json ToJson(const ManifestGeneration& generation) {
  return {{"number", generation.number},
          {"num_rows", generation.num_rows},
          {"num_dead", generation.num_dead},
          {"rows", ToJson(generation.rows)},
          {"index", ToJson(generation.index)},
          {"model_fingerprint", HexOrNull(generation.model_fingerprint)},
          {"quantization_error", NumberOrNull(generation.quantization_error)},
          {"keys", ToJson(generation.keys)},
          {"mask", ToJson(generation.mask)}};
}

/// What an older version did not have stays as it is in an empty manifest.
void ReadGenerations(JsonReader* reader, Manifest* manifest, std::string* problem) {
  manifest->next_generation = reader->Whole("next_generation");
  manifest->sequence_number = reader->Whole("sequence_number");
  manifest->next_row_id = reader->Whole("next_row_id");
  for (const ordered_json& generation : reader->Array("generations")) {
    manifest->generations.push_back(ReadGeneration(generation, problem));
  }
}

/// kCorruption says what is not as it should be.
Result<Manifest> FromJson(const ordered_json& json, std::uint64_t version) {
  JsonReader reader(json);
  Manifest manifest = {.number = reader.Whole("number"),
                       .writer_epoch = reader.Whole("writer_epoch"),
                       .vector_column = reader.Text("vector_column"),
                       .primary_key = reader.TextOrNull("primary_key")};
  const auto metric = ParseMetric(reader.Text("metric"));
  if (reader.Require(metric.ok(), "metric", "a metric")) {
    manifest.metric = *metric;
  }
  manifest.model_fingerprint = reader.HexOrNull("model_fingerprint");
  manifest.model_quantization_error = reader.PositiveOrNull("model_quantization_error");
  const auto schema = arrow::util::base64_decode(reader.Text("schema"));
  if (reader.Require(schema.ok(), "schema", "base64")) {
    const auto bytes = std::as_bytes(std::span(*schema));
    manifest.schema.assign(bytes.begin(), bytes.end());
  }
  std::string problem;
  if (version != kVersionWithoutGenerations) {
    ReadGenerations(&reader, &manifest, &problem);
  }
  for (const ordered_json& log : reader.Array("logs")) {
    JsonReader of_log(log);
    manifest.logs.push_back({of_log.Text("name"), of_log.Whole("durable_bytes")});
    problem = problem.empty() ? of_log.problem() : problem;
  }
  problem = reader.problem().empty() ? problem : reader.problem();
  return problem.empty() ? Result<Manifest>(std::move(manifest)) : Status::Corruption(problem);
}

/// The greatest first.
Result<std::vector<std::uint64_t>> ListNumbers(const storage::Directory& directory) {
  const auto names = directory.List();
  if (!names.ok()) {
    return names.status();
  }
  std::vector<std::uint64_t> numbers;
  for (const std::string& name : *names) {
    if (const auto number = NumberOfManifest(name); number.has_value()) {
      numbers.push_back(*number);
    }
  }
  std::reverse(numbers.begin(), numbers.end());
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

Status AnotherWriter(const storage::Directory& directory) {
  return Status::FailedPrecondition(
      fmt::format("another process writes to the table in {}; close it there, and open the table "
                  "again",
                  directory.PathOf("")));
}

/// Fails unless `number` is the newest one: who was away for long may have taken a number that was
/// free again.
Status RequireNewest(storage::Directory* directory, std::uint64_t number) {
  const auto numbers = ListNumbers(*directory);
  if (!numbers.ok()) {
    return numbers.status();
  }
  if (numbers->empty() || numbers->front() != number) {
    static_cast<void>(directory->Remove(ManifestName(number)));
    return AnotherWriter(*directory);
  }
  return Status::Ok();
}

/// Older manifests, and what interrupted processes left. Where this fails, the next one does it.
void RemoveOthers(storage::Directory* directory, const std::string& newest) {
  const auto names = directory->List();
  for (const std::string& name : names.ok() ? *names : std::vector<std::string>()) {
    if (IsTemporaryManifestName(name) || (NumberOfManifest(name).has_value() && name < newest)) {
      static_cast<void>(directory->Remove(name));
    }
  }
}

}  // namespace

std::uint64_t SchemaFingerprint(const Manifest& manifest) {
  const std::string all = fmt::format("{}\n{}\n{}", AsText(manifest.schema), manifest.vector_column,
                                      manifest.primary_key.value_or(""));
  return XXH3_64bits(all.data(), all.size());
}

std::string SerializeManifest(const Manifest& manifest) {
  ordered_json json;
  json["number"] = manifest.number;
  json["writer_epoch"] = manifest.writer_epoch;
  json["vector_column"] = manifest.vector_column;
  json["primary_key"] =
      manifest.primary_key.has_value() ? ordered_json(*manifest.primary_key) : ordered_json();
  json["metric"] = MetricName(manifest.metric);
  json["model_fingerprint"] = HexOrNull(manifest.model_fingerprint);
  json["model_quantization_error"] = NumberOrNull(manifest.model_quantization_error);
  json["generations"] = ordered_json::array();
  for (const ManifestGeneration& generation : manifest.generations) {
    json["generations"].push_back(ToJson(generation));
  }
  json["next_generation"] = manifest.next_generation;
  json["sequence_number"] = manifest.sequence_number;
  json["next_row_id"] = manifest.next_row_id;
  json["logs"] = ordered_json::array();
  for (const ManifestLog& log : manifest.logs) {
    json["logs"].push_back({{"name", log.name}, {"durable_bytes", log.durable_bytes}});
  }
  json["schema"] = arrow::util::base64_encode(AsText(manifest.schema));
  const std::string text = json.dump(1) + "\n";
  return fmt::format("{}{} {}\n{}", kMagic, kVersion, ChecksumOf(text), text);
}

Result<Manifest> ParseManifest(std::span<const std::byte> bytes, std::string_view name) {
  const std::string_view all = AsText(bytes);
  if (!all.starts_with(kMagic)) {
    return Corrupt(name, "expected a manifest, its first bytes are of something else");
  }
  // The first line: magic, version, checksum of the rest.
  const std::string_view line = all.substr(kMagic.size(), all.find('\n') - kMagic.size());
  const std::size_t space = line.find(' ');
  const auto version = ParseNumber(line.substr(0, space));
  if (space == std::string_view::npos || !version.has_value()) {
    return Corrupt(name, "the manifest was cut or altered");
  }
  if (*version != kVersion && *version != kVersionWithoutGenerations) {
    return Status::Unsupported(
        fmt::format("{}: the manifest has version {}; this build reads versions {} and {}", name,
                    *version, kVersionWithoutGenerations, kVersion));
  }
  const std::size_t begin = kMagic.size() + line.size() + 1;
  const std::string_view text = all.substr(std::min(begin, all.size()));
  if (line.substr(space + 1) != ChecksumOf(text)) {
    return Corrupt(name, "the manifest was cut or altered");
  }
  const ordered_json json = ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return Corrupt(name, "expected a JSON object");
  }
  Result<Manifest> manifest = FromJson(json, *version);
  return manifest.ok() ? std::move(manifest) : Corrupt(name, manifest.status().message());
}

Result<Manifest> LoadManifest(const storage::Directory& directory) {
  std::optional<std::uint64_t> missing;
  for (int tries = 0; tries < kMaxTries; ++tries) {
    const auto numbers = ListNumbers(directory);
    if (!numbers.ok()) {
      return numbers.status();
    }
    const std::uint64_t newest = numbers->empty() ? 0 : numbers->front();
    const auto bytes = numbers->empty() ? Result<std::vector<std::byte>>(Status::IoError("none"))
                                        : directory.Read(ManifestName(newest));
    if (bytes.ok()) {
      const std::string path = directory.PathOf(ManifestName(newest));
      Result<Manifest> manifest = ParseManifest(*bytes, path);
      if (manifest.ok() && manifest->number != newest) {
        return Corrupt(path, fmt::format("it holds the manifest of number {}", manifest->number));
      }
      return manifest;
    }
    if (!numbers->empty() && bytes.status().os_error() != ENOENT) {
      return bytes.status();
    }
    if (missing == newest) {
      break;  // Twice the same.
    }
    missing = newest;  // Another process has published one meanwhile, and removed this one.
  }
  return Status::FailedPrecondition(
      fmt::format("{} has no manifest: there is no table, unless its manifest was lost; create one "
                  "there, or restore its manifest from a copy",
                  directory.PathOf("")));
}

Status PublishManifest(storage::Directory* directory, const Manifest& manifest) {
  const Result<std::uint64_t> random = storage::RandomNumber();
  if (!random.ok()) {
    return random.status();
  }
  const std::string name = ManifestName(manifest.number);
  // Of this process alone: if another one writes a manifest now, neither publishes the other's.
  const std::string temporary = TemporaryManifestName(manifest.number, *random);
  Status status = WriteDurably(directory, temporary, SerializeManifest(manifest));
  if (status.ok()) {
    status = directory->Link(temporary, name);
    // ENOENT: another process took the temporary file for a remainder.
    if (status.os_error() == EEXIST || status.os_error() == ENOENT) {
      status = AnotherWriter(*directory);
    }
  }
  status = status.ok() ? directory->SyncNames() : status;
  status = status.ok() ? RequireNewest(directory, manifest.number) : status;
  // What cannot be removed now is by the next one.
  static_cast<void>(directory->Remove(temporary));
  if (status.ok()) {
    RemoveOthers(directory, name);
  }
  return status;
}

}  // namespace forebay::table
