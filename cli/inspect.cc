// forebay inspect: what a model file holds.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Option.hpp>
#include <filesystem>
#include <memory>

#include "model_file.h"
#include "model_report.h"
#include "verbs.h"

namespace forebay::cli {
namespace {

struct InspectFlags {
  std::filesystem::path model;
  bool json = false;
};

Status RunInspect(const InspectFlags& flags) {
  const Result<ModelFile> file = ReadModelFile(flags.model);
  if (!file.ok()) {
    return file.status();
  }
  fmt::print("{}", flags.json ? ModelJson(file->model, file->bytes).dump() + "\n"
                              : ModelText(file->model, file->bytes));
  return Status::Ok();
}

}  // namespace

Verb AddInspect(CLI::App& app) {
  const auto flags = std::make_shared<InspectFlags>();
  CLI::App* const command = app.add_subcommand("inspect", "Show what a model file holds.");
  command->add_option("MODEL", flags->model, "A file that train wrote")
      ->option_text(" ")
      ->required();
  command->add_flag("--json", flags->json, "Print one JSON object");
  command->footer(
      "Examples:\n"
      "  forebay inspect glove.model\n"
      "  forebay inspect glove.model --json | jq -r .fingerprint");
  return {command, [flags] { return RunInspect(*flags); }};
}

}  // namespace forebay::cli
