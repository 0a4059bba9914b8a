// The files of a table's models, named by fingerprint.
//
// Thread safety: free functions.
#pragma once

#include <cstdint>

#include "forebay/model.h"
#include "forebay/status.h"
#include "storage/directory.h"

namespace forebay::table {

/// Writes it durably, over what an interrupted attempt left.
Status WriteModel(storage::Directory* directory, const IvfPqModel& model);

/// kCorruption when the file was altered, or holds another model.
Result<IvfPqModel> ReadModel(const storage::Directory& directory, std::uint64_t fingerprint);

}  // namespace forebay::table
