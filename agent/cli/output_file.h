// A file that appears under its name only when it is whole: written without a name (O_TMPFILE), or
// where the file system has no such files, beside it under a temporary one; then synced, renamed.
//
// A symbolic link is followed: what it leads to is replaced, the link stays. What exists and is no
// regular file (a device, a FIFO) is written straight.
//
// Thread: the caller's; one at a time in a process, as signals that end it remove the temporary
// file. Errors: throws std::runtime_error naming the file and the cause. Not committed by the time
// it is destroyed, it is removed.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace invlog::cli {

class OutputFile {
 public:
  // By default for its owner alone: prompts may be in it. Without `unnamed`, as if the file system
  // had no files without a name.
  explicit OutputFile(std::string path, mode_t mode = 0600, bool unnamed = true);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::string_view bytes);
  void commit();

  // Whether an --output means the standard output: "-", or its name in /dev.
  static bool is_standard_output(std::string_view path);
  // Why `path` may not be written by a command that reads this store: it is one of the store's own
  // files, or takes the name of one, over whatever links. "" if it may. Opens nothing.
  static std::string refusal(const std::string& path, const std::string& store_path);

 private:
  bool open_special();
  bool open_unnamed(mode_t mode);
  void open_named();
  void give_name();
  void remove_temporary();
  [[noreturn]] void fail(const char* action) const;

  const std::string path_;
  std::string target_;          // what path_ leads to; "" written straight
  std::string temporary_path_;  // "" none yet
  int descriptor_ = -1;
};

}  // namespace invlog::cli
