#include "table/filter_text.h"

#include <arrow/compute/expression.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <CLI/Option.hpp>
#include <algorithm>
#include <cctype>
#include <string_view>
#include <utility>
#include <vector>

#include "table/filter_grammar.h"
#include "table/filter_terms.h"

namespace forebay::cli {
namespace {

namespace grammar = filter_grammar;
namespace peg = tao::pegtl;
using Node = peg::parse_tree::node;

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

/// What stands between quotes, which are doubled in there.
std::string Unquote(std::string_view text, char quote) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    plain += text[i];
    i += text[i] == quote ? 1U : 0U;
  }
  return plain;
}

/// Makes an expression of a tree. Faults become errors at the node they are found in.
class Builder {
 public:
  explicit Builder(const arrow::Schema& schema) : make_(schema) {}

  [[nodiscard]] FilterTerm Build(const Node& node) const {
    return At(node, [&] { return BuildNode(node); });
  }

 private:
  template <typename Make>
  static FilterTerm At(const Node& node, const Make& make) {
    try {
      return make();
    } catch (const FilterFault& fault) {
      throw peg::parse_error(fault.what(), node.begin());
    }
  }

  [[nodiscard]] FilterTerm BuildNode(const Node& node) const {
    if (node.is_type<grammar::Integer>()) {
      return make_.Integer(node.string_view());
    }
    if (node.is_type<grammar::Float>()) {
      return make_.Float(node.string_view());
    }
    if (node.is_type<grammar::StringText>()) {
      return make_.String(Unquote(node.string_view(), '\''));
    }
    if (node.is_type<grammar::ColumnText>()) {
      return make_.Column(Unquote(node.string_view(), '"'));
    }
    if (node.is_type<grammar::Column>()) {
      return make_.Column(node.string());
    }
    if (node.is_type<grammar::TrueValue>() || node.is_type<grammar::FalseValue>()) {
      return make_.Bool(node.is_type<grammar::TrueValue>());
    }
    if (node.is_type<grammar::NullValue>()) {
      return make_.Null();
    }
    if (node.is_type<grammar::Call>()) {
      return make_.Call(Lower(node.children.front()->string_view()), BuildAll(node, 1));
    }
    if (node.is_type<grammar::Negative>()) {
      return make_.Negative(Build(*node.children.front()));
    }
    if (node.is_type<grammar::Denial>()) {
      return make_.Not(Build(*node.children.front()));
    }
    return BuildChain(node);
  }

  [[nodiscard]] std::vector<FilterTerm> BuildAll(const Node& node, std::size_t begin) const {
    std::vector<FilterTerm> terms;
    for (std::size_t i = begin; i < node.children.size(); ++i) {
      terms.push_back(Build(*node.children[i]));
    }
    return terms;
  }

  /// An operand, then operators with another each, or a test.
  [[nodiscard]] FilterTerm BuildChain(const Node& node) const {
    FilterTerm term = Build(*node.children[0]);
    for (std::size_t i = 1; i < node.children.size(); ++i) {
      const Node& next = *node.children[i];
      if (IsTest(next)) {
        term = At(next, [&] { return BuildTest(next, term); });
      } else {
        const FilterTerm right = Build(*node.children[++i]);
        term = At(next, [&] { return make_.Binary(Lower(next.string_view()), term, right); });
      }
    }
    return term;
  }

  static bool IsTest(const Node& node) {
    return node.is_type<grammar::In>() || node.is_type<grammar::Like>() ||
           node.is_type<grammar::NotInOrLike>() || node.is_type<grammar::IsNull>();
  }

  [[nodiscard]] FilterTerm BuildTest(const Node& test, const FilterTerm& term) const {
    if (test.is_type<grammar::In>()) {
      return make_.In(term, BuildAll(test, 0));
    }
    if (test.is_type<grammar::Like>()) {
      return make_.Like(term, Unquote(test.children.front()->string_view(), '\''));
    }
    if (test.is_type<grammar::NotInOrLike>()) {
      return make_.Not(BuildTest(*test.children.front(), term));
    }
    const FilterTerm is_null = make_.IsNull(term);
    return test.children.empty() ? is_null : make_.Not(is_null);
  }

  FilterTerms make_;
};

/// The filter, and a mark under the place.
Status Fault(const std::string& text, const peg::parse_error& error) {
  const std::size_t byte = std::min<std::size_t>(error.positions().front().byte, text.size());
  const auto is_begin = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; };
  const auto characters =
      std::count_if(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(byte), is_begin);
  return Status::InvalidArgument(fmt::format("the filter, at character {}: {}\n  {}\n  {:>{}}",
                                             characters + 1, error.message(), text, '^',
                                             characters + 1));
}

}  // namespace

Result<arrow::compute::Expression> ParseFilter(const std::string& text,
                                               const arrow::Schema& schema) {
  try {
    peg::memory_input input(text, "filter");
    const auto tree =
        peg::parse_tree::parse<grammar::Filter, grammar::Node, grammar::Limit, grammar::Control>(
            input);
    return Builder(schema).Build(*tree->children.front()).expression;
  } catch (const peg::parse_error& error) {
    return Fault(text, error);
  }
}

CLI::Option* AddFilterFlag(CLI::App& command, std::optional<std::string>& text) {
  return command
      .add_option("--filter", text,
                  "Only rows for which this is true, such as \"n >= 3 and word like 'a%'\"")
      ->option_text("EXPRESSION");
}

Result<std::optional<arrow::compute::Expression>> ParseFilterFlag(
    const std::optional<std::string>& text, const arrow::Schema& schema) {
  if (!text.has_value()) {
    return std::optional<arrow::compute::Expression>();
  }
  auto filter = ParseFilter(*text, schema);
  if (!filter.ok()) {
    return filter.status();
  }
  return std::optional(*std::move(filter));
}

}  // namespace forebay::cli
