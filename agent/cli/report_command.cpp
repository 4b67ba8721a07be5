#include "agent/cli/report_command.h"

#include <algorithm>
#include <memory>

#include "agent/cli/display_text.h"
#include "agent/cli/output_file.h"
#include "agent/cli/terminal.h"
#include "agent/cli/time_option.h"
#include "agent/residency/report_document.h"
#include "agent/residency/report_html.h"
#include "agent/residency/report_json.h"
#include "agent/residency/report_markdown.h"
#include "agent/version.h"

namespace invlog::cli {
namespace {

constexpr std::int64_t kDayUs = 86'400'000'000;
constexpr std::int64_t kUsualDays = 30;

std::int64_t start_of_day(std::int64_t at_us) {
  return at_us - at_us % kDayUs;
}

residency::Period period_of(const ReportOptions& options, const std::string& created_at) {
  residency::Period period;
  period.until_us = options.until_us.value_or(options.now_us);
  if (options.from_us) {
    period.from_us = *options.from_us;
  } else {
    const std::int64_t usual = start_of_day(period.until_us - kUsualDays * kDayUs);
    const auto birth = parse_time(created_at.substr(0, 10), options.now_us);
    // A period that ends before the store's birth is what was asked for.
    period.from_us = birth && *birth < period.until_us ? std::max(usual, *birth) : usual;
  }
  return period;
}

std::string rendered(const ReportOptions& options, const residency::Report& report) {
  switch (options.format) {
    case ReportFormat::html:
      return residency::report_html(report);
    case ReportFormat::json:
      return residency::report_json(report) + "\n";
    case ReportFormat::csv:
      return residency::report_csv(report, options.table.value_or(residency::CsvTable::usage));
    case ReportFormat::markdown:
      break;
  }
  return residency::report_markdown(report);
}

residency::Report gathered(const ReportOptions& options, storage::Reader& reader,
                           const residency::Period& period, const std::string& store_path,
                           std::ostream& err) {
  residency::Report report;
  {
    Progress progress(err, "adding up", options.progress_width);
    report = residency::gather_report(
        reader, period,
        [&progress](std::uint64_t done, std::uint64_t total) { progress.show(done, total); });
  }
  report.store_path = store_path;
  report.version = kVersion;
  report.made_at_us = options.now_us;
  if (options.verify) {
    Progress progress(err, "verifying", options.progress_width);
    report.integrity.verified = storage::verify_store(
        store_path,
        [&progress](std::uint64_t done, std::uint64_t total) { progress.show(done, total); });
  }
  return report;
}

}  // namespace

int run_report(const ReportOptions& options, std::ostream& out, std::ostream& err) {
  if (options.table && options.format != ReportFormat::csv) {
    err << "invlog report: --table is for --format csv; the other formats have every table\n";
    return kUsageError;
  }
  int exit_code = kSuccess;
  const auto location = find_store(options.store, err, exit_code);
  const auto reader = location ? open_store(*location, err, exit_code) : nullptr;
  if (!reader) {
    return exit_code;
  }
  const residency::Period period = period_of(options, reader->information().created_at);
  if (period.from_us >= period.until_us) {
    err << "invlog report: the period is empty: --from must be before --to\n";
    return kUsageError;
  }
  const std::string refusal =
      options.output ? OutputFile::refusal(*options.output, location->store_path) : "";
  if (!refusal.empty()) {
    err << "invlog report: " << refusal << '\n';
    return kUsageError;
  }
  // Whether it can be written shows before the work, not after it.
  std::unique_ptr<OutputFile> file;
  if (options.output) {
    file = std::make_unique<OutputFile>(*options.output);
  }
  const residency::Report report = gathered(options, *reader, period, location->store_path, err);
  const std::string text = rendered(options, report);
  if (!file) {
    out << text;
  } else {
    file->write(text);
    file->commit();
    err << "invlog report: " << counted(report.total.calls, "record") << " in " << *options.output
        << '\n';
  }
  // Its rows have no place for that.
  if (options.format == ReportFormat::csv && report.taken.concerns_period) {
    err << "invlog report: not complete. " << residency::taken_in_words(report.taken) << '\n';
  }
  const auto& verified = report.integrity.verified;
  if (verified && !verified->problems.empty()) {
    err << "invlog report: the store is not whole; see `invlog verify`\n";
    return kFailure;
  }
  return kSuccess;
}

}  // namespace invlog::cli
