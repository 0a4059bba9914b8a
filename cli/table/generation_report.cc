#include "table/generation_report.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "quantities.h"

namespace forebay::cli {
namespace {

std::uint64_t BytesOf(const GenerationStats& generation) {
  return generation.row_bytes + generation.index_bytes + generation.key_bytes +
         generation.mask_bytes;
}

}  // namespace

GenerationTotals TotalsOf(const TableStats& stats) {
  GenerationTotals totals = {.count = stats.generations.size()};
  for (const GenerationStats& generation : stats.generations) {
    totals.num_rows += generation.num_rows;
    totals.num_dead += generation.num_dead;
    totals.num_bytes += BytesOf(generation);
  }
  return totals;
}

Result<TableChange> Observe(const Table& table, const std::function<Status()>& call) {
  Result<TableStats> before = table.stats();
  if (!before.ok()) {
    return before.status();
  }
  const auto start = std::chrono::steady_clock::now();
  if (Status called = call(); !called.ok()) {
    return called;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  Result<TableStats> after = table.stats();
  if (!after.ok()) {
    return after.status();
  }
  return TableChange{*std::move(before), *std::move(after), took.count()};
}

nlohmann::ordered_json GenerationJson(const GenerationStats& generation) {
  nlohmann::ordered_json json = {{"number", generation.number},
                                 {"rows", generation.num_rows},
                                 {"dead", generation.num_dead},
                                 {"bytes",
                                  {{"rows", generation.row_bytes},
                                   {"index", generation.index_bytes},
                                   {"keys", generation.key_bytes},
                                   {"mask", generation.mask_bytes}}},
                                 {"model", nullptr},
                                 {"quantization_error", nullptr},
                                 {"drift", nullptr}};
  if (generation.model_fingerprint.has_value()) {
    json["model"] = fmt::format("{:016x}", *generation.model_fingerprint);
  }
  if (generation.quantization_error.has_value()) {
    json["quantization_error"] = *generation.quantization_error;
  }
  if (generation.drift.has_value()) {
    json["drift"] = *generation.drift;
  }
  return json;
}

std::string GenerationText(const GenerationStats& generation) {
  std::string model = generation.model_fingerprint.has_value()
                          ? fmt::format("model {:016x}", *generation.model_fingerprint)
                          : "no model";
  if (generation.drift.has_value()) {
    model += fmt::format(", drift {:.2f}", *generation.drift);
  }
  return fmt::format("{}, and {} dead; {} bytes (rows {}, index {}, keys {}, mask {}); {}",
                     Count(generation.num_rows), Count(generation.num_dead),
                     Count(BytesOf(generation)), Count(generation.row_bytes),
                     Count(generation.index_bytes), Count(generation.key_bytes),
                     Count(generation.mask_bytes), model);
}

}  // namespace forebay::cli
