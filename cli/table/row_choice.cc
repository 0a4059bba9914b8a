#include "table/row_choice.h"

#include <arrow/array/array_base.h>
#include <arrow/array/builder_base.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <CLI/Option.hpp>
#include <span>
#include <utility>

#include "whole_number.h"

namespace forebay::cli {
namespace {

/// The keys or ids whose rows `get` does not find, which it is asked for one by one.
template <typename Get>
Result<std::vector<std::string>> FindMissing(const std::vector<std::string>& names,
                                             const Get& get) {
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Result<std::shared_ptr<arrow::RecordBatch>> row = get(i);
    if (!row.ok()) {
      return row.status();
    }
    if ((*row)->num_rows() == 0) {
      missing.push_back(names[i]);
    }
  }
  return missing;
}

template <typename Get>
Result<ChosenRows> Choose(Result<std::shared_ptr<arrow::RecordBatch>> rows,
                          const std::vector<std::string>& names, const Get& get) {
  if (!rows.ok()) {
    return rows.status();
  }
  ChosenRows chosen = {*std::move(rows), {}};
  if (static_cast<std::size_t>(chosen.rows->num_rows()) < names.size()) {
    auto missing = FindMissing(names, get);
    if (!missing.ok()) {
      return missing.status();
    }
    chosen.missing = *std::move(missing);
  }
  return chosen;
}

}  // namespace

void AddColumnsFlag(CLI::App& command, std::vector<std::string>& columns) {
  command.add_option("--columns", columns, "Columns to show, with commas between them")
      ->option_text("A,B,...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->group("Output");
}

CLI::Option* AddRowIdFlag(CLI::App& command, std::vector<std::uint64_t>& row_ids) {
  return command.add_option("--row-id", row_ids, "A row by its _rowid; may be given several times")
      ->option_text("N")
      ->allow_extra_args(false)
      ->check(WholeNumber(0));
}

Result<std::shared_ptr<arrow::Array>> ParseKeys(const Table& table,
                                                const std::vector<std::string>& texts) {
  const auto key = table.primary_key();
  if (!key.has_value()) {
    return Status::InvalidArgument(
        "this table has no primary key; name its rows by --row-id or --filter");
  }
  const auto type = table.schema()->GetFieldByName(*key)->type();
  auto builder = arrow::MakeBuilder(type);
  if (!builder.ok()) {
    return Status::InvalidArgument(builder.status().message());
  }
  for (const std::string& text : texts) {
    const auto parsed = arrow::Scalar::Parse(type, text);
    if (!parsed.ok() || !(*builder)->AppendScalar(**parsed).ok()) {
      return Status::InvalidArgument(fmt::format(
          "expected a key of {}, as column '{}' is; got '{}'", type->ToString(), *key, text));
    }
  }
  auto keys = (*builder)->Finish();
  return keys.ok() ? Result<std::shared_ptr<arrow::Array>>(*std::move(keys))
                   : Status::OutOfMemory(keys.status().message());
}

Result<ChosenRows> RowsByKey(const Table& table, const std::vector<std::string>& keys,
                             const std::vector<std::string>& columns) {
  const auto parsed = ParseKeys(table, keys);
  if (!parsed.ok()) {
    return parsed.status();
  }
  std::vector<std::string> names;
  names.reserve(keys.size());
  for (const std::string& key : keys) {
    names.push_back(fmt::format("key '{}'", key));
  }
  return Choose(table.Get(**parsed, columns), names, [&](std::size_t i) {
    return table.Get(*(*parsed)->Slice(static_cast<std::int64_t>(i), 1), {"_rowid"});
  });
}

Result<ChosenRows> RowsById(const Table& table, const std::vector<std::uint64_t>& row_ids,
                            const std::vector<std::string>& columns) {
  std::vector<std::string> names;
  names.reserve(row_ids.size());
  for (const std::uint64_t row_id : row_ids) {
    names.push_back(fmt::format("_rowid {}", row_id));
  }
  return Choose(table.Take(row_ids, columns), names, [&](std::size_t i) {
    return table.Take(std::span(row_ids).subspan(i, 1), {"_rowid"});
  });
}

Status RequireAll(const ChosenRows& chosen) {
  if (chosen.missing.empty()) {
    return Status::Ok();
  }
  return Status::FailedPrecondition(
      fmt::format("there is no row with {}", fmt::join(chosen.missing, ", ")));
}

}  // namespace forebay::cli
