// MaskFile: which rows of a generation are dead, as a Roaring bitmap.
//
// Thread safety: pure functions.
//
// Invariants:
//   1. What is read is what was written, or an error: the file sums its own bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "forebay/status.h"
#include "segment/segment_file.h"
#include "storage/directory.h"

namespace forebay::segment {

/// Writes the dead of num_rows rows: bit i of word i / 64. Words that are missing have none.
/// kInvalidArgument when a bit is that of no row.
Result<FileSum> WriteMask(storage::Directory* directory, const std::string& name,
                          std::span<const std::uint64_t> words, std::uint32_t num_rows);

/// All words of num_rows rows. kCorruption when the bytes are not those of a mask of as many.
Result<std::vector<std::uint64_t>> ReadMask(const storage::Mapping& mapping,
                                            std::uint32_t num_rows);

}  // namespace forebay::segment
