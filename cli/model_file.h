// A model as it lies in a file.
#pragma once

#include <cstddef>
#include <filesystem>

#include "forebay/model.h"
#include "forebay/status.h"

namespace forebay::cli {

struct ModelFile {
  IvfPqModel model;
  std::size_t bytes = 0;
};

/// Errors name the file.
Result<ModelFile> ReadModelFile(const std::filesystem::path& path);

}  // namespace forebay::cli
