// The grammar of filters (filter_text.h says what they mean), and what is said where text breaks
// it.
#pragma once

#include <cstddef>
#include <tao/pegtl.hpp>
#include <tao/pegtl/contrib/limit_depth.hpp>
#include <tao/pegtl/contrib/parse_tree.hpp>
#include <type_traits>

namespace forebay::cli::filter_grammar {

namespace peg = tao::pegtl;

struct Space : peg::star<peg::space> {};
struct NameBegin : peg::sor<peg::alpha, peg::one<'_'>, peg::not_range<0, 127>> {};
struct NameRest : peg::sor<peg::alnum, peg::one<'_'>, peg::not_range<0, 127>> {};

template <typename Text>
struct Word : peg::seq<Text, peg::not_at<NameRest>> {};
struct AndWord : Word<TAO_PEGTL_ISTRING("and")> {};
struct OrWord : Word<TAO_PEGTL_ISTRING("or")> {};
struct NotWord : Word<TAO_PEGTL_ISTRING("not")> {};
struct IsWord : Word<TAO_PEGTL_ISTRING("is")> {};
struct InWord : Word<TAO_PEGTL_ISTRING("in")> {};
struct LikeWord : Word<TAO_PEGTL_ISTRING("like")> {};
struct NullWord : Word<TAO_PEGTL_ISTRING("null")> {};
struct TrueWord : Word<TAO_PEGTL_ISTRING("true")> {};
struct FalseWord : Word<TAO_PEGTL_ISTRING("false")> {};
struct AnyWord
    : peg::sor<AndWord, OrWord, NotWord, IsWord, InWord, LikeWord, NullWord, TrueWord, FalseWord> {
};

// --- Constants, columns, functions ---

struct Disjunction;
struct Unary;

struct Digits : peg::plus<peg::digit> {};
struct Exponent : peg::seq<peg::one<'e', 'E'>, peg::opt<peg::one<'+', '-'>>, Digits> {};
struct Float
    : peg::sor<peg::seq<Digits, peg::one<'.'>, peg::star<peg::digit>, peg::opt<Exponent>>,
               peg::seq<peg::one<'.'>, Digits, peg::opt<Exponent>>, peg::seq<Digits, Exponent>> {};
struct Integer : Digits {};
struct TrueValue : TrueWord {};
struct FalseValue : FalseWord {};
struct NullValue : NullWord {};

template <char quote>
struct Quoted : peg::star<peg::sor<peg::two<quote>, peg::not_one<quote>>> {};
struct StringText : Quoted<'\''> {};
struct StringEnd : peg::one<'\''> {};
struct String : peg::if_must<peg::one<'\''>, StringText, StringEnd> {};
struct ColumnText : Quoted<'"'> {};
struct ColumnEnd : peg::one<'"'> {};
struct QuotedColumn : peg::if_must<peg::one<'"'>, ColumnText, ColumnEnd> {};

struct Name : peg::seq<peg::not_at<AnyWord>, NameBegin, peg::star<NameRest>> {};
struct Column : Name {};
struct Open : peg::one<'('> {};
struct Close : peg::one<')'> {};
struct Arguments : peg::list_must<Disjunction, peg::one<','>, peg::space> {};
struct FunctionName : peg::seq<Name, peg::at<Space, peg::one<'('>>> {};
struct Call : peg::if_must<FunctionName, Space, Open, Space, peg::opt<Arguments>, Space, Close> {};
struct Parentheses : peg::if_must<Open, Space, Disjunction, Space, Close> {};
struct Primary : peg::sor<Float, Integer, String, QuotedColumn, TrueValue, FalseValue, NullValue,
                          Call, Column, Parentheses> {};

// --- Operators, from the tightest to the loosest ---

template <typename Operand, typename Operator>
struct Chain : peg::seq<Operand, peg::star<Space, peg::if_must<Operator, Space, Operand>>> {};

struct Minus : peg::one<'-'> {};
struct Negative : peg::if_must<Minus, Space, Unary> {};
struct Unary : peg::sor<Negative, Primary> {};
struct ProductOperator : peg::one<'*', '/'> {};
struct Product : Chain<Unary, ProductOperator> {};
struct SumOperator : peg::one<'+', '-'> {};
struct Sum : Chain<Product, SumOperator> {};

struct ComparisonOperator
    : peg::sor<TAO_PEGTL_STRING("=="), TAO_PEGTL_STRING("!="), TAO_PEGTL_STRING("<>"),
               TAO_PEGTL_STRING("<="), TAO_PEGTL_STRING(">="), peg::one<'=', '<', '>'>> {};
struct InOpen : Open {};
struct In : peg::if_must<InWord, Space, InOpen, Space, Arguments, Space, Close> {};
struct LikePattern : String {};
struct Like : peg::if_must<LikeWord, Space, LikePattern> {};
struct InOrLike : peg::sor<In, Like> {};
struct NotInOrLike : peg::if_must<NotWord, Space, InOrLike> {};
struct IsNot : NotWord {};
struct NullAfterIs : NullWord {};
struct IsNull : peg::if_must<IsWord, Space, peg::opt<IsNot, Space>, NullAfterIs> {};
struct Comparison
    : peg::seq<Sum, peg::opt<Space, peg::sor<peg::if_must<ComparisonOperator, Space, Sum>, InOrLike,
                                             NotInOrLike, IsNull>>> {};

struct Condition;
struct DenyWord : NotWord {};
struct Denial : peg::if_must<DenyWord, Space, Condition> {};
struct Condition : peg::sor<Denial, Comparison> {};
struct AndOperator : AndWord {};
struct Conjunction : Chain<Condition, AndOperator> {};
struct OrOperator : OrWord {};
struct Disjunction : Chain<Conjunction, OrOperator> {};
struct End : peg::eof {};
struct Filter : peg::must<Space, Disjunction, Space, End> {};

// --- The tree: what is not named here leaves its children to its parent ---

template <typename Rule>
using Node = peg::parse_tree::selector<
    Rule,
    peg::parse_tree::store_content::on<Float, Integer, StringText, ColumnText, TrueValue,
                                       FalseValue, NullValue, Column, FunctionName, Call, Negative,
                                       ProductOperator, SumOperator, ComparisonOperator, In, Like,
                                       NotInOrLike, IsNot, IsNull, Denial, AndOperator, OrOperator>,
    peg::parse_tree::fold_one::on<Product, Sum, Comparison, Conjunction, Disjunction>>;

// --- What is said where a rule must match and does not ---

template <typename Rule>
constexpr const char* Expected() {
  if constexpr (std::is_same_v<Rule, Close>) {
    return "expected ')'";
  } else if constexpr (std::is_same_v<Rule, InOpen>) {
    return "expected '(' and a list of values";
  } else if constexpr (std::is_same_v<Rule, StringEnd>) {
    return "expected a ' at the end of the text";
  } else if constexpr (std::is_same_v<Rule, ColumnEnd>) {
    return "expected a \" at the end of the column's name";
  } else if constexpr (std::is_same_v<Rule, LikePattern>) {
    return "expected a pattern, such as 'a%'";
  } else if constexpr (std::is_same_v<Rule, NullAfterIs>) {
    return "expected null or not null";
  } else if constexpr (std::is_same_v<Rule, InOrLike>) {
    return "expected in or like";
  } else if constexpr (std::is_same_v<Rule, End>) {
    return "expected an operator, or the end";
  } else {
    return "expected a column, a constant, a function, or (...)";
  }
}

// NOLINTBEGIN(readability-identifier-naming): PEGTL's names.
struct Errors {
  template <typename Rule>
  static constexpr const char* message = Expected<Rule>();
  template <typename Rule>
  static constexpr bool raise_on_failure = false;  // Only where a rule must match.
};
// NOLINTEND(readability-identifier-naming)
template <typename Rule>
using Control = peg::must_if<Errors>::control<Rule>;

// --- A limit on what makes the parser recurse: parentheses, arguments, nots and signs ---

constexpr std::size_t kMaxNesting = 200;

template <typename Rule>
struct Limit : peg::nothing<Rule> {};
template <>
struct Limit<Condition> : peg::limit_depth<kMaxNesting> {};
template <>
struct Limit<Unary> : peg::limit_depth<kMaxNesting> {};

}  // namespace forebay::cli::filter_grammar
