#include "progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace forebay::cli {
namespace {

constexpr auto kDrawInterval = std::chrono::milliseconds(100);
constexpr std::size_t kBarWidth = 30;
constexpr std::string_view kClearLine = "\r\x1b[K";

bool CanDraw() {
  const char* term = std::getenv("TERM");  // NOLINT(concurrency-mt-unsafe): nobody sets it.
  return ::isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

void Write(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

Progress::Progress(bool wanted) : enabled_(wanted && CanDraw()) {}

void Progress::Update(std::string_view label, std::size_t done, std::size_t total) {
  if (!enabled_) {
    return;
  }
  const auto now = std::chrono::steady_clock::now();
  if (now < next_draw_) {
    return;
  }
  next_draw_ = now + kDrawInterval;
  drawn_ = true;
  if (total == 0) {
    Write(fmt::format("{}{}", kClearLine, label));
    return;
  }
  const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const auto filled = static_cast<std::size_t>(part * static_cast<double>(kBarWidth));
  Write(fmt::format("{}{:<24} [{:=<{}}{:{}}] {:3.0f} %", kClearLine, label, "", filled, "",
                    kBarWidth - filled, part * 100));
}

void Progress::Clear() {
  if (drawn_) {
    Write(kClearLine);
    drawn_ = false;
  }
}

}  // namespace forebay::cli
