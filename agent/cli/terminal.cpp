#include "agent/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "agent/cli/display_text.h"

namespace invlog::cli {
namespace {

constexpr int kBarColumns = 30;
constexpr int kLeastColumns = 60;

}  // namespace

int terminal_width(int descriptor) {
  constexpr int kUsualColumns = 80;
  if (::isatty(descriptor) == 0) {
    return 0;
  }
  winsize size{};
  return ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
                                                                        : kUsualColumns;
}

Progress::Progress(std::ostream& out, std::string_view what, int width)
    : out_(out), what_(what), width_(width) {}

Progress::~Progress() {
  if (percent_shown_ >= 0) {
    out_ << "\r\x1b[K" << std::flush;
  }
}

void Progress::show(std::uint64_t done, std::uint64_t total, const std::string& note) {
  if (width_ == 0 || total == 0) {
    return;
  }
  const int percent = static_cast<int>(std::min(done, total) * 100 / total);
  if (percent == percent_shown_ && note == note_shown_) {
    return;
  }
  percent_shown_ = percent;
  note_shown_ = note;
  std::string line = what_;
  if (width_ >= kLeastColumns) {
    const int filled = percent * kBarColumns / 100;
    line += "  [" + std::string(static_cast<std::size_t>(filled), '#') +
            std::string(static_cast<std::size_t>(kBarColumns - filled), ' ') + ']';
  }
  line += "  " + std::to_string(percent) + " %";
  if (!note.empty()) {
    // A line that wraps could not be drawn over.
    line = cut_to_width(line + "  " + note, static_cast<std::size_t>(width_ - 1));
  }
  out_ << '\r' << line << "\x1b[K" << std::flush;
}

}  // namespace invlog::cli
