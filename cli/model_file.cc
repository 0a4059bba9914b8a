#include "model_file.h"

#include <fmt/format.h>

#include "forebay/file.h"

namespace forebay::cli {

Result<ModelFile> ReadModelFile(const std::filesystem::path& path) {
  const auto bytes = ReadFile(path);
  if (!bytes.ok()) {
    return bytes.status();
  }
  auto model = IvfPqModel::Parse(*bytes);
  if (!model.ok()) {
    return Status(model.status().code(),
                  fmt::format("{}: {}", path.string(), model.status().message()));
  }
  return ModelFile{*std::move(model), bytes->size()};
}

}  // namespace forebay::cli
