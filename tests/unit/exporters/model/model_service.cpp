#include "tests/unit/exporters/model/model_service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "exporters/aws/iso_time.h"

namespace invlog::exporters {
namespace {

using aws::HttpFailure;
using aws::HttpResponse;

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kLargestSkewUs = 300 * kSecondUs;

aws::HttpResult failed(HttpFailure::Kind kind, const char* message) {
  return tl::unexpected(HttpFailure{kind, message});
}

std::string http_date(std::int64_t microseconds) {
  const std::time_t seconds = microseconds / kSecondUs;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[64];
  std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text;
}

// "20260921T141320Z" with the marks of the extended format.
std::string extended(std::string text) {
  for (const std::size_t at : {4, 7}) {
    text.insert(std::min(at, text.size()), "-");
  }
  for (const std::size_t at : {13, 16}) {
    text.insert(std::min(at, text.size()), ":");
  }
  return text;
}

std::string name_of(const aws::HttpRequest& request) {
  std::string name = request.method + " " + request.url;
  for (const auto& [header, value] : request.headers) {
    name += header == "X-Amz-Target" ? " " + value : "";
  }
  return name;
}

void put_text(std::string& to, std::string_view text) {
  to.append(std::to_string(text.size())).append(" ").append(text);
}

std::string take_text(std::istream& from) {
  std::size_t size = 0;
  from >> size;
  from.get();
  std::string text(from ? size : 0, '\0');
  from.read(text.data(), static_cast<std::streamsize>(text.size()));
  return text;
}

}  // namespace

aws::HttpResult ModelService::send(const aws::HttpRequest& request) {
  try {
    return receive(request);
  } catch (const std::exception& error) {
    trouble = error.what();  // or it would pass for a fault of the Shipper's
    throw;
  }
}

aws::HttpResult ModelService::receive(const aws::HttpRequest& request) {
  if (on_call) {
    on_call();
  }
  faults_.may_kill(0.3);
  if (time_.service_us < quiet_until_us) {
    trouble = name_of(request) + " is called " +
              std::to_string((quiet_until_us - time_.service_us) / kSecondUs) +
              " s before the service's Retry-After is over";
  }
  retry_after = std::chrono::milliseconds(0);
  aws::HttpResult result = answer(request);
  spdlog::info("[{}] {}: {}", time_.service_us / kSecondUs, name_of(request),
               result ? std::to_string(result->status) + " " + result->body.substr(0, 100)
                      : result.error().message);
  faults_.may_kill(0.3);
  if (result && request.method == "HEAD") {
    result->body.clear();
  }
  failures += result && result->status < 300 ? 0 : 1;
  return result;
}

aws::HttpResult ModelService::answer(const aws::HttpRequest& request) {
  if (faults_.strikes(0.3)) {
    time_.service_us += (1 + faults_.below(59)) * kSecondUs;  // slow
  }
  if (faults_.strikes()) {
    const int kind = faults_.below(kRefusals + 2);
    return kind < kRefusals ? dated(refusal(kind)) : no_answer();
  }
  const int oddity = faults_.strikes(0.5) ? 1 + faults_.below(kOddities) : 0;
  HttpResponse performed = dated(perform(request, oddity));
  if (!journal_.empty() && request.method != "HEAD" && performed.status < 300) {
    write_journal(request, oddity);
  }
  return faults_.strikes() ? lost_answer() : performed;
}

aws::HttpResult ModelService::no_answer() {
  switch (faults_.below(5)) {
    case 0:
      return failed(HttpFailure::Kind::connect, "connection refused");
    case 1:
      return failed(HttpFailure::Kind::resolve, "the name has no address");
    case 2:
      return failed(HttpFailure::Kind::tls, "the handshake failed");
    case 3:
      return failed(HttpFailure::Kind::timeout, "no answer in 60 s");
    default:
      return failed(HttpFailure::Kind::broken, "connection reset by peer");
  }
}

// The service has done what it was asked for.
aws::HttpResult ModelService::lost_answer() {
  switch (faults_.below(4)) {
    case 0:
      return failed(HttpFailure::Kind::broken, "connection reset by peer");
    case 1:
      return failed(HttpFailure::Kind::timeout, "no whole answer in 60 s");
    case 2:
      return HttpResponse{503, {}, "upstream gone"};
    default:
      return HttpResponse{500, {}, ""};
  }
}

HttpResponse ModelService::elsewhere(const std::string& body) {
  return {faults_.below(2) == 0 ? 301 : 307,
          {{"location", "https://elsewhere.example/"}, {"x-amz-bucket-region", "us-east-1"}},
          body};
}

HttpResponse ModelService::slowed(HttpResponse answer) {
  const int seconds = faults_.below(100);
  answer.headers.emplace_back("retry-after", std::to_string(seconds));
  retry_after = std::chrono::seconds(seconds);
  quiet_until_us = time_.service_us + seconds * kSecondUs;
  return answer;
}

std::chrono::system_clock::time_point ModelService::signing_time(const aws::HttpRequest& request) {
  for (const auto& [name, value] : request.headers) {
    if (name == "x-amz-date") {
      return aws::parse_iso_time(extended(value)).value();
    }
  }
  throw std::logic_error(request.url + " is called without a signature");
}

bool ModelService::is_skewed(const aws::HttpRequest& request) const {
  return std::chrono::abs(ModelTime::point(time_.service_us) - signing_time(request)) >
         std::chrono::microseconds(kLargestSkewUs);
}

HttpResponse ModelService::dated(HttpResponse answer) const {
  answer.headers.emplace_back("date", http_date(time_.service_us));
  return answer;
}

// One write() of the whole entry: it is there or it is not.
void ModelService::write_journal(const aws::HttpRequest& request, int oddity) const {
  std::string entry = std::to_string(time_.service_us) + " " + std::to_string(oddity) + " " +
                      std::to_string(request.headers.size()) + " ";
  put_text(entry, request.method);
  put_text(entry, request.url);
  put_text(entry, request.body);
  for (const auto& [name, value] : request.headers) {
    put_text(entry, name);
    put_text(entry, value);
  }
  std::ofstream journal(journal_, std::ios::binary | std::ios::app);
  journal.rdbuf()->pubsetbuf(nullptr, 0);
  journal.write(entry.data(), static_cast<std::streamsize>(entry.size())).flush();
  if (!journal) {
    throw std::runtime_error("cannot write " + journal_);
  }
}

void ModelService::replay(const std::string& path) {
  std::ifstream journal(path, std::ios::binary);
  std::int64_t at = 0;
  int oddity = 0;
  std::size_t headers = 0;
  while (journal >> at >> oddity >> headers) {
    aws::HttpRequest request;
    journal.get();
    request.method = take_text(journal);
    request.url = take_text(journal);
    const std::string body = take_text(journal);
    request.body = body;
    for (; headers > 0; --headers) {
      std::string name = take_text(journal);
      request.headers.emplace_back(std::move(name), take_text(journal));
    }
    if (!journal) {
      throw std::runtime_error(path + " ends in the middle");
    }
    time_.service_us = at;
    if (const HttpResponse again = perform(request, oddity); again.status >= 300) {
      throw std::runtime_error(request.method + " " + request.url + " is answered " +
                               std::to_string(again.status) + " when it is done again");
    }
  }
}

}  // namespace invlog::exporters
