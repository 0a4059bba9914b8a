// Scan and Count: the live rows of one snapshot, batch by batch.
#include <arrow/compute/expression.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <optional>
#include <utility>
#include <vector>

#include "base/no_throw.h"
#include "table/filter.h"
#include "table/row_runs.h"
#include "table/table_impl.h"

namespace forebay {
namespace {

using table::Projection;
using table::RowBatch;
using table::Source;
using table::Version;

arrow::Status ToArrow(const Status& status) {
  return status.code() == StatusCode::kOutOfMemory ? arrow::Status::OutOfMemory(status.message())
                                                   : arrow::Status::Invalid(status.message());
}

/// Reads a version, which it keeps alive.
class LiveRowReader final : public arrow::RecordBatchReader {
 public:
  LiveRowReader(std::shared_ptr<const Version> version,
                std::optional<arrow::compute::Expression> filter, Projection projection)
      : version_(std::move(version)),
        filter_(std::move(filter)),
        projection_(std::move(projection)) {}

  [[nodiscard]] std::shared_ptr<arrow::Schema> schema() const override {
    return projection_.schema();
  }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* out) override {
    *out = nullptr;
    while (*out == nullptr && source_ < version_->sources.size()) {
      const Source& source = *version_->sources[source_];
      if (batch_ == source.rows.batches().size()) {
        ++source_;
        batch_ = 0;
        continue;
      }
      ARROW_ASSIGN_OR_RAISE(auto rows, LiveRowsOf(source, *source.rows.batches()[batch_++]));
      if (rows->num_rows() > 0) {
        *out = std::move(rows);
      }
    }
    return arrow::Status::OK();
  }

 private:
  [[nodiscard]] arrow::Result<std::shared_ptr<arrow::RecordBatch>> LiveRowsOf(
      const Source& source, const RowBatch& batch) const {
    const auto all = projection_.Of(batch);
    if (!all.ok()) {
      return ToArrow(all.status());
    }
    if (!filter_.has_value() && source.dead == nullptr) {
      return *all;
    }
    std::vector<table::RowRun> runs;
    const Status chosen =
        table::ForEachLive(source, batch, filter_.has_value() ? &*filter_ : nullptr,
                           [&](std::int64_t i) { table::AppendRow(i, &runs); });
    if (!chosen.ok()) {
      return ToArrow(chosen);
    }
    auto rows = table::KeepRuns(**all, runs);
    if (!rows.ok()) {
      return ToArrow(rows.status());
    }
    return *std::move(rows);
  }

  const std::shared_ptr<const Version> version_;
  const std::optional<arrow::compute::Expression> filter_;
  const Projection projection_;
  std::size_t source_ = 0;  // The next batch is this one's
  std::size_t batch_ = 0;   // of this number.
};

}  // namespace

Result<std::optional<arrow::compute::Expression>> Table::Impl::Bind(
    const arrow::compute::Expression* filter) const {
  if (filter == nullptr) {
    return std::optional<arrow::compute::Expression>();
  }
  auto bound = table::BindFilter(*filter, *schema_.arrow());
  if (!bound.ok()) {
    return bound.status();
  }
  return std::optional<arrow::compute::Expression>(*std::move(bound));
}

Result<Projection> Table::Impl::Project(const std::vector<std::string>& columns) const {
  return columns.empty() ? Projection::All(schema_) : Projection::Make(schema_, columns);
}

Result<std::shared_ptr<arrow::RecordBatchReader>> Table::Impl::Scan(
    const arrow::compute::Expression* filter, const std::vector<std::string>& columns) const {
  return NoThrow([&]() -> Result<std::shared_ptr<arrow::RecordBatchReader>> {
    auto version = Current();
    if (!version.ok()) {
      return version.status();
    }
    auto bound = Bind(filter);
    if (!bound.ok()) {
      return bound.status();
    }
    auto projection = Project(columns);
    if (!projection.ok()) {
      return projection.status();
    }
    return std::make_shared<LiveRowReader>(*std::move(version), *std::move(bound),
                                           *std::move(projection));
  });
}

Result<std::uint64_t> Table::Impl::Count(const arrow::compute::Expression* filter) const {
  return NoThrow([&]() -> Result<std::uint64_t> {
    const auto version = Current();
    if (!version.ok()) {
      return version.status();
    }
    if (filter == nullptr) {
      return (*version)->num_live();
    }
    const auto bound = Bind(filter);
    if (!bound.ok()) {
      return bound.status();
    }
    std::uint64_t count = 0;
    for (const auto& source : (*version)->sources) {
      const auto live = Eligible(*source, &**bound);
      if (!live.ok()) {
        return live.status();
      }
      count += live->Count();
    }
    return count;
  });
}

}  // namespace forebay
