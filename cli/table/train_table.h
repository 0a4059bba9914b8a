// forebay train, of a table.
#pragma once

#include <filesystem>

#include "forebay/status.h"
#include "training.h"

namespace forebay::cli {

/// Trains on the table's rows; the table uses the model from then on.
Status TrainTable(const std::filesystem::path& path, const TrainingFlags& flags, bool json);

}  // namespace forebay::cli
