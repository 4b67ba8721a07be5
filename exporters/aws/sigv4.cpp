#include "exporters/aws/sigv4.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <memory>
#include <stdexcept>

#include "exporters/aws/canonical_request.h"

namespace invlog::aws {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
using Digest = std::array<unsigned char, 32>;

[[noreturn]] void fail() {
  throw std::runtime_error(
      "OpenSSL offers no SHA-256 here: check openssl.cnf (OPENSSL_CONF) for a provider that has "
      "it");
}

// Fetching an algorithm and making a context cost more than hashing a short text: both are kept,
// per thread.
Digest sha256(std::string_view bytes) {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                                EVP_MD_CTX_free);
  Digest digest;
  if (algorithm == nullptr || context == nullptr ||
      EVP_DigestInit_ex2(context.get(), algorithm, nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) != 1 ||
      EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) != 1) {
    fail();
  }
  return digest;
}

EVP_MAC_CTX* new_hmac_context() {
  static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  EVP_MAC_CTX* const context = algorithm == nullptr ? nullptr : EVP_MAC_CTX_new(algorithm);
  char digest_name[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
      OSSL_PARAM_construct_end()};
  if (context == nullptr || EVP_MAC_CTX_set_params(context, parameters) != 1) {
    fail();
  }
  return context;
}

Digest hmac_sha256(std::string_view key, std::string_view bytes) {
  thread_local const std::unique_ptr<EVP_MAC_CTX, void (*)(EVP_MAC_CTX*)> context(
      new_hmac_context(), EVP_MAC_CTX_free);
  Digest digest;
  std::size_t size = 0;
  if (EVP_MAC_init(context.get(), reinterpret_cast<const unsigned char*>(key.data()), key.size(),
                   nullptr) != 1 ||
      EVP_MAC_update(context.get(), reinterpret_cast<const unsigned char*>(bytes.data()),
                     bytes.size()) != 1 ||
      EVP_MAC_final(context.get(), digest.data(), &size, digest.size()) != 1) {
    fail();
  }
  return digest;
}

std::string_view view(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

void append_hex(std::string& out, const Digest& digest) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (const unsigned char byte : digest) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
}

void append_decimal(std::string& out, unsigned value, int digits) {
  for (unsigned divisor = digits == 4 ? 1000 : 10; divisor > 0; divisor /= 10) {
    out += static_cast<char>('0' + value / divisor % 10);
  }
}

// 20150830T123600Z
std::string basic_iso_time(std::chrono::system_clock::time_point now) {
  using namespace std::chrono;
  const auto seconds_now = floor<seconds>(now);
  const auto day = floor<days>(seconds_now);
  const year_month_day date(day);
  const hh_mm_ss time(seconds_now - day);
  std::string text;
  text.reserve(16);
  append_decimal(text, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  append_decimal(text, static_cast<unsigned>(date.month()), 2);
  append_decimal(text, static_cast<unsigned>(date.day()), 2);
  text += 'T';
  append_decimal(text, static_cast<unsigned>(time.hours().count()), 2);
  append_decimal(text, static_cast<unsigned>(time.minutes().count()), 2);
  append_decimal(text, static_cast<unsigned>(time.seconds().count()), 2);
  text += 'Z';
  return text;
}

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) {
    return false;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char byte = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
    if (byte != lower[i]) {
      return false;
    }
  }
  return true;
}

// The caller's headers without what sign() itself supplies, then that.
HeaderViews headers_to_sign(const SigningRequest& request, const Signature& signature) {
  HeaderViews headers;
  headers.reserve(request.headers.size() + 2);
  for (const auto& header : request.headers) {
    if (!equals_ignoring_case(header.first, "x-amz-date") &&
        !equals_ignoring_case(header.first, "x-amz-security-token")) {
      headers.push_back(header);
    }
  }
  headers.emplace_back("x-amz-date", signature.amz_date);
  if (!signature.security_token.empty()) {
    headers.emplace_back("x-amz-security-token", signature.security_token);
  }
  return headers;
}

}  // namespace

Signer::Signer(std::string region, std::string service)
    : region_(std::move(region)), service_(std::move(service)) {}

Signature Signer::sign(const SigningRequest& request, const Credentials& credentials,
                       std::chrono::system_clock::time_point now) {
  Signature signature;
  signature.amz_date = basic_iso_time(now);
  signature.security_token = credentials.session_token;
  const std::string_view day = std::string_view(signature.amz_date).substr(0, 8);
  derive_key(day, credentials.secret_access_key);

  std::string& canonical = signature.canonical_request;
  canonical.reserve(512 + request.path.size() + request.query.size() +
                    signature.security_token.size());
  canonical += request.method;
  canonical += '\n';
  append_canonical_path(canonical, request.path, request.normalize_path, request.encode_path_again);
  canonical += '\n';
  append_canonical_query(canonical, request.query);
  canonical += '\n';
  std::string signed_names;
  signed_names.reserve(128);
  append_canonical_headers(canonical, signed_names, headers_to_sign(request, signature));
  canonical += '\n';
  canonical += signed_names;
  canonical += '\n';
  canonical += request.payload_sha256_hex;

  std::string scope;
  scope.reserve(32 + region_.size() + service_.size());
  scope.append(day).append("/").append(region_).append("/").append(service_).append(
      "/aws4_request");

  std::string& to_sign = signature.string_to_sign;
  to_sign.reserve(128 + scope.size());
  to_sign.append(kAlgorithm).append("\n").append(signature.amz_date).append("\n").append(scope);
  to_sign += '\n';
  append_hex(to_sign, sha256(canonical));

  std::string& authorization = signature.authorization;
  authorization.reserve(192 + scope.size() + signed_names.size());
  authorization.append(kAlgorithm).append(" Credential=").append(credentials.access_key_id);
  authorization.append("/").append(scope).append(", SignedHeaders=").append(signed_names);
  authorization += ", Signature=";
  append_hex(authorization, hmac_sha256(key_, to_sign));
  return signature;
}

void Signer::derive_key(std::string_view day, std::string_view secret) {
  if (day == key_day_ && secret == key_secret_) {
    return;
  }
  const Digest day_key = hmac_sha256(std::string("AWS4").append(secret), day);
  const Digest region_key = hmac_sha256(view(day_key), region_);
  const Digest service_key = hmac_sha256(view(region_key), service_);
  key_ = view(hmac_sha256(view(service_key), "aws4_request"));
  key_day_ = day;
  key_secret_ = secret;
}

std::string sha256_hex(std::string_view bytes) {
  std::string hex;
  hex.reserve(64);
  append_hex(hex, sha256(bytes));
  return hex;
}

}  // namespace invlog::aws
