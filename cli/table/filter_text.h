// Filters as text: `length(word) > 3 and not word like 'a%'`.
//
//   values      12  1.5e3  'it''s'  true  false  null  column  "any column"
//   arithmetic  + - * /  -x            (integers stay integers; overflow is an error)
//   comparison  = == != <> < <= > >=  [not] in (a, b)  [not] like 'pattern'  is [not] null
//   logic       and  or  not           (of nulls as in SQL)
//   functions   length lower upper trim starts_with(s, 'x') ends_with contains matches(s, 'regex'),
//               and every scalar function of Arrow compute that needs no options, by its name
//
// Words may be written in any case.
#pragma once

#include <CLI/App.hpp>
#include <optional>
#include <string>

#include "forebay/status.h"

namespace arrow {
class Schema;
namespace compute {
class Expression;
}  // namespace compute
}  // namespace arrow

namespace forebay::cli {

/// kInvalidArgument says where, and what was expected there; an unknown column or function, or
/// operands of a wrong type, count. Arrow's compute functions must be there: open a table first.
Result<arrow::compute::Expression> ParseFilter(const std::string& text,
                                               const arrow::Schema& schema);

/// Adds --filter.
CLI::Option* AddFilterFlag(CLI::App& command, std::optional<std::string>& text);
/// Nothing when it was not given.
Result<std::optional<arrow::compute::Expression>> ParseFilterFlag(
    const std::optional<std::string>& text, const arrow::Schema& schema);

}  // namespace forebay::cli
