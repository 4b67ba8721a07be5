// What the tests of the credential cache share: keys, and a cache whose source a test rules.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "exporters/aws/cached_credentials.h"
#include "tests/unit/exporters/aws/credential_scene.h"

namespace invlog::tests {

inline aws::Credentials keys(const std::string& key,
                             std::optional<std::chrono::system_clock::time_point> expiration = {}) {
  aws::Credentials made;
  made.access_key_id = key;
  made.secret_access_key = "secret-of-" + key;
  made.expiration = expiration;
  made.source = "source";
  return made;
}

// A cache of a link that answers as the test says, on the clocks of a scene.
struct Cache {
  CredentialScene scene;
  std::atomic<int> asked{0};
  std::function<aws::ProvideResult()> answer;  // null: nothing
  std::unique_ptr<aws::CredentialsProvider> cache;

  class Source final : public aws::CredentialsProvider {
   public:
    explicit Source(Cache& owner) : owner_(owner) {}
    aws::ProvideResult provide() override {
      ++owner_.asked;
      return owner_.answer ? owner_.answer() : aws::ProvideResult(std::nullopt);
    }
    std::string name() const override { return "link"; }
    std::string why_nothing() const override { return "nobody is there"; }

   private:
    Cache& owner_;
  };

  explicit Cache(bool extend_expired = false)
      : cache(aws::cached(std::make_unique<Source>(*this), scene.options(), extend_expired)) {}

  void give(const aws::Credentials& credentials) {
    answer = [credentials] { return credentials; };
  }
  void fail(const std::string& error) {
    answer = [error]() -> aws::ProvideResult { return tl::unexpected(error); };
  }
  std::string get() { return key_of(cache->provide()); }
};

}  // namespace invlog::tests
