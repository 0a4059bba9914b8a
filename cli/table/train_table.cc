#include "table/train_table.h"

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "model_report.h"
#include "progress.h"
#include "quantities.h"
#include "table/open_table.h"

namespace forebay::cli {
namespace {

void Report(const std::filesystem::path& path, const IvfPqModel& model, std::uint64_t rows,
            double seconds, bool json) {
  const std::size_t bytes = model.Serialize().size();
  if (json) {
    nlohmann::ordered_json report = {
        {"table", path.string()}, {"rows", rows}, {"seconds", seconds}};
    report.update(ModelJson(model, bytes));
    fmt::print("{}\n", report.dump());
    return;
  }
  fmt::print("trained on {} rows in {}\n{}used by       {}\n", Count(rows), Duration(seconds * 1e6),
             ModelText(model, bytes), path.string());
}

Result<TrainOptions> Resolve(const Table& table, TrainingFlags flags, std::uint64_t num_rows) {
  const std::string metric(MetricName(table.metric()));
  if (const std::string asked = flags.metric.value_or(metric); asked != metric) {
    return Status::InvalidArgument(
        fmt::format("the table's metric is {}, and stays so; got --metric {}", metric, asked));
  }
  flags.metric = metric;
  return ResolveTraining(flags, num_rows, table.dim());
}

}  // namespace

Status TrainTable(const std::filesystem::path& path, const TrainingFlags& flags, bool json) {
  return WithTable(path, {.num_threads = flags.num_threads}, [&](Table& table) {
    const Result<TableStats> stats = table.stats();
    if (!stats.ok()) {
      return stats.status();
    }
    auto options = Resolve(table, flags, stats->num_rows);
    if (!options.ok()) {
      return options.status();
    }
    Progress progress(!json);
    ShowProgress(*options, progress);
    const auto start = std::chrono::steady_clock::now();
    Status trained = table.Train(*options);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    progress.Clear();
    if (trained.ok()) {
      Report(path, *table.model(), stats->num_rows, took.count(), json);
    }
    return trained;
  });
}

}  // namespace forebay::cli
