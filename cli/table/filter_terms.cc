#include "table/filter_terms.h"

#include <arrow/compute/api_scalar.h>
#include <arrow/compute/function.h>
#include <arrow/compute/registry.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <system_error>
#include <utility>

namespace forebay::cli {
namespace {

namespace cp = arrow::compute;

constexpr int kMaxDepth = 250;

using Names = std::pair<std::string_view, std::string_view>;  // The language's, Arrow's.

constexpr std::array<Names, 14> kOperators = {{
    {"+", "add_checked"},
    {"-", "subtract_checked"},
    {"*", "multiply_checked"},
    {"/", "divide_checked"},
    {"=", "equal"},
    {"==", "equal"},
    {"!=", "not_equal"},
    {"<>", "not_equal"},
    {"<", "less"},
    {"<=", "less_equal"},
    {">", "greater"},
    {">=", "greater_equal"},
    {"and", "and_kleene"},
    {"or", "or_kleene"},
}};
constexpr std::array<Names, 4> kAliases = {{
    {"length", "utf8_length"},
    {"lower", "utf8_lower"},
    {"upper", "utf8_upper"},
    {"trim", "utf8_trim_whitespace"},
}};
/// Functions of a text and a constant text, which Arrow takes as an option.
constexpr std::array<Names, 4> kPatternFunctions = {{
    {"starts_with", "starts_with"},
    {"ends_with", "ends_with"},
    {"contains", "match_substring"},
    {"matches", "match_substring_regex"},
}};

template <std::size_t size>
std::optional<std::string> Find(const std::array<Names, size>& names, std::string_view wanted) {
  const auto* const found = std::find_if(names.begin(), names.end(),
                                         [&](const Names& pair) { return pair.first == wanted; });
  return found == names.end() ? std::nullopt : std::optional(std::string(found->second));
}

/// The same number as uint64 where it is not negative: Arrow compares uint64 with int64 by a cast
/// to int64, which large numbers don't survive.
cp::Expression Unsigned(const cp::Expression& expression) {
  const arrow::Datum* const literal = expression.literal();
  if (literal == nullptr || !literal->is_scalar() || literal->type()->id() != arrow::Type::INT64) {
    return expression;
  }
  const std::int64_t value = literal->scalar_as<arrow::Int64Scalar>().value;
  return value < 0 ? expression : cp::literal(static_cast<std::uint64_t>(value));
}

bool IsComparison(std::string_view function) {
  constexpr std::array<std::string_view, 6> kComparisons = {
      "equal", "not_equal", "less", "less_equal", "greater", "greater_equal"};
  return std::find(kComparisons.begin(), kComparisons.end(), function) != kComparisons.end();
}

std::string PatternOf(std::string_view function, const std::vector<FilterTerm>& arguments) {
  const arrow::Datum* const text =
      arguments.size() == 2 ? arguments[1].expression.literal() : nullptr;
  if (text == nullptr || text->type()->id() != arrow::Type::STRING) {
    throw FilterFault(fmt::format("expected {}(a text, 'a constant')", function));
  }
  return text->scalar()->ToString();
}

/// Whether Arrow has a function that can be called like this.
void CheckFunction(const std::string& name, std::size_t num_arguments) {
  const auto function = cp::GetFunctionRegistry()->GetFunction(name);
  if (!function.ok() || (*function)->kind() != cp::Function::SCALAR) {
    throw FilterFault(fmt::format("there is no function '{}'", name));
  }
  if ((*function)->doc().options_required) {
    throw FilterFault(fmt::format("function '{}' needs options that a filter cannot give", name));
  }
  const cp::Arity& arity = (*function)->arity();
  const auto expected = static_cast<std::size_t>(arity.num_args);
  if (arity.is_varargs ? num_arguments < expected : num_arguments != expected) {
    throw FilterFault(fmt::format("function '{}' takes {}{} argument{}, got {}", name,
                                  arity.is_varargs ? "at least " : "", expected,
                                  expected == 1 ? "" : "s", num_arguments));
  }
}

}  // namespace

FilterTerm FilterTerms::Checked(cp::Expression expression, int depth) const {
  if (depth > kMaxDepth) {
    throw FilterFault(fmt::format(
        "the filter is too deep: {} calls within each other or in a row are allowed", kMaxDepth));
  }
  if (const auto bound = expression.Bind(schema_); !bound.ok()) {
    throw FilterFault(bound.status().message());
  }
  return {std::move(expression), depth};
}

FilterTerm FilterTerms::Column(const std::string& name) const {
  if (schema_.GetFieldIndex(name) < 0) {
    throw FilterFault(fmt::format("there is no column '{}'; the table has: {}", name,
                                  fmt::join(schema_.field_names(), ", ")));
  }
  return {cp::field_ref(name)};
}

FilterTerm FilterTerms::Integer(std::string_view digits) const {
  std::uint64_t value = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc()) {
    throw FilterFault(fmt::format("the number {} is too large for 64 bits", digits));
  }
  constexpr std::uint64_t kMaxSigned = std::numeric_limits<std::int64_t>::max();
  return {value <= kMaxSigned ? cp::literal(static_cast<std::int64_t>(value)) : cp::literal(value)};
}

FilterTerm FilterTerms::Float(std::string_view text) const {
  double value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) {
    throw FilterFault(fmt::format("the number {} is too large or too small", text));
  }
  return {cp::literal(value)};
}

FilterTerm FilterTerms::String(std::string text) const { return {cp::literal(std::move(text))}; }

FilterTerm FilterTerms::Bool(bool value) const { return {cp::literal(value)}; }

FilterTerm FilterTerms::Null() const {
  return {cp::literal(arrow::Datum(std::make_shared<arrow::NullScalar>()))};
}

FilterTerm FilterTerms::Binary(std::string_view name, const FilterTerm& left,
                               const FilterTerm& right) const {
  const std::string function = Find(kOperators, name).value_or("");
  const int depth = 1 + std::max(left.depth, right.depth);
  const bool compares = IsComparison(function);
  return Checked(cp::call(function, {compares ? Unsigned(left.expression) : left.expression,
                                     compares ? Unsigned(right.expression) : right.expression}),
                 depth);
}

FilterTerm FilterTerms::Negative(FilterTerm term) const {
  const arrow::Datum* const literal = term.expression.literal();
  if (literal != nullptr && literal->type()->id() == arrow::Type::INT64) {
    return {cp::literal(-literal->scalar_as<arrow::Int64Scalar>().value)};
  }
  if (literal != nullptr && literal->type()->id() == arrow::Type::UINT64) {
    constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
    const std::uint64_t value = literal->scalar_as<arrow::UInt64Scalar>().value;
    if (value != static_cast<std::uint64_t>(kMin)) {
      throw FilterFault(fmt::format("the number -{} is too small for 64 bits", value));
    }
    return {cp::literal(kMin)};
  }
  return Checked(cp::call("negate_checked", {std::move(term.expression)}), term.depth + 1);
}

FilterTerm FilterTerms::Not(FilterTerm term) const {
  return Checked(cp::not_(std::move(term.expression)), term.depth + 1);
}

FilterTerm FilterTerms::IsNull(FilterTerm term) const {
  return Checked(cp::is_null(std::move(term.expression)), term.depth + 1);
}

FilterTerm FilterTerms::Like(FilterTerm term, std::string pattern) const {
  return Checked(cp::call("match_like", {std::move(term.expression)},
                          cp::MatchSubstringOptions(std::move(pattern))),
                 term.depth + 1);
}

FilterTerm FilterTerms::In(const FilterTerm& term, const std::vector<FilterTerm>& values) const {
  std::vector<FilterTerm> terms;
  terms.reserve(values.size());
  for (const FilterTerm& value : values) {
    terms.push_back(Binary("=", term, value));
  }
  while (terms.size() > 1) {  // Two by two, so that a long list is not a deep filter.
    std::vector<FilterTerm> fewer;
    for (std::size_t i = 0; i < terms.size(); i += 2) {
      fewer.push_back(i + 1 < terms.size() ? Binary("or", terms[i], terms[i + 1]) : terms[i]);
    }
    terms = std::move(fewer);
  }
  return terms.front();
}

FilterTerm FilterTerms::Call(std::string_view name, std::vector<FilterTerm> arguments) const {
  int depth = 0;
  for (const FilterTerm& argument : arguments) {
    depth = std::max(depth, argument.depth);
  }
  if (const auto function = Find(kPatternFunctions, name); function.has_value()) {
    cp::MatchSubstringOptions options(PatternOf(name, arguments));
    return Checked(cp::call(*function, {std::move(arguments[0].expression)}, std::move(options)),
                   depth + 1);
  }
  const std::string function = Find(kAliases, name).value_or(std::string(name));
  CheckFunction(function, arguments.size());
  std::vector<cp::Expression> expressions;
  expressions.reserve(arguments.size());
  for (FilterTerm& argument : arguments) {
    expressions.push_back(std::move(argument.expression));
  }
  return Checked(cp::call(function, std::move(expressions)), depth + 1);
}

}  // namespace forebay::cli
