#include "support/npz.h"

#include <zip.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace forebay::testing {
namespace {

constexpr std::string_view kNpySuffix = ".npy";
constexpr std::string_view kNpyMagic = "\x93NUMPY";
constexpr std::size_t kNpyVersionBytes = 2;  // major, minor

[[noreturn]] void Fail(const std::string& what) { throw std::runtime_error(what); }

struct MemberCloser {
  void operator()(zip_file_t* member) const { zip_fclose(member); }
};

// A .npy file's header: a Python dictionary literal with exactly three keys, such as
// {'descr': '<f4', 'fortran_order': False, 'shape': (2048, 32), }
struct NpyHeader {
  NpyType type;
  std::vector<std::size_t> shape;
  std::size_t data_offset;
};

// Parses what NumPy writes, not any Python. Fails with `where` in front of the message.
class NpyHeaderParser {
 public:
  NpyHeaderParser(std::string_view file, std::string where)
      : file_(file), where_(std::move(where)) {}

  NpyHeader Parse() {
    const std::size_t data_offset = FindDictionary();
    return {.type = Type(), .shape = Shape(), .data_offset = data_offset};
  }

 private:
  [[noreturn]] void Malformed(const std::string& what) const {
    Fail(where_ + ": not a .npy file that this reader knows: " + what);
  }

  // Sets dictionary_; returns where it ends, which is where the data begin.
  std::size_t FindDictionary() {
    if (!file_.starts_with(kNpyMagic)) {
      Malformed("it does not begin with \\x93NUMPY");
    }
    std::size_t at = kNpyMagic.size() + kNpyVersionBytes;
    if (file_.size() < at) {
      Malformed("it ends before its version");
    }
    const auto major = static_cast<unsigned char>(file_[kNpyMagic.size()]);
    if (major < 1 || major > 3) {
      Malformed("version " + std::to_string(major));
    }
    const std::size_t length_bytes = major == 1 ? 2 : 4;
    if (file_.size() < at + length_bytes) {
      Malformed("it ends before its header");
    }
    std::size_t length = 0;
    for (std::size_t i = 0; i < length_bytes; ++i) {
      length |= std::size_t{static_cast<unsigned char>(file_[at + i])} << (8 * i);
    }
    at += length_bytes;
    if (file_.size() - at < length) {
      Malformed("it ends within its header");
    }
    dictionary_ = file_.substr(at, length);
    return at + length;
  }

  // What follows a key and its colon, up to the end of the header.
  [[nodiscard]] std::string_view ValueOf(std::string_view key) const {
    std::string quoted = "'";  // += and not "'" + ..., of which gcc 12 warns without a cause
    quoted += key;
    quoted += "':";
    std::size_t at = dictionary_.find(quoted);
    if (at == std::string_view::npos) {
      Malformed("its header has no " + quoted);
    }
    at = dictionary_.find_first_not_of(' ', at + quoted.size());
    return at == std::string_view::npos ? std::string_view() : dictionary_.substr(at);
  }

  [[nodiscard]] NpyType Type() const {
    const std::string_view value = ValueOf("descr");
    const std::size_t end = value.find('\'', 1);
    if (!value.starts_with('\'') || end == std::string_view::npos) {
      Malformed("a structured type");
    }
    const std::string_view descr = value.substr(1, end - 1);
    const std::string_view digits = descr.substr(std::min<std::size_t>(descr.size(), 2));
    const std::optional<std::size_t> num_bytes = Number(digits);
    if (!num_bytes) {
      Malformed("type '" + std::string(descr) + "'");
    }
    // '<' is little-endian, '|' has no byte order.
    if (descr[0] != '<' && descr[0] != '|') {
      Fail(where_ + ": type '" + std::string(descr) + "' is not little-endian");
    }
    return {.kind = descr[1], .num_bytes = *num_bytes};
  }

  [[nodiscard]] std::vector<std::size_t> Shape() const {
    if (!ValueOf("fortran_order").starts_with("False")) {
      Fail(where_ + ": column-major (fortran_order); store it with numpy.ascontiguousarray");
    }
    std::string_view rest = ValueOf("shape");
    const std::size_t end = rest.find(')');
    if (!rest.starts_with('(') || end == std::string_view::npos) {
      Malformed("its shape is not a tuple");
    }
    rest = rest.substr(1, end - 1);
    std::vector<std::size_t> shape;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      const std::optional<std::size_t> extent = Number(rest.substr(0, comma));
      if (!extent) {
        Malformed("an extent of its shape is not a number");
      }
      shape.push_back(*extent);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    }
    return shape;
  }

  static std::optional<std::size_t> Number(std::string_view text) {
    std::size_t number = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stop != end) {
      return std::nullopt;
    }
    return number;
  }

  std::string_view file_;
  std::string where_;
  std::string_view dictionary_;
};

std::string NameOf(NpyType type) { return type.kind + std::to_string(type.num_bytes); }

std::string NameOf(const std::vector<std::size_t>& shape) {
  std::string name = "(";
  for (const std::size_t extent : shape) {
    name += std::to_string(extent) + ",";
  }
  return name + ")";
}

// The product, or nothing if its bytes overflow.
std::optional<std::size_t> NumElements(const std::vector<std::size_t>& shape,
                                       std::size_t num_bytes_each) {
  const std::size_t limit = std::numeric_limits<std::size_t>::max() / num_bytes_each;
  std::size_t product = 1;
  for (const std::size_t extent : shape) {
    if (extent != 0 && product > limit / extent) {
      return std::nullopt;
    }
    product *= extent;
  }
  return product;
}

}  // namespace

void NpzFile::Closer::operator()(zip* archive) const { zip_discard(archive); }

NpzFile::NpzFile(const std::string& path) : path_(path) {
  int code = 0;
  archive_.reset(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (!archive_) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    Fail(path + ": cannot be opened as .npz: " + reason);
  }
}

std::vector<std::string> NpzFile::Names() const {
  std::vector<std::string> names;
  const zip_int64_t num_members = zip_get_num_entries(archive_.get(), 0);
  for (zip_int64_t i = 0; i < num_members; ++i) {
    const char* member = zip_get_name(archive_.get(), static_cast<zip_uint64_t>(i), 0);
    const std::string_view name = member != nullptr ? member : "";
    if (name.ends_with(kNpySuffix)) {
      names.emplace_back(name.substr(0, name.size() - kNpySuffix.size()));
    }
  }
  return names;
}

std::vector<std::byte> NpzFile::ReadMember(const std::string& member_name) const {
  const std::string where = path_ + ": " + member_name;
  zip_stat_t stat;
  zip_stat_init(&stat);
  if (zip_stat(archive_.get(), member_name.c_str(), 0, &stat) != 0) {
    Fail(where + ": " + zip_strerror(archive_.get()));
  }
  if ((stat.valid & ZIP_STAT_SIZE) == 0) {
    Fail(where + ": its size is not known");
  }
  const std::unique_ptr<zip_file_t, MemberCloser> member(
      zip_fopen_index(archive_.get(), stat.index, 0));
  if (!member) {
    Fail(where + ": " + zip_strerror(archive_.get()));
  }
  std::vector<std::byte> bytes(stat.size);
  std::size_t have = 0;
  // One read more than the bytes need: libzip compares the checksum when it meets the end.
  for (;;) {
    std::byte beyond{};
    const bool full = have == bytes.size();
    const zip_int64_t got = zip_fread(member.get(), full ? &beyond : bytes.data() + have,
                                      full ? 1 : bytes.size() - have);
    if (got < 0) {
      Fail(where + ": " + zip_file_strerror(member.get()));
    }
    if (full != (got == 0)) {
      Fail(where + ": its size is not what the archive says");
    }
    if (full) {
      return bytes;
    }
    have += static_cast<std::size_t>(got);
  }
}

NpzFile::RawArray NpzFile::ReadRaw(const std::string& name, NpyType expected) const {
  const std::string where = path_ + ": " + name;
  std::vector<std::byte> member = ReadMember(name + std::string(kNpySuffix));
  const std::string_view text(reinterpret_cast<const char*>(member.data()), member.size());
  NpyHeader header = NpyHeaderParser(text, where).Parse();
  if (header.type != expected) {
    Fail(where + ": expected type " + NameOf(expected) + ", the file has " + NameOf(header.type));
  }
  const std::optional<std::size_t> num_elements = NumElements(header.shape, expected.num_bytes);
  const std::size_t num_data_bytes = member.size() - header.data_offset;
  if (!num_elements || *num_elements * expected.num_bytes != num_data_bytes) {
    Fail(where + ": " + std::to_string(num_data_bytes) + " bytes of data do not fit shape " +
         NameOf(header.shape) + " of " + NameOf(expected));
  }
  return {.shape = std::move(header.shape),
          .num_elements = *num_elements,
          .data_offset = header.data_offset,
          .member = std::move(member)};
}

}  // namespace forebay::testing
