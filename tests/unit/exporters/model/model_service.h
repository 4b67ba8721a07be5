// The other side of the network in the delivery model: a fake service that keeps what it took, with
// faults before and after each call, and the books of which record is where.
//
// What it took it also writes into a journal, if it has one: so the service of a process that is
// killed lives on in the process that forked it.
//
// Threads: one. It lives on when destination and Shipper are gone, as a service does. Errors:
// `trouble`; std::runtime_error if the journal cannot be written or read.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "exporters/aws/http_client.h"
#include "exporters/destination.h"
#include "tests/unit/exporters/model/fault_source.h"
#include "tests/unit/exporters/model/model_credentials.h"
#include "tests/unit/exporters/model/model_store.h"
#include "tests/unit/exporters/model/model_time.h"

namespace invlog::exporters {

// Records and why they died.
using DeadReasons = std::map<std::int64_t, std::string>;

class ModelService : public aws::HttpClient {
 public:
  ModelService(FaultSource& faults, ModelTime& time) : faults_(faults), time_(time) {}

  // A new one, as after a restart, perhaps with another configuration.
  virtual std::unique_ptr<Destination> connect() = 0;
  // It stays what it is from now on.
  void keep_configuration() { configured_ = true; }
  // How often the record is there now.
  virtual int copies(std::int64_t record) const = 0;
  // What is wrong at the end, "" nothing.
  virtual std::string verdict(const ModelStore& store, const DeadReasons& dead) const = 0;

  // What must not be at any time, "" nothing.
  std::string trouble;
  // Before each call.
  std::function<void()> on_call;
  // Calls that failed since somebody set it to 0.
  int failures = 0;
  // What the service asked for last, and until when; 0 nothing.
  std::chrono::milliseconds retry_after{0};
  std::int64_t quiet_until_us = 0;

  // "" none. What is performed from now on goes there, too.
  void keep_journal(const std::string& path) { journal_ = path; }
  // Performs what is in the journal, which another process wrote; time goes on to its end.
  void replay(const std::string& path);

  aws::HttpResult send(const aws::HttpRequest& request) final;

 protected:
  // `oddity`: 0, or a number on which the service behaves oddly (in a way that it may).
  virtual aws::HttpResponse perform(const aws::HttpRequest& request, int oddity) = 0;
  // An answer instead of the call.
  virtual aws::HttpResponse refusal(int kind) = 0;
  static constexpr int kRefusals = 8;
  static constexpr int kOddities = 32;

  // 301 or 307, to another Region.
  aws::HttpResponse elsewhere(const std::string& body);
  // An answer that asks for a pause.
  aws::HttpResponse slowed(aws::HttpResponse answer);
  static std::chrono::system_clock::time_point signing_time(const aws::HttpRequest& request);
  // Whether that is too far from the service's own time.
  bool is_skewed(const aws::HttpRequest& request) const;
  // With the Date header.
  aws::HttpResponse dated(aws::HttpResponse answer) const;

  FaultSource& faults_;
  ModelTime& time_;
  bool configured_ = false;
  ModelCredentials credentials_{faults_};

 private:
  aws::HttpResult receive(const aws::HttpRequest& request);
  aws::HttpResult answer(const aws::HttpRequest& request);
  aws::HttpResult no_answer();
  aws::HttpResult lost_answer();
  void write_journal(const aws::HttpRequest& request, int oddity) const;

  std::string journal_;
};

}  // namespace invlog::exporters
