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
  aws::Environment environment = aws::process_environment();  // retry: the configuration's
};
// Marks them for another attempt, which a running agent makes, or the next `invlog ship --once`.
// Those of a destination that the configuration does not have are marked, too, for when it has it
// again; `err` names them, and the exit code is 1 if there are no others.
int run_dead_letters_retry(const DeadLettersChangeOptions& options, std::ostream& out,
                           std::ostream& err);
// Gives them up; the store keeps an event that says so.
int run_dead_letters_drop(const DeadLettersChangeOptions& options, std::ostream& out,
                          std::ostream& err);

}  // namespace invlog::cli
