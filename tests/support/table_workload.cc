#include "support/table_workload.h"

#include <arrow/array/array_base.h>
#include <arrow/compute/expression.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <stdexcept>
#include <utility>

#include "support/shared_directory.h"

namespace forebay::testing {
namespace {

std::optional<IvfPqModel> ModelOf(const TableWorkloadOptions& options) {
  const TableKind& kind = options.kind;
  return options.has_model ? std::optional(RandomModel({.metric = kind.metric,
                                                        .residual = kind.metric != Metric::kDot,
                                                        .num_partitions = 3,
                                                        .dim = static_cast<std::size_t>(kind.dim),
                                                        .num_sub_vectors = 2}))
                           : std::nullopt;
}

/// Nothing happens but what the calls ask for.
TableOptions TableOptionsOf(const TableWorkloadOptions& options) {
  return {.sync = options.sync, .merge_fan_in = 0};
}

void RequireCount(const Result<std::uint64_t>& count, std::size_t expected) {
  if (count.ok() && *count != expected) {
    throw std::runtime_error("Delete reported " + std::to_string(*count) + ", expected " +
                             std::to_string(expected));
  }
}

}  // namespace

TableWorkload::TableWorkload(const TableWorkloadOptions& options)
    : options_(options),
      definition_(DefinitionOf(options.kind, ModelOf(options))),
      states_({TableModel(options.kind)}) {
  Add({.call = TableCall::kCreate});
  if (!options.small) {
    AddAll();
  } else if (options.flushed) {
    AddSmallFlushed();
  } else {
    AddSmall();
  }
}

void TableWorkload::AddAll() {
  const auto numbers = [](std::int64_t low, std::int64_t high) {
    return TableFilter{TableFilter::Kind::kNumberBetween, low, high};
  };
  AddPut(3, 30);
  AddPut(1, 3);
  Add({.call = TableCall::kFlush});
  AddPut(40, 30);
  AddDelete({0, 1, 2, 100});
  Add({.call = TableCall::kFlush});
  AddDelete(numbers(20, 35));
  AddDelete({.kind = TableFilter::Kind::kNothing});
  Add({.call = TableCall::kTrain, .seed = 1});
  AddPut(5, 30);
  Add({.call = TableCall::kClose});
  Add({.call = TableCall::kOpen});
  AddPut(20, 30);
  Add({.call = TableCall::kFlush});
  AddDelete({.kind = TableFilter::Kind::kTextIsMissing});
  Add({.call = TableCall::kMerge});
  Add({.call = TableCall::kTrain, .seed = 2});
  AddPut(2, 30);
  AddPut(options_.large ? 700 : 50, 1000);
  Add({.call = TableCall::kFlush});
  AddPut(4, 30);
  Add({.call = TableCall::kMerge});
  Add({.call = TableCall::kClose});
  Add({.call = TableCall::kOpen});
  AddDelete(numbers(0, 90));
  Add({.call = TableCall::kFlush});
  AddPut(1, 2);
  Add({.call = TableCall::kClose});
}

void TableWorkload::AddSmall() {
  AddPut(2, 5);
  AddPut(24, 60);
  AddDelete({1, 2, 3, 4});
  if (!options_.has_model) {
    Add({.call = TableCall::kTrain, .seed = 1});
  }
  AddPut(1, 5);
  AddDelete({.kind = TableFilter::Kind::kNumberBetween, .low = 0, .high = 20});
  AddPut(2, 5);
}

void TableWorkload::AddSmallFlushed() {
  AddPut(14, 20);
  Add({.call = TableCall::kFlush});
  AddPut(6, 20);
  AddDelete({.kind = TableFilter::Kind::kNumberBetween, .low = 0, .high = 30});
  Add({.call = TableCall::kFlush});  // With a mask for the first.
  AddPut(1, 20);
  AddDelete({.kind = TableFilter::Kind::kNumberBetween, .low = 30, .high = 50});
}

void TableWorkload::Add(Step step) {
  steps_.push_back(std::move(step));
  states_.resize(steps_.size() + 1, states_.back());
}

void TableWorkload::AddPut(std::size_t num_rows, std::uint64_t num_keys) {
  std::vector<TableRow> rows;
  for (std::size_t i = 0; i < num_rows; ++i) {
    rows.push_back(RandomRow(options_.kind, random_.Below(num_keys), &random_));
  }
  Add({.call = TableCall::kPut, .batch = BatchOf(options_.kind, rows)});
  steps_.back().count = states_.back().Put(rows);
}

void TableWorkload::AddDelete(std::vector<std::uint64_t> keys) {
  if (options_.kind.key == KeyKind::kNone) {
    AddDelete({.kind = TableFilter::Kind::kTextIs, .text = "x1"});
    return;
  }
  Add({.call = TableCall::kDeleteKeys, .keys = std::move(keys)});
  steps_.back().count = states_.back().Delete(steps_.back().keys);
}

void TableWorkload::AddDelete(const TableFilter& filter) {
  Add({.call = TableCall::kDeleteWhere, .filter = filter});
  steps_.back().count = states_.back().Delete(filter);
}

Result<Table> TableWorkload::Open(const std::shared_ptr<storage::Directory>& directory) const {
  return Table::Impl::Open(std::make_unique<SharedDirectory>(directory), TableOptionsOf(options_));
}

Result<Table> TableWorkload::Create(const std::shared_ptr<storage::Directory>& directory) const {
  return Table::Impl::Create(std::make_unique<SharedDirectory>(directory), definition_,
                             TableOptionsOf(options_));
}

Status TableWorkload::DoPut(const Step& step, const TableModel& before, Table* table) const {
  const auto report = table->Put(*step.batch);
  if (report.ok() && (report->first_row_id != before.next_row_id() ||
                      report->num_rows != static_cast<std::size_t>(step.batch->num_rows()) ||
                      report->num_replaced != step.count)) {
    throw std::runtime_error("Put reported first_row_id " + std::to_string(report->first_row_id) +
                             ", num_rows " + std::to_string(report->num_rows) + ", num_replaced " +
                             std::to_string(report->num_replaced));
  }
  return report.status();
}

Status TableWorkload::Do(std::size_t i, const std::shared_ptr<storage::Directory>& directory,
                         std::optional<Table>* table) const {
  const Step& step = steps_[i];
  switch (step.call) {
    case TableCall::kCreate:
    case TableCall::kOpen: {
      auto opened = step.call == TableCall::kOpen ? Open(directory) : Create(directory);
      if (opened.ok()) {
        table->emplace(*std::move(opened));
      }
      return opened.status();
    }
    case TableCall::kPut:
      return DoPut(step, states_[i], &**table);
    case TableCall::kDeleteKeys: {
      const auto count = (*table)->Delete(*KeyArray(options_.kind, step.keys));
      RequireCount(count, step.count);
      return count.status();
    }
    case TableCall::kDeleteWhere: {
      const auto count = (*table)->Delete(step.filter.ToArrow());
      RequireCount(count, step.count);
      return count.status();
    }
    case TableCall::kTrain:
      return (*table)->Train({.num_partitions = 3,
                              .num_sub_vectors = 2,
                              .num_bits = 4,
                              .max_iters = 2,
                              .pq_max_iters = 2,
                              .seed = step.seed});
    case TableCall::kFlush:
      return (*table)->Flush();
    case TableCall::kMerge:
      return (*table)->Merge();
    case TableCall::kClose: {
      Status closed = (*table)->Close();
      table->reset();
      return closed;
    }
  }
  throw std::runtime_error("no such call");
}

std::size_t TableWorkload::Run(const std::shared_ptr<storage::Directory>& directory,
                               std::optional<Table>* table) const {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (!Do(i, directory, table).ok()) {
      return i;
    }
  }
  return steps_.size();
}

}  // namespace forebay::testing
