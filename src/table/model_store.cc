#include "table/model_store.h"

#include <fmt/format.h>

#include <string>

#include "table/file_names.h"

namespace forebay::table {

Status WriteModel(storage::Directory* directory, const IvfPqModel& model) {
  const std::string name = ModelName(model.fingerprint());
  if (Status removed = storage::RemoveIfThere(directory, name); !removed.ok()) {
    return removed;
  }
  auto file = directory->Create(name);
  if (!file.ok()) {
    return file.status();
  }
  if (Status written = (*file)->Append(model.Serialize()); !written.ok()) {
    return written;
  }
  if (Status synced = (*file)->Sync(); !synced.ok()) {
    return synced;
  }
  return directory->SyncNames();
}

Result<IvfPqModel> ReadModel(const storage::Directory& directory, std::uint64_t fingerprint) {
  const std::string name = ModelName(fingerprint);
  const auto bytes = directory.Read(name);
  if (!bytes.ok()) {
    return bytes.status();
  }
  Result<IvfPqModel> model = IvfPqModel::Parse(*bytes);
  if (!model.ok()) {
    return Status(model.status().code(),
                  fmt::format("{}: {}", directory.PathOf(name), model.status().message()));
  }
  if (model->fingerprint() != fingerprint) {
    return Status::Corruption(fmt::format(
        "{}: it holds another model; restore the file from a copy", directory.PathOf(name)));
  }
  return model;
}

}  // namespace forebay::table
