// What there is to say about a model, for people and for machines.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

#include "forebay/model.h"

namespace forebay::cli {

/// `bytes` is the size of the model's file.
nlohmann::ordered_json ModelJson(const IvfPqModel& model, std::size_t bytes);

/// Lines of "name    value".
std::string ModelText(const IvfPqModel& model, std::size_t bytes);

}  // namespace forebay::cli
