// Which column of a schema holds the vectors.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "forebay/status.h"

namespace arrow {
class Schema;
}  // namespace arrow

namespace forebay::cli {

/// The index of the wanted column, or ("") of the only one that holds vectors. Errors name the
/// path, and the option that chooses.
Result<int> ChooseVectorColumn(const std::filesystem::path& path, const arrow::Schema& schema,
                               const std::string& wanted, std::string_view option = "--column");

}  // namespace forebay::cli
