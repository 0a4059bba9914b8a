// Manifest: the root of a table's files. One immutable file for each state, numbered on; the newest
// one holds.
//
// Thread safety: free functions; a Manifest is a plain value.
//
// Invariants:
//   1. A manifest's name appears when its bytes are durable. Of two writers that race, the one
//      whose manifest is not the newest fails.
//   2. A manifest never changes. Whatever it names was durable before it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "forebay/model.h"
#include "forebay/status.h"
#include "segment/segment_file.h"
#include "storage/directory.h"

namespace forebay::table {

/// A log that a manifest names.
struct ManifestLog {
  std::string name;                 ///< Of the file.
  std::uint64_t durable_bytes = 0;  ///< It has so many, or it is damaged.

  friend bool operator==(const ManifestLog&, const ManifestLog&) = default;
};

/// A generation that a manifest names.
struct ManifestGeneration {
  std::uint64_t number = 0;  ///< From 1 on; no two ever have the same.
  std::uint32_t num_rows = 0;
  std::uint64_t num_dead = 0;  ///< That `mask` knows of.
  segment::FileSum rows = {};
  std::optional<segment::FileSum> index = std::nullopt;
  std::optional<std::uint64_t> model_fingerprint = std::nullopt;  ///< Of the index.
  /// Of the index's model, for a sample of the rows as they were written.
  std::optional<double> quantization_error = std::nullopt;
  std::optional<segment::FileSum> keys = std::nullopt;
  std::optional<segment::FileSum> mask = std::nullopt;  ///< None: no row is dead.

  friend bool operator==(const ManifestGeneration&, const ManifestGeneration&) = default;
};

struct Manifest {
  std::uint64_t number = 0;            ///< From 1 on.
  std::uint64_t writer_epoch = 0;      ///< One more with each opening for writing.
  std::vector<std::byte> schema = {};  ///< An Arrow IPC message.
  std::string vector_column;
  std::optional<std::string> primary_key = std::nullopt;
  Metric metric = Metric::kL2;
  /// Fingerprint of the model, whose file ModelName names.
  std::optional<std::uint64_t> model_fingerprint = std::nullopt;
  /// Of that model, for the rows that it was trained on, or the first that were flushed with it.
  std::optional<double> model_quantization_error = std::nullopt;
  /// In the order of their rows.
  std::vector<ManifestGeneration> generations = {};
  std::uint64_t next_generation = 1;
  std::uint64_t sequence_number = 0;  ///< Of the last batch that is not in the logs.
  std::uint64_t next_row_id = 0;      ///< The first `_rowid` in the logs.
  /// Those that hold what is in no other file, oldest first; the last one is being written.
  std::vector<ManifestLog> logs = {};

  friend bool operator==(const Manifest&, const Manifest&) = default;
};

/// Of the columns and their roles, which never change: what belongs to another table has another
/// one.
std::uint64_t SchemaFingerprint(const Manifest& manifest);

/// The bytes of a manifest's file (docs/format.md).
std::string SerializeManifest(const Manifest& manifest);

/// What SerializeManifest wrote; `name` is for messages. kCorruption when it was altered,
/// kUnsupported for another version.
Result<Manifest> ParseManifest(std::span<const std::byte> bytes, std::string_view name);

/// The newest one; kFailedPrecondition when there is none, and so no table. Others may publish
/// meanwhile.
Result<Manifest> LoadManifest(const storage::Directory& directory);

/// Makes `manifest` the newest one, durably, and removes older ones. kFailedPrecondition when there
/// is one of that number or a greater one: another process writes to the table. After any other
/// failure it may be the newest one or not; whoever goes on asks LoadManifest.
Status PublishManifest(storage::Directory* directory, const Manifest& manifest);

}  // namespace forebay::table
