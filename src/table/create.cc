// Create: the files of an empty table. The manifest comes last: without it there is no table.
#include <arrow/type.h>
#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/no_throw.h"
#include "table/file_names.h"
#include "table/model_store.h"
#include "table/table_impl.h"
#include "table/writer_lock.h"

namespace forebay {
namespace {

Status CheckModel(const IvfPqModel& model, Metric metric, std::size_t dim) {
  if (model.metric() != metric || model.dim() != dim) {
    return Status::InvalidArgument(fmt::format(
        "the model must be for {} and dimension {}, as the table is; it is for {} and {}",
        MetricName(metric), dim, MetricName(model.metric()), model.dim()));
  }
  return Status::Ok();
}

Status RequireNoTable(const storage::Directory& directory) {
  const auto manifest = table::LoadManifest(directory);
  if (manifest.ok()) {
    return Status::FailedPrecondition(fmt::format(
        "there is a table in {} already; open it, or choose another place", directory.PathOf("")));
  }
  if (manifest.status().code() != StatusCode::kFailedPrecondition) {
    return manifest.status();
  }
  const auto names = directory.List();
  if (!names.ok()) {
    return names.status();
  }
  for (const std::string& name : *names) {
    if (table::IsLogName(name)) {
      return Status::FailedPrecondition(fmt::format(
          "{} is the log of a table that has lost its manifest; restore that from a copy, "
          "or choose another place",
          directory.PathOf(name)));
    }
  }
  return Status::Ok();
}

}  // namespace

Result<table::Manifest> Table::Impl::Describe(const TableDefinition& definition,
                                              const TableOptions& options) {
  if (definition.schema == nullptr) {
    return Status::InvalidArgument("a table needs a schema; got a null pointer");
  }
  const auto schema =
      table::TableSchema::Make(definition.schema, definition.vector_column, definition.primary_key);
  if (!schema.ok()) {
    return schema.status();
  }
  if (Status good = schema->CheckNew(); !good.ok()) {
    return good;
  }
  if (options.read_only) {
    return Status::InvalidArgument("a new table cannot be read only");
  }
  if (Status good = CheckOptions(options, definition.metric, schema->dim()); !good.ok()) {
    return good;
  }
  auto serialized = schema->Serialize();
  if (!serialized.ok()) {
    return serialized.status();
  }
  // As it will be read: a field's metadata may make an extension type of it.
  const auto parsed = table::TableSchema::ParseArrow(*serialized);
  if (!parsed.ok() || !(*parsed)->Equals(*definition.schema)) {
    return Status::InvalidArgument(fmt::format(
        "the schema must be the same after Arrow has written and read it; it becomes: {}",
        parsed.ok() ? (*parsed)->ToString() : parsed.status().message()));
  }
  table::Manifest manifest = {.number = 1,
                              .schema = *std::move(serialized),
                              .vector_column = definition.vector_column,
                              .primary_key = definition.primary_key,
                              .metric = definition.metric};
  if (definition.model.has_value()) {
    Status fits = CheckModel(*definition.model, definition.metric, schema->dim());
    if (!fits.ok()) {
      return fits;
    }
    manifest.model_fingerprint = definition.model->fingerprint();
  }
  return manifest;
}

Result<Table> Table::Impl::Create(std::unique_ptr<storage::Directory> directory,
                                  const TableDefinition& definition, const TableOptions& options) {
  return NoThrow([&]() -> Result<Table> {
    const auto manifest = Describe(definition, options);
    if (!manifest.ok()) {
      return manifest.status();
    }
    auto lock = table::LockForWriting(directory.get());
    if (!lock.ok()) {
      return lock.status();
    }
    if (Status none = RequireNoTable(*directory); !none.ok()) {
      return none;
    }
    if (definition.model.has_value()) {
      Status written = table::WriteModel(directory.get(), *definition.model);
      if (!written.ok()) {
        return written;
      }
    }
    if (Status published = table::PublishManifest(directory.get(), *manifest); !published.ok()) {
      return published;
    }
    return ToTable(OpenLocked(std::move(directory), *std::move(lock), options));
  });
}

}  // namespace forebay
