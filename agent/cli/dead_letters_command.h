// `invlog dead-letters`: the records that a destination will not take, why, and what becomes of
// them.
//
// list and show only read; retry and drop write to the store's ledger, beside a running agent. A
// dead letter is a note: its record stays in the store, whatever happens to the note.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "agent/cli/store_access.h"

namespace invlog::cli {

// Which ones: by number, or all of a destination's.
struct DeadLetterChoice {
  std::vector<std::int64_t> ids;
  bool all = false;
  std::string destination;  // with `all`: only this one's, "" every destination's
};

struct DeadLettersListOptions {
  StoreOptions store;
  std::string destination;  // "" every destination's
  bool json = false;        // an object per line
  int terminal_width = 0;
};
int run_dead_letters_list(const DeadLettersListOptions& options, std::ostream& out,
                          std::ostream& err);

struct DeadLettersShowOptions {
  StoreOptions store;
  std::int64_t id = 0;
  bool json = false;
};
int run_dead_letters_show(const DeadLettersShowOptions& options, std::ostream& out,
                          std::ostream& err);

struct DeadLettersChangeOptions {
  StoreOptions store;
  DeadLetterChoice choice;
  bool yes = false;  // drop: all of them, and nobody is asked
};
// Marks them for another attempt, which a running agent makes, or the next `invlog ship --once`.
int run_dead_letters_retry(const DeadLettersChangeOptions& options, std::ostream& out,
                           std::ostream& err);
// Gives them up; the store keeps an event that says so.
int run_dead_letters_drop(const DeadLettersChangeOptions& options, std::ostream& out,
                          std::ostream& err);

}  // namespace invlog::cli
