// `invlog report`: the record of processing activities that an auditor asks for.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>

#include "agent/cli/store_access.h"
#include "agent/residency/report_csv.h"

namespace invlog::cli {

enum class ReportFormat { markdown, html, json, csv };

struct ReportOptions {
  StoreOptions store;
  // Unix time, µs, of the call's start; until is excluded. Default: the last 30 days and today, or
  // since the day of the store's birth if that is later; until now.
  std::optional<std::int64_t> from_us, until_us;
  std::int64_t now_us = 0;
  ReportFormat format = ReportFormat::markdown;
  std::optional<residency::CsvTable> table;  // of CSV; default: usage
  bool verify = false;                       // the whole store, as `invlog verify` does
  std::optional<std::string> output;         // default: `out`
  int progress_width = 0;                    // of `err`
};

// Exit code 1 if the store was verified and is not whole; the report is written all the same.
int run_report(const ReportOptions& options, std::ostream& out, std::ostream& err);

}  // namespace invlog::cli
