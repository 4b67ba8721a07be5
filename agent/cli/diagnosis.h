// What `invlog doctor` found, one finding per line: what was looked at, how it is, and what to do.
//
// A value. Thread: the caller's. Errors: those of the output.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace invlog::cli {

struct Finding {
  enum class Level {
    note,  // worth knowing, neither good nor bad
    ok,
    warning,  // works, or may not be needed
    failed
  };
  Level level = Level::note;
  std::string subject;  // "credentials", "s3:PutObject on ..."
  std::string detail;
  std::string advice;  // what to do, "" nothing
};

class Diagnosis {
 public:
  void note(std::string subject, std::string detail);
  void ok(std::string subject, std::string detail);
  void warning(std::string subject, std::string detail, std::string advice);
  void failed(std::string subject, std::string detail, std::string advice);

  const std::vector<Finding>& findings() const { return findings_; }
  bool any_failed() const;

  void print(std::ostream& out) const;
  // {"ok":true,"findings":[{"level":"ok","subject":"...","detail":"...","advice":"..."}]}
  void print_json(std::ostream& out) const;

 private:
  std::vector<Finding> findings_;
};

}  // namespace invlog::cli
