#include "segment/key_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

namespace forebay::segment {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

constexpr char kKeysMagic[8] = {'F', 'R', 'B', 'Y', 'K', 'E', 'Y', 'S'};
constexpr std::uint32_t kKeysVersion = 1;
constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
constexpr std::size_t kSampleEvery = 64;
/// No file has more: ordinals are u32.
constexpr std::uint64_t kMaxKeys = std::uint64_t{1} << 32U;

/// The first 64 bytes.
struct KeysHeader {
  char magic[8];
  std::uint32_t version;
  std::uint32_t kind;
  std::uint64_t num_keys;
  std::uint64_t text_bytes;
  std::uint64_t prefix_bytes;
  std::uint64_t reserved[2];
  std::uint64_t checksum;  // Of the 56 bytes before it.

  [[nodiscard]] std::uint64_t Sum() const {
    return Checksum(std::as_bytes(std::span(this, 1)).first(offsetof(KeysHeader, checksum)));
  }
};
static_assert(sizeof(KeysHeader) == 64 && std::has_unique_object_representations_v<KeysHeader>);

using Keys = std::vector<std::pair<std::string, std::uint32_t>>;

std::size_t NumSamples(std::uint64_t num_keys) {
  return (num_keys + kSampleEvery - 1) / kSampleEvery;
}
std::uint64_t Padded(std::uint64_t bytes) {
  return (bytes + kWordBytes - 1) / kWordBytes * kWordBytes;
}

std::uint64_t IntegerOf(std::string_view key) {
  std::uint64_t integer = 0;
  std::memcpy(&integer, key.data(), sizeof(integer));
  return integer;
}

/// The eight bytes from `begin` on, zeros after the key's end, so that words are in the order of
/// keys that begin alike.
std::uint64_t StringWord(std::string_view key, std::size_t begin) {
  std::uint64_t word = 0;
  if (begin < key.size()) {
    std::memcpy(&word, key.data() + begin, std::min(kWordBytes, key.size() - begin));
  }
  return __builtin_bswap64(word);
}

std::size_t CommonBytes(std::string_view a, std::string_view b) {
  const auto differ = std::mismatch(
      a.begin(), a.begin() + static_cast<std::ptrdiff_t>(std::min(a.size(), b.size())), b.begin());
  return static_cast<std::size_t>(differ.first - a.begin());
}

std::size_t PrefixBytes(KeyKind kind, const Keys& sorted) {
  return kind == KeyKind::kString && !sorted.empty()
             ? CommonBytes(sorted.front().first, sorted.back().first)
             : 0;
}

std::uint64_t WordOf(KeyKind kind, std::string_view key, std::size_t prefix_bytes) {
  return kind == KeyKind::kInteger64 ? IntegerOf(key) : StringWord(key, prefix_bytes);
}

Status Sort(KeyKind kind, Keys* keys) {
  if (kind == KeyKind::kInteger64) {
    for (const auto& [key, ordinal] : *keys) {
      if (key.size() != kWordBytes) {
        return Status::InvalidArgument(
            fmt::format("expected integer keys of 8 bytes, got one of {}", key.size()));
      }
    }
    std::sort(keys->begin(), keys->end(),
              [](const auto& a, const auto& b) { return IntegerOf(a.first) < IntegerOf(b.first); });
  } else {
    std::sort(keys->begin(), keys->end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
  }
  const auto twice = std::adjacent_find(
      keys->begin(), keys->end(), [](const auto& a, const auto& b) { return a.first == b.first; });
  if (twice != keys->end()) {
    return Status::InvalidArgument(
        fmt::format("expected each key once, got one of the rows {} and {}", twice->second,
                    (twice + 1)->second));
  }
  return Status::Ok();
}

template <typename T>
Status AppendNumber(SegmentWriter* writer, T number) {
  return writer->Append(std::as_bytes(std::span(&number, 1)));
}

Status AppendPadding(SegmentWriter* writer) {
  constexpr std::byte kZeros[kWordBytes] = {};
  const std::uint64_t missing = Padded(writer->num_bytes()) - writer->num_bytes();
  return writer->Append(std::span(kZeros).first(missing));
}

/// Offsets, ordinals and text. Failures of a writer stay, so only the last one is looked at.
Status AppendRest(KeyKind kind, const Keys& keys, SegmentWriter* writer) {
  Status status;
  if (kind == KeyKind::kString) {
    std::uint64_t offset = 0;
    status = AppendNumber(writer, offset);
    for (const auto& [key, ordinal] : keys) {
      offset += key.size();
      status = AppendNumber(writer, offset);
    }
  }
  for (const auto& [key, ordinal] : keys) {
    status = AppendNumber(writer, ordinal);
  }
  status = AppendPadding(writer);
  if (kind == KeyKind::kString) {
    for (const auto& [key, ordinal] : keys) {
      status = writer->Append(std::as_bytes(std::span(key)));
    }
    status = AppendPadding(writer);
  }
  return status;
}

Status Append(KeyKind kind, const Keys& keys, SegmentWriter* writer) {
  KeysHeader header{};
  std::memcpy(header.magic, kKeysMagic, sizeof(kKeysMagic));
  header.version = kKeysVersion;
  header.kind = static_cast<std::uint32_t>(kind);
  header.num_keys = keys.size();
  if (kind == KeyKind::kString) {
    for (const auto& [key, ordinal] : keys) {
      header.text_bytes += key.size();
    }
  }
  header.prefix_bytes = PrefixBytes(kind, keys);
  header.checksum = header.Sum();
  Status status = writer->Append(std::as_bytes(std::span(&header, 1)));
  for (const auto& [key, ordinal] : keys) {
    status = AppendNumber(writer, WordOf(kind, key, header.prefix_bytes));
  }
  for (std::size_t i = 0; i < keys.size(); i += kSampleEvery) {
    status = AppendNumber(writer, WordOf(kind, keys[i].first, header.prefix_bytes));
  }
  return status.ok() ? AppendRest(kind, keys, writer) : status;
}

Result<KeysHeader> ReadKeysHeader(std::span<const std::byte> bytes) {
  KeysHeader header;
  if (bytes.size() < sizeof(header)) {
    return Status::Corruption(
        fmt::format("the key file is truncated: expected a header of {} bytes, got {}",
                    sizeof(header), bytes.size()));
  }
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (std::memcmp(header.magic, kKeysMagic, sizeof(kKeysMagic)) != 0) {
    return Status::Corruption("not a key file: it does not start with FRBYKEYS");
  }
  if (header.Sum() != header.checksum) {
    return Status::Corruption("the key file's header was altered: its checksum differs");
  }
  if (header.version != kKeysVersion) {
    return Status::Corruption(fmt::format(
        "the key file has version {}; this build reads version {}", header.version, kKeysVersion));
  }
  const bool is_string = header.kind == static_cast<std::uint32_t>(KeyKind::kString);
  const bool is_integer = header.kind == static_cast<std::uint32_t>(KeyKind::kInteger64);
  if ((!is_string && !is_integer) || header.num_keys > kMaxKeys ||
      (is_integer && header.text_bytes != 0) || header.prefix_bytes > header.text_bytes ||
      header.text_bytes > bytes.size() || header.reserved[0] != 0 || header.reserved[1] != 0) {
    return Status::Corruption(fmt::format(
        "the key file's header is that of no key file: kind {} (0 or 1), {} keys, {} bytes of "
        "text, of which keys have {} in common",
        header.kind, header.num_keys, header.text_bytes, header.prefix_bytes));
  }
  return header;
}

/// Takes the next `count` numbers off the bytes, which have them.
template <typename T>
std::span<const T> Take(std::size_t count, std::span<const std::byte>* bytes) {
  // The mapping is aligned, and so is each part of the file.
  const void* const begin = bytes->data();
  *bytes = bytes->subspan(count * sizeof(T));
  return {static_cast<const T*>(begin), count};
}

bool AreZero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

Result<FileSum> WriteKeys(storage::Directory* directory, const std::string& name, KeyKind kind,
                          std::vector<std::pair<std::string, std::uint32_t>> keys) {
  if (Status sorted = Sort(kind, &keys); !sorted.ok()) {
    return sorted;
  }
  auto writer = SegmentWriter::Create(directory, name);
  if (!writer.ok()) {
    return writer.status();
  }
  if (Status appended = Append(kind, keys, writer->get()); !appended.ok()) {
    return appended;
  }
  return (*writer)->Finish();
}

bool KeyFile::Divide(std::uint64_t num_keys, std::uint64_t text_bytes) {
  const bool is_string = kind_ == KeyKind::kString;
  const std::uint64_t num_offsets = is_string ? num_keys + 1 : 0;
  std::span<const std::byte> rest = mapping_->bytes().subspan(sizeof(KeysHeader));
  // No overflow: the header was checked.
  const std::uint64_t num_bytes = (num_keys + NumSamples(num_keys) + num_offsets) * kWordBytes +
                                  Padded(num_keys * sizeof(std::uint32_t)) + Padded(text_bytes);
  if (rest.size() != num_bytes) {
    return false;
  }
  words_ = Take<std::uint64_t>(num_keys, &rest);
  samples_ = Take<std::uint64_t>(NumSamples(num_keys), &rest);
  offsets_ = Take<std::uint64_t>(num_offsets, &rest);
  ordinals_ = Take<std::uint32_t>(num_keys, &rest);
  rest = rest.last(Padded(text_bytes));
  text_ = {reinterpret_cast<const char*>(rest.data()), text_bytes};
  return true;
}

Result<KeyFile> KeyFile::Open(std::shared_ptr<const storage::Mapping> mapping, bool verify,
                              std::uint32_t num_rows) {
  const auto header = ReadKeysHeader(mapping->bytes());
  if (!header.ok()) {
    return header.status();
  }
  KeyFile file;
  file.mapping_ = std::move(mapping);
  file.kind_ = static_cast<KeyKind>(header->kind);
  file.num_rows_ = num_rows;
  file.prefix_bytes_ = header->prefix_bytes;
  if (!file.Divide(header->num_keys, header->text_bytes)) {
    return Status::Corruption(
        fmt::format("the key file has another size than its header says: {} keys, {} bytes of "
                    "text, but {} bytes in all",
                    header->num_keys, header->text_bytes, file.mapping_->bytes().size()));
  }
  if (Status verified = verify ? file.Verify() : Status::Ok(); !verified.ok()) {
    return verified;
  }
  return file;
}

Status KeyFile::Verify() const {
  for (const std::uint32_t ordinal : ordinals_) {
    if (ordinal >= num_rows_) {
      return Status::Corruption(fmt::format(
          "the key file has a key of row {}, but there are {} rows", ordinal, num_rows_));
    }
  }
  for (std::size_t i = 0; i < samples_.size(); ++i) {
    if (samples_[i] != words_[i * kSampleEvery]) {
      return Status::Corruption(fmt::format("the key file's sample {} is not of its keys", i));
    }
  }
  const auto out_of_order = std::adjacent_find(words_.begin(), words_.end(), std::greater_equal());
  if (kind_ == KeyKind::kInteger64 && out_of_order != words_.end()) {
    return Status::Corruption(
        fmt::format("the key file's keys are not ascending at {}", out_of_order - words_.begin()));
  }
  const std::size_t padding_begin = sizeof(KeysHeader) + words_.size_bytes() +
                                    samples_.size_bytes() + offsets_.size_bytes() +
                                    ordinals_.size_bytes();
  const std::span<const std::byte> all = mapping_->bytes();
  const std::size_t padding_bytes = Padded(padding_begin) - padding_begin;
  if (!AreZero(all.subspan(padding_begin, padding_bytes)) ||
      !AreZero(all.last(Padded(text_.size()) - text_.size()))) {
    return Status::Corruption("the key file has bytes between its parts that are not zero");
  }
  return kind_ == KeyKind::kString ? VerifyText() : Status::Ok();
}

Status KeyFile::VerifyText() const {
  const bool ascend = std::is_sorted(offsets_.begin(), offsets_.end());
  if (!ascend || offsets_.front() != 0 || offsets_.back() != text_.size()) {
    return Status::Corruption("the key file's offsets do not divide its text");
  }
  if (prefix_bytes_ != (size() == 0 ? 0 : CommonBytes(KeyAt(0), KeyAt(size() - 1)))) {
    return Status::Corruption("the key file's header has another common beginning than its keys");
  }
  for (std::size_t i = 0; i < size(); ++i) {
    const bool follows = i == 0 || KeyAt(i - 1) < KeyAt(i);
    if (!follows || words_[i] != StringWord(KeyAt(i), prefix_bytes_)) {
      return Status::Corruption(fmt::format("the key file's keys are not ascending at {}", i));
    }
  }
  return Status::Ok();
}

std::string_view KeyFile::KeyAt(std::size_t i) const {
  if (kind_ == KeyKind::kInteger64) {
    return {reinterpret_cast<const char*>(&words_[i]), kWordBytes};
  }
  const std::uint64_t begin = offsets_[i];
  const std::uint64_t end = offsets_[i + 1];
  // Offsets may not have been verified.
  return begin <= end && end <= text_.size() ? text_.substr(begin, end - begin)
                                             : std::string_view();
}

std::string_view KeyFile::prefix() const {
  return size() == 0 ? std::string_view() : KeyAt(0).substr(0, prefix_bytes_);
}

std::optional<std::uint32_t> KeyFile::OrdinalAt(std::size_t i) const {
  const std::uint32_t ordinal = ordinals_[i];
  return ordinal < num_rows_ ? std::optional(ordinal) : std::nullopt;
}

std::optional<std::uint32_t> KeyFile::Find(std::string_view key) const {
  const bool is_string = kind_ == KeyKind::kString;
  if (is_string ? !key.starts_with(prefix()) : key.size() != kWordBytes) {
    return std::nullopt;
  }
  const std::uint64_t word = WordOf(kind_, key, prefix_bytes_);
  const std::size_t i = FirstNotLess(word);
  if (i == words_.size() || words_[i] != word) {
    return std::nullopt;
  }
  return is_string ? FindText(key, i) : OrdinalAt(i);
}

std::size_t KeyFile::FirstNotLess(std::uint64_t word) const {
  // After the last sample that is less: at the next sample at the latest, whatever the words are.
  const auto sample = std::lower_bound(samples_.begin(), samples_.end(), word);
  const auto run = static_cast<std::size_t>(sample - samples_.begin());
  const std::size_t begin = run == 0 ? 0 : (run - 1) * kSampleEvery + 1;
  const auto words = words_.subspan(begin, std::min(words_.size() - begin, kSampleEvery));
  const auto first = std::lower_bound(words.begin(), words.end(), word);
  return begin + static_cast<std::size_t>(first - words.begin());
}

std::optional<std::uint32_t> KeyFile::FindText(std::string_view key, std::size_t first) const {
  const auto is_same = words_.begin() + static_cast<std::ptrdiff_t>(first);
  std::size_t begin = first;
  std::size_t end = first + 1;
  if (end < size() && words_[end] == words_[first]) {
    end = static_cast<std::size_t>(std::upper_bound(is_same, words_.end(), *is_same) -
                                   words_.begin());
  }
  while (end - begin > 1) {
    const std::size_t middle = begin + (end - begin) / 2;
    (KeyAt(middle) <= key ? begin : end) = middle;
  }
  return KeyAt(begin) == key ? OrdinalAt(begin) : std::nullopt;
}

}  // namespace forebay::segment
