// forebay verify: whether a table is whole.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Option.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "quantities.h"
#include "table/open_table.h"
#include "table/table_verbs.h"

namespace forebay::cli {
namespace {

struct VerifyFlags {
  std::filesystem::path table;
  bool json = false;
};

void Report(const VerifyFlags& flags, const VerifyReport& report) {
  if (flags.json) {
    const nlohmann::ordered_json json = {{"table", flags.table.string()},
                                         {"rows", report.num_rows},
                                         {"codes", report.num_codes},
                                         {"keys", report.num_keys},
                                         {"log_records", report.num_log_records}};
    fmt::print("{}\n", json.dump());
    return;
  }
  fmt::print(
      "{} is whole:\n"
      "  {} log records, the manifest and the generations, with the right checksums\n"
      "  {} rows, each found by an exhaustive search\n"
      "  {} codes, each that of its vector\n"
      "  {} keys, all different\n",
      flags.table.string(), Count(report.num_log_records), Count(report.num_rows),
      Count(report.num_codes), Count(report.num_keys));
}

Status RunVerify(const VerifyFlags& flags) {
  const Result<Table> table = OpenForReading(flags.table);
  if (!table.ok()) {
    return table.status();
  }
  const Result<VerifyReport> report = table->Verify();
  if (!report.ok()) {
    return report.status();
  }
  Report(flags, *report);
  return Status::Ok();
}

}  // namespace

Verb AddVerify(CLI::App& app) {
  const auto flags = std::make_shared<VerifyFlags>();
  CLI::App* const command = app.add_subcommand("verify", "Check all of a table.");
  AddTablePath(*command, flags->table);
  command->add_flag("--json", flags->json, "Print one JSON object");
  command->footer(
      "Reads the files and checks their checksums, the codes, the keys, and that each row is\n"
      "found. Takes as long as putting all rows anew. The exit code is 1 where there is a fault.\n"
      "\n"
      "Examples:\n"
      "  forebay verify words\n"
      "  forebay verify words --json");
  return {command, [flags] { return RunVerify(*flags); }};
}

}  // namespace forebay::cli
