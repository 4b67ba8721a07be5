// What `invlog reconcile` prints of a comparison.
//
// Pure but for the stream; any one thread.
#pragma once

#include <ostream>
#include <string>

#include "agent/residency/reconciler.h"

namespace invlog::cli {

struct ReconcileHeading {
  std::string source, store, region, account;
};

// Totals, and a table of each list that is not empty. `width`: of the terminal, 0 none.
void print_reconciliation(const ReconcileHeading& heading,
                          const residency::Reconciliation& reconciliation, int width,
                          std::ostream& out);
// One object with everything.
void print_reconciliation_json(const ReconcileHeading& heading,
                               const residency::Reconciliation& reconciliation, std::ostream& out);
// That the source ends before --until, if it does.
void print_early_end(const residency::Reconciliation& reconciliation, std::ostream& err);
// "file:offset 17: cause", a line each.
void print_trail_problems(const residency::Reconciliation& reconciliation, std::ostream& err);

}  // namespace invlog::cli
