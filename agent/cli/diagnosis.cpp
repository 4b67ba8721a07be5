#include "agent/cli/diagnosis.h"

#include <algorithm>
#include <utility>

#include "agent/cli/display_text.h"
#include "storage/json_writer.h"

namespace invlog::cli {
namespace {

using Level = Finding::Level;

struct LevelNames {
  const char* json;
  const char* shown;  // in a column of 9
};

LevelNames names_of(Level level) {
  switch (level) {
    case Level::ok:
      return {"ok", "ok       "};
    case Level::warning:
      return {"warning", "warning  "};
    case Level::failed:
      return {"failed", "FAIL     "};
    case Level::note:
      break;
  }
  return {"note", "-        "};
}

}  // namespace

void Diagnosis::note(std::string subject, std::string detail) {
  findings_.push_back({Level::note, std::move(subject), std::move(detail), ""});
}

void Diagnosis::ok(std::string subject, std::string detail) {
  findings_.push_back({Level::ok, std::move(subject), std::move(detail), ""});
}

void Diagnosis::warning(std::string subject, std::string detail, std::string advice) {
  findings_.push_back({Level::warning, std::move(subject), std::move(detail), std::move(advice)});
}

void Diagnosis::failed(std::string subject, std::string detail, std::string advice) {
  findings_.push_back({Level::failed, std::move(subject), std::move(detail), std::move(advice)});
}

bool Diagnosis::any_failed() const {
  return std::any_of(findings_.begin(), findings_.end(),
                     [](const Finding& finding) { return finding.level == Level::failed; });
}

void Diagnosis::print(std::ostream& out) const {
  for (const Finding& finding : findings_) {
    out << names_of(finding.level).shown << printable(finding.subject)
        << (finding.detail.empty() ? "" : ": " + printable(finding.detail)) << '\n';
    if (!finding.advice.empty()) {
      out << "         -> " << printable(finding.advice) << '\n';
    }
  }
}

void Diagnosis::print_json(std::ostream& out) const {
  std::string list;
  for (const Finding& finding : findings_) {
    std::string json = "{";
    storage::append_json_member(json, "level", names_of(finding.level).json);
    storage::append_json_member(json, "subject", finding.subject);
    storage::append_json_member(json, "detail", finding.detail);
    storage::append_json_member(json, "advice", finding.advice);
    list += (list.empty() ? "" : ",") + json + "}";
  }
  out << "{\"ok\":" << (any_failed() ? "false" : "true") << ",\"findings\":[" << list << "]}\n";
}

}  // namespace invlog::cli
