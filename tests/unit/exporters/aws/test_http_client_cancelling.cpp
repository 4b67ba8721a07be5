#include <dlfcn.h>
#include <netdb.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string_view>
#include <thread>

#include "exporters/aws/http_client.h"
#include "tests/catch.h"
#include "tests/unit/exporters/aws/loopback_server.h"

using namespace invlog::aws;
using namespace invlog::tests;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Kind = HttpFailure::Kind;
using Then = LoopbackReply::Then;

namespace {

// A name server that does not answer, until the test lets go.
class SilentNameServer {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return released_; });
    --waiting_;
    changed_.notify_all();
  }
  void wait_for_question() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ > 0; });
  }
  void release() {
    std::unique_lock lock(mutex_);
    released_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return waiting_ == 0; });
    released_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool released_ = false;
};

SilentNameServer& silent_name_server() {
  static SilentNameServer server;
  return server;
}

constexpr milliseconds kSoon{200};

// The least of some, so that a busy machine does not fail the test.
template <typename Act>
milliseconds quickest(Act act) {
  milliseconds least = milliseconds::max();
  for (int i = 0; i < 20 && least > kSoon; ++i) {
    least = std::min(least, act());
  }
  return least;
}

// From setting the flag until send() is back.
milliseconds time_to_cancel(const std::string& url, const std::function<void()>& wait_for_start) {
  std::atomic<bool> cancelled = false;
  HttpClientOptions options;
  options.cancelled = &cancelled;
  steady_clock::time_point cancelled_at;
  std::thread canceller([&] {
    wait_for_start();
    cancelled_at = steady_clock::now();
    cancelled = true;
  });
  HttpRequest request;
  request.url = url;
  request.direct = true;
  const HttpResult result = curl_http_client(options)->send(request);
  const auto ended = steady_clock::now();
  canceller.join();
  CHECK(!result);
  CHECK(result.error().kind == Kind::cancelled);
  return std::chrono::ceil<milliseconds>(ended - cancelled_at);
}

}  // namespace

// libcurl's thread for names comes here instead of to the C library's function, so that no test
// asks a real name server.
extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints,
                           addrinfo** found) {
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  const std::string_view text = name == nullptr ? "" : name;
  if (text == "silent.invalid") {
    silent_name_server().wait();
  }
  return text.ends_with(".invalid") ? EAI_NONAME : real(name, service, hints, found);
}

TEST_CASE("a call that waits for an answer ends within 200 ms of being cancelled") {
  const auto once = [] {
    LoopbackServer server({{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", Then::stall}});
    return time_to_cancel(server.url(), [&] { server.wait_for_requests(1); });
  };
  CHECK(quickest(once) <= kSoon);
}

TEST_CASE("a call that waits for a name's address ends within 200 ms of being cancelled") {
  const auto once = [] {
    const milliseconds time =
        time_to_cancel("http://silent.invalid/", [] { silent_name_server().wait_for_question(); });
    silent_name_server().release();
    return time;
  };
  CHECK(quickest(once) <= kSoon);
}

TEST_CASE("a name whose address does not come is given up at the connect timeout") {
  HttpRequest request;
  request.url = "http://silent.invalid/";
  request.direct = true;
  request.connect_timeout = milliseconds(50);
  const HttpResult result = curl_http_client({})->send(request);
  silent_name_server().release();
  REQUIRE(!result);
  CHECK(result.error().kind == Kind::resolve);
}

TEST_CASE("a name without an address is a failure of its own kind that names the host") {
  HttpRequest request;
  request.url = "http://nowhere.invalid:81/";
  request.direct = true;
  const HttpResult result = curl_http_client({})->send(request);
  REQUIRE(!result);
  CHECK(result.error().kind == Kind::resolve);
  CHECK(result.error().message.starts_with("nowhere.invalid:81: "));
}

TEST_CASE("after being cancelled nothing more is sent until the flag is taken back") {
  LoopbackServer server({reply(200)});
  std::atomic<bool> cancelled = true;
  HttpClientOptions options;
  options.cancelled = &cancelled;
  const auto client = curl_http_client(options);
  HttpRequest request;
  request.url = server.url();
  request.direct = true;
  const HttpResult refused = client->send(request);
  REQUIRE(!refused);
  CHECK(refused.error().kind == Kind::cancelled);
  CHECK(server.connections() == 0);
  cancelled = false;
  CHECK(client->send(request));
}
