// Get and Take: rows by key or by `_rowid`, of one snapshot.
#include <arrow/array/array_base.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <utility>

#include "base/no_throw.h"
#include "table/table_impl.h"

namespace forebay {
namespace {

Result<std::shared_ptr<arrow::RecordBatch>> ToBatch(const table::Version& version,
                                                    const table::Projection& projection,
                                                    const std::vector<table::RowPlace>& rows) {
  auto columns = projection.Take(version, rows);
  if (!columns.ok()) {
    return columns.status();
  }
  return arrow::RecordBatch::Make(projection.schema(), static_cast<std::int64_t>(rows.size()),
                                  *std::move(columns));
}

}  // namespace

std::optional<table::RowPlace> Table::Impl::FindKey(const table::Version& version,
                                                    const table::Key& key) const {
  if (const auto ordinal = keys_.Find(key); ordinal.has_value()) {
    return table::RowPlace{version.memtable_place(), *ordinal};
  }
  return version.FindOlder(key);
}

Result<std::shared_ptr<arrow::RecordBatch>> Table::Impl::Get(
    const arrow::Array& keys, const std::vector<std::string>& columns) const {
  return NoThrow([&]() -> Result<std::shared_ptr<arrow::RecordBatch>> {
    if (Status good = CheckKeys(keys); !good.ok()) {
      return good;
    }
    const auto projection = Project(columns);
    if (!projection.ok()) {
      return projection.status();
    }
    const std::vector<table::Key> sought = table::KeysOf(keys);
    std::vector<table::RowPlace> rows;
    std::shared_lock lock(keys_mutex_);
    const auto version = Current();
    if (!version.ok()) {
      return version.status();
    }
    for (const table::Key& key : sought) {
      if (const auto row = FindKey(**version, key); row.has_value()) {
        rows.push_back(*row);
      }
    }
    lock.unlock();
    return ToBatch(**version, *projection, rows);
  });
}

Result<std::shared_ptr<arrow::RecordBatch>> Table::Impl::Take(
    std::span<const std::uint64_t> row_ids, const std::vector<std::string>& columns) const {
  return NoThrow([&]() -> Result<std::shared_ptr<arrow::RecordBatch>> {
    const auto projection = Project(columns);
    if (!projection.ok()) {
      return projection.status();
    }
    const auto version = Current();
    if (!version.ok()) {
      return version.status();
    }
    std::vector<table::RowPlace> rows;
    for (const std::uint64_t row_id : row_ids) {
      if (const auto row = (*version)->FindRow(row_id); row.has_value()) {
        rows.push_back(*row);
      }
    }
    return ToBatch(**version, *projection, rows);
  });
}

}  // namespace forebay
