// What the commands need to know of a terminal, and the progress they show on one.
//
// Thread: the caller's. Errors: none; without a terminal nothing is shown.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

namespace invlog::cli {

// Columns of the terminal behind a file descriptor; 0 if it is none.
int terminal_width(int descriptor);

// One line, drawn over itself: "verifying  [#####     ]  50 %". Redrawn when the percentage or the
// note changes; wiped at the end.
class Progress {
 public:
  // `width` in columns, 0: stay silent. `out` must outlive it.
  Progress(std::ostream& out, std::string_view what, int width);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `note`: printable text behind the percentage, as much of it as fits; "" none.
  void show(std::uint64_t done, std::uint64_t total, const std::string& note = "");

 private:
  std::ostream& out_;
  const std::string what_;
  const int width_;
  int percent_shown_ = -1;
  std::string note_shown_;
};

}  // namespace invlog::cli
