#include "agent/cli/export_command.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>

#include "agent/cli/display_text.h"
#include "agent/cli/gzip_stream.h"
#include "agent/cli/output_file.h"
#include "agent/cli/record_range.h"
#include "agent/cli/terminal.h"
#include "agent/residency/report_document.h"
#include "agent/residency/report_losses.h"
#include "storage/store_error.h"

namespace invlog::cli {
namespace {

// After the records: what went while they were read is told, too. They are what was asked for, even
// where a damaged page hides this.
void tell_taken(storage::Reader& reader, const ExportOptions& options, std::ostream& err) {
  constexpr auto kEarliest = std::numeric_limits<std::int64_t>::min();
  constexpr auto kLatest = std::numeric_limits<std::int64_t>::max();
  try {
    const residency::TakenByRetention taken = residency::read_taken(
        reader.connection(),
        {options.since_us.value_or(kEarliest), options.until_us.value_or(kLatest)});
    if (taken.concerns_period) {
      err << "invlog export: not complete. " << residency::taken_in_words(taken) << '\n';
    }
  } catch (const storage::StoreError& error) {
    err << "invlog export: nobody can tell what retention took: " << printable(error.what())
        << '\n';
  }
}

}  // namespace

int run_export(const ExportOptions& options, std::ostream& out, std::ostream& err) {
  if (is_empty({options.since_us, options.until_us}, "invlog export", err)) {
    return kUsageError;
  }
  int exit_code = kSuccess;
  const auto location = find_store(options.store, err, exit_code);
  const auto reader = location ? open_store(*location, err, exit_code) : nullptr;
  if (!reader) {
    return exit_code;
  }
  const std::string refusal =
      options.output ? OutputFile::refusal(*options.output, location->store_path) : "";
  if (!refusal.empty()) {
    err << "invlog export: " << refusal << '\n';
    return kUsageError;
  }
  std::unique_ptr<OutputFile> file;
  if (options.output) {
    file = std::make_unique<OutputFile>(*options.output);
  }
  const auto write_out = [&](std::string_view bytes) {
    if (file) {
      file->write(bytes);
    } else {
      out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
  };
  std::unique_ptr<GzipStream> gzip;
  if (options.gzip) {
    gzip = std::make_unique<GzipStream>(write_out);
  }
  const storage::StoreInformation information = reader->information();
  std::int64_t records = 0;
  LeftOutRecords left_out;
  {
    Progress progress(err, "exporting", options.progress_width);
    left_out = each_in_range(*reader, {options.since_us, options.until_us}, storage::Bodies::both,
                             progress, [&](storage::StoredRecord& stored) {
                               const std::string line =
                                   storage::record_json(information, stored) + "\n";
                               gzip ? gzip->write(line) : write_out(line);
                               ++records;
                               return static_cast<bool>(out);
                             });
  }
  if (gzip) {
    gzip->finish();
  }
  if (file) {
    file->commit();
    err << "invlog export: " << counted(records, "record") << " in " << *options.output << '\n';
  }
  left_out.print("invlog export", err);
  tell_taken(*reader, options, err);
  return left_out.any() ? kFailure : kSuccess;
}

}  // namespace invlog::cli
