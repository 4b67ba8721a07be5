// Draws faults from a seed, for every place at which something can go wrong, and puts them into
// SQLite's commits and reads, too.
//
// A process ends in one of two ways. Thrown: a Kill unwinds everything that lives in memory, which
// costs nothing, so that thousands of them can be tried. Real: kill -9 of this very process (a
// child that was forked for it), also in the middle of a statement and on both sides of a commit.
//
// Threads: one; one FaultSource at a time.
#pragma once

#include <cstdint>
#include <random>

namespace invlog::exporters {

// The process ends here, as by kill -9. No std::exception: nothing on the way may catch it.
struct Kill {};

class FaultSource {
 public:
  explicit FaultSource(std::uint64_t seed);
  ~FaultSource();
  FaultSource(const FaultSource&) = delete;
  FaultSource& operator=(const FaultSource&) = delete;

  // Whether this place is struck; `weight` 1 is the seed's own rate.
  bool strikes(double weight = 1.0);
  // From 0 to n - 1.
  int below(int n);
  double fraction() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  std::uint64_t draw() { return random_(); }
  // Ends the process, if it strikes or if a commit was to be the last thing done.
  void may_kill(double weight);

  void quiet() { active_ = dying_ = false; }
  void go_on() { active_ = true; }
  // In a forked child: its own stream of faults, and real kills.
  void become_child(std::uint64_t seed);

  // SQLite connections that are opened while one of these lives are left alone.
  class Spared {
   public:
    Spared() : before_(current) { current = nullptr; }
    ~Spared() { current = before_; }
    Spared(const Spared&) = delete;
    Spared& operator=(const Spared&) = delete;

   private:
    FaultSource* before_;
  };

  // For SQLite's hooks.
  static FaultSource* current;
  enum class CommitFault { none, fails, succeeds_but_says_not, kills_after };
  CommitFault at_commit();
  bool interrupts();
  [[noreturn]] static void kill_process();

  std::uint64_t faults = 0, kills = 0;

 private:
  std::mt19937_64 random_;
  double rate_;
  bool active_ = true;
  bool dying_ = false;
  bool real_kills_ = false;
};

}  // namespace invlog::exporters
