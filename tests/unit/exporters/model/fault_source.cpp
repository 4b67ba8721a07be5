#include "tests/unit/exporters/model/fault_source.h"

#include <sqlite3.h>
#include <unistd.h>

#include <csignal>

namespace invlog::exporters {
namespace {

// A statement of some hundred steps is interrupted now and then.
constexpr int kStepsBetweenChecks = 500;
constexpr double kInterrupted = 0.01;

int after_commit(void*, sqlite3* connection, const char*, int) {
  sqlite3_wal_hook(connection, nullptr, nullptr);
  return SQLITE_IOERR;
}

int kill_after_commit(void*, sqlite3*, const char*, int) {
  FaultSource::kill_process();
}

int before_commit(void* connection) {
  if (FaultSource::current == nullptr) {
    return 0;
  }
  switch (FaultSource::current->at_commit()) {
    case FaultSource::CommitFault::fails:
      return 1;
    case FaultSource::CommitFault::succeeds_but_says_not:
      sqlite3_wal_hook(static_cast<sqlite3*>(connection), after_commit, nullptr);
      return 0;
    case FaultSource::CommitFault::kills_after:
      sqlite3_wal_hook(static_cast<sqlite3*>(connection), kill_after_commit, nullptr);
      return 0;
    case FaultSource::CommitFault::none:
      break;
  }
  return 0;
}

int while_running(void*) {
  return FaultSource::current != nullptr && FaultSource::current->interrupts() ? 1 : 0;
}

int on_open(sqlite3* connection, char**, const void*) {
  if (FaultSource::current != nullptr) {
    sqlite3_commit_hook(connection, before_commit, connection);
    sqlite3_progress_handler(connection, kStepsBetweenChecks, while_running, nullptr);
  }
  return SQLITE_OK;
}

}  // namespace

FaultSource* FaultSource::current = nullptr;

FaultSource::FaultSource(std::uint64_t seed) : random_(seed) {
  static const int registered =
      sqlite3_auto_extension(reinterpret_cast<void (*)()>(on_open));  // for the process's life
  static_cast<void>(registered);
  constexpr double kRates[] = {0.02, 0.08, 0.2, 0.4};
  rate_ = kRates[below(4)];
  current = this;
}

FaultSource::~FaultSource() {
  current = nullptr;
}

bool FaultSource::strikes(double weight) {
  const bool struck = active_ && fraction() < rate_ * weight;
  faults += struck ? 1 : 0;
  return struck;
}

int FaultSource::below(int n) {
  return std::uniform_int_distribution<int>(0, n - 1)(random_);
}

void FaultSource::may_kill(double weight) {
  if (dying_ || strikes(weight)) {
    if (real_kills_) {
      kill_process();
    }
    dying_ = false;
    ++kills;
    throw Kill();
  }
}

void FaultSource::become_child(std::uint64_t seed) {
  random_.seed(seed);
  real_kills_ = true;
  dying_ = false;
}

void FaultSource::kill_process() {
  ::kill(::getpid(), SIGKILL);
  while (true) {
    ::pause();
  }
}

FaultSource::CommitFault FaultSource::at_commit() {
  if (!strikes(0.5)) {
    return CommitFault::none;
  }
  const bool last = below(3) == 0, fails = below(2) == 0;
  if (last && real_kills_) {
    if (fails) {
      kill_process();
    }
    return CommitFault::kills_after;
  }
  dying_ = last;
  return fails ? CommitFault::fails : CommitFault::succeeds_but_says_not;
}

bool FaultSource::interrupts() {
  if (!strikes(kInterrupted)) {
    return false;
  }
  if (real_kills_ && below(2) == 0) {
    kill_process();
  }
  return true;
}

}  // namespace invlog::exporters
