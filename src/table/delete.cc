// Delete: choose the rows when it is this call's turn, log their `_rowid`s, publish their deaths.
#include <arrow/array/array_base.h>
#include <arrow/compute/expression.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/no_throw.h"
#include "table/arrow_status.h"
#include "table/filter.h"
#include "table/table_impl.h"

namespace forebay {

using table::RowPlace;

Status Table::Impl::CheckKeys(const arrow::Array& keys) const {
  const auto column = schema_.key_column();
  if (!column.has_value()) {
    return Status::FailedPrecondition(
        "this table has no primary key; find its rows by a filter, or by _rowid");
  }
  const arrow::Field& field = *schema_.arrow()->field(*column);
  if (!keys.type()->Equals(*field.type())) {
    return Status::InvalidArgument(fmt::format("keys must be {}, as column '{}' is; got {}",
                                               field.type()->ToString(), field.name(),
                                               keys.type()->ToString()));
  }
  if (Status valid = table::FromArrow(keys.Validate()); !valid.ok()) {
    return valid;
  }
  if (keys.null_count() > 0) {
    return Status::InvalidArgument(
        fmt::format("keys must not be null; {} of {} are", keys.null_count(), keys.length()));
  }
  return Status::Ok();
}

Result<std::uint64_t> Table::Impl::DeleteRows(
    const std::function<Result<std::vector<RowPlace>>(const table::Version&)>& choose) {
  Write write;
  std::uint64_t num_deleted = 0;
  write.alone = [&]() -> Status {
    if (Status writable = CheckWritable(); !writable.ok()) {
      return writable;
    }
    const auto rows = choose(*version_);
    if (!rows.ok()) {
      return rows.status();
    }
    num_deleted = rows->size();
    return CommitDeaths(version_, *rows);
  };
  Status committed = Commit(&write);
  return committed.ok() ? Result<std::uint64_t>(num_deleted) : Result<std::uint64_t>(committed);
}

Result<std::uint64_t> Table::Impl::Delete(const arrow::Array& keys) {
  return NoThrow([&]() -> Result<std::uint64_t> {
    if (Status good = CheckKeys(keys); !good.ok()) {
      return good;
    }
    const std::vector<table::Key> sought = table::KeysOf(keys);
    return DeleteRows([&](const table::Version& version) -> Result<std::vector<RowPlace>> {
      std::vector<RowPlace> rows;
      for (const table::Key& key : sought) {
        if (const auto row = FindKey(version, key); row.has_value()) {
          rows.push_back(*row);
        }
      }
      std::sort(rows.begin(), rows.end());
      rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
      return rows;
    });
  });
}

Result<std::uint64_t> Table::Impl::Delete(const arrow::compute::Expression& filter) {
  return NoThrow([&]() -> Result<std::uint64_t> {
    const auto bound = Bind(&filter);
    if (!bound.ok()) {
      return bound.status();
    }
    return DeleteRows([&](const table::Version& version) -> Result<std::vector<RowPlace>> {
      std::vector<RowPlace> rows;
      for (std::uint32_t source = 0; source < version.sources.size(); ++source) {
        const auto live = Eligible(*version.sources[source], &**bound);
        if (!live.ok()) {
          return live.status();
        }
        live->ForEach([&](std::uint32_t ordinal) { rows.push_back({source, ordinal}); });
      }
      return rows;
    });
  });
}

}  // namespace forebay
