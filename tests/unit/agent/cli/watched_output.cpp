#include "tests/unit/agent/cli/watched_output.h"

#include <stdexcept>

#include "storage/statement.h"

namespace invlog::tests {

WatchedOutput::WatchedOutput(const std::string& store_path)
    : std::ostream(static_cast<std::streambuf*>(this)) {
  if (sqlite3_open(store_path.c_str(), &connection_) != SQLITE_OK) {
    throw std::runtime_error("cannot open " + store_path);
  }
}

WatchedOutput::~WatchedOutput() {
  sqlite3_close(connection_);
}

int WatchedOutput::overflow(int character) {
  const char byte = std::char_traits<char>::to_char_type(character);
  xsputn(&byte, 1);
  return character;
}

std::streamsize WatchedOutput::xsputn(const char* bytes, std::streamsize size) {
  ++writes_;
  // So that there is something in the log.
  const auto version = storage::single_integer(connection_, "PRAGMA user_version");
  storage::execute(connection_, "PRAGMA user_version = " + std::to_string(version));
  held_ += storage::single_integer(connection_, "PRAGMA wal_checkpoint(TRUNCATE)") == 0 ? 0 : 1;
  text_.append(bytes, static_cast<std::size_t>(size));
  return size;
}

}  // namespace invlog::tests
