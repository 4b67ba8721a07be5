// Ends what a statement reads when the scope ends, however that comes about: while a statement
// stands on a row, its snapshot is held.
//
// Threads: as the statement, which must outlive it. Errors: none.
#pragma once

#include "storage/statement.h"

namespace invlog::storage {

class ResetAtEnd {
 public:
  explicit ResetAtEnd(Statement& statement) : statement_(statement) {}
  ~ResetAtEnd() { statement_.reset(); }
  ResetAtEnd(const ResetAtEnd&) = delete;
  ResetAtEnd& operator=(const ResetAtEnd&) = delete;

 private:
  Statement& statement_;
};

}  // namespace invlog::storage
