// Generations: rows that were flushed, in files that never change (docs/format.md).
//
// Thread safety: free functions; those that write are for the one writer of a table.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "forebay/index.h"
#include "forebay/model.h"
#include "segment/rows_file.h"
#include "storage/directory.h"
#include "table/key_index.h"
#include "table/manifest.h"
#include "table/source.h"
#include "table/table_schema.h"

namespace forebay::table {

/// What a generation is made of.
struct GenerationContent {
  std::uint64_t number = 0;
  std::uint32_t num_rows = 0;
  /// The columns of the table, and `_rowid` after them.
  segment::NextBatch next = nullptr;
  const IvfPqMemIndex* index = nullptr;  ///< Borrowed; nullptr: none.
  /// Of the table's primary key, with the ordinal of each key's newest row; none: it has none.
  std::optional<std::vector<std::pair<Key, std::uint32_t>>> keys = std::nullopt;
};

/// Removes what there is of a generation's files, which no manifest names.
void RemoveGeneration(storage::Directory* directory, std::uint64_t number);

/// A generation that no manifest names yet.
struct NewGeneration {
  ManifestGeneration files;
  Source source;
};

/// Writes its files, durably but for their names (SyncNames), and opens them: what has just been
/// summed is not read again for it. Where it fails there are none.
Result<NewGeneration> MakeGeneration(storage::Directory* directory, const TableSchema& schema,
                                     GenerationContent content,
                                     const std::optional<IvfPqModel>& model);

/// The files of a generation, mapped: they can be read even when they have been removed.
struct GenerationFiles {
  using File = std::shared_ptr<const storage::Mapping>;

  ManifestGeneration generation;
  File rows = nullptr;
  File index = nullptr;  ///< And so on: nullptr where the generation has none.
  File keys = nullptr;
  File mask = nullptr;
};

/// kCorruption when a file has another size, kIoError with ENOENT when one is not there.
Result<std::vector<GenerationFiles>> MapGenerations(
    const storage::Directory& directory, std::span<const ManifestGeneration> generations);

/// kCorruption when a file's checksum is another one. Reads all of them.
Status VerifyGenerationFiles(const storage::Directory& directory, const GenerationFiles& files);

/// Of files that are as they were written, if `verify` does not say so. `model` is that of its
/// index. kCorruption when one is damaged.
Result<Source> OpenGeneration(const storage::Directory& directory, const GenerationFiles& files,
                              const TableSchema& schema, const std::optional<IvfPqModel>& model,
                              bool verify);

}  // namespace forebay::table
