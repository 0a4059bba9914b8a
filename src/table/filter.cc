#include "table/filter.h"

#include <arrow/array/array_primitive.h>
#include <arrow/array/util.h>
#include <arrow/compute/exec.h>
#include <arrow/compute/expression.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <memory>
#include <utility>
#include <vector>

#include "table/arrow_status.h"
#include "table/row_runs.h"
#include "table/source.h"

namespace forebay::table {
namespace {

Status FilterFault(const arrow::Status& status) {
  return FromArrow(status.WithMessage("the filter: ", status.message()));
}

/// A filter that is one value for all rows, or an array.
Result<std::shared_ptr<arrow::BooleanArray>> AsArray(const arrow::Datum& result,
                                                     std::int64_t num_rows) {
  if (result.is_scalar()) {
    auto repeated = arrow::MakeArrayFromScalar(*result.scalar(), num_rows);
    return repeated.ok() ? Result<std::shared_ptr<arrow::BooleanArray>>(
                               std::static_pointer_cast<arrow::BooleanArray>(*repeated))
                         : FilterFault(repeated.status());
  }
  return std::static_pointer_cast<arrow::BooleanArray>(result.make_array());
}

/// For each row of a batch whether the filter is true.
Result<std::shared_ptr<arrow::BooleanArray>> Evaluate(const arrow::compute::Expression& bound,
                                                      const arrow::RecordBatch& batch) {
  auto input = arrow::compute::MakeExecBatch(*batch.schema(), arrow::Datum(batch));
  if (!input.ok()) {
    return FilterFault(input.status());
  }
  auto result = arrow::compute::ExecuteScalarExpression(bound, *input);
  if (!result.ok()) {
    return FilterFault(result.status());
  }
  return AsArray(*result, batch.num_rows());
}

bool IsTrue(const arrow::BooleanArray& chosen, std::int64_t i) {
  return chosen.IsValid(i) && chosen.Value(i);
}

}  // namespace

Result<arrow::compute::Expression> BindFilter(const arrow::compute::Expression& filter,
                                              const arrow::Schema& schema) {
  if (!filter.is_valid()) {
    return Status::InvalidArgument("the filter is an empty expression; leave it out for all rows");
  }
  auto bound = filter.Bind(schema);
  if (!bound.ok()) {
    return FilterFault(bound.status());
  }
  if (!bound->IsScalarExpression()) {
    return Status::InvalidArgument(fmt::format(
        "the filter must go by each row alone; {} looks at several", filter.ToString()));
  }
  if (bound->type()->id() != arrow::Type::BOOL) {
    return Status::InvalidArgument(
        fmt::format("the filter must be true or false for a row; {} is {}", filter.ToString(),
                    bound->type()->ToString()));
  }
  return *std::move(bound);
}

Status ForEachLive(const Source& source, const RowBatch& batch,
                   const arrow::compute::Expression* bound,
                   const std::function<void(std::int64_t)>& body) {
  const std::int64_t num_rows = batch.batch->num_rows();
  const auto alive = [&](std::int64_t i) {
    return !source.IsDead(batch.first_ordinal + static_cast<std::uint32_t>(i));
  };
  if (bound == nullptr) {
    for (std::int64_t i = 0; i < num_rows; ++i) {
      if (alive(i)) {
        body(i);
      }
    }
    return Status::Ok();
  }
  if (const auto chosen = Evaluate(*bound, *batch.batch); chosen.ok()) {
    for (std::int64_t i = 0; i < num_rows; ++i) {
      if (alive(i) && IsTrue(**chosen, i)) {
        body(i);
      }
    }
    return Status::Ok();
  }
  // It may be a dead row that it fails for.
  const std::vector<RowRun> runs = RunsWhere(num_rows, alive);
  const auto live = KeepRuns(*batch.batch, runs);
  if (!live.ok()) {
    return live.status();
  }
  const auto chosen = Evaluate(*bound, **live);
  if (!chosen.ok()) {
    return chosen.status();
  }
  std::int64_t place = 0;
  for (const RowRun& run : runs) {
    for (std::int64_t i = run.first; i < run.first + run.count; ++i) {
      if (IsTrue(**chosen, place++)) {
        body(i);
      }
    }
  }
  return Status::Ok();
}

Result<RowSet> LiveRows(const Source& source, const arrow::compute::Expression* bound) {
  RowSet live(source.rows.size());
  for (const auto& batch : source.rows.batches()) {
    Status status = ForEachLive(source, *batch, bound, [&](std::int64_t i) {
      live.Add(batch->first_ordinal + static_cast<std::uint32_t>(i));
    });
    if (!status.ok()) {
      return status;
    }
  }
  return live;
}

}  // namespace forebay::table
