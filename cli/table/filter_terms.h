// What the parser of filters builds from: checked Arrow expressions.
//
// Errors are thrown as FilterFault; the parser knows where they belong.
#pragma once

#include <arrow/compute/expression.h>
#include <arrow/type_fwd.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace forebay::cli {

struct FilterFault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A part of a filter.
struct FilterTerm {
  arrow::compute::Expression expression;
  int depth = 1;  ///< Of calls within calls: what walks through them recurses.
};

/// All of the following check that the types fit, and that the depth stays below a limit.
class FilterTerms {
 public:
  explicit FilterTerms(const arrow::Schema& schema) : schema_(schema) {}

  [[nodiscard]] FilterTerm Column(const std::string& name) const;
  /// Of decimal digits; what int64 can't hold must fit uint64.
  [[nodiscard]] FilterTerm Integer(std::string_view digits) const;
  [[nodiscard]] FilterTerm Float(std::string_view text) const;
  [[nodiscard]] FilterTerm String(std::string text) const;
  [[nodiscard]] FilterTerm Bool(bool value) const;
  [[nodiscard]] FilterTerm Null() const;

  /// `name` is an operator of the language, in lower case: "+", "<>", "and".
  [[nodiscard]] FilterTerm Binary(std::string_view name, const FilterTerm& left,
                                  const FilterTerm& right) const;
  [[nodiscard]] FilterTerm Negative(FilterTerm term) const;
  [[nodiscard]] FilterTerm Not(FilterTerm term) const;
  [[nodiscard]] FilterTerm IsNull(FilterTerm term) const;
  [[nodiscard]] FilterTerm Like(FilterTerm term, std::string pattern) const;
  [[nodiscard]] FilterTerm In(const FilterTerm& term, const std::vector<FilterTerm>& values) const;
  /// Of a function of the language, or of Arrow.
  [[nodiscard]] FilterTerm Call(std::string_view name, std::vector<FilterTerm> arguments) const;

 private:
  [[nodiscard]] FilterTerm Checked(arrow::compute::Expression expression, int depth) const;

  const arrow::Schema& schema_;
};

}  // namespace forebay::cli
