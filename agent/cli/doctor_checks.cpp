#include "agent/cli/doctor_checks.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "agent/cli/display_text.h"
#include "agent/config/permission_advice.h"
#include "agent/residency/profile_client.h"
#include "exporters/aws/http_date.h"
#include "storage/delivery_ledger.h"
#include "storage/start_reads.h"
#include "storage/store_file.h"
#include "storage/time_text.h"

namespace invlog::cli {
namespace {

using aws::FailureKind;
using aws::LinkReport;

constexpr std::uint64_t kLittleSpace = 1ull << 30, kNoSpace = 64ull << 20;
// AWS refuses signatures that are 5 minutes off.
constexpr long long kOffsetNoted = 5, kOffsetTooLarge = 300;  // seconds

void check_space(const DoctorOptions& options, const std::string& directory, Diagnosis& diagnosis) {
  const auto free = options.free_space(directory);
  if (!free) {
    return;
  }
  const std::string detail = readable_size(*free) + " free in " + directory;
  if (*free < kNoSpace) {
    diagnosis.failed("disk space", detail,
                     "make room, or set [retention] max_size: records cannot be kept without it");
  } else if (*free < kLittleSpace) {
    diagnosis.warning("disk space", detail, "make room, or set [retention] max_size");
  } else {
    diagnosis.ok("disk space", detail);
  }
}

void check_directory(const std::string& directory, const std::string& path, Diagnosis& diagnosis) {
  if (::access(directory.c_str(), W_OK) != 0) {
    diagnosis.failed("store", "there is none yet, and " + directory + " cannot be written",
                     "make the directory, or " + config::advice_to_write(directory));
    return;
  }
  diagnosis.note("store", "there is none yet; the agent will make " + path);
}

std::string expiry_of(const LinkReport& report, std::chrono::system_clock::time_point now) {
  if (!report.expiration) {
    return "";
  }
  const auto left =
      std::chrono::duration_cast<std::chrono::seconds>(*report.expiration - now).count();
  return left <= 0 ? ", expired" : ", valid for " + readable_age(left);
}

std::string advice_for(const aws::HttpFailure& failure) {
  switch (failure.kind) {
    case aws::HttpFailure::Kind::resolve:
      return "check the name and this host's DNS";
    case aws::HttpFailure::Kind::tls:
      return "if a proxy or a private endpoint has a certificate of its own, set ca_bundle";
    case aws::HttpFailure::Kind::usage:
      return "check upstream in the configuration";
    default:
      return "check firewall, routes and HTTPS_PROXY";
  }
}

// `arn`: who delivers, "" if unknown.
std::string advice_for(FailureKind kind, const std::string& arn) {
  switch (kind) {
    case FailureKind::denied:
      return "allow it in the policy of " +
             (arn.empty() ? std::string("the identity that delivers") : arn) +
             ", and in those of the destination and its key";
    case FailureKind::credentials:
      return "see \"credentials\" above";
    case FailureKind::not_found:
      return "create it in this Region, or correct its name in the configuration";
    case FailureKind::redirected:
    case FailureKind::rejected:
    case FailureKind::conflict:
      return "correct the configuration: nothing is sent there until this is put right";
    case FailureKind::clock:
      return "set this host's clock";
    case FailureKind::transient:
    case FailureKind::throttled:
    case FailureKind::cancelled:
      break;
  }
  return "if it does not pass by itself: check the endpoint, firewall, routes and HTTPS_PROXY";
}

void check_clock(std::string_view date, const aws::SystemClock& clock, Diagnosis& diagnosis) {
  const auto theirs = aws::parse_http_date(date);
  if (!theirs) {
    diagnosis.note("clock", "the upstream's answer has no date to compare with");
    return;
  }
  const long long ahead =
      std::chrono::duration_cast<std::chrono::seconds>(clock() - *theirs).count();
  const std::string detail = "this host is " + std::to_string(std::llabs(ahead)) + " s " +
                             (ahead < 0 ? "behind" : "ahead of") + " the upstream";
  if (std::llabs(ahead) >= kOffsetTooLarge) {
    diagnosis.warning(
        "clock", detail,
        "set it (chrony, systemd-timesyncd): Bedrock refuses the calls that the agent "
        "signs, and records have this host's time; only deliveries correct their "
        "signatures");
  } else if (std::llabs(ahead) > kOffsetNoted) {
    diagnosis.note("clock", detail);
  } else {
    diagnosis.ok("clock", "right to within " + std::to_string(kOffsetNoted) + " s");
  }
}

}  // namespace

std::optional<std::uint64_t> free_space(const std::string& directory) {
  struct statvfs space {};
  if (::statvfs(directory.c_str(), &space) != 0) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
}

StoreFindings check_store(const DoctorOptions& options, const std::string& path,
                          const std::string& state_dir, Diagnosis& diagnosis) {
  StoreFindings found;
  std::error_code hidden;
  const bool there = std::filesystem::exists(path, hidden);
  if (hidden) {
    diagnosis.failed("store", path + " cannot be looked for: " + hidden.message(),
                     config::advice_to_read(path));
    return found;
  }
  const std::string copy = storage::whole_copy_path(storage::resolved_store_path(path));
  const bool copied = std::filesystem::exists(copy, hidden);
  if (!there && !copied) {
    check_directory(state_dir, path, diagnosis);
    check_space(options, state_dir, diagnosis);
    return found;
  }
  const auto reader = storage::Reader::open(path);
  if (!reader) {
    diagnosis.failed("store", with_advice(reader.error(), path), "");
    return found;
  }
  found.information = (*reader)->information();
  if (const std::string problem = storage::start_problem((*reader)->connection());
      !problem.empty()) {
    diagnosis.failed("store", problem, "");
    return found;
  }
  if (const auto ledger = storage::DeliveryLedger::look((*reader)->connection())) {
    found.instance = ledger->instance();
  }
  diagnosis.ok("store", path + ", Region " + found.information->region + ", " +
                            counted((*reader)->last_id(), "record") + " so far");
  if (copied) {
    diagnosis.warning(
        "store", "beside it is " + copy + ", a copy from when its file was removed",
        "look what is in it, and remove it or put it where it belongs: no erasure and "
        "no limit reaches it");
  }
  if (::access(path.c_str(), W_OK) != 0) {
    diagnosis.failed("store", "this user may not write to it", config::advice_to_write(path));
  }
  const AgentStatus agent = read_agent_status(state_dir, options.is_invlog);
  diagnosis.note("agent", agent.running ? "running, process " + std::to_string(agent.pid)
                                        : "not running with this state directory");
  check_space(options, state_dir, diagnosis);
  return found;
}

bool check_credentials(aws::CredentialsProvider& credentials, bool needed, bool service_told,
                       std::chrono::system_clock::time_point now, Diagnosis& diagnosis) {
  bool answered = false;
  bool failed = false;
  std::string not_asked;
  for (const LinkReport& report : credentials.explain()) {
    switch (report.outcome) {
      case LinkReport::Outcome::answered:
        answered = true;
        diagnosis.ok("credentials", "from " + report.detail + expiry_of(report, now));
        break;
      case LinkReport::Outcome::failed:
        failed = true;
        diagnosis.failed("credentials", report.link + ": " + report.detail,
                         "correct it, or take it away: nothing after it is asked");
        break;
      case LinkReport::Outcome::not_configured:
        diagnosis.note("credentials", report.link + ": nothing (" + report.detail + ")");
        break;
      case LinkReport::Outcome::not_asked:
        not_asked += (not_asked.empty() ? "" : ", ") + report.link;
        break;
    }
  }
  if (!not_asked.empty()) {
    diagnosis.note("credentials", "not asked, as one before them decided: " + not_asked);
  }
  const std::string advice =
      std::string(service_told ? "see \"service\" above, or " : "") +
      "give the host or the container a role, name a profile in [aws], or set AWS_ACCESS_KEY_ID "
      "and AWS_SECRET_ACCESS_KEY";
  if (!answered && !failed) {
    needed
        ? diagnosis.failed("credentials", "there are none", advice)
        : diagnosis.warning("credentials",
                            "there are none: only calls with a bearer key of their own can pass, "
                            "and what applications sign themselves (proxy mode)",
                            advice);
  }
  return answered;
}

std::optional<aws::CallerIdentity> check_identity(delivery::OwnIdentity& identity,
                                                  const std::string& expected_account,
                                                  Diagnosis& diagnosis) {
  if (identity.endpoint().empty()) {
    diagnosis.note("identity",
                   "not asked: the upstream is not AWS's own, so nothing here may call AWS's STS; "
                   "set [aws] sts_endpoint to ask one");
    return std::nullopt;
  }
  const auto caller = identity.ask();
  if (!caller) {
    diagnosis.failed("identity", identity.problem(),
                     "this call needs no permission: the credentials are wrong, or " +
                         identity.endpoint() + " cannot be reached");
    return std::nullopt;
  }
  const std::string detail = caller->arn + " in account " + caller->account_id;
  if (!expected_account.empty() && caller->account_id != expected_account) {
    diagnosis.failed("identity", detail + ", but the records are of account " + expected_account,
                     "use credentials of that account, or correct account_id");
  } else {
    diagnosis.ok("identity", detail);
  }
  return caller;
}

bool check_upstream(const config::AgentConfig& configuration, aws::HttpClient& http,
                    const aws::SystemClock& clock, Diagnosis& diagnosis) {
  aws::HttpRequest request;
  request.url = configuration.upstream + "/";
  request.connect_timeout = configuration.connect_timeout;
  request.total_timeout = std::chrono::seconds(15);
  const aws::HttpResult answer = http.send(request);
  if (!answer) {
    diagnosis.failed("upstream", answer.error().message, advice_for(answer.error()));
    return false;
  }
  diagnosis.ok("upstream",
               configuration.upstream + " answers (HTTP " + std::to_string(answer->status) + ")");
  check_clock(answer->header("date"), clock, diagnosis);
  return true;
}

void check_bedrock(const config::AgentConfig& configuration, aws::HttpClient& http,
                   aws::CredentialsProvider& credentials, const aws::SystemClock& clock,
                   Diagnosis& diagnosis) {
  const std::string subject = "bedrock:InvokeModel";
  aws::ServiceClientOptions options;
  options.service = "bedrock";
  options.region = configuration.region;
  options.endpoint = configuration.upstream;
  options.clock = clock;
  options.total_timeout = std::chrono::seconds(15);
  aws::ServiceClient bedrock(options, http, credentials);
  aws::ServiceRequest request;
  request.path = "/model/invlog.no-such-model/converse";
  request.headers = {{"Content-Type", "application/json"}};
  request.body = R"({"messages":[{"role":"user","content":[{"text":"invlog doctor"}]}]})";
  request.what = "Converse of a model that does not exist";
  const aws::ServiceResult answer = bedrock.call(request);
  if (answer) {
    diagnosis.failed(subject,
                     configuration.upstream + " answers " + std::to_string(answer->status) +
                         " for a model that does not exist: what is there is not Bedrock",
                     "correct upstream, or see what stands between it and this host");
    return;
  }
  const FailureKind kind = answer.error().kind;
  const bool refuses_model = kind == FailureKind::rejected || kind == FailureKind::not_found;
  if (refuses_model && !answer.error().code.empty()) {
    diagnosis.ok(subject,
                 "a model that does not exist may be asked for (" + answer.error().code + ")");
  } else if (refuses_model) {
    diagnosis.failed(subject, answer.error().message + ": this is not how Bedrock refuses a model",
                     "correct upstream, or see what stands between it and this host");
  } else if (kind == FailureKind::denied) {
    diagnosis.warning(subject, answer.error().message,
                      "a policy that names models denies the one asked for here, which does not "
                      "exist: make sure that it allows those that applications call");
  } else {
    diagnosis.failed(subject, answer.error().message,
                     kind == FailureKind::credentials
                         ? "the service does not take these credentials"
                         : "try again later");
  }
}

void check_profiles(const config::AgentConfig& configuration, const aws::Environment& environment,
                    aws::HttpClient& http, aws::CredentialsProvider& credentials,
                    const aws::SystemClock& clock, Diagnosis& diagnosis) {
  const std::string subject = "bedrock:ListInferenceProfiles";
  const auto endpoint = residency::profile_endpoint(configuration, environment);
  if (!endpoint) {
    diagnosis.note(subject,
                   "not asked: the upstream is not AWS's own; the built-in table of inference "
                   "profiles serves, and [aws] bedrock_endpoint names a control plane");
    return;
  }
  aws::ServiceClientOptions options =
      residency::profile_service_options(configuration.region, *endpoint);
  options.clock = clock;
  options.total_timeout = std::chrono::seconds(15);
  aws::ServiceClient bedrock(options, http, credentials);
  residency::ProfileClientOptions client;
  client.clock = storage::system_now_us;
  const auto listing = residency::ProfileClient(bedrock, client).list();
  if (!listing.failure) {
    diagnosis.ok(subject, counted(static_cast<long long>(listing.profiles.size()), "profile"));
    return;
  }
  diagnosis.warning(subject, listing.failure->message,
                    "allow bedrock:ListInferenceProfiles and bedrock:GetInferenceProfile; until "
                    "then the agent knows the profiles of its built-in table only");
}

void check_destination(exporters::Destination& destination, const exporters::Origin& origin,
                       bool write, const std::string& arn, Diagnosis& diagnosis) {
  if (!write) {
    const auto proven = destination.prove(origin);
    if (proven) {
      diagnosis.ok(destination.name(), destination.target() + " is in " + origin.store.region);
    } else {
      diagnosis.failed(destination.name(), proven.error().message,
                       advice_for(proven.error().kind, arn));
    }
    return;
  }
  for (const exporters::Destination::Check& check : destination.check(origin)) {
    if (check.ok) {
      diagnosis.ok(check.what, check.detail);
      continue;
    }
    if (!check.for_records) {
      diagnosis.warning(check.what, check.detail,
                        "records are delivered without it, but the chain's heads are not: `invlog "
                        "verify --delivered` has nothing to compare with there");
    } else if (check.failure) {
      diagnosis.failed(check.what, check.detail, advice_for(*check.failure, arn));
    } else {
      diagnosis.note(check.what, check.detail);
    }
  }
}

}  // namespace invlog::cli
