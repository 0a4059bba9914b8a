// What memory gives one thread: the limit of searches that are bound by it. Names are
// read/pattern/bytes; bytes_per_second counts whole cache lines.
//
//   stream   one line after the other, as a long partition is scanned
//   blocks   pieces of 2 KiB anywhere, the next ones prefetched, as the blocks of many partitions
//   rows     pieces of 448 bytes anywhere, the next ones prefetched, as raw vectors of 100
//   dimensions
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/aligned_array.h"

namespace forebay::bench {
namespace {

using benchmark::State;

constexpr std::size_t kLine = kCacheLine;
constexpr std::size_t kAheadBytes = 16 << 10;

/// Reads a word of every line of `num_bytes` bytes.
std::uint64_t ReadLines(const std::uint8_t* bytes, std::size_t num_bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < num_bytes; i += kLine) {
    sum += *reinterpret_cast<const std::uint64_t*>(bytes + i);
  }
  return sum;
}

void Read(State& state, std::size_t num_bytes, std::size_t piece, bool anywhere) {
  AlignedArray<std::uint8_t> memory(num_bytes);
  std::fill_n(memory.data(), num_bytes, std::uint8_t{1});
  std::vector<std::uint32_t> order(num_bytes / piece);
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  if (anywhere) {
    std::shuffle(order.begin(), order.end(), std::mt19937(1));
  }
  const std::size_t ahead = kAheadBytes / piece;
  for ([[maybe_unused]] auto iteration : state) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::size_t next = order[i + ahead < order.size() ? i + ahead : i];
      for (std::size_t line = 0; anywhere && line < piece; line += kLine) {
        __builtin_prefetch(memory.data() + next * piece + line, 0, 2);
      }
      sum += ReadLines(memory.data() + order[i] * piece, piece);
    }
    benchmark::DoNotOptimize(sum);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(order.size() * piece));
}

[[maybe_unused]] const bool kRegistered = [] {
  for (const std::size_t num_bytes :
       {std::size_t{512} << 10U, std::size_t{12} << 20U, std::size_t{128} << 20U}) {
    for (const auto& [name, piece, anywhere] : {std::tuple("stream", std::size_t{2048}, false),
                                                std::tuple("blocks", std::size_t{2048}, true),
                                                std::tuple("rows", std::size_t{448}, true)}) {
      benchmark::RegisterBenchmark(fmt::format("read/{}/{}K", name, num_bytes >> 10U).c_str(),
                                   [num_bytes = num_bytes, piece = piece, anywhere = anywhere](
                                       State& state) { Read(state, num_bytes, piece, anywhere); });
    }
  }
  return true;
}();

}  // namespace
}  // namespace forebay::bench
