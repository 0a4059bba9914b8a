#include "npy_header.h"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace forebay::cli {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  std::optional<NpyHeader> Parse() {
    bool has_descr = false;
    bool has_order = false;
    bool has_shape = false;
    if (!Skip('{')) {
      return std::nullopt;
    }
    while (!Skip('}')) {
      const auto key = String();
      if (!key || !Skip(':')) {
        return std::nullopt;
      }
      bool* const has = *key == "descr"           ? &has_descr
                        : *key == "fortran_order" ? &has_order
                        : *key == "shape"         ? &has_shape
                                                  : nullptr;
      if (has == nullptr || *has) {
        return std::nullopt;
      }
      *has = has == &has_descr ? Descr() : has == &has_order ? Order() : Shape();
      if (!*has || (!Skip(',') && Next() != '}')) {
        return std::nullopt;
      }
    }
    if (Next() != '\0' || !has_descr || !has_order || !has_shape) {
      return std::nullopt;
    }
    return header_;
  }

 private:
  /// The next character that is not white space, or 0.
  char Next() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size()));
    return rest_.empty() ? '\0' : rest_.front();
  }

  bool Skip(char expected) {
    if (Next() != expected) {
      return false;
    }
    rest_.remove_prefix(1);
    return true;
  }

  bool SkipWord(std::string_view word) {
    Next();
    if (!rest_.starts_with(word)) {
      return false;
    }
    rest_.remove_prefix(word.size());
    return true;
  }

  std::optional<std::string> String() {
    const char quote = Next();
    if (quote != '\'' && quote != '"') {
      return std::nullopt;
    }
    const std::size_t end = rest_.find(quote, 1);
    if (end == std::string_view::npos) {
      return std::nullopt;
    }
    std::string value(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return value;
  }

  bool Descr() {
    if (Next() == '[') {
      return StructuredDescr();
    }
    const auto value = String();
    header_.descr = value.value_or("");
    return value.has_value();
  }

  /// A list of fields: only its text is kept, for the error message.
  bool StructuredDescr() {
    int depth = 0;
    std::size_t size = 0;
    do {
      if (size == rest_.size()) {
        return false;
      }
      depth += rest_[size] == '[' ? 1 : 0;
      depth -= rest_[size] == ']' ? 1 : 0;
      ++size;
    } while (depth > 0);
    header_.descr = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }

  bool Order() {
    header_.fortran_order = SkipWord("True");
    return header_.fortran_order || SkipWord("False");
  }

  bool Shape() {
    if (!Skip('(')) {
      return false;
    }
    while (!Skip(')')) {
      Next();
      std::uint64_t extent = 0;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), extent);
      if (error != std::errc()) {
        return false;
      }
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
      Skip('L');  // Python 2 wrote 3L.
      header_.shape.push_back(extent);
      if (!Skip(',') && Next() != ')') {
        return false;
      }
    }
    return true;
  }

  std::string_view rest_;
  NpyHeader header_;
};

}  // namespace

std::optional<NpyHeader> ParseNpyHeader(std::string_view text) { return Parser(text).Parse(); }

}  // namespace forebay::cli
